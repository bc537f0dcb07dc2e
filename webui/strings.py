"""The page's own words in English and Chinese, as plain text: whoever shows them escapes it.

Messages from the engine and the models (errors, notes, reasons) are translated by their template.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from rag.messages import Message

Language = Literal["en", "zh"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_WORDS: Final = Path(__file__).with_name("words")


@cache
def all_words() -> dict[str, tuple[str, str]]:
    """The page's words by key, each in English and Chinese. Raises ValueError if two files define the same key."""
    words: dict[str, tuple[str, str]] = {}
    for path in sorted(_WORDS.glob("*.toml")):
        for key, (english, chinese) in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if key in words:
                raise ValueError(f"{path.name} defines {key!r} again")
            words[key] = (english, chinese)
    return words


def say(language: Language, key: str, **values: object) -> str:
    """The words for `key`, as plain text. Raises KeyError for an unknown key."""
    text = all_words()[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


@cache
def chinese_messages() -> dict[str, str]:
    """Chinese templates of all packages' messages, by their English templates."""
    with Path(__file__).with_name("zh.toml").open("rb") as file:
        return dict(tomllib.load(file))


def say_message(language: Language, message: Message | str) -> str:
    """A message in the page's language, or in English if it has no translation. Plain text stays as it is."""
    if isinstance(message, str):
        return message
    template = chinese_messages().get(message.template, message.template) if language == "zh" else message.template
    values = {
        name: say_message(language, value) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    return template.format(**values) if values else template


def language_of(request: Any) -> Language:
    """The language in which to answer a request of Starlette or Gradio: the one chosen before, or the preferred one."""
    return pick_language(request.cookies.get("language"), request.headers.get("accept-language"))


def pick_language(cookie: str | None, accept: str | None) -> Language:
    """The language chosen before (a cookie), else the first one of Accept-Language that there is, else English."""
    if cookie == "zh":
        return "zh"
    if cookie == "en":
        return "en"
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "en"

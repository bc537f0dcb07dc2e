"""The page's header: its name, which components run and why, language, light or dark, log out."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.records import Choice
from webui.strings import Language, say
from webui.views.render import render

_READER_WORDS = {"loading": "reader_loading", "failed": "reader_failed"}
_NAMES = {"Quote reader · no model": "quote_reader", "none": "no_model"}  # words, not models' names
_SPELT = {"cpu": "CPU"}
_KNOWN = ("reader", "embedder", "reranker", "device", "index")


@dataclass(frozen=True, slots=True)
class ShownChoice:
    """A component in use, as the page shows it."""

    what: str
    word: str  # "Reader", "Embedder", "Device"
    name: str
    state: str  # "ready", "loading" or "failed"
    badge: str  # the state in words; "" when ready
    why: Message
    picks: bool  # whether clicking it opens the model picker


def head_html(
    choices: tuple[Choice, ...], language: Language, user: str, picker: str = "", settings: str = ""
) -> Markup:
    """The header. Each choice opens its reason, and the reader also `picker`. `picker` and `settings` are HTML."""
    shown = [shown_choice(choice, language, picks=bool(picker) and choice.what == "reader") for choice in choices]
    return render("head.html", language, choices=shown, user=user, picker=picker, settings=settings)


def shown_choice(choice: Choice, language: Language, *, picks: bool = False) -> ShownChoice:
    """What the page says about a choice. With `picks`, clicking it opens the model picker."""
    state = "failed" if choice.failed else "ready" if choice.ready else "loading"
    # While a model is loading, or after it failed, another reader answers, but the badge is about the model.
    key = _READER_WORDS.get(state, state) if choice.what == "reader" else state
    return ShownChoice(
        what=choice.what,
        word=say(language, choice.what) if choice.what in _KNOWN else choice.what,
        name=name_word(choice.name, language),
        state=state,
        badge="" if state == "ready" else say(language, key),
        why=choice.failed or choice.why,
        picks=picks,
    )


def name_word(name: str, language: Language) -> str:
    """A component's name on the page: the quote reader's is translated, names of models are not."""
    return say(language, _NAMES[name]) if name in _NAMES else _SPELT.get(name, name)

"""The head of the page as HTML: its name, what was picked and why, language, light or dark, log out."""

from __future__ import annotations

from rag.records import Choice
from webui.strings import Language, say
from webui.views.markup import escape

_READER_WORDS = {"loading": "reader_loading", "failed": "reader_failed"}
_KNOWN = ("reader", "embedder", "reranker", "device")


def head_html(choices: tuple[Choice, ...], language: Language, user: str, picker: str = "") -> str:
    """One line; each choice opens its reason, that of the reader also `picker`, HTML."""
    picked = "".join(_choice(choice, language, picker if choice.what == "reader" else "") for choice in choices)
    out = ""
    if user:
        leave = f'<a href="logout">{escape(say(language, "log_out"))}</a>'
        out = f'<span class="user"><bdi>{escape(user)}</bdi> {leave}</span>'
    theme = escape(say(language, "theme"))
    return (
        f'<h1 data-key="title">{_LOGO}{escape(say(language, "title"))}</h1>'
        f'<div class="choices" data-key="choices" role="group" aria-label="{escape(say(language, "status"))}">'
        f"{picked}</div>"
        f'<div class="tools" data-key="tools">{out}'
        f'<button type="button" class="quiet" data-do="language" lang="{"en" if language == "zh" else "zh"}">'
        f"{escape(say(language, 'language'))}</button>"
        f'<button type="button" class="icon" data-do="theme" aria-label="{theme}" title="{theme}">◐</button></div>'
        f'<nav class="panels" data-key="panels">'
        f'<button type="button" data-do="panel" data-panel="library">{escape(say(language, "documents"))}</button>'
        f'<button type="button" data-do="panel" data-panel="talk">{escape(say(language, "conversation"))}</button>'
        f'<button type="button" data-do="panel" data-panel="viewer">{escape(say(language, "source"))}</button>'
        "</nav>"
    )


def choice_word(choice: Choice, language: Language) -> str:
    """What was chosen: "Reader", "Embedder", "Device"."""
    return say(language, choice.what) if choice.what in _KNOWN else choice.what


def _choice(choice: Choice, language: Language, picker: str) -> str:
    what = choice_word(choice, language)
    state = "failed" if choice.failed else "ready" if choice.ready else "loading"
    # Another reader answers while a model is loaded, and when it failed: the word is not about the one named here.
    key = _READER_WORDS.get(state, state) if choice.what == "reader" else state
    word = "" if state == "ready" else f' <i class="word">{escape(say(language, key))}</i>'
    why = str(choice.failed or choice.why)
    kinds = f"choice {state} picks" if picker else f"choice {state}"
    return (
        f'<details class="{kinds}" data-key="choice-{escape(choice.what)}" name="choice">'
        f'<summary><i class="dot" aria-hidden="true"></i><span class="what">{escape(what)}</span> '
        f"<b>{escape(choice.name)}</b>{word}</summary>"
        f'<div class="why"><p data-key="why"><b>{escape(choice.name)}</b>{escape(why)}</p>{picker}</div></details>'
    )


_LOGO = (
    '<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
    '<rect x="4" y="2" width="16" height="20" rx="3" class="logo-page"/>'
    '<path d="M8 8h8M8 16h5" class="logo-line"/><path d="M8 12h8" class="logo-mark"/></svg>'
)

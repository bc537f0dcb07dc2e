"""The head of the page as HTML: its name, what was picked and why, language, light or dark, log out."""

from __future__ import annotations

from rag.records import Choice
from webui.markup import escape
from webui.words import Language, say

_KNOWN = ("reader", "embedder", "device")


def head_html(choices: tuple[Choice, ...], language: Language, user: str) -> str:
    """One line; each choice opens its reason."""
    picked = "".join(_choice(choice, language) for choice in choices)
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


def _choice(choice: Choice, language: Language) -> str:
    what = choice_word(choice, language)
    state = "failed" if choice.failed else "ready" if choice.ready else "loading"
    word = "" if state == "ready" else f' <i class="word">{escape(say(language, state))}</i>'
    why = choice.failed or choice.why
    return (
        f'<details class="choice {state}" data-key="choice-{escape(choice.what)}" name="choice">'
        f'<summary><i class="dot" aria-hidden="true"></i><span class="what">{escape(what)}</span> '
        f"<b>{escape(choice.name)}</b>{word}</summary>"
        f'<p class="why"><b>{escape(choice.name)}</b>{escape(why)}</p></details>'
    )


_LOGO = (
    '<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
    '<rect x="4" y="2" width="16" height="20" rx="3" class="logo-page"/>'
    '<path d="M8 8h8M8 16h5" class="logo-line"/><path d="M8 12h8" class="logo-mark"/></svg>'
)

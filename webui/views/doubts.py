"""Why an answer is in doubt, in words for the person who asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rag.records import AnswerState
from webui.conversation import Exchange
from webui.strings import Language, say

NAMED_FILES: Final = 3  # of those that were still being read
# Title of each state that shows doubt, and what to say if no reason is known, as keys of the page's strings.
_DOUBTS: Final = {
    AnswerState.CLOSEST: ("state_closest", "why_closest"),
    AnswerState.NONE: ("state_none", "ask_otherwise"),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an answer cannot be relied on, or why there is none."""

    state: AnswerState
    title: str  # "No direct answer found", "Not in these documents"
    reason: str  # or what to do, if no reason is known

    def in_one_line(self, language: Language) -> str:
        """Title and reason in one line, for texts without titles."""
        return say(language, "named_value", name=self.title, value=self.reason)


def doubt_of(exchange: Exchange, language: Language) -> Doubt | None:
    """The doubt about a finished answer; None if there is none."""
    answer = exchange.answer
    if answer is None or answer.reply or answer.state is AnswerState.ANSWER:
        return None
    title_key, reason_key = _DOUBTS[answer.state]
    title = say(language, title_key)
    if answer.state is AnswerState.NONE and (words := exchange.bare_answer()):
        return Doubt(answer.state, title, words)
    if answer.missing:
        key = "missing" if answer.state is AnswerState.CLOSEST else "missing_none"  # the title of NONE says where
        return Doubt(answer.state, title, say(language, key, names=", ".join(answer.missing)))
    return Doubt(answer.state, title, say(language, reason_key))


def unread_names(exchange: Exchange) -> str:
    """The files that an answer could not search, in words; "" if there were none."""
    if exchange.answer is None or exchange.answer.reply:
        return ""
    return ", ".join(exchange.unread[:NAMED_FILES]) + ("…" if len(exchange.unread) > NAMED_FILES else "")

"""Completes a follow-up ("and in 2020?", "它的收入呢？") from the conversation, replacing the part that has changed.

No model is involved. A question that is complete stays as it is, whatever words it shares with the one before. A
follow-up that fits nothing in the question before is searched together with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.language import COMMON_HAN, mainly_chinese
from rag.reader import Turn
from rag.retrieve.dialogue.chinese import complete_chinese
from rag.retrieve.dialogue.english import complete_english

_CHINESE_END: Final = re.compile(rf"[{COMMON_HAN}][？?。！!\s]*$")
_ENGLISH: Final = re.compile(r"\b(?:and|about|for|in|is|of|the|what|how|who|when|where)\b", re.IGNORECASE)
MAX_TURNS: Final = 6  # earlier questions that a chain of follow-ups goes back
MAX_CHARACTERS: Final = 300  # of a question that may be a follow-up; a longer one says what it is about


def complete_question(question: str, history: Sequence[Turn]) -> str:
    """The question as it would be asked without a conversation before it.

    Each question is completed from the one before, which is itself completed: `Turn.completed` if known.
    """
    before: Turn | None = None
    for turn in history[-MAX_TURNS:]:
        completed = turn.completed or _complete(turn.question, before)
        before = Turn(completed, turn.answer)
    return _complete(question, before)


def _complete(question: str, before: Turn | None) -> str:
    if before is None or len(question) > MAX_CHARACTERS or not before.question.strip():
        return question
    complete = complete_chinese if _is_chinese(question) else complete_english
    completed = complete(question, before.question, before.answer)
    return f"{before.question} {question}" if completed is None else completed


def _is_chinese(question: str) -> bool:
    """Whether a question is in Chinese, even if the names in it are not: "RoBERTa呢？"."""
    return mainly_chinese(question) or bool(_CHINESE_END.search(question) and not _ENGLISH.search(question))

"""Who joined the board of a company: whether a question asks for that, and whether a sentence says so."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.phrases.offices import asks_for_office

_JOINED: Final = r"\b(?:re-?)?(?:elect(?:s|ed)?|appoint(?:s|ed)?|nominat(?:es|ed)|named|join(?:s|ed)|voted)\b"
_BOARD: Final = r"\b(?:boards?|directors?|directorships?)\b"
ASKS: Final = re.compile(
    rf"\b(?:who|whom|which|what)\b.{{0,80}}{_JOINED}.{{0,80}}{_BOARD}"
    rf"|\b(?:who|which|what)\b.{{0,20}}{_BOARD}.{{0,40}}{_JOINED}"
    r"|(?:谁|哪[些几]?[位人个]?).{0,20}(?:当选|获选|被选|入选|被任命).{0,20}董事(?!长|会秘书)"
    r"|(?:当选|获选|被选|入选).{0,20}董事(?!长|会秘书).{0,20}(?:谁|哪)",
    re.IGNORECASE,
)
_TELLS: Final = re.compile(
    rf"{_JOINED}.{{0,200}}{_BOARD}|{_BOARD}.{{0,80}}{_JOINED}|(?:当选|选举|聘任|任命).{{0,60}}董事|董事.{{0,40}}当选",
    re.IGNORECASE | re.DOTALL,
)


def asks_for_directors(question: str) -> bool:
    """Whether it asks who was elected or appointed to a board, and not to an office such as its chair."""
    return ASKS.search(question) is not None and asks_for_office(question) is None


def tells_of_directors(sentence: str) -> bool:
    """Whether a sentence says that somebody was elected or appointed to a board."""
    return _TELLS.search(sentence) is not None

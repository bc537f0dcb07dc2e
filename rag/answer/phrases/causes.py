"""Whether a sentence gives the cause of what a question asks the reason for, rather than of something else."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.phrases.fit import suits
from rag.answer.phrases.kind import Kind
from rag.index.tokenize import terms

_UP: Final = r"\b(?:increas\w*|ris(?:e|es|ing|en)|rose|gr[eo]w\w*|improv\w+)\b"
_DOWN: Final = r"\b(?:decreas\w*|declin\w*|fall(?:s|en|ing)?|fell|drop\w*|reduc\w+|shr[ai]nk)\b"
_RISES: Final = re.compile(_UP, re.IGNORECASE)
_EITHER: Final = re.compile(f"{_UP}|{_DOWN}", re.IGNORECASE)
_NAMES: Final = re.compile(r"(?<=[\w,] )[A-Z][\w&.-]*(?:[’']s?)?")  # of companies, which other sentences name too
_ASKED_WITH: Final = frozenset(
    term
    for word in (
        "why did do does is are was were what caused cause causes reason reasons for the a an of in its net total"
    ).split()
    for term in terms(word)
)


def moves(question: str) -> bool:
    """Whether a question is about a rise or a fall."""
    return _EITHER.search(question) is not None


def gives_cause(question: str, sentence: str, start: int) -> bool:
    """Whether a sentence has the signs of a cause; for a rise or a fall, the cause of the same thing and direction.

    `start`: where in the sentence the cause starts.
    """
    if suits(Kind.WHY, sentence) != 1.0:
        return False
    if not moves(question):
        return True
    subject = sentence[:start] or sentence
    asked, said = _direction(question), _direction(subject)
    if said is not None and said != asked:
        return False
    left = _EITHER.sub(" ", _NAMES.sub(" ", question))
    wanted = {term for term in terms(left) if term not in _ASKED_WITH and not term.isdigit()}
    return not wanted or not wanted.isdisjoint(terms(subject))


def _direction(text: str) -> bool | None:
    """Whether the first movement that a text tells of is a rise; None without one."""
    first = _EITHER.search(text)
    return None if first is None else _RISES.match(first.group()) is not None

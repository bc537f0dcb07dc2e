"""Of several numbers of one unit in a sentence, the one in the clause that has more of the question."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from rag.answer.claims.lexicon import stem
from rag.index.tokenize import terms
from rag.language import CJK

_NUMBER: Final = re.compile(
    r"(?:[$£€¥￥]\s?)?(?<![\w.,])(?:\d[\d,.]*\d|\d)|(?<=[^\x00-\x7f])(?:\d[\d,.]*\d|\d)"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty)\b",
    re.IGNORECASE,
)
_UNIT: Final = re.compile(rf"\s?(?P<unit>[%％]|[A-Za-z]{{1,20}}|[{CJK}])")
_CLAUSES: Final = re.compile(r"[,;，；、](?!\d)\s*|\s(?=and\s)|\s(?=or\s)", re.IGNORECASE)
_PARTICIPLE: Final = re.compile(r"\b[a-z]{2,20}ed\b")


def in_asked_clause(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The span [start, end) of a number, or that of another number of its unit whose clause the question is about.

    "The frame is guaranteed for ten years, the battery for two years", asked about the battery.
    """
    own = [match for match in _NUMBER.finditer(text) if start <= match.start() and match.end() <= end]
    if len(own) != 1:
        return start, end
    unit = _unit(text, own[0].end())
    others = [match for match in _NUMBER.finditer(text) if unit and _unit(text, match.end()) == unit]
    asked = {stem(term) for term in terms(question)} - {unit}
    edges = [0, *(match.end() for match in _CLAUSES.finditer(text)), len(text)]
    said, carried = [], set[str]()
    for left, right in pairwise(edges):
        words = {stem(term) for term in terms(text[left:right])} & asked
        said.append((left, right, words | carried))
        # What was done is not said again: "the battery for two years".
        carried |= {stem(word) for word in _PARTICIPLE.findall(text[left:right].lower())} & asked
    clause_of = {
        one.start(): next(words for left, right, words in said if left <= one.start() < right) for one in others
    }
    if own[0].start() not in clause_of:
        return start, end
    here = clause_of[own[0].start()]
    better = [one for one in others if len(clause_of[one.start()] - here) > len(here - clause_of[one.start()])]
    if len(better) != 1:
        return start, end
    behind = min(end - own[0].end(), len(text) - better[0].end())
    return better[0].start() + len(better[0].group()) - len(better[0].group().lstrip()), better[0].end() + behind


def _unit(text: str, end: int) -> str:
    """What stands behind a number, as a stem."""
    match = _UNIT.match(text, end)
    return stem(match["unit"]) if match else ""

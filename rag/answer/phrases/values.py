"""A span that is a value: cut out of a longer one with its unit, or moved to the clause that the question is about."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from rag.answer.claims.lexicon import stem
from rag.answer.phrases.kind import Kind
from rag.index.tokenize import terms
from rag.language import CJK

_SINGLE_NUMBER: Final = re.compile(
    r"(?:[$£€¥￥]\s?)?(?<![\w.,])(?:\d[\d,.]*\d|\d)|(?<=[^\x00-\x7f])(?:\d[\d,.]*\d|\d)"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty)\b",
    re.IGNORECASE,
)
_UNIT: Final = re.compile(rf"\s?(?P<unit>[%％]|[A-Za-z]{{1,20}}|[{CJK}])")
_CLAUSES: Final = re.compile(r"[,;，；、](?!\d)\s*|\s(?=and\s)|\s(?=or\s)", re.IGNORECASE)
_PARTICIPLE: Final = re.compile(r"\b[a-z]{2,20}ed\b")
_NUMBER: Final = (
    r"(?:\d[\d,.]{0,30}\d|\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty"
    r"|thirty|forty|fifty|ninety)\b"
    r"|[一二三四五六七八九十百两半]{1,12})"
)
_SCALE: Final = r"(?:\s?(?:thousand|million|billion|trillion|hundred million|万|亿|千|百万))?"
_CURRENCY: Final = (
    r"(?:euros?|dollars?|pounds?|crowns?|francs?|yuan|yen|pence|cents?|rupees?|kronor|USD|EUR|GBP|CNY"
    r"|RMB|元|美元|欧元|港元|英镑|日元)"
)
_TIME: Final = (
    r"(?:(?:business |working |calendar )?(?:years?|months?|weeks?|days?|hours?|minutes?|seconds?|decades?)\b"
    r"|个?半?(?:年半?|月|周|天半?|日|小时半?|分钟|秒))"  # 一个半小时, 一年半
)
_VALUES: Final = {
    Kind.MONEY: re.compile(rf"[$£€¥￥]\s?{_NUMBER}{_SCALE}|{_NUMBER}{_SCALE}\s?{_CURRENCY}", re.IGNORECASE),
    Kind.PERCENT: re.compile(rf"{_NUMBER}\s?(?:%|％|percent)|百分之{_NUMBER}", re.IGNORECASE),
    Kind.DURATION: re.compile(rf"{_NUMBER}(?:\s|-)?{_TIME}", re.IGNORECASE),
}
_UNIT_AFTER: Final = re.compile(rf"{_SCALE}\s?{_CURRENCY}(?![a-z])", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[;；]\s*")
_LONG: Final = 24  # characters of a span, a Chinese one counting twice, from which on it is cut to the value in it


def in_asked_clause(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The span [start, end) of a number, or that of another number of its unit whose clause the question is about.

    "The frame is guaranteed for ten years, the battery for two years", asked about the battery.
    """
    own = [match for match in _SINGLE_NUMBER.finditer(text) if start <= match.start() and match.end() <= end]
    if len(own) != 1:
        return start, end
    unit = _unit(text, own[0].end())
    others = [match for match in _SINGLE_NUMBER.finditer(text) if unit and _unit(text, match.end()) == unit]
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


def cut_to_value(kind: Kind, question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The only value of the kind asked for, within a long span; for money, with its currency."""
    if kind not in _VALUES:
        return start, end
    # Of several clauses keep the one that shares most with the question.
    asked = set(terms(question))
    edges = [start, *(start + match.end() for match in _CLAUSE.finditer(text[start:end])), end]
    parts = list(pairwise(edges))
    start, end = max(parts, key=lambda part: len(asked & set(terms(text[slice(*part)]))))
    # Cut a long one to its value.
    width = sum(2 if ord(character) > 0x2E80 else 1 for character in text[start:end])
    found = list(_VALUES[kind].finditer(text, start, end))
    if width >= _LONG and found and (len(found) == 1 or kind is Kind.MONEY):
        start, end = found[0].span()
    # Take along the beginning of a value that is cut: 一个|半小时.
    start = next((one.start() for one in _VALUES[kind].finditer(text) if one.start() < start < one.end()), start)
    # Take the unit along.
    after = _UNIT_AFTER.match(text, end) if kind is Kind.MONEY and text[end - 1 : end].isalnum() else None
    return start, after.end() if after else end

"""Where a document states a fact: the best match of its rules on the pages, as a value or a list with its evidence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.facts.items import Items, items_after
from rag.answer.facts.table import Fact, Form, Pick, Rule
from rag.answer.sentences import sentence_spans

_NUMBER_WORDS: Final = {word: n for n, word in enumerate("two three four five six seven eight nine ten".split(), 2)}
_MILLION: Final = re.compile(r"\bmillion\b|百万", re.IGNORECASE)
_AROUND: Final = 700  # characters before a match within which its sentence starts
_MIN_NAMES: Final = 3  # of a list that announces no number
_MAX_MATCHES: Final = 40  # of one rule
_MAX_EVIDENCE: Final = 600  # characters


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page."""

    number: int
    label: str  # as the document labels it
    start: int  # in the document's text, in characters
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """[start, end) in the text of a page."""

    page: PageText
    start: int
    end: int

    @property
    def text(self) -> str:
        """What stands there, in one line."""
        return " ".join(self.page.text[self.start : self.end].split())


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact as a document states it."""

    values: tuple[str, ...]
    places: tuple[Place, ...]  # of the values
    evidence: tuple[Place, ...]  # the sentences they stand in
    certain: bool = True  # whether it is certain enough to be stated
    quoted: bool = False  # whether it is quoted in the document's words, such as a reason


def find_stated(fact: Fact, pages: Sequence[PageText], names: Collection[str], years: Sequence[str]) -> Stated | None:
    """The match of the first rule of a fact that matches at all; None if none does.

    `names`: terms that name the document's company; `years`: those in the question.
    """
    for rule in fact.rules:
        if rule.year and not years:
            continue
        pattern = rule.compiled(names)
        if found := _picked(rule, _matches(fact, rule, pattern, pages)):
            return found
    return None


def _matches(fact: Fact, rule: Rule, pattern: re.Pattern[str], pages: Sequence[PageText]) -> Iterator[Stated]:
    count = 0
    for page in pages[: rule.pages]:
        if rule.cue and rule.cue not in page.text.lower():
            continue
        if rule.within and not rule.within.search(page.text):
            continue
        for match in pattern.finditer(page.text):
            around = _sentence_around(page.text, *match.span())
            if rule.unless and rule.unless.search(page.text[slice(*around)]):
                continue
            stated = (
                _listed(page, rule, match, around) if fact.form is Form.LIST else _valued(fact, page, match, around)
            )
            if stated is not None:
                yield stated
                count += 1
            if count >= _MAX_MATCHES:
                return


def _valued(fact: Fact, page: PageText, match: re.Match[str], around: tuple[int, int]) -> Stated | None:
    start, end = match.span("value")
    while start < end and page.text[end - 1] in " ,;:，；：\n":
        end -= 1
    text = page.text[start:end]
    if not text.strip() or (fact.form is Form.ADDRESS and not re.search(r"[^\W\d_]", text)):
        return None
    lines = [line.strip(" ,") for line in text.splitlines() if line.strip(" ,")]
    value = ", ".join(lines) if fact.form is Form.ADDRESS else " ".join(lines)
    return Stated((" ".join(value.split()),), (Place(page, start, end),), (Place(page, *around),))


def _listed(page: PageText, rule: Rule, match: re.Match[str], around: tuple[int, int]) -> Stated | None:
    """The list after a match. It is certain if it has the announced number of items, or if the items are names."""
    items: Items | None = items_after(page.text, match.end(), names=rule.names)
    if items is None:
        return None
    count = match.groupdict().get("count")
    wanted = _NUMBER_WORDS.get(count.lower(), 0) or int(count) if count else 0
    if wanted and wanted != len(items.spans):
        return None
    places = tuple(Place(page, *span) for span in items.spans)
    evidence = Place(page, around[0], min(max(items.end, match.end()), around[0] + _MAX_EVIDENCE))
    certain = not items.ambiguous and bool(wanted or (rule.names and len(places) >= _MIN_NAMES))
    return Stated(tuple(one.text for one in places), places, (evidence,), certain=certain)


def _sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentences around a match, [start, end)."""
    first, last = max(start - _AROUND, 0), min(end + _AROUND, len(text))
    spans = [(first + a, first + b) for a, b in sentence_spans(text[first:last])]
    touched = [(a, b) for a, b in spans if a < end and b > start]
    if not touched:
        return start, end
    left, right = min(start, touched[0][0]), max(end, touched[-1][1])
    return (left, right) if right - left <= _MAX_EVIDENCE else (max(left, start - _MAX_EVIDENCE // 2), end)


def _picked(rule: Rule, found: Iterator[Stated]) -> Stated | None:
    """The match that answers. If the first certain one is wanted, the search stops there."""
    if rule.pick is Pick.LARGEST:
        return max(found, key=lambda one: amount(one.values[0]), default=None)
    if rule.pick is Pick.LONGEST:
        return max(found, key=lambda one: len(one.values), default=None)
    first = next(found, None)
    if first is None or first.certain:
        return first
    return next((one for one in found if one.certain), first)


def amount(text: str) -> float:
    """The number in a text, with millions multiplied out; 0 for none."""
    match = re.search(r"\d[\d,，]*(?:\.\d+)?", text)
    number = float(re.sub(r"[,，]", "", match.group())) if match else 0.0
    return number * 1e6 if _MILLION.search(text) else number

"""Matches rows of tables with a question, by label, section and column headers, and by period.

Knows nothing about pages and passages; weights of terms are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from rag.index.tokenize import terms
from rag.pdf.tables import Row, Table
from rag.retrieve.expand import INSTRUCTION_TERMS, ExpandedQuery

Terms = frozenset[str]
Weight = Callable[[str], float]

NO_PERIOD: Final = 0.6  # share of a row's score if its table names no year but the question does
OTHER_PERIOD: Final = 0.3  # the same if the table names only other years; in between if it names some asked for
MIN_SIMILARITY: Final = 0.6  # cosine of a label and a line item's name from which they may mean the same

_LONG_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_SHORT_YEAR = re.compile(r"\b(?:FY|CY)\s?'?(\d\d)\b", re.IGNORECASE)
_YEAR_TERM = re.compile(r"[fc]?y?\d+")
_PERIOD_TERMS = frozenset(("fiscal", "year", "end", "ended"))  # words for periods, which say when, not what


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A row with a value, prepared for matching."""

    label: Terms  # numbers left out
    around: Terms  # of its section, the column headers and the caption
    years: frozenset[int]  # that the headers, the caption or the row name


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question wants from a table."""

    own: Terms  # of the question itself, without instructions, numbers, periods and the document's name
    items: tuple[tuple[Terms, ...], ...]  # the line items searched with it, each by its names
    years: frozenset[int]


def years_of(text: str) -> frozenset[int]:
    """The years that a text names: 2019, FY2019, FY19."""
    return frozenset([*map(int, _LONG_YEAR.findall(text)), *(2000 + int(year) for year in _SHORT_YEAR.findall(text))])


def wanted_by(query: ExpandedQuery, document: str) -> Wanted:
    """What a question wants from the tables of a document with this name."""
    question, name = query.texts[0], re.sub(r"[\W_]", "", document.casefold())
    own = (
        term
        for term in terms(question)
        if term not in INSTRUCTION_TERMS
        and term not in _PERIOD_TERMS
        and not _YEAR_TERM.fullmatch(term)
        and not (len(term) > 2 and term in name)
    )
    items = tuple(tuple(frozenset(terms(name)) for name in item) for item in query.line_items)
    return Wanted(frozenset(own), items, years_of(question))


def labelled_rows(tables: Iterable[Table]) -> Iterator[LabelledRow]:
    """The rows with a value, prepared for matching."""
    for table in tables:
        said = " ".join([table.caption, *table.headers])
        above, years = frozenset(terms(said)), years_of(said)
        for row in table.rows:
            if has_value(row):
                label = frozenset(term for term in terms(row.label) if not term.isdigit())
                section = f"{row.section} {row.label}"
                yield LabelledRow(label, above.union(terms(row.section)), years | years_of(section))


def has_value(row: Row) -> bool:
    """Whether a cell of a row has a value other than a dash."""
    return any(cell is not None and cell.value is not None for cell in row.cells)


def question_match(wanted: Wanted, rows: Iterable[LabelledRow], weight: Weight) -> float:
    """How well the best row matches the question's own words, 0..1.

    The cosine of the question and the row, times the share of the label that the question names: a row with many other
    words is a different row. What surrounds the row counts if the question names it.
    """
    asked = _total(wanted.own, weight)
    best = 0.0
    for row in rows:
        common = _total(row.label & wanted.own, weight)
        if common:
            named = row.label | (row.around & wanted.own)
            cosine = _total(named & wanted.own, weight) / sqrt(_total(named, weight) * asked)
            best = max(best, _period_factor(row, wanted) * cosine * common / _total(row.label, weight))
    return best


def item_match(wanted: Wanted, rows: Sequence[LabelledRow], weight: Weight) -> float:
    """Mean over the line items of how well the best row matches one of the item's names, 0..1; 0 without items."""
    best = [
        max((similarity(row.label, names, weight) * _period_factor(row, wanted) for row in rows), default=0.0)
        for names in wanted.items
    ]
    return sum(best) / len(best) if best else 0.0


def similarity(label: Terms, names: Sequence[Terms], weight: Weight) -> float:
    """Cosine of a label and the closest of several names; 0 below MIN_SIMILARITY."""
    best = 0.0
    for name in names:
        common = label & name
        if common:
            norm = sqrt(_total(label, weight) * _total(name, weight))
            best = max(best, _total(common, weight) / norm)
    return best if best >= MIN_SIMILARITY else 0.0


def _period_factor(row: LabelledRow, wanted: Wanted) -> float:
    if not wanted.years:
        return 1.0
    if not row.years:
        return NO_PERIOD
    return OTHER_PERIOD + (1 - OTHER_PERIOD) * len(wanted.years & row.years) / len(wanted.years)


def _total(found: Collection[str], weight: Weight) -> float:
    """Total weight of terms; a term's is above 0."""
    return sum(map(weight, found))

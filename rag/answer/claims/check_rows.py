"""Whether a claim takes its values from the right columns of a table, and in the table's scale."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.answer.claims.align import Alignment
from rag.answer.claims.problems import Problem, conflict_between
from rag.answer.claims.quantities import Kind, Quantity
from rag.answer.claims.sources import Segment, SourceIndex
from rag.answer.scales import FACTORS
from rag.pdf.tables import named_scale

_UNIT_LINE = re.compile(
    r"单位|單位|[(（][^)）]{0,80}(?:million|thousand|billion|千元|万元|百万|亿元)"
    r"|\bin (?:\S{1,20} ){0,3}(?:million|thousand|billion)s",
    re.IGNORECASE,
)
_IN_ORDER = re.compile(r"\brespectively\b|分别", re.IGNORECASE)
_HEADER_CHARACTERS = 160  # of a line that may be a header


def row_problems(alignment: Alignment, index: SourceIndex) -> Iterator[Problem]:
    """Values of a row that stand in the column of another period, or with a scale that the table does not have."""
    start = 0
    for segment in alignment.segments:
        if segment.is_row:
            yield from _of_row(alignment, segment, start, index)
        start += len(segment.analysed.tokens)


def _of_row(alignment: Alignment, row: Segment, start: int, index: SourceIndex) -> Iterator[Problem]:
    cells = [
        place
        for place in range(start, min(start + len(row.analysed.tokens), len(alignment.evidence)))
        if (cell := alignment.evidence[place].quantity) and cell.kind is not Kind.ORDINAL
    ]
    years = _column_years(row, len(cells), index)
    scale = _declared_scale(row, index)
    for position, places in alignment.quantity_places.items():
        own = [place for place in places if place in cells]
        said = alignment.quantity_of(position)
        if not own or said.kind is Kind.DATE:
            continue
        token = alignment.tokens[position]
        if scale and said.scaled and not any(_fits(said, alignment.evidence[place].quantity, scale) for place in own):
            yield Problem("scale", conflict_between(token, alignment.evidence[own[0]]))
        year = _year_of(alignment, position)
        if years and year in years and all(years[cells.index(place)] != year for place in own):
            right = cells[years.index(year)]
            yield Problem("column", conflict_between(token, alignment.evidence[right]))


def _column_years(row: Segment, cells: int, index: SourceIndex) -> list[int]:
    """The year of each cell of a row, from the nearest line above that has as many; [] if there is none."""
    for line in index.headers(row):
        if len(line.text) > _HEADER_CHARACTERS:
            continue
        years = [one.date[0] for one in line.analysed.quantities if one.kind is Kind.DATE and one.date[0]]
        if len(years) == cells and len(set(years)) == cells:
            return years
        if len(years) > 1:
            return []
    return []


def _year_of(alignment: Alignment, position: int) -> int:
    """The year that a claim's value is said to be of: its only one, or the nearest; 0 for none, or in order."""
    years = [n for n in alignment.quantity_places if alignment.quantity_of(n).kind is Kind.DATE]
    if not years or (len(years) > 1 and _IN_ORDER.search(alignment.claim.text)):
        return 0
    if len(years) == 1:
        return alignment.quantity_of(years[0]).date[0]
    values = [n for n in alignment.quantity_places if n not in years]
    if len(values) != len(years):
        return 0
    # Values and years come in pairs, "2.18 in 2022 to 3.12 in 2023".
    return alignment.quantity_of(years[values.index(position)]).date[0]


def _declared_scale(row: Segment, index: SourceIndex) -> float:
    """What the lines above a row say that its values are counted in; 0 if they say nothing."""
    for line in index.headers(row):
        if _UNIT_LINE.search(line.text):
            return FACTORS.get(named_scale(line.text), 0.0)
    return 0.0


def _fits(said: Quantity, cell: Quantity | None, scale: float) -> bool:
    """Whether a value is that of a cell in the table's scale; a cell with a scale of its own was compared already."""
    if cell is None or cell.scaled or not cell.value:
        return True
    return 0.5 < said.value / (cell.value * scale) < 2.0

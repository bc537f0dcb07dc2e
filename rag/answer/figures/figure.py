"""A figure: a cell of a table, and where in the table it stands; and the answers built from figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answer.figures.question import Limit, Operation, years_of
from rag.pdf.tables import Cell, Row, Table

_FACTORS = {"thousand": 1e3, "ten thousand": 1e4, "million": 1e6, "hundred million": 1e8, "billion": 1e9}
_UNSCALED = re.compile(r"per (?:common |ordinary )?share|\beps\b|每股", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Figure:
    """A cell and where it stands."""

    table: int  # number of its table among those given
    headers: tuple[str, ...]  # of the table
    row: Row
    column: int
    cell: Cell
    scale: str  # "million", ...; "" for none
    score: float = 0.0

    @property
    def header(self) -> str:
        """Header of its column."""
        return self.headers[self.column]

    @property
    def value(self) -> float:
        """A dash counts as 0."""
        return self.cell.value or 0.0

    @property
    def period(self) -> frozenset[int]:
        """The year of its column, else of its row; empty for none, or for a comparison of two."""
        found = years_of(self.header)
        if len(found) == 1:
            return found
        return years_of(self.row.label) or years_of(self.row.section)


@dataclass(frozen=True, slots=True)
class FigureAnswer:
    """The answer to a question about figures."""

    texts: tuple[str, ...]  # values as printed, a computed and rounded value, or names of periods or items
    scale: str  # "thousand", "million", "percent", ...; "" for none
    figures: tuple[Figure, ...]  # the cells it rests on
    formula: str = ""  # "(44.1 − 56.7) / 56.7"; "" where nothing was computed


def figures_of(number: int, table: Table, row: Row) -> Iterator[Figure]:
    """The cells of a row."""
    scale = "" if _UNSCALED.search(f"{row.label} {row.section}") else table.scale
    for column, cell in enumerate(row.cells):
        if cell is not None:
            yield Figure(number, table.headers, row, column, cell, "percent" if cell.percent else scale)


def same_amount(a: Figure, b: Figure) -> bool:
    """Whether two cells state the same amount, each in its own scale."""
    first, second = (figure.value * _FACTORS.get(figure.scale, 1.0) for figure in (a, b))
    return abs(first - second) <= 0.001 * max(abs(first), abs(second))


def is_beyond(figure: Figure, limit: Limit) -> bool:
    """Whether a figure fulfils a condition, converted to the figure's scale."""
    factor = _FACTORS[limit.scale] / _FACTORS.get(figure.scale, 1.0) if limit.scale else 1.0
    return figure.value > limit.value * factor if limit.above else figure.value < limit.value * factor


def printed_answer(figures: Sequence[Figure]) -> FigureAnswer:
    """The values as they stand in the table."""
    return FigureAnswer(tuple(figure.cell.text for figure in figures), figures[0].scale, tuple(figures))


def named_answer(figures: Sequence[Figure], *, by_period: bool) -> FigureAnswer:
    """The names of periods, or of items."""
    names = [
        str(max(figure.period)) if by_period and figure.period else (figure.header if by_period else figure.row.label)
        for figure in figures
    ]
    return FigureAnswer(tuple(dict.fromkeys(filter(None, names))), "", tuple(figures))


def computed_answer(value: float, figures: Sequence[Figure], operation: Operation, formula: str) -> FigureAnswer:
    """A value worked out from figures, rounded to two decimals."""
    scale = {Operation.PERCENT_CHANGE: "percent", Operation.SHARE: "percent", Operation.RATIO: ""}
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return FigureAnswer((text,), scale.get(operation, figures[0].scale), tuple(figures), formula)


def plain_number(figure: Figure) -> str:
    """A value as it stands in a formula."""
    text = f"{abs(figure.value):,.10g}"
    return f"({text})" if figure.value < 0 else text

"""A figure: a cell of a table, and where it is in the table; and the answers built from figures."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import exp

from rag.answer.figures.periods import Period
from rag.answer.figures.question import Limit, Operation, stems
from rag.answer.scales import FACTORS
from rag.pdf.tables import Cell, Row
from rag.settings import FigureConfidence

_UNIT = re.compile("元|[$£€]")  # of a label that says that its values are plain amounts
_NAMES = (Operation.WHICH, Operation.COUNT, Operation.ITEMS, Operation.PERIODS)
_CHANGES = (Operation.CHANGE, Operation.PERCENT_CHANGE)
_COMPUTED = (Operation.SHARE, Operation.RATIO, Operation.SUM, Operation.AVERAGE)
_FAR = 100  # times a limit; a value further away must be in another scale
# Costs, often printed in parentheses because they are subtracted; people mean the amount.
_OUTFLOW = re.compile(
    r"\bexpenses?\b|\bcosts?\b|payments?\b|\bpaid\b|depreciation|amorti[sz]ation|allowance|purchases? of|additions"
    r"|expenditures?|dividends|capex|费用|成本|支付|支出|购建",
    re.IGNORECASE,
)
_NO_OUTFLOW = re.compile(r"\bnet (?:of|income|loss|cash)|income|profit|margin|收益|利润", re.IGNORECASE)
_CURRENCY = re.compile(r"[$£€¥￥]")
_FOOTNOTE = re.compile(r"(?:\s{0,9}\(\d\)|(?<=[a-z])\d){1,5}$")  # "Other benefits2", "Total debt (1)"


def confidence_of(features: Mapping[str, float], settings: FigureConfidence) -> float:
    """0..1."""
    total = settings.bias + sum(getattr(settings, name) * value for name, value in features.items())
    return 1 / (1 + exp(-total))


def features_of(
    answer: FigureAnswer, periods: Sequence[Period], asked: Collection[str] = (), *, counts: bool = False
) -> dict[str, float]:
    """What distinguishes correct from wrong answers, by the names of `FigureConfidence`.

    `periods`: those asked for; `asked`: the terms that say which item is meant; `counts`: whether a number of things is
    asked for, which has no scale.
    """
    figures, operation = answer.figures, answer.operation
    first, named = figures[0], answer.operation in _NAMES
    right = sum(map(partial(_is_right, periods), figures))
    unknown = sum(one.when is None and not one.odd for one in figures)
    coverage = min(one.coverage for one in figures)
    label, header = set(stems(first.row.label)).intersection(asked), set(stems(first.header)).intersection(asked)
    chosen = operation is Operation.WHICH and bool(header) and not label  # by the header, among rows of any name
    plain = operation is Operation.LOOKUP and not (first.when or first.odd or periods)
    return {
        "coverage": coverage,
        "full_coverage": coverage**4,
        "around": min(one.in_table for one in figures) - coverage,
        "extra": 0.0 if chosen else max(one.extra for one in figures),
        "odd": float(any(one.odd for one in figures)),
        "right_period": right / len(figures) if periods else 0.0,
        "unknown_period": unknown / len(figures) if periods else 0.0,
        "no_period_asked": float(not periods),
        "change": float(operation in _CHANGES),
        "computed": float(operation in _COMPUTED),
        "names": float(named),
        "series": float(operation is Operation.SERIES),
        "no_header": float(not first.header),
        "no_label": float(not first.row.label),
        "no_scale": float(not (first.scale or named or counts or _UNIT.search(first.row.label))),
        "crossed": float(plain and coverage == 1.0 and bool(label and header - label)),
    }


def _is_right(periods: Sequence[Period], figure: Figure) -> float:
    """1 for a cell of a period asked for, 1/2 for one that may be of it, else 0."""
    when = figure.when
    agreeing = [period for period in periods if when is not None and when.agrees(period)]
    if when is None or not agreeing:
        return 0.0
    return 0.5 if all(when.may_be_fiscal(period) for period in agreeing) else 1.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A cell and where it stands."""

    table: int  # number of its table among those given
    headers: tuple[str, ...]  # of the table
    row: Row
    column: int
    cell: Cell
    scale: str  # "million", ..., "percent"; "" for none
    when: Period | None = None  # from its header, label, section or caption; None for none
    score: float = 0.0  # score of the match with a question; about 1 for a cell that has all of its words
    coverage: float = 0.0  # share of the question's words, 0..1
    in_table: float = 0.0  # the same with the words of sections and captions counting as much as those of labels
    extra: float = 0.0  # share of its label that the question lacks, 0..1
    odd: int = 0  # kinds that the question does not ask for: a quarter, a percentage, a change, a pro forma figure

    @property
    def header(self) -> str:
        """Header of its column."""
        return self.headers[self.column]

    @property
    def value(self) -> float:
        """A dash counts as 0."""
        return self.cell.value or 0.0

    @property
    def amount(self) -> float:
        """The value; for a cost, without the minus sign that it is printed with."""
        label = self.row.label or self.row.section
        is_cost = self.value < 0 and _OUTFLOW.search(label) and not _NO_OUTFLOW.search(label)
        return -self.value if is_cost else self.value


@dataclass(frozen=True, slots=True)
class FigureAnswer:
    """The answer to a question about figures."""

    texts: tuple[str, ...]  # values as printed, a computed and rounded value, or names of periods or items
    scale: str  # "thousand", "million", "percent", ...; "" for none
    figures: tuple[Figure, ...]  # the cells it rests on
    formula: str = ""  # "(44.1 − 56.7) / 56.7"; "" if nothing was computed
    operation: Operation = Operation.LOOKUP
    confidence: float = 0.0  # 0..1, calibrated
    names: tuple[str, ...] = ()  # of the texts, one each, if there are several values: periods, or rows


def matched_as(figure: Figure, other: Figure) -> Figure:
    """A figure found through another one, such as that of another year: it matches the question equally well."""
    return replace(
        figure, score=other.score, coverage=other.coverage, in_table=other.in_table, extra=other.extra, odd=other.odd
    )


def is_amount(text: str) -> bool:
    """Whether a value has a currency sign, which no number of things has."""
    return _CURRENCY.search(text) is not None


def is_named(figure: Figure) -> bool:
    """Whether the label of a row names something, rather than being only numbers and signs."""
    return any(character.isalpha() for character in figure.row.label)


def same_amount(a: Figure, b: Figure) -> bool:
    """Whether two cells state the same amount, each in its own scale."""
    first, second = (figure.value * FACTORS.get(figure.scale, 1.0) for figure in (a, b))
    return abs(first - second) <= 0.001 * max(abs(first), abs(second))


def is_beyond(figure: Figure, limit: Limit) -> bool:
    """Whether a figure meets a condition, converted to the figure's scale."""
    factor = FACTORS[limit.scale] / FACTORS.get(figure.scale, 1.0) if limit.scale else 1.0
    if not figure.scale and abs(figure.value) < limit.value * factor / _FAR:
        factor = 1.0  # the table does not say its scale: that of the question
    return figure.amount > limit.value * factor if limit.above else figure.amount < limit.value * factor


def printed_answer(figures: Sequence[Figure], operation: Operation = Operation.LOOKUP) -> FigureAnswer:
    """The values as they stand in the table, named if there are several."""
    by_period = len({figure.row.label for figure in figures}) == 1
    names = [_period_name(figure) if by_period else _item_name(figure) for figure in figures]
    return FigureAnswer(
        texts=tuple(figure.cell.text for figure in figures),
        scale=figures[0].scale,
        figures=tuple(figures),
        operation=operation,
        names=tuple(names) if len(figures) > 1 and all(names) else (),
    )


def named_answer(figures: Sequence[Figure], operation: Operation, *, by_period: bool) -> FigureAnswer:
    """The names of periods, or of items."""
    if by_period and any(figure.when for figure in figures):
        figures = [figure for figure in figures if figure.when]
    names = [_period_name(figure) if by_period else _item_name(figure) for figure in figures]
    return FigureAnswer(tuple(dict.fromkeys(filter(None, names))), "", tuple(figures), operation=operation)


def _period_name(figure: Figure) -> str:
    """The year, or the quarter or header if that says more."""
    when = figure.when
    if when is None:
        return figure.header
    if when.quarter:
        return f"Q{when.quarter} {when.year}" if when.year else figure.header or figure.row.label
    return str(when.year) if when.year else figure.header


def _item_name(figure: Figure) -> str:
    return _FOOTNOTE.sub("", figure.row.label)


def computed_answer(
    value: float, scale: str, figures: Sequence[Figure], operation: Operation, formula: str, decimals: int | None = None
) -> FigureAnswer:
    """A value worked out from figures, rounded to two decimals or as asked."""
    text = f"{value:,.{2 if decimals is None else decimals}f}"
    if decimals is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return FigureAnswer(("0" if text == "-0" else text,), scale, tuple(figures), formula, operation)


def plain_number(value: float) -> str:
    """A value as it stands in a formula."""
    text = f"{abs(value):,.10g}"
    return f"({text})" if value < 0 else text

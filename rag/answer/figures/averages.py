"""Differences of averages: "the change between 2018 and 2019 average inventories" compares means of two years each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer.figures.figure import Figure, FigureAnswer, computed_answer, plain_number
from rag.answer.figures.periods import Period, periods_of
from rag.answer.figures.question import Operation, decimals_of, pair_of

_AVERAGE = re.compile(r"\baverage\b|平均", re.IGNORECASE)

InPeriods = Callable[[Figure, Sequence[Period]], list[Figure]]
Best = Callable[[str, Sequence[Period]], Figure | None]


@dataclass(frozen=True, slots=True)
class _Mean:
    """The mean of figures."""

    figures: tuple[Figure, ...]

    @property
    def value(self) -> float:
        return sum(figure.amount for figure in self.figures) / len(self.figures)

    @property
    def formula(self) -> str:
        return f"({' + '.join(plain_number(figure.amount) for figure in self.figures)}) / {len(self.figures)}"


def difference_of_averages(
    question: str, periods: Sequence[Period], best: Figure, find: Best, in_periods: InPeriods
) -> FigureAnswer | None:
    """The answer to such a question; None for another one, and where a year is missing."""
    if not _AVERAGE.search(question) or _AVERAGE.search(f"{best.row.label} {best.header} {best.row.section}"):
        return None
    names = pair_of(question)
    if names and all(map(_AVERAGE.search, names)):
        items = [find(name, periods_of(name) or periods) for name in names]
        if items[0] is None or items[1] is None:
            return None
        of_names = [periods_of(name) or periods for name in names]
        means = [_mean(item, asked, in_periods) for item, asked in zip(items, of_names, strict=True) if item]
    else:
        years = [period for period in periods if period == Period(period.year)]
        if len(years) < 2 or len(years) != len(periods):
            return None
        ordered = sorted(years, key=lambda period: -period.year)
        means = [_mean(best, (year,), in_periods) for year in (ordered[0], ordered[1])]
    if means[0] is None or means[1] is None:
        return None
    first, second = means[0], means[1]
    if names and first.value < second.value:
        first, second = second, first
    return computed_answer(
        first.value - second.value,
        first.figures[0].scale,
        (*first.figures, *second.figures),
        Operation.CHANGE,
        f"{first.formula} − {second.formula}",
        decimals_of(question),
    )


def _mean(item: Figure, periods: Sequence[Period], in_periods: InPeriods) -> _Mean | None:
    """Over the periods; of a single year, of its end and the end before."""
    if len(periods) == 1 and periods[0].year:
        periods = (periods[0], replace(periods[0], year=periods[0].year - 1))
    found = in_periods(item, periods)
    return _Mean(tuple(found)) if len(found) == len(periods) > 1 else None

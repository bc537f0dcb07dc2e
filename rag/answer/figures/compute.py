"""Computes changes, sums, averages, shares and ratios from the cells that a question names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer.figures.figure import Figure, FigureAnswer, computed_answer, matched_as, plain_number, printed_answer
from rag.answer.figures.match import CellMatcher, is_total
from rag.answer.figures.periods import Period, between, names_range, periods_of
from rag.answer.figures.question import (
    Operation,
    asks_for_difference,
    asks_for_percent,
    asks_for_plain_ratio,
    decimals_of,
    item_terms,
    operations_of,
    pair_of,
)

_TOTAL_ASKED = re.compile(r"\btotal\b|合计|共计|总共", re.IGNORECASE)
_SIGNED = re.compile(r"\bnet difference\b|\bchange\b|\bincrease|\bdecrease|变动|变化|[增减]", re.IGNORECASE)
_WHOLE = 100.0  # percent
ROUNDING = 0.0006  # share of a total by which the sum of its rounded parts may differ
MAX_PARTS = 30  # rows above a total that may add up to it
_POINTS = re.compile(r"\babsolute\b|percentage points?|百分点", re.IGNORECASE)


class Computer:
    """Works out figures from cells."""

    def __init__(self, cells: CellMatcher) -> None:
        self._cells = cells

    def compute(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        """The figure asked for; None if a cell that it needs is missing. `best`: the cell that matches the question."""
        match operation:
            case Operation.CHANGE | Operation.PERCENT_CHANGE:
                return self._changed(operation, question, periods, best)
            case Operation.AVERAGE | Operation.SUM:
                return self._summed(operation, question, periods, best)
            case _:
                return self._divided(operation, question, periods, best)

    # ---- cells

    def in_periods(self, figure: Figure, periods: Sequence[Period]) -> list[Figure]:
        """The same item in each period, in their order; fewer if the tables lack one."""
        found = [self._cells.in_period(figure, period) for period in periods]
        return [matched_as(one, figure) for one in dict.fromkeys(found) if one is not None]

    def in_range(self, figure: Figure, periods: Sequence[Period]) -> list[Figure]:
        """The same item in all periods from the first to the last; in all of them if none is named."""
        along = [one for one in self._cells.along(figure) if one.when] or self._cells.along(figure)
        if len(periods) < 2:
            return along
        first, last = min(period.order for period in periods), max(period.order for period in periods)
        found = [one for one in along if one.when and first[0] <= one.when.year <= last[0]]
        return found or self.in_periods(figure, periods)

    def is_sum(self, question: str, best: Figure) -> bool:
        """Whether the total over several periods is asked for, rather than a row with that name in each of them."""
        if not _TOTAL_ASKED.search(question) or Operation.SERIES in operations_of(question):
            return False
        return names_range(question) or not (is_total(best) or _TOTAL_ASKED.search(best.row.label))

    def added_up(self, total: Figure) -> list[Figure]:
        """The cells closest above a cell that add up to it, in the table's order; none if no run of them does."""
        above = [
            one
            for one in self._cells.cells(total.table)
            if one.column == total.column and one.row.start < total.row.start
        ]
        found: list[Figure] = []
        value = 0.0
        for one in reversed(above[-MAX_PARTS:]):
            found.append(one)
            value += one.value
            if len(found) > 1 and abs(value - total.value) <= ROUNDING * max(abs(total.value), 1.0):
                return found[::-1]
        return []

    def _pair(self, question: str, periods: Sequence[Period]) -> tuple[Figure, Figure] | None:
        """The cells of the two items that a question compares or divides."""
        names = pair_of(question)
        if names is None:
            return None
        asked = [periods_of(name) or periods for name in names]
        if not item_terms(names[1]) and len(periods_of(names[1])) and item_terms(names[0]):
            names = (names[0], names[0])  # "ratio of X in 2019 to 2018"
        firsts = self._cells.ranked(names[0], asked[0])[:8]
        best = None
        for first in firsts:
            for second in self._cells.ranked(names[1], asked[1], first)[:8]:
                if first.cell is second.cell:
                    continue
                score = first.score + second.score
                if best is None or score > best[0]:
                    best = score, first, second
        return (best[1], best[2]) if best else None

    # ---- operations

    def _changed(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        if best is not None and operation is Operation.CHANGE:
            found = difference_of_averages(question, periods, best, self._cells.best, self.in_periods)
            if found is not None:
                return found
        pair = self._pair(question, periods) if len(periods) < 2 and asks_for_difference(question) else None
        if pair is None:
            if best is None:
                return None
            pair = self._two_periods(best, periods)
            if pair is None:
                return None
        new, old = pair
        a, b = new.amount, old.amount
        decimals, points = decimals_of(question), new.scale == "percent" == old.scale
        if operation is Operation.CHANGE or (points and _POINTS.search(question)):
            value = a - b
            if value < 0 and asks_for_difference(question) and not _SIGNED.search(question):
                a, b, pair = b, a, (old, new)
            formula = f"{plain_number(a)} − {plain_number(b)}"
            return computed_answer(a - b, new.scale, pair, Operation.CHANGE, formula, decimals)
        if operation is Operation.PERCENT_CHANGE and (stated := self._stated_change(new, old)):
            return printed_answer([stated])
        if not b:
            return None
        formula = f"({plain_number(a)} − {plain_number(b)}) / {plain_number(b)}"
        return computed_answer((a - b) / b * 100, "percent", pair, operation, formula, decimals)

    def _stated_change(self, new: Figure, old: Figure) -> Figure | None:
        """The percentage change between two cells that the table itself states, in a column of changes."""
        row = [one for one in self._cells.cells(new.table) if one.row is new.row]
        dated = {one.when for one in row if one.when}
        if old.row is not new.row or not old.value:
            return None
        value = (new.value - old.value) / abs(old.value) * 100
        for one in row:
            near = one.cell.percent and one.when is None and abs(abs(one.value) - abs(value)) < 0.6
            if near and len(dated) >= 2:
                return matched_as(one, new)
        return None

    def _two_periods(self, best: Figure, periods: Sequence[Period]) -> tuple[Figure, Figure] | None:
        """The newest figure, and that of the first period asked for or, if none is, of the one before."""
        found = self.in_periods(best, periods) if len(periods) > 1 else []
        if len(found) < 2:
            found = [matched_as(one, best) for one in self._cells.along(best)]
        if len(found) < 2:
            return None
        dated = [one for one in found if one.when]
        if len(dated) < 2 or len({one.when for one in dated}) < 2:
            return found[0], found[1]  # periods unknown: reports put the newest first
        ordered = sorted(dated, key=lambda one: one.when.order if one.when else (0, 0, 0))
        if len(periods) == 1:
            # "the change in 2018": since the year before.
            named = [n for n, one in enumerate(ordered) if one.when and one.when.agrees(periods[0])]
            if named and named[-1] > 0:
                return _apart(ordered[named[-1]], ordered[named[-1] - 1])
        return _apart(ordered[-1], ordered[0] if len(periods) > 1 else ordered[-2])

    def _summed(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        chosen: Sequence[Figure] = (self._pair(question, periods) or ()) if len(periods) < 2 else ()
        if not chosen and best is not None:
            chosen = self._terms_of_sum(operation, question, periods, best)
        if len(chosen) < 2:
            return None
        total = sum(figure.amount for figure in chosen)
        formula = " + ".join(plain_number(figure.amount) for figure in chosen)
        if operation is Operation.AVERAGE:
            total, formula = total / len(chosen), f"({formula}) / {len(chosen)}"
        return computed_answer(total, chosen[0].scale, chosen, operation, formula, decimals_of(question))

    def _terms_of_sum(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure
    ) -> Sequence[Figure]:
        if len(periods) == 1 and operation is Operation.AVERAGE:
            # The average of a year is that of its end and the end before.
            year = periods[0].year
            found = self.in_periods(best, (Period(year), Period(year - 1))) if year else []
            if len(found) < 2:
                found = [one for one in self._cells.along(best) if one.when and one.when.year == year]
            return [matched_as(one, best) for one in found]
        if len(periods) == 1:
            return ()
        if len(periods) == 2 and names_range(question):
            found = self.in_periods(best, between(periods))
            return found if len(found) > 1 else self.in_periods(best, periods)
        if periods:
            return self.in_periods(best, periods)
        return [matched_as(one, best) for one in self._cells.along(best) if one.cell.value is not None]

    def _divided(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        pair = self._pair(question, periods)
        if pair is None:
            whole = self._cells.total_of(best) if best else None
            pair = (best, matched_as(whole, best)) if best and whole else None
        if pair is None or not pair[1].value:
            return None
        is_plain = not asks_for_percent(question) if operation is Operation.RATIO else asks_for_plain_ratio(question)
        factor, scale = (1, "") if is_plain else (100, "percent")
        a, b = (figure.amount for figure in pair)
        if pair[0].scale == pair[1].scale == "percent" and b == _WHOLE:  # the table states the share itself
            found = self.in_periods(pair[0], periods) if len(periods) > 1 else []
            return printed_answer(found or [pair[0]], Operation.SERIES if len(found) > 1 else Operation.LOOKUP)
        formula = f"{plain_number(a)} / {plain_number(b)}"
        return computed_answer(a / b * factor, scale, pair, operation, formula, decimals_of(question))


def _apart(new: Figure, old: Figure) -> tuple[Figure, Figure] | None:
    """Two figures of one item; None if they are for the same day, which ends both a quarter and a year."""
    return None if new.when == old.when else (new, old)


# ---- differences of averages: "the change between 2018 and 2019 average inventories" compares means of two years each


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

"""Answers questions about figures from the cells of tables: looked up, listed, compared or counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from rag.answer.figures.compute import ROUNDING, Computer
from rag.answer.figures.figure import (
    Figure,
    FigureAnswer,
    confidence_of,
    features_of,
    is_amount,
    is_beyond,
    is_named,
    matched_as,
    named_answer,
    printed_answer,
)
from rag.answer.figures.match import CellMatcher, is_total, without_parentheses
from rag.answer.figures.periods import Period, between, names_range, periods_of
from rag.answer.figures.question import (
    Operation,
    asks_for_count,
    asks_for_number,
    asks_for_period,
    asks_for_smallest,
    is_own_word,
    is_soft,
    item_terms,
    limit_of,
    operations_of,
    rank_asked,
    stems,
    without_thing,
)
from rag.pdf.tables import Table
from rag.settings import FigureSettings

_OF_PART = 0.9  # highest confidence, as a share of the least that is stated, for a value that may belong to a part
_OF_ALL = frozenset(stems("total consolidated"))
_WHOLE_TABLE = 0.7  # coverage of an answer that lists all rows of a table


class FigureFinder:
    """Answers questions about figures from the tables given, the most relevant first."""

    def __init__(
        self,
        tables: Sequence[Table],
        settings: FigureSettings,
        known: Collection[str] = (),
        offsets: Sequence[int | None] = (),
    ) -> None:
        """`known`, `offsets`: as for `CellMatcher`."""
        self._settings = settings
        self._cells = CellMatcher(tables, settings, known, offsets)
        self._computer = Computer(self._cells)

    def answer(self, question: str) -> FigureAnswer | None:
        """The answer; None if no cell matches enough of the question."""
        answer = self._answer(question)
        if answer is None or not answer.figures or (asks_for_count(question) and is_amount(answer.texts[0])):
            return None
        confidence = confidence_of(self.features(question, answer), self._settings.confidence)
        doubts = (self._is_of_part, self._may_be_of_another_year, self._may_be_of_whole_year)
        if any(doubt(question, answer) for doubt in doubts):
            confidence = min(confidence, _OF_PART * self._settings.min_confidence)
        return replace(answer, confidence=confidence)

    def _may_be_of_another_year(self, question: str, answer: FigureAnswer) -> bool:
        """Whether its document leaves open which fiscal year ends on the day in a value's header."""
        periods = self._periods_asked(question)
        whens = [one.when for one in answer.figures if one.when and one.when.ends_early]
        return any(when.may_be_fiscal(period) for when in whens for period in periods if when.agrees(period))

    def _may_be_of_whole_year(self, question: str, answer: FigureAnswer) -> bool:
        """Whether a quarter is asked for, but nothing around a value says that it is for one."""
        asked = any(period.quarter for period in self._periods_asked(question))
        return asked and any(not (one.when and (one.when.quarter or one.when.month)) for one in answer.figures)

    def _is_of_part(self, question: str, answer: FigureAnswer) -> bool:
        """Whether several other tables match equally well and have a larger value in a row of the same name.

        This happens with tables of segments: the value for the company is not the smallest.
        """
        first = answer.figures[0]
        if answer.operation is not Operation.LOOKUP or len(answer.figures) > 1:
            return False
        label = set(stems(first.row.label)) - _OF_ALL
        larger = {
            one.table
            for one in self._cells.ranked(question, self._periods_asked(question))
            if one.table != first.table
            and one.coverage >= first.coverage
            and set(stems(one.row.label)) - _OF_ALL == label
            and (one.when, one.scale, one.odd) == (first.when, first.scale, first.odd)
            and abs(one.value) > abs(first.value)
        }
        return len(larger) > 1

    def value(self, question: str) -> FigureAnswer | None:
        """The one cell that a question names, whatever should be done with it; None if there is none."""
        periods = self._periods_asked(question)
        best = self._cells.best(question, periods)
        if best is None:
            return None
        answer = printed_answer([best])
        return replace(answer, confidence=confidence_of(features_of(answer, periods), self._settings.confidence))

    def features(self, question: str, answer: FigureAnswer) -> dict[str, float]:
        """What the confidence in an answer is computed from."""
        asked, counts = self._cells.asked(question), asks_for_number(question)
        return features_of(answer, self._periods_asked(question), asked, counts=counts)

    def _answer(self, question: str) -> FigureAnswer | None:
        periods = self._periods_asked(question)
        best = self._cells.best(question, periods)
        for operation in operations_of(question):
            if len(periods) < 2 and best is not None and is_own_word(operation, f"{best.row.label} {best.header}"):
                continue
            return self._applied(operation, question, periods, best)
        return None

    def _applied(
        self, operation: Operation, question: str, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        match operation:
            case Operation.LOOKUP | Operation.SERIES:
                return self._looked_up(question, operation, periods, best)
            case Operation.WHICH:
                return self._chosen(question)
            case Operation.COUNT:
                return self._counted(question)
            case Operation.PERIODS:
                return self._periods(question)
            case Operation.ITEMS:
                return self._items(question, periods)
            case _:
                return self._computer.compute(operation, question, periods, best)

    def _periods_asked(self, question: str) -> tuple[Period, ...]:
        """The periods of a question, including those in between if it names a range."""
        periods = periods_of(question)
        return between(periods) if names_range(question) and Operation.SERIES in operations_of(question) else periods

    # ---- operations

    def _looked_up(
        self, question: str, operation: Operation, periods: Sequence[Period], best: Figure | None
    ) -> FigureAnswer | None:
        if best is None:
            return None
        if len(periods) > 1:
            found = self._computer.in_periods(best, periods)
            if len(found) > 1 and self._computer.is_sum(question, best):
                return self._computer.compute(Operation.SUM, question, periods, best)
            if len(found) > 1:
                return printed_answer(found, Operation.SERIES)
        elif operation is Operation.SERIES and len(found := self._several(question, periods, best)) > 1:
            return printed_answer(found, operation)
        return printed_answer([best])

    def _several(self, question: str, periods: Sequence[Period], best: Figure) -> list[Figure]:
        """The cells of several items that a question names, in its order; else one item in all its periods."""
        asked = self._cells.asked(question)
        rest = {term for term in asked if term not in stems(best.row.label)}
        others = [
            one
            for one in self._cells.ranked(question, periods, best)
            if one.table == best.table and one.column == best.column and one.row is not best.row
        ]
        found, said = [best], set(stems(best.row.label))
        for other in others[:20]:
            new = (set(stems(other.row.label)) & rest) - said
            own = set(item_terms(other.row.label))
            if new and len(own & asked.keys()) >= 0.6 * len(own) and len(found) < 6:
                found.append(other)
                said |= set(stems(other.row.label))
        if len(found) < 2:
            return self._cells.along(best)
        order = {term: n for n, term in enumerate(item_terms(question))}
        shared = set.intersection(*(set(stems(one.row.label)) for one in found))
        return sorted(
            found,
            key=lambda one: min((order.get(term, 999) for term in set(stems(one.row.label)) - shared), default=999),
        )

    def _chosen(self, question: str) -> FigureAnswer | None:
        """The period or item with the largest or smallest value, or all beyond a limit."""
        by_period, limit = asks_for_period(question), limit_of(question)
        rest = without_thing(limit[1] if limit else question)
        periods = periods_of(rest)
        best = self._cells.best(rest, () if by_period else periods)
        if best is None and not by_period and all(map(is_soft, self._cells.asked(rest))):
            best = self._first_in(periods)
        if not by_period:
            found = list(filter(is_named, self._items_beside(best, rest)))
            if not found:  # a row that names nothing, and stands alone
                best = next(filter(is_named, self._cells.ranked(rest, periods)), None)
                found = list(filter(is_named, self._items_beside(best, rest)))
        else:
            found = self._cells.along(best) if best else []
            if len(periods) > 1:
                found = [one for one in found if one.when and any(one.when.agrees(period) for period in periods)]
        found = [figure for figure in found if figure.cell.value is not None]
        if best is None or not found:
            return None
        if limit:
            found = [figure for figure in found if is_beyond(figure, limit[0])]
        else:
            ordered = sorted(found, key=lambda figure: figure.amount, reverse=not asks_for_smallest(question))
            found = ordered[rank_asked(question) - 1 :][:1]
        found = [matched_as(one, best) for one in found]
        if not by_period and not all(self._says_more(one, question) for one in found):
            return None
        return named_answer(found, Operation.WHICH, by_period=by_period) if found else None

    def _says_more(self, figure: Figure, question: str) -> bool:
        """Whether the label of a row says anything that the question does not: "Sales (millions)" names no segment."""
        return not set(item_terms(without_parentheses(figure.row.label))) <= self._cells.asked(question).keys()

    def _first_in(self, periods: Sequence[Period]) -> Figure | None:
        """The first cell of the first table, in a period asked for where one is."""
        cells = self._cells.cells(0)
        found = [one for one in cells if one.when and any(one.when.agrees(period) for period in periods)] or cells
        return replace(found[0], coverage=_WHOLE_TABLE) if found else None

    def _items_beside(self, best: Figure | None, text: str) -> list[Figure]:
        """The items to choose from: those that make up what a text names."""
        if best is None:
            return []
        asked = self._cells.asked(text)
        if all(map(is_soft, asked)):
            cells = self._cells.cells(best.table)
            return [matched_as(one, best) for one in cells if one.column == best.column and not is_total(one)]
        if is_total(best) and not set(stems(best.row.section)) & asked.keys():
            above = [one for one in self._cells.beside(best) if one.row.start < best.row.start]
            return above or self._cells.beside(best)
        found = self._parts_of(best, asked) if set(stems(best.row.section)) & asked.keys() else []
        return found or self._cells.beside(best)

    def _counted(self, question: str) -> FigureAnswer | None:
        """How many periods or items lie beyond a limit; without a limit, how many items make up a total."""
        limit = limit_of(question)
        if limit is None:
            items = self._items(question, periods_of(question))
            if items is None or asks_for_period(question):
                return None
            return replace(items, texts=(str(len(items.texts)),), operation=Operation.COUNT)
        by_period = bool(_counts_periods(question))
        periods = periods_of(question)
        best = self._cells.best(limit[1], () if by_period else periods)
        if best is None:
            return None
        beside = self._items_beside(best, limit[1])
        found = self._computer.in_range(best, periods) if by_period else beside
        found = [matched_as(one, best) for one in found if one.cell.value is not None]
        if not found:
            return None
        count = sum(is_beyond(figure, limit[0]) for figure in found)
        return FigureAnswer((str(count),), "", tuple(found), operation=Operation.COUNT)

    def _periods(self, question: str) -> FigureAnswer | None:
        """The periods for which the table with what the question names has values; else those of the first table."""
        ranked = [one for one in self._cells.ranked(question) if one.when]
        first = ranked[0] if ranked else next((one for one in self._cells.cells(0) if one.when), None)
        if first is None:
            return None
        # The periods are those of the whole table, whatever row is meant.
        found = [matched_as(one, first) for one in self._cells.along(first)]
        return named_answer(found, Operation.PERIODS, by_period=True)

    def _items(self, question: str, periods: Sequence[Period]) -> FigureAnswer | None:
        """The rows of the section that a question names, else those above the total that it names, else all rows."""
        asked = self._cells.asked(question)
        best = self._cells.best(question, periods)
        if best is None and not all(map(is_soft, asked)):
            return None
        if best is None or all(map(is_soft, asked)):
            rows = {one.row.start: one for one in self._cells.cells(best.table if best else 0) if not is_total(one)}
            found = [replace(one, coverage=_WHOLE_TABLE) for one in rows.values()]
            return named_answer(found, Operation.ITEMS, by_period=False) if found else None
        found = self._parts_of(best, asked)
        found = [matched_as(one, best) for one in found]
        return named_answer(found, Operation.ITEMS, by_period=False) if found else None

    def _parts_of(self, best: Figure, asked: dict[str, float]) -> list[Figure]:
        """The items of the section that holds the words asked for, or those that add up to the row."""
        sections = {
            one.row.section: round(sum(asked.get(term, 0.0) for term in set(stems(one.row.section))), 6)
            for one in self._cells.cells(best.table)
        }
        section = max(sections, key=lambda name: (sections[name], name == best.row.section))
        label = round(sum(asked.get(term, 0.0) for term in set(stems(best.row.label))), 6)
        if sections[section] >= label and sections[section] > 0:
            rows = [one for one in self._cells.cells(best.table) if one.row.section == section]
            rows = [one for one in rows if one.column == best.column] or rows
            # What follows the section's own total belongs to the whole table.
            end = next((n for n, one in enumerate(rows) if n and (is_total(one) or _adds_up(rows[:n], one))), len(rows))
            return [one for one in rows[:end] if not is_total(one)]
        return (
            self._computer.added_up(best)
            or [one for one in self._cells.beside(best) if one.row.start < best.row.start]
            or [one for one in self._cells.beside(best) if one.row is not best.row]
        )


def _adds_up(rows: Sequence[Figure], last: Figure) -> bool:
    """Whether a row is the sum of at least two before it."""
    total = sum(one.value for one in rows)
    return len(rows) > 1 and bool(last.value) and abs(total - last.value) <= ROUNDING * abs(last.value)


def _counts_periods(question: str) -> bool:
    words = question.lower()
    return any(word in words for word in ("years", "quarters", "periods", "months", "几年"))

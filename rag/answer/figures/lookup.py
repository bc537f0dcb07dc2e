"""Answers to questions about figures, from the cells of tables: looked up, compared or computed.

Every cell is scored by how much of the question its row label, section, column header and caption say, each term
weighted by how rare it is among the labels; the operation is applied to the best cells. Nothing is computed below
`FigureSettings.min_score`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from math import log

from rag.answer.figures.figure import (
    Figure,
    FigureAnswer,
    computed_answer,
    figures_of,
    is_beyond,
    named_answer,
    plain_number,
    printed_answer,
    same_amount,
)
from rag.answer.figures.question import (
    Operation,
    asks_for_period,
    asks_for_smallest,
    item_terms,
    limit_of,
    operation_of,
    pair_of,
    without_thing,
    years_of,
)
from rag.index.tokenize import terms
from rag.pdf.tables import Table
from rag.settings import FigureSettings

_TOTAL = re.compile(r"total\b|合计|总计", re.IGNORECASE)
_PART = re.compile(
    r"quarter|three months|six months|nine months|1[34] weeks|26 weeks|39 weeks|segment|\bQ[1-4]\b|季度|半年|分部",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"\bchanges? in\b|\b(?:increase|decrease)s?\b|增加|减少|变动", re.IGNORECASE)
_PERCENT = re.compile(r"percent|%|margin|\brate|ratio|yield|proportion|share of|百分|比例|比率|率", re.IGNORECASE)


class FigureFinder:
    """Answers questions about figures from the tables given, the most relevant first."""

    def __init__(self, tables: Sequence[Table], settings: FigureSettings, known: Collection[str] = ()) -> None:
        """`known`: terms that hold for all tables, such as the name of their document."""
        self._tables, self._settings, self._known = tables, settings, set(known)
        self._labels = [[set(terms(row.label or "total")) for row in table.rows] for table in tables]  # as `tables`
        self._rows = sum(map(len, self._labels))
        self._frequency = Counter(term for labels in self._labels for label in labels for term in label)

    def answer(self, question: str) -> FigureAnswer | None:
        """The answer; None where no cell matches enough of the question."""
        operation = operation_of(question)
        match operation:
            case Operation.LOOKUP | Operation.SERIES:
                return self._looked_up(question, operation)
            case Operation.CHANGE | Operation.PERCENT_CHANGE:
                return self._changed(question, operation)
            case Operation.AVERAGE | Operation.SUM:
                return self._summed(question, operation)
            case Operation.SHARE | Operation.RATIO:
                return self._divided(question, operation)
            case Operation.WHICH:
                return self._chosen(question)
            case Operation.COUNT:
                return self._counted(question)
            case Operation.PERIODS:
                return self._periods(question)
            case Operation.ITEMS:
                return self._items(question)

    # ---- scoring

    def _weight(self, term: str) -> float:
        """The weight of a term: its inverse frequency among the labels."""
        return log(1 + (self._rows + 1) / (self._frequency[term] + 1))

    def _asked(self, text: str) -> dict[str, float]:
        return {term: self._weight(term) for term in item_terms(text) if term not in self._known}

    def _best(self, text: str, years: frozenset[int]) -> Figure | None:
        """The cell that matches most of a text; None below `min_score`."""
        asked = self._asked(text)
        if not asked:
            return None
        found = sorted(self._scored(asked, years, text), key=lambda figure: -figure.score)
        if not found or found[0].score < self._settings.min_score:
            return None
        # The same value in several tables is more likely the one that is meant.
        near = [figure for figure in found if figure.score >= found[0].score - self._settings.agreement_margin]
        tables = {figure: {one.table for one in near if same_amount(one, figure)} for figure in near[:8]}
        return max(tables, key=lambda figure: (len(tables[figure]), figure.score))

    def _scored(self, asked: dict[str, float], years: frozenset[int], text: str = "") -> Iterator[Figure]:
        """Every cell with its score; `text`: the words that the cells are to match."""
        settings, total = self._settings, sum(asked.values())
        of_part, of_percent, of_change = (bool(kind.search(text)) for kind in (_PART, _PERCENT, _CHANGE))
        for number, (table, labels) in enumerate(zip(self._tables, self._labels, strict=True)):
            headers = [set(terms(header)) for header in table.headers]
            common = set.intersection(*headers)
            caption = set(terms(table.caption)) | common
            for row, label in zip(table.rows, labels, strict=True):
                section = set(terms(row.section))
                penalty = settings.unasked_penalty * self._unasked(label, asked)
                # The rows of a cash flow statement are called as those of a balance sheet, and are changes.
                penalty += settings.part_penalty * (not of_change and bool(_CHANGE.search(row.section)))
                for figure in figures_of(number, table, row):
                    own = label | (headers[figure.column] - common)
                    score = sum(weight * self._share(term, own, section, caption) for term, weight in asked.items())
                    score = score / total - penalty + self._period_score(figure.period, years)
                    score -= settings.part_penalty * (not of_part and _is_part(figure, table))
                    score -= settings.part_penalty * (not of_percent and figure.cell.percent)
                    # Of equal cells the one in the more relevant table and the earlier column.
                    yield replace(figure, score=score - 0.01 * number - 0.002 * figure.column)

    def _share(self, term: str, own: set[str], section: set[str], caption: set[str]) -> float:
        """How much a term of the question counts, by where a cell has it: 0 (nowhere) to 1."""
        if term in own:
            return 1.0
        if term in section:
            return self._settings.section_share
        return self._settings.caption_share if term in caption else 0.0

    def _period_score(self, period: frozenset[int], years: frozenset[int]) -> float:
        if not years:
            return 0.0
        if not period:
            return self._settings.no_period
        return self._settings.right_period if period & years else self._settings.wrong_period

    def _unasked(self, label: set[str], asked: dict[str, float]) -> float:
        """Share of a label, by weight, that the question does not contain."""
        weights = {term: self._weight(term) for term in label if item_terms(term)}
        missing = sum(weight for term, weight in weights.items() if term not in asked and term not in self._known)
        return missing / (sum(map(self._weight, label)) or 1.0)

    def _along(self, figure: Figure, years: frozenset[int] = frozenset()) -> list[Figure]:
        """The same item in other periods, in the table's order: along its row, else down its column."""
        table = self._tables[figure.table]
        row = [one for one in figures_of(figure.table, table, figure.row) if one.cell.percent == figure.cell.percent]
        dated = [one for one in row if len(years_of(one.header)) == 1]
        if dated:
            # Columns of one kind only: "2019 Carrying amount" beside "2018 Carrying amount", not "2019 Fair value".
            alike = [one for one in dated if _kind(one.header) == _kind(figure.header)]
            found = alike if len({one.period for one in alike}) > 1 else dated
        else:
            label = _kind(figure.row.label)
            column = [
                one
                for other in table.rows
                for one in figures_of(figure.table, table, other)
                if one.column == figure.column and one.period and _kind(other.label) == label
            ]
            found = column or row
        return [one for one in found if not years or one.period & years]

    # ---- operations

    def _looked_up(self, question: str, operation: Operation) -> FigureAnswer | None:
        years = years_of(question)
        best = self._best(question, years)
        if best is None:
            return None
        if operation is Operation.SERIES or len(years) > 1:
            found = self._along(best, years)
            found.sort(key=lambda figure: min((question.find(str(year)) for year in figure.period & years), default=0))
            if len(found) > 1:
                return printed_answer(found)
        return printed_answer([best])

    def _changed(self, question: str, operation: Operation) -> FigureAnswer | None:
        years = years_of(question)
        if operation is Operation.CHANGE and len(years) < 2 and (pair := self._pair(question, years)):
            first, second = pair
            return computed_answer(
                first.value - second.value, pair, operation, f"{plain_number(first)} − {plain_number(second)}"
            )
        best = self._best(question, frozenset())
        if best is None:
            return None
        found = self._along(best, years)
        found = found if len(found) > 1 else self._along(best)
        if len(found) < 2:
            return None
        new, old = _newest_and_former(found, years)
        if operation is Operation.CHANGE:
            return computed_answer(
                new.value - old.value, (new, old), operation, f"{plain_number(new)} − {plain_number(old)}"
            )
        if not old.value:
            return None
        change = (new.value - old.value) / old.value * 100
        return computed_answer(
            change, (new, old), operation, f"({plain_number(new)} − {plain_number(old)}) / {plain_number(old)}"
        )

    def _summed(self, question: str, operation: Operation) -> FigureAnswer | None:
        years = years_of(question)
        chosen: Sequence[Figure] = (self._pair(question, years) or ()) if len(years) < 2 else ()
        if not chosen:
            best = self._best(question, frozenset())
            chosen = self._along(best, _between(question, years)) if best else ()
        if len(chosen) < 2:
            return None
        total, formula = sum(figure.value for figure in chosen), " + ".join(map(plain_number, chosen))
        if operation is Operation.SUM:
            return computed_answer(total, chosen, operation, formula)
        return computed_answer(total / len(chosen), chosen, operation, f"({formula}) / {len(chosen)}")

    def _divided(self, question: str, operation: Operation) -> FigureAnswer | None:
        years = years_of(question)
        pair = self._pair(question, years)
        if pair is None:
            part = self._best(question, years)
            whole = self._total_of(part) if part else None
            pair = (part, whole) if part and whole else None
        if pair is None or not pair[1].value:
            return None
        factor = 1 if operation is Operation.RATIO else 100
        formula = f"{plain_number(pair[0])} / {plain_number(pair[1])}"
        return computed_answer(pair[0].value / pair[1].value * factor, pair, operation, formula)

    def _pair(self, question: str, years: frozenset[int]) -> tuple[Figure, Figure] | None:
        """The cells of the two items that a question compares or divides."""
        names = pair_of(question)
        if names is None:
            return None
        first, second = (self._best(name, years_of(name) or years) for name in names)
        if first is None or second is None or first.cell is second.cell:
            return None
        return first, second

    def _total_of(self, figure: Figure) -> Figure | None:
        """The next total below a cell, in its column."""
        table = self._tables[figure.table]
        below = table.rows[table.rows.index(figure.row) + 1 :]
        totals = (row for row in below if _TOTAL.match(row.label or "total"))
        found = (one for row in totals for one in figures_of(figure.table, table, row) if one.column == figure.column)
        return next(found, None)

    def _chosen(self, question: str) -> FigureAnswer | None:
        """The period, or the item, with the largest or smallest value, or all beyond a limit."""
        by_period, limit = asks_for_period(question), limit_of(question)
        rest = without_thing(limit[1] if limit else question)
        best = self._best(rest, frozenset() if by_period else years_of(question))
        if best is None:
            return None
        years = years_of(rest)
        found = self._along(best, years if len(years) > 1 else frozenset()) if by_period else self._beside(best)
        found = [figure for figure in found if figure.cell.value is not None]
        if limit:
            found = [figure for figure in found if is_beyond(figure, limit[0])]
        elif found:
            pick = min if asks_for_smallest(question) else max
            found = [pick(found, key=lambda figure: figure.value)]
        return named_answer(found, by_period=by_period) if found else None

    def _beside(self, figure: Figure) -> list[Figure]:
        """The other items of a section, in the same column; totals left out."""
        table = self._tables[figure.table]
        rows = [
            row for row in table.rows if row.section == figure.row.section and not _TOTAL.match(row.label or "total")
        ]
        return [one for row in rows for one in figures_of(figure.table, table, row) if one.column == figure.column]

    def _counted(self, question: str) -> FigureAnswer | None:
        found = limit_of(question)
        best = self._best(found[1], frozenset()) if found else None
        if found is None or best is None:
            return None
        along = [figure for figure in self._along(best) if figure.cell.value is not None]
        count = sum(is_beyond(figure, found[0]) for figure in along)
        return FigureAnswer((str(count),), "", tuple(along))

    def _periods(self, question: str) -> FigureAnswer | None:
        asked = self._asked(question)
        dated = (figure for figure in self._scored(asked, frozenset(), question) if figure.period) if asked else ()
        best = max(dated, key=lambda figure: figure.score, default=None)
        return named_answer(self._along(best), by_period=True) if best is not None else None

    def _items(self, question: str) -> FigureAnswer | None:
        """The rows of the section that a question names, else those above the total that it names."""
        best = self._best(question, years_of(question))
        if best is None:
            return None
        found = self._beside(best)
        if not set(terms(best.row.section)) & self._asked(question).keys():
            above = [figure for figure in found if figure.row.start < best.row.start]
            found = above or found
        return named_answer(found, by_period=False) if found else None


def _is_part(figure: Figure, table: Table) -> bool:
    """Whether a cell is of a quarter or a segment."""
    return any(map(_names_part, (figure.header, table.caption, figure.row.label)))


@lru_cache(maxsize=1000)  # all cells of a column have its header, and all of a table its caption
def _names_part(text: str) -> bool:
    return bool(_PART.search(text))


def _kind(header: str) -> list[str]:
    """What a header or label says besides its year."""
    years = {str(year) for year in years_of(header)}
    return [term for term in terms(header) if term not in years]


def _newest_and_former(found: Sequence[Figure], years: frozenset[int]) -> tuple[Figure, Figure]:
    """The newest figure, and the first of the years asked for or, where none is, the one before."""
    ordered = sorted(found, key=lambda figure: max(figure.period, default=0))
    if not ordered[0].period or ordered[0].period == ordered[-1].period:
        return found[0], found[1]  # periods unknown: reports put the newest first
    return ordered[-1], ordered[0] if years else ordered[-2]


def _between(question: str, years: frozenset[int]) -> frozenset[int]:
    """The years asked for; for a range also those in between: "over the 3 year period from 2017 to 2019"."""
    if len(years) < 2:
        return frozenset()
    return frozenset(range(min(years), max(years) + 1)) if re.search(r"year period|from|-|至|到", question) else years

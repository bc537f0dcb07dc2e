"""Matches cells of tables with the words and periods of a question.

Every cell is scored by how much of the question its row label, section, column header and caption say, each term
weighted by how rare it is among the labels; by its period; and by what its label says that was not asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, zip_longest
from math import log

from rag.answer.figures.figure import Figure, same_amount
from rag.answer.figures.periods import Period, periods_of, single_period, without_periods, years_of
from rag.answer.figures.question import is_soft, item_terms, stems
from rag.answer.figures.units import scales_of
from rag.pdf.tables import Table
from rag.settings import FigureSettings

_TOTAL = re.compile(r"(?:sub)?total\b|合计|总计|小计|共计", re.IGNORECASE)
_PART = re.compile(
    r"quarter|three months|six months|nine months|1[34] weeks|26 weeks|39 weeks|segment|\bQ[1-4]\b|季度|半年|分部",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"\bchanges?\b|\b(?:increase|decrease)s?\b|variance|增加|减少|变动|增减", re.IGNORECASE)
_PERCENT = re.compile(
    r"percent|%|margin|\brates?\b|ratio|yield|proportion|share of|volatility|百分|比例|比率|率", re.IGNORECASE
)
# Figures other than the reported ones, wanted only if the question says so.
_SPECIAL = re.compile(
    r"eliminat|constant[- ]currency|excluding currency|pro[- ]forma|as adjusted|non-?gaap|\badjusted\b|\bunderlying\b"
    r"|\bbudget|\bguidance|\bestimated\b|抵销|备考",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\b(first|second|third|fourth)\b(?! (?:fiscal )?quarter)", re.IGNORECASE)  # as a header
_PARENTHESES = re.compile(r"[(（][^()（）]*[)）]")


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known about a cell before a question is asked."""

    figure: Figure
    row: frozenset[str]  # stems of its label
    own: frozenset[str]  # and of its header where columns differ
    section: frozenset[str]
    caption: frozenset[str]
    label: frozenset[str]  # stems of its label, without what stands in parentheses
    note: frozenset[str]  # those in parentheses
    column: frozenset[str]  # stems of its header that other columns lack
    years: frozenset[int]  # that the cell's row is of, or that a comparison is between, where it has no period itself
    part: bool  # of a quarter or a segment
    change: bool  # in a section or column of changes
    special: bool


class CellMatcher:
    """Finds the cells of tables that questions name."""

    def __init__(
        self,
        tables: Sequence[Table],
        settings: FigureSettings,
        known: Collection[str] = (),
        offsets: Sequence[int | None] = (),
    ) -> None:
        """`known`: terms that apply to all tables, such as the name of their document.

        `offsets`: for each table, the difference between the name of the fiscal year that ends in January and the
        calendar year; None if not known.
        """
        self.tables, self._settings = tables, settings
        self._known = {stem for term in known for stem in stems(term)}
        self._places = [
            place
            for number, (table, offset) in enumerate(zip_longest(tables, offsets))
            for place in _places_of(number, table, offset)
        ]
        labels = {(place.figure.table, place.figure.row.start): place.label for place in self._places}
        self._labels = len(labels)
        self._in_labels: list[set[str]] = [set() for _ in tables]
        for place in self._places:
            self._in_labels[place.figure.table] |= place.label
        self._frequency = Counter(term for label in labels.values() for term in label)
        self._frequency.update(term for table in tables for header in table.headers for term in set(stems(header)))

    def weight(self, term: str) -> float:
        """The weight of a term: its inverse frequency among the labels."""
        return log(1 + (self._labels + 1) / (self._frequency[term] + 1))

    def asked(self, text: str) -> dict[str, float]:
        """The terms that say which item is meant, with their weights."""
        return {term: self.weight(term) for term in item_terms(text) if term not in self._known}

    def best(self, text: str, periods: Sequence[Period] = ()) -> Figure | None:
        """The cell that matches most of a text; None if nothing is asked for."""
        found = self.ranked(text, periods)
        if not found:
            return None
        # If several tables have the same value, it is more likely the right one.
        close = [figure for figure in found if figure.score >= found[0].score - self._settings.agreement_margin]
        tables = {figure: {one.table for one in close if same_amount(one, figure)} for figure in close[:8]}
        return max(tables, key=lambda figure: (len(tables[figure]), figure.score))

    def ranked(self, text: str, periods: Sequence[Period] = (), near: Figure | None = None) -> list[Figure]:
        """The cells by how well they match a text, best first; none if nothing is asked for.

        `near`: a cell whose table and column are preferred.
        """
        asked = self.asked(text)
        hard = {term: weight for term, weight in asked.items() if not is_soft(term)}
        if not asked:
            return []
        found = self._scored(hard or asked, asked, periods, text, near)
        return sorted((figure for figure in found if figure.score > 0), key=lambda figure: -figure.score)

    def _scored(
        self,
        hard: dict[str, float],
        asked: dict[str, float],
        periods: Sequence[Period],
        text: str,
        near: Figure | None,
    ) -> Iterator[Figure]:
        settings, total = self._settings, sum(hard.values())
        of_part, of_percent, of_change, of_special = (
            bool(kind.search(text)) for kind in (_PART, _PERCENT, _CHANGE, _SPECIAL)
        )
        for place in self._places:
            # "% of revenue" over a column of shares does not make them revenue.
            own = place.own if of_percent or place.figure.scale != "percent" else place.row
            shares = {term: self._share(term, own, place) for term in hard}
            coverage = sum(weight * shares[term] for term, weight in hard.items()) / total
            if coverage <= 0:
                continue
            figure, score = place.figure, coverage
            in_table = sum(weight for term, weight in hard.items() if shares[term]) / total
            others = self._in_labels[figure.table]
            score -= (
                settings.elsewhere_penalty
                * sum(weight for term, weight in hard.items() if term in others and not shares[term])
                / total
            )
            extra = self._unasked(place.label, asked)
            soft = sum(weight for term, weight in asked.items() if term not in hard and term in place.own)
            score += settings.soft_share * min(soft / total, 1.0)
            score -= settings.unasked_penalty * extra
            score -= settings.unasked_column_penalty * self._unasked(place.column, asked)
            score -= settings.unasked_note_penalty * self._unasked(place.note, asked)
            score -= settings.unasked_section_penalty * self._unasked(place.section, asked)
            score += self._period_score(place, periods)
            kinds = (
                figure.when is None and bool(place.years) and bool(periods),
                place.part and not of_part and not any(period.quarter for period in periods),
                figure.scale == "percent" and not of_percent,
                place.change and not of_change,
                place.special and not of_special,
            )
            score -= settings.part_penalty * sum(kinds[1:])
            if near is not None:
                score += settings.near_bonus * ((figure.table == near.table) + (figure.column == near.column)) / 2
            # If cells are equal: the one in the more relevant table, then in the earlier column.
            score -= 0.01 * figure.table + 0.002 * figure.column
            # Sums over sets differ in their last digits from run to run; equal scores must stay equal.
            yield replace(
                figure, score=round(score, 6), coverage=coverage, in_table=in_table, extra=extra, odd=sum(kinds)
            )

    def _share(self, term: str, own: frozenset[str], place: _Place) -> float:
        """How much a term of the question counts, by where a cell has it: 0 (nowhere) to 1."""
        if term in own:
            return 1.0
        if term in place.section:
            return self._settings.section_share
        return self._settings.caption_share if term in place.caption else 0.0

    def _period_score(self, place: _Place, periods: Sequence[Period]) -> float:
        settings, when = self._settings, place.figure.when
        if not periods:
            return 0.0
        if when is None:
            of_others = place.years and not any(period.year in place.years for period in periods)
            return settings.wrong_period if of_others else settings.no_period
        if any(when.agrees(period) for period in periods):
            if all(when.may_be_fiscal(period) for period in periods):
                return settings.right_period / 2
            exact = any(when == period or (period.month and when.month == period.month) for period in periods)
            return settings.right_period + (settings.exact_period if exact else 0.0)
        return settings.wrong_period

    def _unasked(self, label: frozenset[str], asked: Collection[str]) -> float:
        """Share of a label, by weight, that the question does not contain."""
        if not label:
            return 0.0
        weights = {term: self.weight(term) for term in label}
        missing = sum(weight for term, weight in weights.items() if term not in asked and term not in self._known)
        return missing / sum(weights.values())

    # ---- other cells of the same table

    def cells(self, number: int) -> list[Figure]:
        """All cells of a table."""
        return [place.figure for place in self._places if place.figure.table == number]

    def along(self, figure: Figure) -> list[Figure]:
        """The same item in other periods, in the table's order: along its row, else down its column."""
        cells = self.cells(figure.table)
        row = [one for one in cells if one.row is figure.row and _is_alike(one, figure)]
        kind = _kind(figure.header)
        alike = [one for one in row if one.when and _kind(one.header) == kind]
        if len({one.when for one in alike}) > 1:
            return alike
        label = _kind(figure.row.label)
        column = [
            one
            for one in cells
            if one.column == figure.column and one.when and _is_alike(one, figure) and _kind(one.row.label) == label
        ]
        if len({one.when for one in column}) > 1:
            return column
        dated = [one for one in row if one.when]
        return dated if len({one.when for one in dated}) > 1 else row

    def in_period(self, figure: Figure, period: Period) -> Figure | None:
        """The same item in another period: next to it, in another section, or in a table with the same rows."""
        for one in self.along(figure):
            if one.when and one.when.agrees(period):
                return one
        label, kind = _kind(figure.row.label), _kind(figure.header)
        same = (
            place.figure
            for place in self._places
            if place.figure.when
            and place.figure.when.agrees(period)
            and _kind(place.figure.row.label) == label
            and _is_alike(place.figure, figure)
        )
        found = sorted(same, key=lambda one: (one.table != figure.table, _kind(one.header) != kind))
        return found[0] if found else None

    def beside(self, figure: Figure) -> list[Figure]:
        """The items of a section, in the same column, without totals."""
        return [
            one
            for one in self.cells(figure.table)
            if one.column == figure.column and one.row.section == figure.row.section and not is_total(one)
        ]

    def total_of(self, figure: Figure) -> Figure | None:
        """The next total below a cell, in its column."""
        below = [
            one
            for one in self.cells(figure.table)
            if one.column == figure.column and one.row.start > figure.row.start and is_total(one)
        ]
        return below[0] if below else None


def without_parentheses(label: str) -> str:
    """A label without what stands in parentheses: a unit or a note."""
    return _PARENTHESES.sub(" ", label)


def is_total(figure: Figure) -> bool:
    """Whether a cell is in a row of totals."""
    return bool(_TOTAL.match(figure.row.label or "total"))


def _places_of(number: int, table: Table, offset: int | None) -> Iterator[_Place]:
    headers = [frozenset(stems(header)) for header in table.headers]
    common = frozenset.intersection(*headers) if len(headers) > 1 else frozenset()
    caption = frozenset(stems(table.caption)) | common
    of_caption = single_period(table.caption)
    of_part, of_special = _matches(_PART, table.caption), _matches(_SPECIAL, table.caption)
    rolled = _roll_forward(table)
    has_sections = any(row.section for row in table.rows)
    unlabelled = table.caption if not any(row.label for row in table.rows) else ""
    for row, scales in zip(table.rows, scales_of(table), strict=True):
        label = frozenset(stems(row.label or "total"))
        # Above the first section the caption often is one: "Continuing operations".
        section = frozenset(stems(row.section or (table.caption[-60:] if has_sections else unlabelled)))
        plain = frozenset(item_terms(without_parentheses(row.label)))
        changes = _matches(_CHANGE, row.section)
        special = of_special or _matches(_SPECIAL, f"{row.label} {row.section}")
        part = of_part or _matches(_PART, row.label)
        around = rolled.get(row.start) or of_caption
        whens = [_fiscal(_when(header, row.label, row.section, around), offset) for header in table.headers]
        dated = frozenset(when.year for when in whens if when)
        for column, cell in enumerate(row.cells):
            if cell is None:
                continue
            header = table.headers[column]
            when = whens[column]
            yield _Place(
                Figure(number, table.headers, row, column, cell, scales[column], when),
                label,
                label | (headers[column] - common),
                section,
                caption,
                plain,
                frozenset(item_terms(row.label)) - plain,
                frozenset(item_terms(header)) - common,
                frozenset() if when else dated | years_of(header),
                part or _matches(_PART, header),
                changes or _matches(_CHANGE, header),
                special or _matches(_SPECIAL, header),
            )


@lru_cache(maxsize=4000)  # all cells of a column have its header, and all of a table its caption
def _matches(kind: re.Pattern[str], text: str) -> bool:
    return bool(kind.search(text))


def _when(header: str, label: str, section: str, caption: Period | None) -> Period | None:
    """The period of a cell: from its header, else from its row; a section for another year overrides the header."""
    if single_period(header) is None and (periods_of(header) or _matches(_CHANGE, header)):
        return None  # a comparison of two
    parts = [single_period(_ORDINAL.sub(r"\1 quarter", header)), single_period(label), single_period(section)]
    if parts[0] and parts[2] and parts[0].year != parts[2].year and parts[2].year:
        parts[0] = None
    found = [part for part in (*parts, caption) if part]
    if not found:
        return None
    first = found[0]
    for other in found[1:]:
        first = first.filled(other)
    return first


def _fiscal(when: Period | None, offset: int | None) -> Period | None:
    """A period with the fiscal year that it ends, where that is known."""
    return when if when is None or offset is None or not when.ends_early else replace(when, fiscal=when.year + offset)


def _roll_forward(table: Table) -> dict[int, Period]:
    """The periods of rows between dated balances, by the rows' starts: "Granted" goes with the next balance."""
    if any(periods_of(header) for header in table.headers):
        return {}
    dated = [(n, when) for n, row in enumerate(table.rows) if (when := single_period(row.label)) and when.year]
    found: dict[int, Period] = {}
    for (first, _), (last, when) in pairwise(dated):
        found.update({row.start: Period(when.year) for row in table.rows[first + 1 : last]})
    return found


@lru_cache(maxsize=4000)
def _kind(text: str) -> tuple[str, ...]:
    """What a header or label says besides its period and notes."""
    return tuple(item_terms(without_parentheses(without_periods(text))))


def _is_alike(one: Figure, other: Figure) -> bool:
    return (one.scale == "percent") == (other.scale == "percent")

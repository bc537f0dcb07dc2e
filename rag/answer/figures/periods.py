"""Periods in questions, headers and labels: years, quarters, dates; in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "一": 1, "二": 2, "三": 3, "四": 4}
_TOKEN = re.compile(
    rf"\b(?P<month>{_MONTH})[ -]{{1,2}}(?P<day>\d{{1,2}})(?!\d)(?:st|nd|rd|th)?"
    rf"|(?<!\d)(?P<day2>\d{{1,2}})(?:st|nd|rd|th)? (?P<month2>{_MONTH})"
    rf"|\b(?P<month3>{_MONTH})(?=[ ,-]{{1,2}}\d{{4}})"
    r"|(?P<quarter>\bQ[1-4](?!\d)|\b[1-4]Q|\b(?:first|second|third|fourth|1st|2nd|3rd|4th)"
    r"(?=(?:,? (?:and|to|or) (?:the )?(?:first|second|third|fourth|1st|2nd|3rd|4th))? (?:fiscal )?quarter)"
    r"|第?[一二三四1-4]季度?)"
    r"|(?<![\d.$])(?P<year>(?:19|20)\d\d)(?:/(?P<end>20\d\d|\d\d)(?!\d))?(?![\d%])(?!,\d{3}(?!\d))"
    r"|\b(?:FY|F|CY)\s?'?(?P<short>\d{2})(?!\d)"
    r"|(?P<month4>1[0-2]|0?[1-9])月(?:(?P<day4>\d{1,2})日)?",
    re.IGNORECASE,
)
_JANUARY, _FEBRUARY = 1, 2
_NEW_YEAR = 7  # last day of January on which a year of weeks may end that is always called by the year before
_NEAR = 4  # characters between a year and the quarter that belongs to it: "2019 First Quarter"
_RANGE = re.compile(
    r"(?:20|19)\d\d年?\s?(?:to|through|until|[-–—至到~])\s?(?:FY ?)?(?:20|19)\d\d"
    r"|\b(?:over|across) the\b.*\byears?\b|\bfrom\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, or a part or the last day of one."""

    year: int = 0  # 0: not given
    quarter: int = 0  # 1 to 4; 0: none
    month: int = 0  # 1 to 12; 0: none
    day: int = 0
    fiscal: int = 0  # the fiscal year that ends on this day, if its document says; 0: not known

    def agrees(self, other: Period) -> bool:
        """Whether nothing that both give differs; a year asked for by the other is a fiscal one."""
        if self.fiscal and other.is_year:
            return self.fiscal == other.year
        mine, others = ((p.year, p.quarter, p.month, p.day) for p in (self, other))
        return all(not a or not b or a == b for a, b in zip(mine, others, strict=True))

    def filled(self, other: Period) -> Period:
        """The period, with what it lacks taken from another one."""
        if self.quarter or not (self.month or self.day):
            return replace(self, year=self.year or other.year, quarter=self.quarter or other.quarter)
        return replace(self, year=self.year or other.year)

    def may_be_fiscal(self, asked: Period) -> bool:
        """Whether it is the last day of a year, but not necessarily of the year asked for.

        Years that end in January or February are called by the year they end in, or by the one before.
        """
        return not self.fiscal and self.month in (1, 2) and self.day > 0 and not asked.month and not asked.quarter

    @property
    def ends_early(self) -> bool:
        """Whether a fiscal year that is called by the year before may end on this day; not New Year's Day."""
        return self.day > 0 and (self.month == _FEBRUARY or (self.month == _JANUARY and self.day > _NEW_YEAR))

    @property
    def is_year(self) -> bool:
        """Whether it is a year, and no part of one."""
        return self.year > 0 and not (self.quarter or self.month or self.day)

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts periods in time."""
        return self.year, self.month or self.quarter * 3, self.day


@lru_cache(maxsize=4000)  # all cells of a column have its header
def periods_of(text: str) -> tuple[Period, ...]:
    """The periods in a text, in order, each once.

    Dates and quarters without a year get the one that follows: "June 30 and December 31, 2019". "2018/2019" is the year
    that ends in 2019.
    """
    found: list[Period] = []
    waiting: list[int] = []  # indices of periods without a year
    year_end = -_NEAR - 1
    for match in _TOKEN.finditer(text):
        part = _part(match)
        year = _year(match)
        if year and waiting:
            for n in waiting:
                found[n] = replace(found[n], year=year)
            waiting = []
        elif year:
            found.append(Period(year))
            year_end = match.end()
        elif match.start() - year_end <= _NEAR and found and found[-1] == Period(found[-1].year):
            found[-1] = replace(part, year=found[-1].year)
        else:
            waiting.append(len(found))
            found.append(part)
    last = next((period.year for period in reversed(found) if period.year), 0)
    return tuple(dict.fromkeys(period if period.year else replace(period, year=last) for period in found))


def _year(match: re.Match[str]) -> int:
    if match["short"]:
        return 2000 + int(match["short"])
    if match["end"]:
        return int(match["end"]) if len(match["end"]) == 4 else 2000 + int(match["end"])
    return int(match["year"] or 0)


def _part(match: re.Match[str]) -> Period:
    """A quarter or date."""
    if match["quarter"]:
        text = match["quarter"].lower()
        named = next((number for word, number in _QUARTERS.items() if word in text), 0)
        return Period(quarter=named or int(re.sub(r"\D", "", text)))
    name = match["month"] or match["month2"] or match["month3"]
    month = _MONTHS.index(name[:3].lower()) + 1 if name else int(match["month4"] or 0)
    return Period(month=month, day=int(match["day"] or match["day2"] or match["day4"] or 0))


def single_period(text: str) -> Period | None:
    """The period of a header or label; None if it names none, or a comparison of several."""
    found = periods_of(text)
    if len(found) == 1:
        return found[0]
    # "December 31, 2019 ... Fiscal 2019": several names of one year.
    years = {period.year for period in found}
    return max(found, key=lambda period: period.order) if len(years) == 1 and len(found) < 3 else None


def years_of(text: str) -> frozenset[int]:
    """The years that a text names: 2019, FY19, F19, 2018/2019 (which ends in 2019)."""
    return frozenset(period.year for period in periods_of(text) if period.year)


def names_range(text: str) -> bool:
    """Whether a question means all periods between the first and the last it names: "from 2017 to 2019"."""
    return bool(_RANGE.search(text))


def without_periods(text: str) -> str:
    """A text without the periods it names."""
    return _TOKEN.sub(" ", text)


def between(periods: Sequence[Period]) -> tuple[Period, ...]:
    """All years from the first to the last, in the order of the two; unchanged if the periods are not years."""
    years = [period.year for period in periods]
    if len(periods) != 2 or any(period != Period(period.year) for period in periods) or abs(years[0] - years[1]) > 30:
        return tuple(periods)
    step = 1 if years[0] <= years[1] else -1
    return tuple(Period(year) for year in range(years[0], years[1] + step, step))

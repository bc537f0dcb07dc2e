"""Fiscal years of a statement's columns, by their headers and by what the document calls its years."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from rag.answer.figures.periods import periods_of, years_of
from rag.pdf.tables import Table

_QUARTER = re.compile(
    r"three months|quarter|1[34][- ]weeks?|six months|nine months|26[- ]weeks?|39[- ]weeks?|季度|1-[369]月",
    re.IGNORECASE,
)
_YEAR_ENDED = re.compile(r"\byears?\b|twelve months|5[23][- ]weeks?|annual|年度", re.IGNORECASE)
_SHARE_OF_SALES = re.compile(r"%|percent|百分|change|increase|变动|增减", re.IGNORECASE)
_FISCAL = re.compile(
    r"\bfiscal (?:year )?(20\d\d)\b[^.;]{0,80}?\bended (?:on )?(?:January|February) \d{1,2}, (20\d\d)"
    r"|\bended (?:on )?(?:January|February) \d{1,2}, (20\d\d)"
    r"[^.;]{0,30}?\(.{0,3}(?:the )?.?(?:fiscal (?:year )?)?(20\d\d)\b",
    re.IGNORECASE,
)
_EARLY_YEAR = re.compile(r"\b(?:January|February) \d{1,2}, (20\d\d)", re.IGNORECASE)
_OFTEN = 4  # of the dates of the most frequent year, the share from which those of another count: one in so many
_FEW_MENTIONS = 3  # of fiscal years, below which they tell nothing
_NEW_YEAR = re.compile(r"\bJan(?:uary)?\b\.? [1-7],", re.IGNORECASE)  # ends the year before, in a year of 52 weeks
_MONTH = re.compile(
    r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}\b|年(\d{1,2})月", re.IGNORECASE
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAMED_FISCAL = re.compile(r"fiscal (?:year )?(20\d\d)", re.IGNORECASE)
_THIS_YEAR = re.compile(r"期末|本期|本年|年末")
_LAST_YEAR = re.compile(r"期初|上期|上年|年初")
_YEARS_OF_LINE = re.compile(r"(?<![\d,.$])((?:19|20)\d\d)(?![\d,.]*\d)")


def fiscal_years(table: Table, text: str) -> dict[int, int]:
    """The fiscal year of each column that has one; {} if the headers do not tell."""
    found = {
        column: year
        for column, header in enumerate(table.headers)
        if not _SHARE_OF_SALES.search(header) and (year := _year_of(header)) is not None
    }
    if len(found) < min(2, len(table.headers)):
        found = _columns_above(table, text) or _named_columns(table, text)
    full = {column: year for column, year in found.items() if not _QUARTER.search(table.headers[column])}
    return full or found


def _columns_above(table: Table, text: str) -> dict[int, int]:
    """The years of the last line above a table that has one for each column."""
    above = text[max(0, table.rows[0].start - 600) : table.rows[0].start]
    for line in reversed(above.splitlines()[-8:]):
        years = [int(year) for year in _YEARS_OF_LINE.findall(line)]
        if len(years) == len(table.headers) == len(set(years)):
            return dict(enumerate(years))
    return {}


def _named_columns(table: Table, text: str) -> dict[int, int]:
    """Columns headed "this year" and "last year" in Chinese, by the newest year that stands above the table."""
    above = text[max(0, table.rows[0].start - 600) : table.rows[0].start]
    newest = max(years_of(above), default=0)
    found: dict[int, int] = {}
    for column, header in enumerate(table.headers if newest else ()):
        if _LAST_YEAR.search(header):
            found[column] = newest - 1
        elif _THIS_YEAR.search(header):
            found[column] = newest
    return found


def is_quarterly(table: Table, head: str) -> bool:
    """Whether a table, on a page that begins with `head`, has figures of quarters alone."""
    quarters = [bool(_QUARTER.search(header)) for header in table.headers]
    if any(quarters):
        return not any(years_of(header) for header, part in zip(table.headers, quarters, strict=True) if not part)
    if _YEAR_ENDED.search(" ".join((table.caption, *table.headers))):
        return False
    return bool(_QUARTER.search(table.caption) or (_QUARTER.search(head) and not _YEAR_ENDED.search(head)))


def interim_year(headers: Mapping[int, str]) -> int | None:
    """The newest year, if its column is for another time of the year than the one before, as in a quarterly report."""
    newest, *others = sorted(headers, reverse=True)
    months = [_month(headers[year]) for year in (newest, *others[:1])]
    if len(months) < 2 or None in months:
        return None
    apart = abs((months[0] or 0) - (months[1] or 0))
    return newest if 2 <= apart <= 10 else None


def _month(header: str) -> int | None:
    found = _MONTH.findall(header)
    if not found:
        return None
    name, number = found[-1]
    return int(number) if number else _MONTHS.index(name.lower()) + 1


def _year_of(header: str) -> int | None:
    named = _NAMED_FISCAL.search(header)
    if named:
        return int(named[1])
    years = years_of(header)
    return max(years) - bool(_NEW_YEAR.search(header)) if len(years) == 1 else None


def ends_early(headers: Iterable[str]) -> bool:
    """Whether columns are headed by days on which a fiscal year may end that is called by the year before."""
    return any(period.ends_early for header in headers for period in periods_of(header))


def fiscal_offset(texts: Iterable[str], newest: int = 0, others: Collection[int] = ()) -> int | None:
    """The fiscal year of a year that ends in January or February minus the calendar year it ends in, 0 or -1.

    It follows the document's wording, "fiscal 2022, which ended January 28, 2023"; else the years above its statements
    without such dates (`others`), else the fiscal year that it mentions more often; None if that does not tell.
    `newest`: the newest year in the dates of its statements; 0 for that in the dates of its texts.
    """
    votes: Counter[int] = Counter()
    mentioned: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    for text in texts:
        for match in _FISCAL.finditer(text):
            fiscal, end = (match[1], match[2]) if match[1] else (match[4], match[3])
            votes[int(fiscal) - int(end)] += 1
        mentioned.update(int(year) for year in _NAMED_FISCAL.findall(text))
        ends.update(int(year) for year in _EARLY_YEAR.findall(text))
    if votes[-1] or votes[0]:
        return -1 if votes[-1] > votes[0] else 0
    if others:
        return -1 if max(others) == newest - 1 else 0
    often = max(ends.values(), default=0) / _OFTEN
    newest = newest or max((year for year, count in ends.items() if count >= often), default=0)
    named, before = mentioned[newest], mentioned[newest - 1]
    if named + before < _FEW_MENTIONS or named < before <= 2 * named:
        return None
    return -1 if before > named else 0

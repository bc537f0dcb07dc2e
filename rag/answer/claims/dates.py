"""Dates in a text, in any usual form, English and Chinese, as (year, month, day); 0 for parts that are not given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rag.answer.claims.numerals import HAN_DIGITS, value_of_han

Date = tuple[int, int, int]

FULL_MONTH: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
YEAR: Final = r"(?<!\d)(?:19|20)\d\d(?!\d)"
_MONTHS: Final = FULL_MONTH.lower().split("|")
_BY_PREFIX: Final = {month[:3]: n for n, month in enumerate(_MONTHS, 1)}
MONTH: Final = (  # in full or short, without the full stop of a short form; to be matched whatever its case
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_MONTH = rf"{MONTH}\.?"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:1[0-9]|20|21)\d\d"
_HAN = f"[{''.join(HAN_DIGITS)}十]"
_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?P<m>{_MONTH})\s{{0,2}}(?P<d>{_DAY})(?:st|nd|rd|th)?(?!\d)(?:\s?,?\s{{0,2}}(?P<y>{_YEAR})(?![\d,.]\d|\d))?",
        rf"(?<!\d)(?P<d>{_DAY})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m>{_MONTH})(?![A-Za-z])(?:,?\s(?P<y>{_YEAR})(?!\d))?",
        rf"\b(?P<m>{_MONTH}),?\s{{1,2}}(?:of\s)?(?P<y>{_YEAR})(?!\d)",
        rf"(?<![\d/.-])(?P<y>{_YEAR})[-/.](?P<m>1[0-2]|0?[1-9])[-/.](?P<d>{_DAY})(?![\d/-])",
        rf"(?<![\d/.-])(?P<m>1[0-2]|0?[1-9])/(?P<d>{_DAY})/(?P<y>{_YEAR})(?!\d)",
        rf"(?<!\d)(?P<y>\d{{4}}|{_HAN}{{4}})\s?年(?:度)?(?:\s?(?P<m>1[0-2]|0?[1-9]|{_HAN}{{1,2}})\s?月(?:份)?"
        rf"(?:\s?(?P<d>{_DAY}|{_HAN}{{1,3}})\s?[日号])?)?",
        rf"(?<!\d)(?P<m>1[0-2]|0?[1-9]|{_HAN}{{1,2}})\s?月(?:\s?(?P<d>{_DAY}|{_HAN}{{1,3}})\s?[日号]|份)",
        rf"(?<![A-Za-z0-9])(?:FY|CY|fiscal(?:\syear)?)\s?['’]?(?P<y>{_YEAR}|\d\d)(?![\d%]|[.,]\d)",
        rf"\b(?:in|of|since|until|by|from|during|every|early|late|mid)[\s-](?P<m>{_MONTH})(?![A-Za-z])",
    )
)


def find_dates(text: str) -> Iterator[tuple[int, int, Date]]:
    """(start, end, date) of each date; those found by later patterns may overlap earlier ones."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            year, month, day = (_part(groups.get(name)) for name in "ymd")
            if 0 < year < 100:
                year += 2000
            if year or month:
                yield match.start(), match.end(), (year, month, day)


def _part(text: str | None) -> int:
    """A year, month or day as a number, 0 if it is missing."""
    if not text:
        return 0
    if text.isascii():
        return int(text) if text.isdigit() else _BY_PREFIX[text[:3].lower()]
    return int(value_of_han(text) or 0)

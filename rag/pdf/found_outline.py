"""An outline for a document that has none: its numbered sections and page titles, found in the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rag.pdf.headings import headings_within, is_unit_line, page_title
from rag.records import Heading

MAX_ENTRIES: Final = 1_000
_MIN_ENTRIES: Final = 3
_MIN_SHARE: Final = 0.15  # share of the pages that must have an entry; with fewer, the entries say little
_MOST_REPEATED: Final = 2  # a line found more often belongs to tables or running headers
_MAX_LINE: Final = 120  # characters
_MOST_ON_PAGE: Final = 8  # other headings of a page; more would be a list or a table
_CONTENTS_ROWS: Final = 5  # entries ending in a page number that make a page a table of contents
_OTHER: Final = 3  # level of headings that are neither parts nor numbered
_CONTENTS_ROW: Final = re.compile(r"\s(?:\d{1,4}|[ivxlc]{1,6}|N/A)$")
_PART: Final = re.compile(
    r"(?:part|chapter|appendix) (?:[ivx]{1,5}|\d{1,2})\b[^\n]{0,80}|第[一二三四五六七八九十\d]{1,4}[章篇部][^\n]{0,40}",
    re.IGNORECASE,
)
_ITEM: Final = re.compile(
    r"item\s{1,3}\d{1,2}[a-c]?(?:\.\d\d)?[.:—–\s-]{1,5}[A-Z][^\n]{2,100}"
    r"|note \d{1,2}[.:—–\s-]{1,5}[A-Z][^\n]{2,80}|\d{1,2}[.)] [A-Z][^\n.]{2,80}"
    r"|第[一二三四五六七八九十\d]{1,4}[节条][^\n]{0,40}|[一二三四五六七八九十]{1,3}、[^\n，。；]{2,40}",
    re.IGNORECASE,
)  # fmt: skip
_NO_HEADING: Final = re.compile(
    r"\.{4,}|…{2,}|^\W*name\b|\btable of contents\b|^目录$|[;；]|\bthis (?:form|report)\b", re.IGNORECASE
)

_Entry = tuple[int, int, str]  # level, page, title


def found_outline(pages: Iterable[tuple[int, str]]) -> tuple[Heading, ...]:
    """The entries for pages given as (number, text), in order; none if too few are found to be useful."""
    found: list[_Entry] = []
    count = 0
    for number, text in pages:
        count += 1
        found += ((level, number, title) for level, title in _of_page(text))
    times = Counter(title.casefold() for _, _, title in found)
    kept = _without_front_matter([one for one in found if times[one[2].casefold()] <= _MOST_REPEATED])
    covered = len({page for _, page, _ in kept})
    if len(kept) < _MIN_ENTRIES or covered < _MIN_SHARE * count:
        return ()
    return _numbered(kept[:MAX_ENTRIES])


def _of_page(text: str) -> list[tuple[int, str]]:
    """(level, title) of the entries on a page: 1 for parts and chapters, 2 for their sections, 3 for other headings."""
    headings = {line for _, line in headings_within(text)}
    top = page_title(text)
    entries = list[tuple[int, str]]()
    for line in map(str.strip, text.split("\n")):
        title = line.rstrip(" .:：")
        if not title or len(line) > _MAX_LINE or _NO_HEADING.search(line) or is_unit_line(line):
            continue
        if _PART.fullmatch(title):
            entries.append((1, title))
        elif _ITEM.fullmatch(title):
            entries.append((2, title))
        elif line in headings and (top.startswith(line) or _is_title(title)) and not _is_row(title):
            entries.append((_OTHER, title))
    if sum(_CONTENTS_ROW.search(title) is not None for _, title in entries) >= _CONTENTS_ROWS:
        return []  # a table of contents
    others = sum(level == _OTHER for level, _ in entries)
    return entries if others <= _MOST_ON_PAGE else [one for one in entries if one[0] != _OTHER]


def _without_front_matter(found: Sequence[_Entry]) -> Sequence[_Entry]:
    """The entries from the first part, chapter or numbered section on, if there are several: a cover comes before."""
    sections = [place for place, (level, _, _) in enumerate(found) if level != _OTHER]
    return found[sections[0] :] if len(sections) >= _MIN_ENTRIES else found


def _is_title(line: str) -> bool:
    """Whether a line has several words starting with capitals, as a title does."""
    words = [word for word in line.split() if len(word) > 3]
    return len(words) > 1 and all(word[0].isupper() or not word[0].isalpha() for word in words)


def _is_row(line: str) -> bool:
    """Whether a line ends in a number or has an unpaired bracket, as table rows and parts of them do."""
    return line[-1].isdigit() or any(line.count(one) != line.count(other) for one, other in ("()", "（）"))


def _numbered(found: Sequence[_Entry]) -> tuple[Heading, ...]:
    """The entries with levels from 1, each at most one below the entry before."""
    levels = {level: n for n, level in enumerate(sorted({level for level, _, _ in found}), 1)}
    entries, last = list[Heading](), 0
    for level, page, title in found:
        last = min(levels[level], last + 1)
        entries.append(Heading(title, last, page))
    return tuple(entries)

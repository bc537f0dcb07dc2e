"""Detects headings that the outline lacks, from what the lines of a page look like.

The title of a page is at its top, before the first line of prose or figures; a heading within a page is a short line
followed by something longer. Detection may miss a heading or find a wrong one, so headings only add context to a
passage and never decide where it ends. Expects text as returned by `rag.pdf.load`: one paragraph or table row per line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rag.language import is_cjk
from rag.records import Page

MAX_HEADING_CHARACTERS = 100
MAX_HEADING_WORDS = 12
MAX_TITLE_LINES = 4
MAX_TITLE_CHARACTERS = 120  # of all its lines together
HeadingPath = tuple[str, ...]  # titles from the top down

_AMOUNT = re.compile(r"[$€£¥%]\s?\d|\d\s?%|\d[.,]\d|\(\d|\d\)")
_NUMBER = re.compile(r"\d[\d.,]*")
_YEAR = re.compile(r"(?:19|20)\d\d$")
# "(In millions)", "Dollars in thousands, except", "(Unaudited)", "单位：元": units of the figures below, not headings.
_UNIT = (
    r"(?:[(（][^()（）]{0,30}\b(?:thousands?|millions?|billions?)\b"
    r"|(?:(?:all|amounts|dollars|figures|shares|u\.?s\.?|[$€£]|expressed|stated)\s+){0,3}in\s+(?:thousands|millions|billions)\b"
    r"|[(（]?[^()（）]{0,20}单位\s*[:：为])"
)
_UNIT_LINE = re.compile(rf"\s*{_UNIT}|(?:\s*[(（][^()（）]*[)）])+\s*$", re.IGNORECASE)
_UNIT_WITHIN = re.compile(rf"(?<!\s)\s+(?=[(（]){_UNIT}", re.IGNORECASE)
_UNFINISHED = re.compile(
    r"\b(?:a|an|and|as|at|by|for|from|in|of|on|or|that|the|to|with)$|[.,:;。，：；、—–-]$", re.IGNORECASE
)


def detect_headings(pages: Sequence[Page], starts: Sequence[int]) -> list[tuple[int, HeadingPath]]:
    """(offset in the document's text, heading path) of every place where the path changes, ascending.

    `starts`: the offset of each page in the document's text. A path consists of the page's title and the last heading.
    A page without a title continues under the last heading of the previous page. It also continues under that page's
    title if that page ends in the middle of a sentence; the page after that does not.
    """
    found: list[tuple[int, HeadingPath]] = []
    title, heading, flows = "", "", False
    last = ""  # last heading on the previous page
    for page, start in zip(pages, starts, strict=True):
        own = page_title(page.text)
        title, heading = own or (title if flows else ""), "" if own else last
        last, flows = "", page.flows_on
        found.append((start, _path(title, heading)))
        for offset, line in headings_within(page.text):
            heading = last = line
            found.append((start + offset, _path(title, heading)))
    return found


def page_title(text: str) -> str:
    """The title at the top of a page, its lines joined with a space; "" if there is none."""
    kept: list[str] = []
    for line in text.split("\n", MAX_TITLE_LINES)[:MAX_TITLE_LINES]:
        if len(line) > MAX_HEADING_CHARACTERS or _has_figures(line) or is_unit_line(line):
            break
        if looks_like_heading(line):
            kept.append(line.strip())
    return " ".join(kept)[:MAX_TITLE_CHARACTERS]


def headings_within(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line) of the headings in a page's text."""
    lines = text.split("\n")
    offset = 0
    for line, following in pairwise(lines):
        introduces = len(following) > len(line) or bool(_has_figures(following))
        if introduces and not following[:1].islower() and looks_like_heading(line):
            yield offset, line.strip()
        offset += len(line) + 1


def looks_like_heading(line: str) -> bool:
    """Whether a line alone could be a heading: short, mostly letters, no figures, not part of a sentence."""
    line = line.strip()
    cjk = sum(map(is_cjk, line))
    if not line or len(line) > (MAX_HEADING_CHARACTERS // 2 if cjk else MAX_HEADING_CHARACTERS):
        return False
    if is_unit_line(line):
        return False
    if line[0].islower() or _UNFINISHED.search(line) or len(line.split()) > MAX_HEADING_WORDS or _has_figures(line):
        return False
    letters = sum(character.isalpha() for character in line)
    return letters + cjk >= 3 and letters > 0.6 * len(line.replace(" ", ""))


def is_unit_line(line: str) -> bool:
    """Whether a line tells the unit of the figures below it, or is entirely in parentheses."""
    return _UNIT_LINE.match(line) is not None


def shown_headings(path: Sequence[str]) -> list[str]:
    """A heading path as people see it, without the unit lines that older versions put into paths."""
    titles = (title[: found.start()] if (found := _UNIT_WITHIN.search(title)) else title for title in path)
    return [title for title in titles if not is_unit_line(title)]


def _has_figures(line: str) -> bool:
    """Whether a line contains amounts, or ends in a number other than a year, as table rows do."""
    numbers = _NUMBER.findall(line)
    last = line.split()[-1:] or [""]
    ends_in_number = bool(_NUMBER.fullmatch(last[0])) and not _YEAR.match(last[0]) and last != line.split()
    return bool(_AMOUNT.search(line)) or len(numbers) > 2 or ends_in_number


def _path(title: str, heading: str) -> HeadingPath:
    """Title and heading; no heading if the title contains it."""
    if not heading or heading in title:
        return (title,) if title else ()
    return (title, heading) if title else (heading,)

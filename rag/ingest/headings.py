"""Headings that a document's outline does not bring, told from how its lines read.

A page's title is what stands at its top before the first running line or figure; a heading within a page is a short
line that opens something longer. Both may be missed or wrong: they help to find and to place a passage, nothing is
cut by them. Works on the text of pages as `rag.pdf.load` gives it, a paragraph or a table's row a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rag.language import is_cjk
from rag.records import Page

LONGEST = 100  # characters of a heading
MOST_WORDS = 12
TITLE_LINES = 4  # lines at the top of a page that its title may take
TITLE_LONGEST = 120  # characters of them all together
Path = tuple[str, ...]

_AMOUNT = re.compile(r"[$€£¥%]\s?\d|\d\s?%|\d[.,]\d|\(\d|\d\)")
_NUMBER = re.compile(r"\d[\d.,]*")
_YEAR = re.compile(r"(?:19|20)\d\d$")
_OPEN_END = re.compile(
    r"\b(?:a|an|and|as|at|by|for|from|in|of|on|or|that|the|to|with)$|[.,:;。，：；、—–-]$", re.IGNORECASE
)


def detected(pages: Sequence[Page], starts: Sequence[int]) -> list[tuple[int, Path]]:
    """(offset in the document's text, path of titles) of every place where the path changes, ascending.

    `starts`: where each page begins in the document's text. A path is the page's title, then the last heading. What
    the page before ended under goes on where a page has no title of its own, but no further than that page.
    """
    found: list[tuple[int, Path]] = []
    title, heading, flows = "", "", False
    last = ""  # the heading that the page before ended under, if it stands on that page
    for page, start in zip(pages, starts, strict=True):
        own = page_title(page.text)
        title, heading = own or (title if flows else ""), "" if own else last
        last, flows = "", page.flows_on
        found.append((start, _path(title, heading)))
        for at, line in headings(page.text):
            heading = last = line
            found.append((start + at, _path(title, heading)))
    return found


def page_title(text: str) -> str:
    """The title at the top of a page, several lines joined; "" where it begins with something else."""
    kept: list[str] = []
    for line in text.split("\n", TITLE_LINES)[:TITLE_LINES]:
        if len(line) > LONGEST or _has_figures(line):
            break
        if reads_as_heading(line):
            kept.append(line.strip())
    return " ".join(kept)[:TITLE_LONGEST]


def headings(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line) of the headings within a page's text."""
    lines = text.split("\n")
    at = 0
    for line, after in pairwise(lines):
        opens = len(after) > len(line) or bool(_has_figures(after))
        if opens and not after[:1].islower() and reads_as_heading(line):
            yield at, line.strip()
        at += len(line) + 1


def reads_as_heading(line: str) -> bool:
    """Whether a line, by itself, could be a heading: short, no sentence, no figures, begun and ended like one."""
    line = line.strip()
    han = sum(map(is_cjk, line))
    if not line or len(line) > (LONGEST // 2 if han else LONGEST):
        return False
    if line[0].islower() or _OPEN_END.search(line) or len(line.split()) > MOST_WORDS or _has_figures(line):
        return False
    letters = sum(character.isalpha() for character in line)
    return letters + han >= 3 and letters > 0.6 * len(line.replace(" ", ""))


def _has_figures(line: str) -> bool:
    """Whether it holds amounts, or ends in a number that is no year, as the rows of a table do."""
    numbers = _NUMBER.findall(line)
    last = line.split()[-1:] or [""]
    ends_in_number = bool(_NUMBER.fullmatch(last[0])) and not _YEAR.match(last[0]) and last != line.split()
    return bool(_AMOUNT.search(line)) or len(numbers) > 2 or ends_in_number


def _path(title: str, heading: str) -> Path:
    """Title and heading without what says the same twice."""
    if not heading or heading in title:
        return (title,) if title else ()
    return (title, heading) if title else (heading,)

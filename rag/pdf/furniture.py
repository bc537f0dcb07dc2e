"""Running headers, footers and page numbers: lines that return at the same height of many pages.

Found by comparing the pages of a document; a line is taken out only from the edge inwards, and never when it is
the only text of its page.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median

from rag.pdf.lines import Line, PageLayout

DEEPEST = 4  # lines from either edge
LONGEST = 200  # characters
EDGE = 0.2  # of the page's height, from either edge; a made-up place (no boxes) has none
NEAR = 0.02  # of the page's height: as far as the same line moves from page to page
FEWEST = 3  # pages
MANY = 8  # pages on which a line that runs is no head of a table
WINDOW = 6  # pages before and after that are its neighbours
DENSE = 0.4  # share of the neighbours that have the line too
_NUMBER = re.compile(r"\d+|\b[ivxlcIVXLC]{1,7}\b")  # no IGNORECASE: it takes a dotted capital İ for an i
_PLACEHOLDER = "\0"  # stands for a number in a signature; cannot occur in the text of a page


@dataclass(frozen=True, slots=True)
class _Candidate:
    page: int
    line: Line
    top_edge: bool
    outermost: bool  # the first or the last line of the page
    height: float  # of its middle, fraction of the page
    signature: str
    numbers: tuple[str, ...]


def remove_running_lines(pages: Mapping[int, PageLayout]) -> None:
    """Move the running lines of these pages, by page number, from `lines` to `furniture`."""
    found: dict[tuple[bool, str], list[_Candidate]] = defaultdict(list)
    by_page = {number: _candidates(number, page) for number, page in pages.items()}
    for edges in by_page.values():
        for candidate in (*edges[0], *edges[1]):
            found[candidate.top_edge, candidate.signature].append(candidate)
    running: dict[int, int] = {}  # pages by id of the line
    for group in found.values():
        same = _running(group, len(pages))
        running.update((id(candidate.line), len(same)) for candidate in same)
    for number, edges in by_page.items():
        _strip(pages[number], edges, running)


def _candidates(number: int, page: PageLayout) -> tuple[list[_Candidate], list[_Candidate]]:
    """Lines at the top edge from the top down, and at the bottom edge from the bottom up."""
    ordered = sorted(page.lines, key=lambda line: line.top)
    sides = ((True, ordered[:DEEPEST]), (False, ordered[: -DEEPEST - 1 : -1]))
    edges: tuple[list[_Candidate], list[_Candidate]] = ([], [])
    for top_edge, lines in sides:
        for depth, line in enumerate(lines):
            middle = (line.top + line.bottom) / 2 / page.height if page.placed and page.height else 0.0
            inside = page.placed and (middle > EDGE if top_edge else middle < 1 - EDGE)
            text = page.text_of(line)
            if len(text) > LONGEST or (inside and depth):
                break
            signature = _NUMBER.sub(_PLACEHOLDER, text).casefold()
            numbers = tuple(_NUMBER.findall(text))
            edges[not top_edge].append(_Candidate(number, line, top_edge, depth == 0, middle, signature, numbers))
    return edges


def _running(group: Sequence[_Candidate], pages: int) -> list[_Candidate]:
    """Those of one signature that run: outermost or near the same height, on enough pages lying densely enough."""
    if len(group) < FEWEST:
        return []
    if only_number(group[0].signature):
        same = _counting(group)
    else:
        middle = median(candidate.height for candidate in group)
        same = [c for c in group if c.outermost or abs(c.height - middle) <= NEAR]
    same = _dense(same)
    return same if len({candidate.page for candidate in same}) >= min(max(FEWEST, pages // 5), MANY) else []


def only_number(signature: str) -> bool:
    """Whether a line is nothing but a number and ornament: "- 12 -"."""
    return _PLACEHOLDER in signature and not signature.strip(_PLACEHOLDER + "# -–—|/.·[]()")


def _counting(group: Sequence[_Candidate]) -> list[_Candidate]:
    """Lines of nothing but a number that are page numbers: they differ from the page by one same amount."""
    offsets = [_value(candidate.numbers[0]) - candidate.page for candidate in group]
    often = Counter(offsets)
    return [c for c, offset in zip(group, offsets, strict=True) if often[offset] >= FEWEST]


def _dense(group: Sequence[_Candidate]) -> list[_Candidate]:
    """Those on pages of whose neighbours enough are in the group too."""
    pages = sorted({candidate.page for candidate in group})
    dense = set()
    for page in pages:
        first, last = max(page - WINDOW, pages[0]), min(page + WINDOW, pages[-1])
        found = bisect_right(pages, last) - bisect_left(pages, first)
        if found >= FEWEST and found >= DENSE * (last - first + 1):
            dense.add(page)
    return [candidate for candidate in group if candidate.page in dense]


def _value(number: str) -> int:
    """An Arabic (at most 9 digits) or Roman number."""
    if number.isdigit():
        return int(number[:9])
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[letter] for letter in number.lower()]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _strip(page: PageLayout, edges: tuple[list[_Candidate], list[_Candidate]], running: dict[int, int]) -> None:
    """Take the running lines out, from each edge inwards to the first line that does not run.

    Where the page goes on with running lines it may be a form, and where they run on few pages the head of a
    table: there only lines that keep their distance are taken.
    """
    pitch = _pitch(page)
    ids: set[int] = set()
    for edge in edges:
        mine = list(takewhile(lambda candidate: id(candidate.line) in running, edge))
        sure = len(mine) < min(DEEPEST, len(page.lines))
        while mine and not (sure and running[id(mine[-1].line)] >= MANY) and not _apart(page, mine[-1], pitch):
            mine.pop()
        ids.update(id(candidate.line) for candidate in mine)
    if not ids or len(ids) >= len(page.lines):
        return
    page.furniture = [page.text_of(line) for line in page.lines if id(line) in ids]
    page.lines = [line for line in page.lines if id(line) not in ids]


def _pitch(page: PageLayout) -> float:
    """The usual distance from one line's top to the next one's, points; 0 for a page of few lines."""
    tops = sorted(line.top for line in page.lines)
    steps = [b - a for a, b in pairwise(tops) if b - a > 1]
    return median(steps) if len(steps) > 3 else 0.0


def _apart(page: PageLayout, last: _Candidate, pitch: float) -> bool:
    """Whether what is left of the page keeps its distance from this line: else it is one of its own.

    A line of nothing but a number needs none, nor does one of another size.
    """
    if only_number(last.signature) or not page.placed:
        return True
    line = last.line
    sign = 1 if last.top_edge else -1
    inner = [other for other in page.lines if sign * (other.top - line.top) > 1]
    if not inner:
        return True
    near = min(inner, key=lambda other: abs(other.top - line.top))
    return abs(near.top - line.top) > 1.25 * pitch or not 0.9 < near.height / line.height < 1.1

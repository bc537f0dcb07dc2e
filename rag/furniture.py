"""Running headers, footers and page numbers: lines that return at the same height of many pages.

Found by comparing the pages of a document; a line is taken out only from the edge inwards, and never when it is
the only text of its page.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rag.lines import Layout, Line

DEEPEST = 4  # lines from either edge
LONGEST = 200  # characters
EDGE = 0.2  # of the page's height, from either edge; a made-up place (no boxes) has none
NEAR = 0.02  # of the page's height: as far as the same line moves from page to page
FEWEST = 3  # pages
DENSE = 0.4  # share of the pages between its first and its last
_NUMBER = re.compile(r"\d+|\b[ivxlc]{1,7}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Candidate:
    page: int
    line: Line
    top_edge: bool
    height: float  # of its middle, fraction of the page
    signature: str
    numbers: tuple[str, ...]


def take_out(pages: Mapping[int, Layout]) -> None:
    """Move the running lines of these pages, by page number, from `lines` to `furniture`."""
    found: dict[tuple[bool, str], list[_Candidate]] = defaultdict(list)
    by_page = {number: _candidates(number, page) for number, page in pages.items()}
    for edges in by_page.values():
        for candidate in (*edges[0], *edges[1]):
            found[candidate.top_edge, candidate.signature].append(candidate)
    running: set[int] = set()  # ids of lines
    for group in found.values():
        running.update(id(candidate.line) for candidate in _running(group))
    for number, edges in by_page.items():
        _strip(pages[number], edges, running)


def _candidates(number: int, page: Layout) -> tuple[list[_Candidate], list[_Candidate]]:
    """Lines at the top edge from the top down, and at the bottom edge from the bottom up."""
    ordered = sorted(page.lines, key=lambda line: line.top)
    sides = ((True, ordered[:DEEPEST]), (False, ordered[: -DEEPEST - 1 : -1]))
    edges: tuple[list[_Candidate], list[_Candidate]] = ([], [])
    for top_edge, lines in sides:
        for line in lines:
            middle = (line.top + line.bottom) / 2 / page.height if page.placed and page.height else 0.0
            text = page.text_of(line)
            if len(text) > LONGEST:
                break
            signature = _NUMBER.sub("#", text).casefold()
            inside = page.placed and (middle > EDGE if top_edge else middle < 1 - EDGE)
            if inside and not (line is lines[0] and only_number(signature)):
                break
            numbers = tuple(_NUMBER.findall(text))
            edges[0 if top_edge else 1].append(_Candidate(number, line, top_edge, middle, signature, numbers))
    return edges


def _running(group: Sequence[_Candidate]) -> list[_Candidate]:
    """Those of one signature that run: near the same height, on enough pages lying densely enough."""
    if only_number(group[0].signature):
        return _counting(group)
    middle = median(candidate.height for candidate in group)
    near = [candidate for candidate in group if abs(candidate.height - middle) <= NEAR]
    return near if _dense(near) else []


def only_number(signature: str) -> bool:
    """Whether a line is nothing but a number and ornament: "- # -"."""
    return "#" in signature and not signature.strip("# -–—|/.·[]()")


def _counting(group: Sequence[_Candidate]) -> list[_Candidate]:
    """Lines of nothing but a number that are page numbers: they differ from the page by one same amount."""
    offsets = Counter(_value(candidate.numbers[0]) - candidate.page for candidate in group)
    running = [
        candidate
        for candidate in group
        if offsets[_value(candidate.numbers[0]) - candidate.page] >= max(FEWEST, len(group) / 4)
    ]
    return running if _dense(running) else []


def _dense(group: Sequence[_Candidate]) -> bool:
    pages = sorted({candidate.page for candidate in group})
    return len(pages) >= FEWEST and len(pages) >= DENSE * (pages[-1] - pages[0] + 1)


def _value(number: str) -> int:
    """An Arabic (at most 9 digits) or Roman number."""
    if number.isdigit():
        return int(number[:9])
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[letter] for letter in number.lower()]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _strip(page: Layout, edges: tuple[list[_Candidate], list[_Candidate]], running: set[int]) -> None:
    """Take the running lines out, from each edge inwards to the first line that does not run."""
    pitch = _pitch(page)
    ids: set[int] = set()
    for edge in edges:
        mine: list[_Candidate] = []
        for candidate in edge:
            if id(candidate.line) not in running:
                break
            mine.append(candidate)
        while mine and not _apart(page, mine[-1], len(mine), pitch):
            mine.pop()
        ids.update(id(candidate.line) for candidate in mine)
    if not ids or len(ids) >= len(page.lines):
        return
    page.furniture = [page.text_of(line) for line in page.lines if id(line) in ids]
    page.lines = [line for line in page.lines if id(line) not in ids]


def _pitch(page: Layout) -> float:
    """The usual distance from one line's top to the next one's, points; 0 for a page of few lines."""
    tops = sorted(line.top for line in page.lines)
    steps = [b - a for a, b in pairwise(tops) if b - a > 1]
    return median(steps) if len(steps) > 3 else 0.0


def _apart(page: Layout, last: _Candidate, taken: int, pitch: float) -> bool:
    """Whether what is left of the page keeps its distance from the lines taken: else they are its own.

    A line of nothing but a number needs none, nor does one of another size.
    """
    if only_number(last.signature) or not page.placed or taken >= len(page.lines):
        return True
    line = last.line
    sign = 1 if last.top_edge else -1
    inner = [other for other in page.lines if sign * (other.top - line.top) > 1]
    if not inner:
        return True
    near = min(inner, key=lambda other: abs(other.top - line.top))
    return abs(near.top - line.top) > 1.25 * pitch or not 0.9 < near.height / line.height < 1.1

"""Running headers, footers and page numbers: lines that recur at the same height on many pages.

They are found by comparing the pages of a document. Lines are removed from the top or bottom edge inwards, and never if
they are the only text on their page.
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

MAX_LINES = 4  # examined at either edge of a page
MAX_CHARACTERS = 200  # of a running line
EDGE = 0.2  # share of the page's height, from either edge, where running lines are; not used without real boxes
HEIGHT_TOLERANCE = 0.02  # share of the page's height by which a running line may move from page to page
MIN_PAGES = 3  # with the same line
SURE_PAGES = 8  # with the same line, so that it is not the head of a table that spans a few pages
NEIGHBOURHOOD = 6  # pages before and after
MIN_NEIGHBOURS = 0.4  # share of the pages in the neighbourhood that have the line
_NUMBER = re.compile(r"\d+|\b[ivxlcIVXLC]{1,7}\b")  # IGNORECASE would match a dotted capital İ
_PLACEHOLDER = "\0"  # replaces numbers in a signature; cannot occur in the text of a page


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A line near the edge of a page."""

    page: int
    line: Line
    top_edge: bool
    outermost: bool  # first or last line of the page
    height: float  # of its middle, as a fraction of the page
    signature: str  # its text in lower case, numbers replaced
    numbers: tuple[str, ...]


def remove_running_lines(pages: Mapping[int, PageLayout]) -> None:
    """Move running lines from `lines` to `furniture`, in place. `pages` maps page numbers to layouts."""
    # Group lines near the edges by edge and signature.
    found: dict[tuple[bool, str], list[_Candidate]] = defaultdict(list)
    by_page = {number: _candidates(number, page) for number, page in pages.items()}
    for edges in by_page.values():
        for candidate in (*edges[0], *edges[1]):
            found[candidate.top_edge, candidate.signature].append(candidate)
    # Decide for each group which of its lines are running, and on how many pages.
    running: dict[int, int] = {}  # pages with the line, by id() of the line
    for group in found.values():
        same = _running(group, len(pages))
        running.update((id(candidate.line), len(same)) for candidate in same)
    # Remove them from each page.
    for number, edges in by_page.items():
        _remove_from(pages[number], edges, running)


def _candidates(number: int, page: PageLayout) -> tuple[list[_Candidate], list[_Candidate]]:
    """Lines at the top edge, from the top down, and lines at the bottom edge, from the bottom up."""
    ordered = sorted(page.lines, key=lambda line: line.top)
    sides = ((True, ordered[:MAX_LINES]), (False, ordered[: -MAX_LINES - 1 : -1]))
    edges: tuple[list[_Candidate], list[_Candidate]] = ([], [])
    for top_edge, lines in sides:
        for depth, line in enumerate(lines):
            middle = (line.top + line.bottom) / 2 / page.height if page.placed and page.height else 0.0
            inside = page.placed and (middle > EDGE if top_edge else middle < 1 - EDGE)
            text = page.text_of(line)
            if len(text) > MAX_CHARACTERS or (inside and depth):
                break
            signature = _NUMBER.sub(_PLACEHOLDER, text).casefold()
            numbers = tuple(_NUMBER.findall(text))
            edges[not top_edge].append(_Candidate(number, line, top_edge, depth == 0, middle, signature, numbers))
    return edges


def _running(group: Sequence[_Candidate], pages: int) -> list[_Candidate]:
    """The running lines among lines with the same signature."""
    if pages == len(group) == 2 and _count_two_pages(*group):
        return list(group)
    if len(group) < MIN_PAGES:
        return []
    # Keep page numbers that increase with the pages, and other lines at about the same height.
    if is_number_only(group[0].signature):
        same = _page_numbers(group)
    else:
        middle = median(candidate.height for candidate in group)
        same = [c for c in group if c.outermost or abs(c.height - middle) <= HEIGHT_TOLERANCE]
    # Keep those whose neighbouring pages also have the line, if that is enough pages.
    same = _in_dense_neighbourhood(same)
    enough = min(max(MIN_PAGES, pages // 5), SURE_PAGES)
    return same if len({candidate.page for candidate in same}) >= enough else []


def is_number_only(signature: str) -> bool:
    """Whether a line is only a number, possibly with ornaments: "- 12 -"."""
    return _PLACEHOLDER in signature and not signature.strip(_PLACEHOLDER + "# -–—|/.·[]()")


def _count_two_pages(one: _Candidate, other: _Candidate) -> bool:
    """Whether the outermost lines of both pages of a document differ by the page's number alone: "Lease · 1"."""
    placed = one.outermost and other.outermost and abs(one.height - other.height) <= HEIGHT_TOLERANCE
    apart = other.page - one.page
    pairs = [(_value(a), _value(b)) for a, b in zip(one.numbers, other.numbers, strict=True) if a != b]
    return placed and apart != 0 and [b - a for a, b in pairs] == [apart]


def _page_numbers(group: Sequence[_Candidate]) -> list[_Candidate]:
    """The page numbers among lines with a number only: they differ from the page's position by the same offset."""
    offsets = [_value(candidate.numbers[0]) - candidate.page for candidate in group]
    frequency = Counter(offsets)
    return [c for c, offset in zip(group, offsets, strict=True) if frequency[offset] >= MIN_PAGES]


def _in_dense_neighbourhood(group: Sequence[_Candidate]) -> list[_Candidate]:
    """Lines on pages whose neighbouring pages often have the line, too."""
    pages = sorted({candidate.page for candidate in group})
    dense = set()
    for page in pages:
        first, last = max(page - NEIGHBOURHOOD, pages[0]), min(page + NEIGHBOURHOOD, pages[-1])
        found = bisect_right(pages, last) - bisect_left(pages, first)
        if found >= MIN_PAGES and found >= MIN_NEIGHBOURS * (last - first + 1):
            dense.add(page)
    return [candidate for candidate in group if candidate.page in dense]


def _value(number: str) -> int:
    """The value of an Arabic (its first 9 digits) or Roman number."""
    if number.isdigit():
        return int(number[:9])
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[letter] for letter in number.lower()]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _remove_from(page: PageLayout, edges: tuple[list[_Candidate], list[_Candidate]], running: dict[int, int]) -> None:
    """Remove the running lines of one page, from each edge inwards up to the first other line.

    If all lines examined are running, the page may be a form; if they recur on few pages, they may be the head of a
    table. In these cases, only lines set apart from the rest of the page are removed.
    """
    pitch = _line_pitch(page)
    ids: set[int] = set()
    for edge in edges:
        # Take running lines from the edge up to the first other line.
        taken = list(takewhile(lambda candidate: id(candidate.line) in running, edge))
        ends = len(taken) < min(MAX_LINES, len(page.lines))
        # Put back the innermost ones while they may belong to the body.
        while taken and not (ends and running[id(taken[-1].line)] >= SURE_PAGES):
            if _is_set_apart(page, taken[-1], pitch):
                break
            taken.pop()
        ids.update(id(candidate.line) for candidate in taken)
    # Never empty a page.
    if not ids or len(ids) >= len(page.lines):
        return
    page.furniture = [page.text_of(line) for line in page.lines if id(line) in ids]
    page.lines = [line for line in page.lines if id(line) not in ids]


def _line_pitch(page: PageLayout) -> float:
    """Median distance between the tops of lines, points; 0 for a page with few lines."""
    tops = sorted(line.top for line in page.lines)
    steps = [b - a for a, b in pairwise(tops) if b - a > 1]
    return median(steps) if len(steps) > 3 else 0.0


def _is_set_apart(page: PageLayout, last: _Candidate, pitch: float) -> bool:
    """Whether a line differs from the nearest one further inside: by distance, by height, or as only a number."""
    if is_number_only(last.signature) or not page.placed:
        return True
    line = last.line
    sign = 1 if last.top_edge else -1
    inner = [other for other in page.lines if sign * (other.top - line.top) > 1]
    if not inner:
        return True
    nearest = min(inner, key=lambda other: abs(other.top - line.top))
    return abs(nearest.top - line.top) > 1.25 * pitch or not 0.9 < nearest.height / line.height < 1.1

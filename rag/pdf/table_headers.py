"""The lines above the rows of a table -> a header for each column, a caption, and the sections that open below them.

A header over several columns is a header of each of them. Works on lines from the top down; knows nothing of the rows.
A table that continues over pages takes its headers from the part before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from rag.pdf.cells import Line, Word, joined, segments, visual_lines, years_in
from rag.pdf.table import Row, Table

MAX_HEADER_LINES = 6  # visual lines above the first row
MAX_SPANNING_CHARACTERS = 40  # of a header over all columns; a longer line is a title
MAX_SPANNED_COLUMNS = 24  # up to which headers over several columns are fitted; beyond, each goes to the nearest
SAME_EDGE = 0.03  # fraction of the page's width by which the right edges of one column may differ from page to page
WIDE_GAP = 1.6  # character widths between two words that belong to different cells
SKIPPED_COLUMN = 0.3  # of the distance between columns: what a column without a header costs when headers are fitted

UNIT = re.compile(
    r"[(（]?\s?(?:[$£€¥]|us\$|amounts? |dollars? |shares )?(?:(?:expressed )?in )?(?:[$£€¥] ?)?"
    r"(?:thousands?|millions?|billions?)\b|[(（]\s?[$£€¥]?\s?['’]?000s?\b|[(（]?(?:单位|單位)[:：]",
    re.IGNORECASE,
)
HEADER_GAP = 0.7  # character widths between two headers, at least
CLEARLY_WIDER = 1.3  # times the gap between words that a gap between headers has at least
RIGHT_ALIGNED = 0.4  # share of its cost that a header left of the middle of its columns has
_OPEN_END = re.compile(r"(?:\b(?:of|and|to|for|in|the|on|with|by)|[-&/])$", re.IGNORECASE)
Span = tuple[float, float]  # left and right edge, fractions of the page


@dataclass
class Headers:
    """What stands above the rows of a table."""

    columns: list[list[str]]  # header lines of each column, from the top down
    caption: list[str] = field(default_factory=list)
    sections: list[Line] = field(default_factory=list)  # lines below the last header, which the first rows stand under


def read_headers(lines: Sequence[Line], columns: Sequence[Span], margin: float, width: float) -> Headers:
    """Headers from the lines above the first row; `margin` is the left edge of the labels, `width` of a character."""
    found = Headers([[] for _ in columns])
    below: list[Line] = []
    words = [word for line in lines if not line.heading for word in line.words]
    above = visual_lines(words)[-MAX_HEADER_LINES:]
    split = [_parts(line, columns, margin, width) for line in above]
    split = [(_split_by_column(over, columns, width) or over, titles) for over, titles in split]
    # A line with a header for each column tells where the columns are better than their values, aligned right, do.
    complete = [over for over, _ in split if len(over) == len(columns)]
    spans = [(part[0].left, part[-1].right) for part in complete[-1]] if complete else columns
    placed = _places([over for over, _ in split], spans, width)
    for line, (over, titles), places in zip(above, split, placed, strict=True):
        if over:
            found.caption += [*map(_text, below), *map(joined, titles)]
            below = []
            for column, place in enumerate(places):
                found.columns[column] += [joined(over[place])] if place is not None else []
        else:
            below.append(line)
    found.columns = [_of_one_period(header) for header in found.columns]
    is_section = [any(found.columns) and not UNIT.match(line.text) for line in below]
    for line, section in zip(below, is_section, strict=True):
        if section or (line is below[-1] and line.text.endswith((":", "："))):
            found.sections.append(line)
        else:
            found.caption.append(line.text)
    found.sections += [line for line in lines if line.heading]
    return found


def _of_one_period(header: Sequence[str]) -> list[str]:
    """The header lines of a column without one that compares years, above a line with a year of its own.

    "2020 vs. 2019" over the middle one of "2020", "Change" and "2019" stands over the change alone.
    """
    years = [len(years_in(text)) for text in header]
    return [text for n, text in enumerate(header) if years[n] < 2 or not any(years[n + 1 :])]


def _split_by_column(over: Sequence[list[Word]], columns: Sequence[Span], width: float) -> list[list[Word]] | None:
    """The words over the columns, cut at their widest gaps so that each column has a header; None if that fails.

    Headers may stand as close to one another as words, with gaps a little wider than those of words.
    """
    words = [word for part in over for word in part]
    if not len(over) < len(columns) < len(words):
        return None
    gaps = sorted(range(1, len(words)), key=lambda n: words[n - 1].right - words[n].left)
    cuts = [0, *sorted(gaps[: len(columns) - 1]), len(words)]
    widths = [words[n].left - words[n - 1].right for n in gaps]
    narrowest, others = widths[len(columns) - 2], widths[len(columns) - 1 :]
    if narrowest < HEADER_GAP * width or any(narrowest < CLEARLY_WIDER * other for other in others[:1]):
        return None
    parts = [words[start:stop] for start, stop in pairwise(cuts)]
    stands = all(
        part[0].left - width < right and left < part[-1].right + width
        for part, (left, right) in zip(parts, columns, strict=True)
    )
    return parts if stands else None


def _text(line: Line) -> str:
    return line.text


def _parts(
    line: Line, columns: Sequence[Span], margin: float, width: float
) -> tuple[list[list[Word]], list[list[Word]]]:
    """The segments of a line that stand over columns, and those that are titles or a header of the labels."""
    parts = segments(line, WIDE_GAP * width)
    edge = columns[0][0] - 2 * width
    over = [part for part in parts if part[-1].right > edge and part[0].left > margin + width]
    titles = [part for part in parts if part[-1].right <= edge or part[0].left <= margin + width]
    if len(over) == 1 and _is_title(over[0], columns, width, alone=not titles):
        return [], parts
    return over, titles


def _is_title(part: Sequence[Word], columns: Sequence[Span], width: float, *, alone: bool) -> bool:
    """Whether the only segment over the columns is a title: too long, a unit, or in the middle of the page."""
    text = joined(part)
    if len(text) > MAX_SPANNING_CHARACTERS or UNIT.match(text):
        return True
    left, right = part[0].left, part[-1].right
    if not alone or left >= columns[0][0] - 2 * width:
        return False
    reach = columns[-1][1] - columns[0][0]
    return abs((left + right) / 2 - (columns[0][0] + columns[-1][1]) / 2) > 0.2 * reach + 4 * width


def _places(lines: Sequence[list[list[Word]]], columns: Sequence[Span], width: float) -> list[list[int | None]]:
    """For each line, given as its segments, and each column the number of the segment that stands over it."""
    found: list[list[int | None]] = []
    lower: list[list[Word]] = []  # the segments of the line below
    names: list[str] = []  # the headers of the lowest line that has one for each column
    is_complete = [len(over) == len(columns) for over in lines]
    for number, over in reversed(list(enumerate(lines))):
        if is_complete[number]:
            places: list[int | None] = list(range(len(columns)))
        elif any(is_complete[:number]):  # goes on with what stands above it
            places = _nearest(over, columns, width, inside=True)
        elif (same := _continued(over, lower, width)) is not None:
            above = {below: segment for segment, below in enumerate(same)}
            places = [above.get(place) if place is not None else None for place in found[-1]]
        elif _repeats(names, len(over)):
            places = [column * len(over) // len(columns) for column in range(len(columns))]
        elif len(over) < len(columns) <= MAX_SPANNED_COLUMNS:
            places = _fitted(over, columns)
        else:
            places = _nearest(over, columns, width)
        names = names or ([joined(part) for part in over] if is_complete[number] else [])
        found.append(places)
        lower = over or lower
    return found[::-1]


def _repeats(names: Sequence[str], times: int) -> bool:
    """Whether the headers are a few that recur this many times: "Sales, Share, Sales, Share"."""
    if times < 2 or len(names) <= times or len(names) % times:
        return False
    period = len(names) // times
    return all(name == names[n % period] for n, name in enumerate(names))


def _continued(over: Sequence[list[Word]], lower: Sequence[list[Word]], width: float) -> list[int] | None:
    """The segments of the line below that go on with these, "Elimination of" / "revenues"; None if one does not."""
    found: list[int] = []
    if max(len(over), len(lower)) > MAX_SPANNED_COLUMNS:
        return None
    middles = [_middle(part[0].left, part[-1].right) for part in lower]
    for part in over:
        middle = _middle(part[0].left, part[-1].right)
        near = min(range(len(lower)), key=lambda n: abs(middles[n] - middle), default=None)
        if near is None or near in found or abs(middles[near] - middle) > 2.5 * width:
            return None
        if not lower[near][0].text[:1].islower() and not _OPEN_END.search(part[-1].text):
            return None
        found.append(near)
    return found or None


def _middle(left: float, right: float) -> float:
    return (left + right) / 2


def _fitted(over: Sequence[list[Word]], columns: Sequence[Span]) -> list[int | None]:
    """For each column the number of its segment, so that every segment stands over the middle of its columns.

    Dynamic programming over neighbouring columns: a segment over columns costs the distance of their middles, a column
    without a segment a share of the distance between columns.
    """
    count = len(columns)
    spacing = (_middle(*columns[-1]) - _middle(*columns[0])) / max(count - 1, 1)
    skipped = SKIPPED_COLUMN * spacing
    # best[n]: cost and segment numbers of the first n columns, with the segments so far.
    best: list[tuple[float, list[int | None]]] = [(n * skipped, [None] * n) for n in range(count + 1)]
    for number, part in enumerate(over):
        middle = _middle(part[0].left, part[-1].right)
        after: list[tuple[float, list[int | None]]] = [(float("inf"), [])] * (count + 1)
        for stop in range(number + 1, count + 1):
            # The segment stands over columns start..stop, or the last column has none.
            options = [
                (best[start][0] + _distance(middle, columns[start][0], columns[stop - 1][1], spacing), start)
                for start in range(number, stop)
            ]
            cost, start = min(options)
            if after[stop - 1][0] + skipped <= cost:
                after[stop] = after[stop - 1][0] + skipped, [*after[stop - 1][1], None]
            else:
                after[stop] = cost, [*best[start][1], *[number] * (stop - start)]
        best = after
    return best[count][1]


def _distance(middle: float, left: float, right: float, spacing: float) -> float:
    """How far a header stands from the middle of its columns. Values aligned right stand a little right of it."""
    off = _middle(left, right) - middle
    return RIGHT_ALIGNED * off if 0 < off < 0.35 * spacing else abs(off)


def _nearest(
    over: Sequence[list[Word]], columns: Sequence[Span], width: float, *, inside: bool = False
) -> list[int | None]:
    """For each column the number of the nearest segment, if it is near; with `inside`, if it stands over the column."""
    if not over:
        return [None] * len(columns)
    middles = [_middle(part[0].left, part[-1].right) for part in over]
    spacing = min((after - before for before, after in pairwise(middles)), default=1.0)
    places: list[int | None] = []
    for left, right in columns:
        middle = _middle(left, right)
        near = min(range(len(over)), key=lambda n: abs(middles[n] - middle))
        overlaps = over[near][0].left - width <= right and left <= over[near][-1].right + width
        close = not inside and abs(middles[near] - middle) < 0.75 * spacing
        places.append(near if overlaps or close else None)
    return places


# ---- tables that go on over pages


def lacks_headers(tables: Sequence[Table]) -> bool:
    """Whether the first table of a page may be the continuation of one on the page before."""
    return bool(tables) and (not any(tables[0].headers) or not tables[0].scale)


def continued(tables: Sequence[Table], before: Table) -> list[Table]:
    """The tables of a page, the first one with what it takes over from the last table of the page before.

    Without headers of its own and with the same columns it takes headers, caption, unit and the open section; with the
    same headers it takes the unit alone.
    """
    if not tables:
        return []
    first, *others = tables
    if first.headers == before.headers and any(first.headers):
        return [first if first.scale else replace(first, scale=before.scale, unit=before.unit), *others]
    if any(first.headers) or not _same_columns(first, before):
        return list(tables)
    joined = replace(
        first,
        headers=before.headers,
        caption=before.caption,
        scale=first.scale or before.scale,
        unit=first.unit or before.unit,
        rows=_in_section(first.rows, before.rows[-1].section if before.rows else ""),
    )
    return [joined, *others]


def _same_columns(table: Table, before: Table) -> bool:
    edges = list(zip(table.columns, before.columns, strict=False))
    return len(table.columns) == len(before.columns) and all(abs(a[1] - b[1]) < SAME_EDGE for a, b in edges)


def _in_section(rows: Sequence[Row], section: str) -> tuple[Row, ...]:
    """The rows, those before the first section of their own in the given one."""
    own = next((n for n, row in enumerate(rows) if row.section), len(rows))
    return (*(replace(row, section=section) for row in rows[:own]), *rows[own:])

"""Tables whose cells are texts: data sheets ("7.8 kg"), price lists ("¥49/月"), timetables.

They are lines below one another that consist of texts side by side, each in a column. Unlike `rag.pdf.tables`, this
needs no values; its results have the same form, with no value in any cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from rag.pdf.cells import Line, Word, character_width, joined, lines_of, segments
from rag.pdf.table import MAX_TEXT_CHARACTERS, Cell, Row, Table
from rag.pdf.table_headers import WIDE_GAP
from rag.pdf.tables import MAX_CHARACTERS, MAX_WORDS
from rag.records import WordBoxes

MAX_COLUMNS: Final = 12
MAX_CELL: Final = 160  # characters; a longer text is prose in columns
MAX_STEP: Final = 4.0  # heights of a line from one row to the next
MIN_ROWS: Final = 2  # the headers among them
_STARTS_WITH_NUMBER: Final = re.compile(r"\W{0,2}\d(?!\d{3}\b)")  # but no year
_OF_ANYTHING: Final = re.compile(
    r"(?:values?|meaning|description|data|specifications?|explanation|数值|说明|含义|内容|参数|意义)", re.IGNORECASE
)

_Parts = list[list[Word]]  # of a line, from left to right
_Span = tuple[float, float]  # left and right edge, fractions of the page


def find_text_tables(text: str, boxes: WordBoxes) -> list[Table]:
    """The tables of a page, from the top down; takes time in proportion to the page, up to the limits of `tables`."""
    text = text[:MAX_CHARACTERS]
    count = min(int(np.searchsorted(boxes.spans[:, 1], len(text), "right")), MAX_WORDS)
    lines = lines_of(text, WordBoxes(boxes.spans[:count], boxes.boxes[:count]))
    gap = WIDE_GAP * character_width(lines)
    found = []
    for caption, run in _runs(lines, gap):
        if len(run) >= MIN_ROWS and (table := _table(*_columns(run), caption)):
            found.append(table)
    return found


def _runs(lines: Sequence[Line], gap: float) -> Iterator[tuple[str, list[_Parts]]]:
    """Lines of several parts that follow one another, each run with the line above it."""
    caption, run = "", list[_Parts]()
    before: Line | None = None
    for line in lines:
        parts = segments(Line(line.words, [], flat=True), gap) if line.flat else []
        apart = before is not None and not _follows(before, line)
        if run and (len(parts) < 2 or apart):
            yield caption, run
            run = []
        if len(parts) >= 2 and all(len(joined(part)) <= MAX_CELL for part in parts):
            caption = caption if run or before is None else before.text
            run.append(parts)
        before = line
    if run:
        yield caption, run


def _follows(before: Line, line: Line) -> bool:
    """Whether a line stands close below another one."""
    height = max(line.bottom - line.top, 1e-6)
    return 0 < line.top - before.top < MAX_STEP * height


def _columns(run: Sequence[_Parts]) -> tuple[list[_Span], list[_Parts]]:
    """The columns, and the lines that fit them, from the top down: each part of these falls into a column of its own.

    Lines of the most parts come first, so that a header over several columns cannot bridge them.
    """
    columns: list[_Span] = []
    fitting = list[int]()
    for number in sorted(range(len(run)), key=lambda n: -len(run[n])):
        spans = [(part[0].left, part[-1].right) for part in run[number]]
        over = [[n for n, one in enumerate(columns) if left < one[1] and one[0] < right] for left, right in spans]
        places = [found[0] for found in over if found]
        if any(len(found) > 1 for found in over) or len(set(places)) < len(places):
            continue
        fitting.append(number)
        for (left, right), found in zip(spans, over, strict=True):
            if found:
                columns[found[0]] = min(columns[found[0]][0], left), max(columns[found[0]][1], right)
            else:
                columns.append((left, right))
    return sorted(columns), [run[n] for n in sorted(fitting)]


def _table(columns: Sequence[_Span], lines: Sequence[_Parts], caption: str) -> Table | None:
    """The lines as a table: the first column has the labels."""
    if len(columns) > MAX_COLUMNS or any(right[0] < left[1] for left, right in pairwise(columns)):
        return None
    rows = [_row(parts, columns) for parts in lines]
    headed = _is_header(rows[0], len(columns))
    headers = [cell.text if cell and headed else "" for cell in rows[0].cells]
    kept = [row for row in rows[int(headed) :] if row.label and any(row.cells)]
    if not kept:
        return None
    label = rows[0].label if headed else ""
    title = " ".join(filter(None, (caption, label)))[:MAX_TEXT_CHARACTERS]
    return Table(tuple(headers), title, "", tuple(kept), columns=tuple(columns[1:]))


def _is_header(row: Row, columns: int) -> bool:
    """Whether the cells of the first row are headers: no numbers, and of a single column not its only value."""
    cells = [cell.text for cell in row.cells if cell]
    if any(_STARTS_WITH_NUMBER.match(text) for text in cells):
        return False
    return not row.label or columns > 2 or all(_OF_ANYTHING.fullmatch(text) for text in cells)


def _row(parts: _Parts, columns: Sequence[_Span]) -> Row:
    placed: list[list[Word]] = [[] for _ in columns]
    for part in parts:
        number = next(n for n, column in enumerate(columns) if column[0] <= part[0].left <= column[1])
        placed[number] = part
    cells = [Cell(joined(part), part[0].start, part[-1].end, None) if part else None for part in placed[1:]]
    label = joined(placed[0]).rstrip(" :：") if placed[0] else ""
    return Row(label[:MAX_TEXT_CHARACTERS], "", tuple(cells), parts[0][0].start, parts[-1][-1].end)

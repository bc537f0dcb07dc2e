"""Tables of a page, from its text and word boxes: columns, header rows, row labels, sections, scale.

A row of a table is a text line of its own that ends in values; values that stand above one another make a column. Works
on what the store keeps of a page, so that tables can be found when a question needs them. Knows nothing of questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from rag.pdf.cells import (
    Line,
    Value,
    Word,
    character_width,
    is_year,
    joined,
    lines_of,
    parse_value,
    segments,
    visual_lines,
    without_currency,
)
from rag.records import WordBoxes

# Looked at on a page, so that a hostile one costs no more than a large table.
MAX_WORDS = 10_000
MAX_CHARACTERS = 100_000
MAX_COLUMNS = 100  # of a run of lines; more do not fit beside one another on paper
MAX_TEXT_CHARACTERS = 1_000  # of a label, section, header and caption; what is longer is cut
MAX_HEADER_LINES = 6  # visual lines above the first row
MAX_HEADER_CELLS = 30  # text lines above the first row: headers may be printed cell by cell
MAX_LABEL_LINES = 3  # lines without values between two rows of one table
MAX_LABEL_CHARACTERS = 110  # a longer line without values is a sentence, and ends the table
MAX_SPANNING_CHARACTERS = 40  # of a header over all columns; a longer line is a title
WIDE_GAP = 1.6  # character widths between two words that belong to different cells
MIN_ROWS = 2  # rows with a value that make a column

_SCALES = (
    (re.compile(r"\bbillions?\b|\bbn\b|十亿", re.IGNORECASE), "billion"),
    (re.compile(r"\bmillions?\b|[$£€¥]\s?m(?:il|n|m)?\b|\bmm\b|百万", re.IGNORECASE), "million"),
    (re.compile(r"thousands?\b|[$£€¥]?\s?['’‘]?000s?\b|千元", re.IGNORECASE), "thousand"),
    (re.compile(r"亿元|億元"), "hundred million"),
    (re.compile(r"万元|萬元"), "ten thousand"),
)
_UNIT_LINE = re.compile(r"[(（][^()（）]{2,80}[)）]|(?:单位|單位)\s?[:：]\s?[^\s()（）]{1,20}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table."""

    text: str  # as printed, currency sign and parentheses included
    start: int  # character span in the page's text
    end: int
    value: float | None  # None for a dash
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled row, with a cell or None for each column."""

    label: str
    section: str  # the line above that opens the group this row stands in; "" for none
    cells: tuple[Cell | None, ...]
    start: int  # character span in the page's text
    end: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a header for each column, and its rows."""

    headers: tuple[str, ...]  # header lines from top to bottom, joined; "" where nothing stands above the column
    caption: str  # lines above the rows that belong to no column: title, units
    scale: str  # "thousand", "million", ...; "" where neither the table nor its page says
    rows: tuple[Row, ...]
    unit: str = ""  # the unit line as printed, "(In millions, except per share data)"; "" for none


@dataclass(frozen=True, slots=True)
class _Grid:
    """The columns of a run of lines, as (left, right) fractions of the page, and the width of a character."""

    columns: tuple[tuple[float, float], ...]
    width: float


def find_tables(text: str, boxes: WordBoxes) -> list[Table]:
    """The tables of a page, from the top down; none for a page without word boxes.

    Takes time in proportion to the page, whatever stands on it, up to MAX_WORDS and MAX_CHARACTERS.
    """
    text = text[:MAX_CHARACTERS]
    count = min(int(np.searchsorted(boxes.spans[:, 1], len(text), "right")), MAX_WORDS)
    lines = lines_of(text, WordBoxes(boxes.spans[:count], boxes.boxes[:count]))
    width = character_width(lines)
    found = [table for run in _runs(lines) for table in _tables_of(run, width)]
    page_unit = _unit_line(text)
    page_scale = _named_scale(page_unit)
    return [table if table.scale else replace(table, scale=page_scale, unit=page_unit) for table in found]


def _unit_line(text: str) -> str:
    """The first "(in millions)" or "单位：万元" of a text; "" for none."""
    return next((part for part in _UNIT_LINE.findall(text) if _named_scale(part)), "")


def _named_scale(text: str) -> str:
    """The scale that a text names, "in millions" or "£m"; "" for none."""
    return next((scale for pattern, scale in _SCALES if pattern.search(text)), "")


def _runs(lines: Sequence[Line]) -> list[list[Line]]:
    """Runs of lines that may hold tables: a paragraph or a long line without values ends a run."""
    runs: list[list[Line]] = [[]]
    for line in lines:
        if line.flat and (line.values or len(line.text) <= MAX_LABEL_CHARACTERS):
            runs[-1].append(line)
        else:
            runs.append([])
    return [run for run in runs if sum(bool(line.trailing()) for line in run) >= MIN_ROWS]


def _tables_of(run: Sequence[Line], width: float) -> list[Table]:
    """The tables of a run of lines: a new one begins where a header row follows rows with values."""
    grid = _Grid(_columns(run, width), width)
    is_row = [bool(_in_columns(line)) and not _is_header(line) for line in run]
    found: list[Table] = []
    first = 0
    for start in (n for n, row in enumerate(is_row) if row):
        if start < first:  # it belongs to the table before
            continue
        stop = _end_of_table(run, is_row, start)
        top = max(first, start - MAX_HEADER_CELLS)
        found.append(_table(run[top:start], run[start:stop], grid))
        first = stop
    return found


def _end_of_table(run: Sequence[Line], is_row: Sequence[bool], start: int) -> int:
    """Index after the last row of the table that begins at `start`."""
    last = start
    for n in range(start + 1, len(run)):
        if is_row[n]:
            last = n
        elif n - last > MAX_LABEL_LINES or _is_header(run[n]):
            break
    return last + 1


def _columns(run: Sequence[Line], width: float) -> tuple[tuple[float, float], ...]:
    """The columns of a run from left to right; each value in one gets its number.

    Values that overlap horizontally share a column. Rows with the most values come first, so that a wide value cannot
    bridge two columns. A column of too few rows is none: its values are numbers that labels end in.
    """
    rows = sorted((line for line in run if line.values), key=lambda line: -len(line.trailing()))
    spans: list[tuple[float, float]] = []
    members: list[list[Value]] = []
    for value in (value for line in rows for value in line.trailing()):
        overlap = [min(value.right, right) - max(value.left, left) for left, right in spans]
        widest = max(overlap, default=-1.0)
        if widest > -0.3 * width:
            best = overlap.index(widest)
            spans[best] = min(spans[best][0], value.left), max(spans[best][1], value.right)
            members[best].append(value)
        elif len(spans) < MAX_COLUMNS:
            spans.append((value.left, value.right))
            members.append([value])
    kept = sorted((n for n in range(len(spans)) if len(members[n]) >= MIN_ROWS), key=lambda n: spans[n][0])
    if len(kept) > 1 and _are_labels(members[kept[0]], rows, width):
        kept = kept[1:]
    for column, n in enumerate(kept):
        for value in members[n]:
            value.column = column
    return tuple(spans[n] for n in kept)


def _are_labels(values: Sequence[Value], rows: Sequence[Line], width: float) -> bool:
    """Whether the first column holds no values: numbers in the text of labels, or the years that rows begin with."""
    word_before = {id(word): before for line in rows for before, word in pairwise([None, *line.words])}
    before = [word_before[id(value.words[0])] for value in values]
    if all(
        word is not None and value.left - word.right < WIDE_GAP * width
        for value, word in zip(values, before, strict=True)
    ):
        return True
    return all(word is None and is_year(value.text) for value, word in zip(values, before, strict=True))


def _in_columns(line: Line) -> list[Value]:
    return [value for value in line.values if value.column >= 0]


def _is_header(line: Line) -> bool:
    """Whether all values of a line are years."""
    values = _in_columns(line)
    return bool(values) and all(is_year(value.text) for value in values)


def _table(above: Sequence[Line], lines: Sequence[Line], grid: _Grid) -> Table:
    """A table from the lines above its first row and the lines from its first row to its last."""
    headers: list[list[str]] = [[] for _ in grid.columns]
    caption: list[str] = []
    margin = min(line.words[0].left for line in lines)
    words = [word for line in above for word in line.words]
    for line in visual_lines(words)[-MAX_HEADER_LINES:]:
        _add_header(line, grid, margin, headers, caption)
    rows = _rows(lines, len(grid.columns))
    # Leave out columns of the run that this table does not use.
    used = [n for n in range(len(grid.columns)) if any(row.cells[n] is not None for row in rows)]
    texts = tuple(" ".join(headers[n]) for n in used)
    said = " ".join([*caption, *texts])
    unit = _unit_line(said)
    return Table(
        headers=tuple(header[:MAX_TEXT_CHARACTERS] for header in texts),
        caption=" ".join(caption)[:MAX_TEXT_CHARACTERS],
        scale=_named_scale(unit) or _named_scale(said),
        rows=tuple(replace(row, cells=tuple(row.cells[n] for n in used)) for row in rows),
        unit=unit,
    )


def _rows(lines: Sequence[Line], columns: int) -> list[Row]:
    """The rows, each with the section it stands in. A label that goes on in lower case is one label."""
    rows: list[Row] = []
    section = pending = ""
    for line in lines:
        if not _in_columns(line):
            pending = f"{pending} {line.text}".strip()
            continue
        row = _row(line, columns)
        if pending and (row.label[:1].islower() or not row.label):
            row = replace(row, label=f"{pending} {row.label}".strip()[:MAX_TEXT_CHARACTERS])
        elif pending:
            section = pending.rstrip(" :：")[:MAX_TEXT_CHARACTERS]
        rows.append(replace(row, section=section))
        pending = ""
    return rows


def _row(line: Line, columns: int) -> Row:
    cells: list[Cell | None] = [None] * columns
    values = _in_columns(line)
    for value in values:
        number, percent = parse_value(value.text)
        cells[value.column] = Cell(value.text, value.words[0].start, value.words[-1].end, number, percent)
    taken = {id(word) for value in values for word in value.words}
    label = joined([word for word in line.words if id(word) not in taken])
    return Row(without_currency(label)[:MAX_TEXT_CHARACTERS], "", tuple(cells), line.words[0].start, line.words[-1].end)


def _add_header(line: Line, grid: _Grid, margin: float, headers: list[list[str]], caption: list[str]) -> None:
    """Give each segment of a line above the rows to the columns it stands over; the rest is caption."""
    parts = segments(line, WIDE_GAP * grid.width)
    # What begins at the margin is a title, or a header of the labels.
    edge = grid.columns[0][0] - 2 * grid.width
    titles: list[list[Word]] = []
    over: list[list[Word]] = []
    for part in parts:
        is_title = part[-1].right <= edge or part[0].left <= margin + grid.width
        (titles if is_title else over).append(part)
    caption += map(joined, titles)
    if len(over) == len(grid.columns):
        for header, part in zip(headers, over, strict=True):
            header.append(joined(part))
        return
    if len(over) == 1 and len(joined(over[0])) > MAX_SPANNING_CHARACTERS:
        caption.append(joined(over[0]))
        return
    # A segment that spans several columns is a header of each of them.
    middles = [(part[0].left + part[-1].right) / 2 for part in over]
    spacing = min((after - before for before, after in pairwise(middles)), default=1.0)
    for header, (left, right) in zip(headers, grid.columns, strict=True):
        middle = (left + right) / 2
        near = min(range(len(over)), key=lambda n: abs(middles[n] - middle), default=None)
        if near is None:
            return
        inside = over[near][0].left - grid.width <= right and left <= over[near][-1].right + grid.width
        if inside or abs(middles[near] - middle) < 0.75 * spacing:
            header.append(joined(over[near]))

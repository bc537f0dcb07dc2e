"""Tables of a page, from its text and word boxes: runs of lines, their columns, and where a table starts and ends.

A table row is a text line of its own that ends with values; values above one another form a column. Works on what the
store keeps of a page, so that tables can be found when a question needs them. Knows nothing of questions.
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
    character_width,
    is_year,
    joined,
    lines_of,
    segments,
    years_in,
)
from rag.pdf.table import MAX_TEXT_CHARACTERS, Cell, Row, Table
from rag.pdf.table_headers import WIDE_GAP, read_headers
from rag.pdf.table_rows import RowBuilder
from rag.records import WordBoxes

__all__ = ["MAX_WORDS", "Cell", "Row", "Table", "find_tables", "named_scale"]

# Looked at on a page, so that a hostile one costs no more than a large table.
MAX_WORDS = 10_000
MAX_CHARACTERS = 100_000
MAX_COLUMNS = 100  # of a run of lines; more do not fit beside one another on paper
MAX_HEADER_CELLS = 30  # text lines above the first row: headers may be printed cell by cell
MAX_LABEL_LINES = 3  # lines without values between two rows of one table
MAX_LABEL_CHARACTERS = 110  # a longer line without values is a sentence, and ends the table
MAX_BROKEN_LABEL_CHARACTERS = 400  # of a label over several lines that the values of the same columns follow
MAX_UNIT_CHARACTERS = 12  # of text behind the values of a row
MARGIN = 10.0  # character widths right of the labels' left edge, within which a text is a label
MAX_GAP = 6.0  # heights of a line between two lines of one run, downwards
MAX_RISE = 8.0  # the same upwards: headers may be printed cell by cell
MAX_PAGE_NUMBER = 2_000  # in a table of contents
MIN_ENTRIES = 3  # of a table of contents
MIN_UNLABELLED = 3  # values of a single row without a label, each below a header
MIN_ROWS = 2  # rows with a value that make a column, unless a header stands above it

_SCALES = (
    (re.compile(r"\bbillions?\b|\bbn\b|十亿", re.IGNORECASE), "billion"),
    (re.compile(r"\bmillions?\b|[$£€¥]\s?m(?:il|n|m)?\b|\bmm\b|百万", re.IGNORECASE), "million"),
    (re.compile(r"thousands?\b|[$£€¥]?\s?['’‘]?000s?\b|千元", re.IGNORECASE), "thousand"),
    (re.compile(r"亿元|億元"), "hundred million"),
    (re.compile(r"万元|萬元"), "ten thousand"),
)
_UNIT_LINE = re.compile(r"[(（][^()（）]{2,80}[)）]|(?:单位|單位)\s?[:：]\s?[^\s()（）]{1,20}")
_YEAR_ALONE = re.compile(r"(?:(?:fiscal|year|fiscal year|FY) ?)?(?:19|20)\d\d(?: ?年度?)?", re.IGNORECASE)
_MARK = re.compile(r"[(（]\d{1,2}[)）]")  # of a footnote, or a negative number
_NOTES = re.compile(r"notes?|附注|附註|注释|註釋", re.IGNORECASE)  # header of a column that refers to the notes


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
    announced = {id(line): before.text for before, line in pairwise(lines) if before.text.endswith((":", "："))}
    found = [
        _announced(table, announced.get(id(run[0]), ""))
        for run in _runs(lines, width)
        for table in _tables_of(run, width)
        if not _is_list(table)
    ]
    page_unit = _unit_line(text)
    page_scale = named_scale(page_unit)
    return [table if table.scale else replace(table, scale=page_scale, unit=page_unit) for table in found]


def _announced(table: Table, sentence: str) -> Table:
    """A table without row labels, with the sentence that announces it as its caption: it says what the rows are."""
    if not sentence or table.caption or any(row.label for row in table.rows):
        return table
    return replace(table, caption=sentence[-MAX_TEXT_CHARACTERS:])


def _unit_line(text: str) -> str:
    """The first "(in millions)" or "单位：万元" of a text; "" for none."""
    return next((part for part in _UNIT_LINE.findall(text) if named_scale(part)), "")


def named_scale(text: str) -> str:
    """The scale that a text names, "in millions" or "£m"; "" for none."""
    return next((scale for pattern, scale in _SCALES if pattern.search(text)), "")


def _is_list(table: Table) -> bool:
    """Whether a table is none: numbers without a label, or a list: one column of ascending ones without a header."""
    values = [row.cells[0].value for row in table.rows if row.cells and row.cells[0]]
    numbers = [value for value in values if value is not None and value == int(value) and 0 <= value < MAX_PAGE_NUMBER]
    ascending = all(before <= after for before, after in pairwise(numbers))
    if any(table.headers):
        return False
    if not any(row.label for row in table.rows):  # footnote marks, or a number of a page
        return True
    alone = len(table.headers) == 1 and len(values) >= MIN_ENTRIES
    return alone and len(numbers) == len(values) and ascending


# ---- runs of lines


def _runs(lines: Sequence[Line], width: float) -> list[list[Line]]:
    """Runs of lines that may hold tables: a paragraph, a long line without values or a wide gap ends a run."""
    runs: list[list[Line]] = [[]]
    for number, line in enumerate(lines):
        if number and _is_apart(lines[number - 1], line):
            runs.append([])
        short = line.flat and (line.values or len(line.text) <= MAX_LABEL_CHARACTERS) and not line.is_sentence()
        after, above = lines[number + 1 : number + 3], runs[-1][-MAX_LABEL_LINES:]
        if short or _is_long_header(line, width) or _is_label_of(line, after, above, width):
            runs[-1].append(line)
        else:
            runs.append([])
    return [run for run in runs if any(line.values for line in run)]


def _is_apart(before: Line, line: Line) -> bool:
    """Whether a line stands too far below or above the one before it to belong to the same table."""
    step = line.words[0].top - before.words[-1].top
    height = max(line.words[0].bottom - line.words[0].top, 1e-6)
    return not -MAX_RISE * height < step < MAX_GAP * height


def _is_long_header(line: Line, width: float) -> bool:
    """Whether a long line is several headers beside one another."""
    return line.flat and len(line.text) <= MAX_BROKEN_LABEL_CHARACTERS and len(segments(line, WIDE_GAP * width)) > 1


def _is_label_of(line: Line, after: Sequence[Line], above: Sequence[Line], width: float) -> bool:
    """Whether a long text is part of the label of a row below it that ends in a column of one of the lines above."""
    values = next((row.trailing() for row in after if row.trailing()), [])
    if not values or len(line.text) > MAX_BROKEN_LABEL_CHARACTERS:
        return False
    for other in above:
        parts = segments(other, WIDE_GAP * width)
        if len(parts) > 1 and parts[-1][0].left < values[-1].right and values[-1].left < parts[-1][-1].right:
            return True
    return False


# ---- tables of a run


def _tables_of(run: Sequence[Line], width: float) -> list[Table]:
    """The tables of a run of lines: a new one begins where a header row follows rows with values."""
    _drop_numbers_of_texts(run, width)
    _drop_notes(run, width)
    _split_units(run, width)
    _mark_headings(run)
    grid = _Grid(_columns(run, width), width)
    is_row = [bool(_in_columns(line)) and not _is_header(line) for line in run]
    found: list[Table] = []
    headers: list[list[str]] = [[] for _ in grid.columns]
    first = 0
    for start in (n for n, row in enumerate(is_row) if row):
        if start < first:  # it belongs to the table before
            continue
        stop = _end_of_table(run, is_row, start, grid)
        top = max(first, start - MAX_HEADER_CELLS)
        table, headers = _table(run[top:start], run[start:stop], grid, headers)
        found.append(table)
        first = stop
    return found


def _end_of_table(run: Sequence[Line], is_row: Sequence[bool], start: int, grid: _Grid) -> int:
    """Index after the last row of the table that begins at `start`."""
    last = start
    for n in range(start + 1, len(run)):
        if is_row[n]:
            last = n
        elif n - last > MAX_LABEL_LINES or _is_header(run[n]) or _stands_over(run[n], grid):
            break
    return last + 1


def _stands_over(line: Line, grid: _Grid) -> bool:
    """Whether a line is a header of texts: several of them, all over the columns."""
    edge = grid.columns[0][0] - 2 * grid.width
    return line.flat and line.left > edge and len(segments(line, WIDE_GAP * grid.width)) > 1


def _drop_numbers_of_texts(run: Sequence[Line], width: float) -> None:
    """Drop values that end a text next to other texts, "Level 1    Level 2", and footnote marks."""
    margin = min(line.left for line in run) + MARGIN * width
    for line in run:
        if not line.values:
            continue
        marks = {
            id(word)
            for before, word in pairwise(line.words)
            if _MARK.fullmatch(word.text)
            and word.left - before.right < WIDE_GAP * width
            and (before.text[-1].isalpha() or is_year(before.text))
        }
        line.values = [value for value in line.values if id(value.words[0]) not in marks]
        of_value = {id(word) for value in line.values for word in value.words}
        texts = [
            part
            for part in segments(line, WIDE_GAP * width)
            if part[0].left > margin and any(id(word) not in of_value for word in part)
            if id(part[-1]) in of_value and (id(part[0]) in of_value or not is_year(part[-1].text))
        ]
        if texts:
            ids = {id(word) for part in texts for word in part}
            line.values = [value for value in line.values if id(value.words[0]) not in ids]


def _mark_headings(run: Sequence[Line]) -> None:
    """Lines with only a year, followed by rows, are sections of one table, if there are several of them."""
    alone = [
        line
        for line, after in pairwise(run)
        if _YEAR_ALONE.fullmatch(line.text) and after.trailing() and not _are_years(after) and after.label()
    ]
    if len(alone) < MIN_ROWS:
        return
    for line in alone:
        line.values, line.heading = [], True


def _drop_notes(run: Sequence[Line], width: float) -> None:
    """Leave out the column that refers to the notes to the accounts: "Note", "附注"."""
    margin = min(line.left for line in run)
    for number, line in enumerate(run):
        for part in segments(line, WIDE_GAP * width):
            if len(part) > 1 or not _NOTES.fullmatch(part[0].text):
                continue
            if part[0].left < margin + 4 * width or part[-1] is line.words[-1]:
                continue
            left, right = part[0].left - 2 * width, part[-1].right + 2 * width
            for row in run[number:]:
                kept = [word for word in row.words if not (left <= word.left and word.right <= right)]
                if kept and row.flat:
                    ids = {id(word) for word in kept}
                    row.words = kept
                    row.values = [value for value in row.values if id(value.words[0]) in ids]
            return


def _split_units(run: Sequence[Line], width: float) -> None:
    """Take text after the values of several rows, in a column of its own, as their unit."""
    tails: list[tuple[Line, int]] = []
    for line in run:
        if not line.values:
            continue
        last = line.values[-1].words[-1]
        position = next(n for n, word in enumerate(line.words) if word is last) + 1
        tail = line.words[position:]
        if tail and tail[0].left - last.right > WIDE_GAP * width and len(joined(tail)) <= MAX_UNIT_CHARACTERS:
            tails.append((line, position))
    if len(tails) < MIN_ROWS:
        return
    left = sorted(line.words[position].left for line, position in tails)[len(tails) // 2]
    for line, position in tails:
        if abs(line.words[position].left - left) < 4 * width:
            line.unit = joined(line.words[position:])
            line.words = line.words[:position]


# ---- columns


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
    several = {n for n in range(len(spans)) if len(members[n]) >= MIN_ROWS}
    kept = sorted(
        several | _beside(spans, members, several) | _headed(run, spans, width),
        key=lambda n: spans[n],
    )
    if len(kept) > 1 and _are_labels(members[kept[0]], rows, width):
        kept = kept[1:]
    for column, n in enumerate(kept):
        for value in members[n]:
            value.column = column
    return tuple(spans[n] for n in kept)


def _beside(spans: Sequence[tuple[float, float]], members: Sequence[Sequence[Value]], several: set[int]) -> set[int]:
    """The columns of a single value that stands right of all columns of several rows: it is part of no label."""
    first = max((spans[n][1] for n in several), default=1.0)
    return {n for n, (left, _) in enumerate(spans) if left > first and not is_year(members[n][0].text)}


def _headed(run: Sequence[Line], spans: Sequence[tuple[float, float]], width: float) -> set[int]:
    """The columns that a table of a single row has: those below the segments of the line above it."""
    rows = [n for n, line in enumerate(run) if line.trailing() and not _are_years(line)]
    if len(rows) != 1 or rows[0] == 0:
        return set()
    row, above = run[rows[0]], segments(run[rows[0] - 1], WIDE_GAP * width)
    below = segments(row, WIDE_GAP * width)
    alone = len(row.trailing()) == len(below) == len(above) >= MIN_UNLABELLED  # no label, but a header for each
    if not alone and not 2 <= len(row.trailing()) < min(len(below), len(above) + 1):
        return set()
    under = {
        n
        for n, (left, right) in enumerate(spans)
        if any(part[0].left - width < right and left < part[-1].right + width for part in above)
    }
    return under if len(under) == len(spans) else set()


def _are_years(line: Line) -> bool:
    return all(is_year(value.text) for value in line.values)


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


# ---- a table


def _table(
    above: Sequence[Line], lines: Sequence[Line], grid: _Grid, before: list[list[str]]
) -> tuple[Table, list[list[str]]]:
    """A table from the lines above its first row and the lines from its first row to its last, and its headers.

    `before`: headers of the table above in the same columns, which hold on where none names another period.
    """
    margin = min(line.left for line in lines) if any(line.label() for line in lines) else -1.0
    headers = read_headers(above, grid.columns, margin, grid.width)
    if not any(years_in(text) for column in headers.columns for text in column):
        headers.columns = [own or former for own, former in zip(headers.columns, before, strict=True)]
    rows = RowBuilder(len(grid.columns), grid.width, lines).build(headers.sections, lines)
    # Leave out columns of the run that this table does not use.
    used = [n for n in range(len(grid.columns)) if any(row.cells[n] is not None for row in rows)]
    texts = tuple(" ".join(headers.columns[n])[:MAX_TEXT_CHARACTERS] for n in used)
    said = " ".join([*headers.caption, *texts])
    unit = _unit_line(said)
    table = Table(
        headers=texts,
        caption=" ".join(headers.caption)[:MAX_TEXT_CHARACTERS],
        scale=named_scale(unit) or named_scale(said),
        rows=tuple(replace(row, cells=tuple(row.cells[n] for n in used)) for row in rows),
        unit=unit,
        columns=tuple(grid.columns[n] for n in used),
    )
    return table, headers.columns

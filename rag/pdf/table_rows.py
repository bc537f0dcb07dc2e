"""The lines of a table, from its first row to its last -> rows with labels and sections.

A line without values opens a section, or is part of a label that was broken over lines. Sections are told apart by
indentation. Knows nothing of headers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from rag.language import joins_without_space
from rag.pdf.cells import Line, Word, joined, parse_value, without_currency
from rag.pdf.table import MAX_TEXT_CHARACTERS, SECTION_SEPARATOR, Cell, Row

INDENT = 0.8  # character widths from which on a line is indented against another
TIGHT = 0.85  # share of the usual distance between lines below which two lines belong to one label
OUTERMOST = -1.0  # left edge of a section that no row ends
MAX_SECTIONS = 5  # inside one another
COLONS = (":", "：")

_GOES_ON = re.compile(r"(?:\b(?:to|of|and|or|by|in|the|for|from|with|on|at|as|its|net|than)|[,，、])$", re.IGNORECASE)
_FOOTNOTE_MARK = re.compile(r"[(（]\w{1,2}[)）]\s*[:：]?")


@dataclass(slots=True)
class _Section:
    left: float
    text: str
    child: float | None = None  # left edge of the first line below it; None before there is one


def _overlap(part: Line, line: Line) -> bool:
    """Whether a line stands beside another rather than above it."""
    return part.top < (line.top + line.bottom) / 2 and part.bottom > line.top + 0.3 * (line.bottom - line.top)


def _span(words: Sequence[Word]) -> tuple[int, int]:
    """Where words stand in the text, in which those further right need not come later."""
    return min(word.start for word in words), max(word.end for word in words)


class RowBuilder:
    """Builds the rows of one table."""

    def __init__(self, columns: int, width: float, lines: Sequence[Line]) -> None:
        """`width`: of a character; `lines`: from the first row to the last."""
        self._columns, self._indent = columns, INDENT * width
        tops = [line.words[0].top for line in lines]
        self._pitch = median([abs(after - before) for before, after in pairwise(tops)] or [1.0])
        labels = [line.label() for line in lines]
        self._limit = max((label[-1].right for label in labels if label), default=0.0)  # right edge of the labels
        self._sections: list[_Section] = []
        self._pending: list[Line] = []  # lines without values since the last row
        self._rows: list[Row] = []
        self._last: Line | None = None  # of the last row, or of what was appended to its label

    def build(self, above: Sequence[Line], lines: Sequence[Line]) -> list[Row]:
        """The rows; `above`: lines that open sections before the first row."""
        self._pending = list(above)
        for line in lines:
            if any(value.column >= 0 for value in line.values):
                self._add_row(line)
            elif not self._pending and self._goes_on(line):
                self._append_to_label(line)
            else:
                self._pending.append(line)
        return self._rows

    def _goes_on(self, line: Line) -> bool:
        """Whether a line without values continues the label of the row above it, which was broken."""
        before = self._last.label() if self._last else []
        if not before or self._last is None or line.text.endswith(COLONS):
            return False
        full = before[-1].right + (line.words[0].right - line.words[0].left) > self._limit
        tight = 0 < line.words[0].top - before[-1].top < TIGHT * self._pitch
        return full and (tight or line.text[:1].islower())

    def _append_to_label(self, line: Line) -> None:
        row = self._rows[-1]
        words = [*(self._last.label() if self._last else []), *line.words]
        added = joined(words)[len(joined(words[: -len(line.words)])) :]
        self._rows[-1] = replace(row, label=f"{row.label}{added}"[:MAX_TEXT_CHARACTERS])
        self._last = line

    def _add_row(self, line: Line) -> None:
        own = line.label()
        continued = self._take_label(line, own)
        words = [*(word for part in continued for word in part.words), *own]
        for part in self._pending:
            self._open(part)
        self._pending = []
        left = words[0].left if words else None
        if left is not None:
            self._close(left)
        self._rows.append(self._row(line, words))
        self._last = line

    def _take_label(self, line: Line, own: Sequence[Word]) -> list[Line]:
        """The last pending lines that are the start of a row's label; they are no longer pending."""
        # A line next to the values belongs to the label, and so do those after it.
        beside = (n for n, part in enumerate(self._pending) if _overlap(part, line))
        first_beside = next(beside, len(self._pending))
        taken, self._pending = self._pending[first_beside:], self._pending[:first_beside]
        # So do broken lines above it.
        first: Word | None = taken[0].words[0] if taken else own[0] if own else None
        while self._pending and not self._pending[-1].text.endswith(COLONS):
            part = self._pending[-1]
            if first is not None and not self._is_broken(part.words[-1], first, part.left):
                break
            taken.insert(0, self._pending.pop())
            first = part.words[0]
        return taken

    def _is_broken(self, last: Word, first: Word, left: float) -> bool:
        """Whether a label whose line ends with the word `last` and begins at `left` goes on with the word `first`."""
        if first.text[:1].islower() or _GOES_ON.search(last.text):
            return True
        if joins_without_space(last.text[-1]) and joins_without_space(first.text[0]):
            return last.right + (first.right - first.left) / len(first.text) > self._limit
        full = last.right + (first.right - first.left) > self._limit
        hanging = first.left > left + self._indent or first.top - last.top < TIGHT * self._pitch
        return full and hanging

    def _open(self, line: Line) -> None:
        """Open the section that a line names."""
        text = line.text.rstrip(" :：")
        if _FOOTNOTE_MARK.fullmatch(line.text):
            return
        last = self._sections[-1] if self._sections else None
        if last and last.child is None and (text[:1].islower() or _GOES_ON.search(last.text)):
            last.text += f" {text}"
            return
        left = OUTERMOST if line.heading else line.left
        while self._sections and self._sections[-1].left >= left - self._indent:
            self._sections.pop()
        self._close(left)
        self._sections = [*self._sections[1 - MAX_SECTIONS :], _Section(left, text)]

    def _close(self, left: float) -> None:
        """Close the sections that a line with this left edge is no part of."""
        while self._sections:
            last = self._sections[-1]
            was_indented = last.child is not None and last.child > last.left + self._indent
            outside = left <= last.left + self._indent if was_indented else left < last.left - self._indent
            if not outside:
                break
            self._sections.pop()
        if self._sections and self._sections[-1].child is None:
            self._sections[-1].child = left

    def _row(self, line: Line, label: Sequence[Word]) -> Row:
        cells: list[Cell | None] = [None] * self._columns
        for value in line.values:
            if value.column >= 0:
                number, percent = parse_value(value.text)
                cells[value.column] = Cell(value.text, *_span(value.words), number, percent)
        section = SECTION_SEPARATOR.join(one.text for one in self._sections)
        start, end = _span(line.words)
        return Row(
            label=without_currency(joined(label))[:MAX_TEXT_CHARACTERS],
            section=section[:MAX_TEXT_CHARACTERS],
            cells=tuple(cells),
            start=start,
            end=end,
            unit=line.unit,
        )

"""Puts the values that people filled into a form into the text of its page, at their positions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.pdf.lines import Boxes
from rag.word_boxes import Box, WordBoxes

ASPECT = 0.7  # width of a character as a fraction of the page / height of its line as one, roughly
LINE = 0.016  # usual height of a line as a fraction of the page
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Field:
    """A value on a page; its box is in fractions of the page as it is shown."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def with_fields(text: str, words: WordBoxes, fields: Sequence[Field]) -> tuple[str, WordBoxes]:
    """The text of a page and its words, with each value before or after the word next to it.

    A value without a word next to it gets a line of its own, below the line above it.
    """
    fields = [field for field in fields if field.text.strip()]
    if not fields:
        return text, words
    # Find the character before which each value goes.
    places = [_place(text, words, field) for field in fields]
    pieces, spans, boxes = list[str](), list[tuple[int, int]](), list[Box]()
    row = kept = length = 0

    def copy(end: int) -> None:
        """Append the page's own text up to `end`, and its words."""
        nonlocal row, kept, length
        pieces.append(text[kept:end])
        while row < len(words) and words.spans[row, 1] <= end:
            first, last = words.spans[row].tolist()
            spans.append((first - kept + length, last - kept + length))
            boxes.append(tuple(words.boxes[row].tolist()))
            row += 1
        kept, length = end, length + end - kept

    for number in sorted(range(len(fields)), key=lambda one: (places[one][0], fields[one].left)):
        place, own_line = places[number]
        copy(place)
        before, after = ("\n", "\n") if own_line else (" ", " ")
        value = " ".join(fields[number].text.split())
        for found, box in zip(_WORD.finditer(value), _boxes(value, fields[number]), strict=True):
            spans.append((length + 1 + found.start(), length + 1 + found.end()))
            boxes.append(box)
        pieces.append(f"{before}{value}{after}")
        length += len(value) + 2
    copy(len(text))
    made: Boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return "".join(pieces), WordBoxes(np.array(spans, np.int32).reshape(-1, 2), made)


def _place(text: str, words: WordBoxes, field: Field) -> tuple[int, bool]:
    """(the character of the text before which a value goes, whether on a line of its own)."""
    left, top, right, bottom = words.boxes.T
    # After the word to its left or before the one to its right, whichever is nearer.
    middle, own_middle = (top + bottom) / 2, (field.top + field.bottom) / 2
    beside = ((middle >= field.top) & (middle <= field.bottom)) | ((top <= own_middle) & (bottom >= own_middle))
    is_left = (left + right) / 2 < (field.left + field.right) / 2
    gap = np.where(beside, np.maximum(np.where(is_left, field.left - right, left - field.right), 0), np.inf)
    if len(gap) and np.isfinite(gap).any():
        nearest = int(gap.argmin())
        return int(words.spans[nearest, 1 if is_left[nearest] else 0]), False
    # Else below the line above it.
    above = (bottom <= field.top + LINE / 2) & (left < field.right) & (right > field.left)
    if not above.any():
        return len(text), True
    nearest = int(np.where(above, bottom, -np.inf).argmax())
    line_end = text.find("\n", int(words.spans[nearest, 1]))
    return line_end if line_end >= 0 else len(text), True


def _boxes(value: str, field: Field) -> list[Box]:
    """A box for each word of a value: in one row, in the middle of a low field or at the top of a high one."""
    room = field.bottom - field.top
    height = min(room, LINE)
    top = field.top + (room - height) / 2 if room < 2 * LINE else field.top
    step = min((field.right - field.left) / max(len(value), 1), height * ASPECT)
    return [
        (field.left + found.start() * step, top, field.left + found.end() * step, top + height)
        for found in _WORD.finditer(value)
    ]

"""Where the words of a page are.

Boxes are (left, top, right, bottom) as fractions of the page as shown (rotation applied), from its top left corner.
Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class WordBoxes:
    """Positions of the n words of one page; a word is a run of characters without white space."""

    spans: npt.NDArray[np.int32]  # (n, 2) start and end character in the page's text, ascending
    boxes: npt.NDArray[np.float32]  # (n, 4) left, top, right, bottom, as fractions of the page

    def __len__(self) -> int:
        return len(self.spans)

    @classmethod
    def none(cls) -> WordBoxes:
        """No words, for an empty or scanned page."""
        return cls(np.zeros((0, 2), np.int32), np.zeros((0, 4), np.float32))

    @classmethod
    def of(cls, words: Iterable[tuple[int, int, Box]]) -> WordBoxes:
        """From (start, end, box) triples in ascending order of start."""
        rows = list(words)
        if not rows:
            return cls.none()
        boxes: npt.NDArray[np.float32] = np.array([row[2] for row in rows], dtype=np.float32)
        return cls(np.array([row[:2] for row in rows], dtype=np.int32), boxes)

    def to_bytes(self) -> bytes:
        """As stored: n rows of start, end (uint32), then n rows of boxes (uint16, 65535 = page width or height)."""
        boxes = (np.clip(self.boxes, 0, 1) * 65535).round().astype("<u2")
        return self.spans.astype("<u4").tobytes() + boxes.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> WordBoxes:
        """The inverse of `to_bytes`, exact to 1/65535 of the page."""
        count = len(data) // 16
        spans = np.frombuffer(data, "<u4", count * 2).reshape(-1, 2)
        boxes = np.frombuffer(data, "<u2", count * 4, offset=count * 8).reshape(-1, 4)
        return cls(spans.astype(np.int32), boxes.astype(np.float32) / np.float32(65535))

    def locate(self, start: int, end: int) -> list[Box]:
        """Boxes that cover the characters [start, end), one for each line.

        If the span cuts a word, it gets the proportional part of the word's width: Chinese has no spaces, so a "word"
        may be a whole line of equally wide characters.
        """
        lines: list[Box] = []
        for row in np.flatnonzero((self.spans[:, 0] < end) & (self.spans[:, 1] > start)):
            first, last = (int(n) for n in self.spans[row])
            left, top, right, bottom = (float(n) for n in self.boxes[row])
            step = (right - left) / max(last - first, 1)
            left, right = left + max(start - first, 0) * step, right - max(last - end, 0) * step
            if lines and _same_line(lines[-1], (left, top, right, bottom)):
                before = lines[-1]
                lines[-1] = (
                    min(before[0], left), min(before[1], top), max(before[2], right), max(before[3], bottom)
                )  # fmt: skip
            else:
                lines.append((left, top, right, bottom))
        return lines


def _same_line(a: Box, b: Box) -> bool:
    """Whether b continues a's line: they overlap by half their height, and b starts just to the right of a."""
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    height = max(min(a[3] - a[1], b[3] - b[1]), 1e-6)
    return overlap > height / 2 and -0.01 < b[0] - a[2] < 0.05

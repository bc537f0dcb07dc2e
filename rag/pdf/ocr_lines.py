"""Lines that OCR recognised on a picture -> the layout of a page: reading order, words, and their boxes.

Pages are made upright and straight before anything is measured; boxes to be marked stay where they are on the page as
shown. Knows nothing of how lines are recognised. Lengths are points.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.language import UNSPACED
from rag.pdf.lines import PageLayout, lay_out
from rag.pdf.normalize import clean_word
from rag.pdf.reading_order import reading_order

Floats = npt.NDArray[np.float32]
CORNER_BYTES = 32  # four corners of a line, two float32 each
PLACE_BYTES = 8  # where a character begins and ends, two float32
MIN_SKEW = 0.15  # degrees, below which a page counts as straight
SKEW_LINES = 8.0  # width / height of a line that tells the skew of its page
_WORD = re.compile(f"[{UNSPACED}]+|[^\\s{UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """A line as OCR found it."""

    text: str
    corners: Floats  # (4, 2) fractions of the upright picture, clockwise from where the line begins
    places: Floats  # (n, 2) where each character of `text` begins and ends along the line, 0..1


def recognised_lines(text: str, data: bytes) -> list[RecognisedLine]:
    """The lines in a frame of `ocr_child`. Raises ValueError where text and data do not fit each other."""
    lines = []
    offset = 0
    for line in text.split("\n") if text else ():
        numbers = np.frombuffer(data, "<f4", 8 + 2 * len(line), offset)
        offset += CORNER_BYTES + PLACE_BYTES * len(line)
        values = np.nan_to_num(np.clip(numbers, 0, 1)).astype(np.float32)
        lines.append(RecognisedLine(line, values[:8].reshape(4, 2), values[8:].reshape(-1, 2)))
    if offset != len(data):
        raise ValueError("length")
    return [line for line in lines if line.text.strip()]


def lay_out_recognised(
    lines: Sequence[RecognisedLine], width: float, height: float, turns: int
) -> tuple[str, PageLayout]:
    """Text and layout of a page of this size as shown, which `turns` quarter turns against the clock make upright."""
    size = np.array((height, width) if turns % 2 else (width, height), np.float32)
    straight = [
        _rotated(line.corners * size, -_skew(lines, size), np.divide(size, 2, dtype=np.float32)) for line in lines
    ]
    rows = reading_order([_bounds(quad) for quad in straight])
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    upright: list[Floats] = []
    shown: list[Floats] = []
    start = 0
    for number in (number for row in rows for number in (*row, None)):
        if number is None:  # the row ends
            parts[-1] = "\n"
            continue
        line = lines[number]
        for match in _WORD.finditer(line.text):
            if clean_word(match.group()):
                spans.append((start + match.start(), start + match.end()))
                place = float(line.places[match.start(), 0]), float(line.places[match.end() - 1, 1])
                upright.append(_bounds(_part(straight[number], *place) / size))
                shown.append(_bounds(_as_shown(_part(line.corners, *place), turns)))
        parts += (line.text, " ")
        start += len(line.text) + 1
    text = "".join(parts)
    measured = np.clip(np.array(upright, np.float32).reshape(-1, 4), 0, 1)
    layout = lay_out(text, np.array(spans, np.int32).reshape(-1, 2), measured, float(size[0]), float(size[1]))
    layout.boxes = np.clip(np.array(shown, np.float32).reshape(-1, 4), 0, 1)
    return text, layout


def _skew(lines: Sequence[RecognisedLine], size: Floats) -> float:
    """By how many radians the lines of a page run downwards: the median of the long ones, 0 for a straight page."""
    angles = []
    for line in lines:
        quad = line.corners * size
        along = quad[1] - quad[0] + quad[2] - quad[3]
        down = quad[3] - quad[0] + quad[2] - quad[1]
        if np.hypot(*along) > SKEW_LINES * np.hypot(*down):
            angles.append(float(np.arctan2(along[1], along[0])))
    skew = float(np.median(angles)) if angles else 0.0
    return skew if abs(np.degrees(skew)) >= MIN_SKEW else 0.0


def _rotated(points: Floats, angle: float, centre: Floats) -> Floats:
    """Points (n, 2) rotated about the centre, clockwise on the page for a positive angle in radians."""
    if not angle:
        return points
    cos, sin = np.cos(angle), np.sin(angle)
    turned = (points - centre) @ np.array([[cos, sin], [-sin, cos]], np.float32) + centre
    return np.asarray(turned, np.float32)


def _part(corners: Floats, first: float, last: float) -> Floats:
    """Corners (4, 2) of a part of a line, from `first` to `last`, 0..1."""
    top_left, top_right, bottom_right, bottom_left = corners
    top, bottom = top_right - top_left, bottom_right - bottom_left
    return np.stack(
        [top_left + first * top, top_left + last * top, bottom_left + last * bottom, bottom_left + first * bottom]
    )


def _bounds(corners: Floats) -> Floats:
    """Left, top, right and bottom of points (n, 2)."""
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _as_shown(points: Floats, turns: int) -> Floats:
    """Points (n, 2), fractions of the upright picture, as fractions of the page as shown."""
    for _ in range(turns % 4):
        points = np.stack([1 - points[:, 1], points[:, 0]], axis=1)
    return points

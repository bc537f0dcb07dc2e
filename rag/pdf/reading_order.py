"""The reading order of lines on a picture: rows from the top down, and columns of prose one after another.

A gutter divides lines into columns if several lines on both sides are nearly as wide as their side, as in prose. The
cells of a table are not, so a table is read row by row. Lengths are in any one unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]  # (n, 4) left, top, right, bottom
Numbers = npt.NDArray[np.int64]  # of lines

MIN_COLUMN_LINES = 3  # on each side of a gutter
MIN_COLUMN_WIDTH = 0.15  # of the block that is divided
MIN_FILLED = 0.6  # median width of the lines of a column / width of the column
MAX_CROSSING = 0.4  # share of the lines of a block that may cross a gutter, as titles and figures do
MAX_DEPTH = 4  # divisions inside one another
MAX_GUTTERS = 60  # places looked at for a gutter, in one block
SAME_ROW = 0.5  # overlap of two lines of one row, of the lower one's height


def reading_order(boxes: Sequence[Boxes]) -> list[list[int]]:
    """Rows of line numbers, from the boxes (4,) of the lines: rows in reading order, lines from left to right."""
    if not boxes:
        return []
    lines = np.stack(list(boxes)).astype(np.float32)
    return _order(lines, np.arange(len(lines)), MAX_DEPTH)


def _order(boxes: Boxes, numbers: Numbers, depth: int) -> list[list[int]]:
    gutter = _gutter(boxes[numbers]) if depth and len(numbers) >= 2 * MIN_COLUMN_LINES else None
    if gutter is None:
        return _rows(boxes, numbers)
    rows: list[list[int]] = []
    for band in _bands(boxes, numbers, gutter):
        left = band[boxes[band, 2] <= gutter]
        right = band[boxes[band, 0] >= gutter]
        if len(left) + len(right) < len(band):  # a line across the gutter
            rows += _rows(boxes, band)
        else:
            rows += _order(boxes, left, depth - 1) if len(left) else []
            rows += _order(boxes, right, depth - 1) if len(right) else []
    return rows


def _gutter(boxes: Boxes) -> float | None:
    """Where the lines (n, 4) of a block are best divided into columns; None if nowhere."""
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    width = max(right - left, 1e-6)
    places = np.unique(np.round((boxes[:, 0] - left) / width, 2)) * width + left - 0.005 * width
    inside = places[(places > left + MIN_COLUMN_WIDTH * width) & (places < right - MIN_COLUMN_WIDTH * width)]
    best, most = None, 0
    for place in inside[:: max(len(inside) // MAX_GUTTERS, 1)].tolist():
        on_left, on_right = boxes[boxes[:, 2] <= place], boxes[boxes[:, 0] >= place]
        divided = min(len(on_left), len(on_right))
        crossing = len(boxes) - len(on_left) - len(on_right)
        if divided < MIN_COLUMN_LINES or crossing > MAX_CROSSING * len(boxes) or not _beside(on_left, on_right):
            continue
        if divided > most and _is_column(on_left, width) and _is_column(on_right, width):
            best, most = place, divided
    return best


def _beside(a: Boxes, b: Boxes) -> bool:
    """Whether two sets of lines stand beside one another, not one below the other."""
    overlap = min(a[:, 3].max(), b[:, 3].max()) - max(a[:, 1].min(), b[:, 1].min())
    return bool(overlap > 0.5 * min(np.ptp(a[:, 1]), np.ptp(b[:, 1])))


def _is_column(boxes: Boxes, block_width: float) -> bool:
    """Whether lines (n, 4) are a column, or several beside one another, of prose."""
    ordered = boxes[np.argsort(boxes[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 2])
    starts = np.flatnonzero(np.append(True, ordered[1:, 0] > reach[:-1]))  # of the lines that begin a column
    counts = np.diff(np.append(starts, len(ordered)))
    columns = reach[np.append(starts[1:], len(ordered)) - 1] - ordered[starts, 0]
    filled = (ordered[:, 2] - ordered[:, 0]) / np.repeat(np.maximum(columns, 1e-6), counts)
    narrowest = float(np.median(np.repeat(columns, counts)))
    return narrowest >= MIN_COLUMN_WIDTH * block_width and float(np.median(filled)) >= MIN_FILLED


def _bands(boxes: Boxes, numbers: Numbers, gutter: float) -> list[Numbers]:
    """The lines from the top down, divided wherever a line crosses the gutter; such lines are bands of their own."""
    ordered = numbers[np.argsort((boxes[numbers, 1] + boxes[numbers, 3]) / 2, kind="stable")]
    crosses = (boxes[ordered, 0] < gutter) & (boxes[ordered, 2] > gutter)
    cuts = np.flatnonzero(crosses[1:] != crosses[:-1]) + 1
    return list(np.split(ordered, cuts))


def _rows(boxes: Boxes, numbers: Numbers) -> list[list[int]]:
    """Lines that stand at the same height, from left to right; rows from the top down."""
    ordered = numbers[np.argsort((boxes[numbers, 1] + boxes[numbers, 3]) / 2, kind="stable")]
    rows: list[list[int]] = []
    top = bottom = 0.0
    for number in ordered.tolist():
        _, above, _, below = boxes[number].tolist()
        overlap = min(bottom, below) - max(top, above)
        if rows and overlap > SAME_ROW * min(bottom - top, below - above):
            rows[-1].append(number)
        else:
            rows.append([number])
            top, bottom = above, below
    return [sorted(row, key=lambda number: float(boxes[number, 0])) for row in rows]

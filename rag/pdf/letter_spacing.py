"""Removes the spaces from Chinese and Japanese set with a space after every character, so that words can be found.

Knows nothing about lines except where they start.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rag.language import is_han, joins_without_space

EM = 0.85  # font size / height of a character's box, roughly
WIDEST = 1.2  # ems between two characters of one spaced-out word; a full-width space is one em wide
SURE_RUN = 4  # characters in a row that are enough to count as spaced-out text
SHORT_RUN = 2  # Chinese ones that are enough if no other Chinese is next to them: "合 计", the label of a row


def close_up(
    words: Sequence[str],
    space: Sequence[bool],
    first: npt.NDArray[np.bool_],
    boxes: npt.NDArray[np.float32],
    scale: tuple[float, float],
) -> list[bool]:
    """`space` (n - 1), whether there is a space after each word, without those inside spaced-out words.

    `first` (n,) marks words that start a line; `boxes` (n, 4) are fractions of a page of the size `scale`, points.
    """
    single = [len(word) == 1 and joins_without_space(word) for word in words]
    if sum(single) < SHORT_RUN:
        return list(space)
    heights = (boxes[:, 3] - boxes[:, 1]) * scale[1] * EM
    near = (boxes[1:, 0] - boxes[:-1, 2]) * scale[0] <= WIDEST * np.maximum(heights[1:], heights[:-1])
    near &= ~first[1:]
    closed = list(space)
    start = 0
    for end in range(1, len(words) + 1):
        if end < len(words) and single[end - 1] and single[end] and near[end - 1]:
            continue
        if single[start] and _is_spaced_out(words, near, start, end):
            closed[start : end - 1] = [False] * (end - 1 - start)
        start = end
    return closed


def _is_spaced_out(words: Sequence[str], near: npt.NDArray[np.bool_], start: int, end: int) -> bool:
    """Whether the single characters words[start:end] are parts of one text rather than separate words or cells."""
    if end - start >= SURE_RUN:
        return True
    before = start > 0 and near[start - 1] and joins_without_space(words[start - 1][-1])
    after = end < len(words) and near[end - 1] and joins_without_space(words[end][0])
    return sum(map(is_han, words[start:end])) >= SHORT_RUN and not (before or after)

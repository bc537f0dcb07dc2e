"""Passages that stand for most of a document: greedy facility location over their vectors.

The chosen set maximises the sum, over all passages, of the cosine with the nearest chosen one (Lin & Bilmes, A Class of
Submodular Functions for Document Summarization, 2011); each pick takes the candidate that adds most.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rag.records import Vectors

Weights = npt.NDArray[np.float64]


def choose_representative(
    vectors: Vectors, weights: Weights, importance: Weights, count: int, max_rows: int, min_gain: float
) -> list[int]:
    """Indices of at most `count` rows of `vectors` (n, d), the best first.

    `weights` (n,): how much each is preferred, 0 for rows that cannot be chosen; `importance` (n,): how much it counts
    that each is stood for. Of more than `max_rows` rows, an even sample is stood for, and the best of the others
    compete, so that the cost is bounded. It ends where the next would add less than `min_gain` of what the first added.
    """
    n = len(vectors)
    # What all passages have in common says nothing about what they differ in.
    centred = vectors - vectors.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    rows = np.linspace(0, n - 1, min(n, max_rows)).round().astype(int)
    candidates = np.flatnonzero(weights > 0)
    if len(candidates) > max_rows:
        candidates = np.sort(candidates[np.argsort(-weights[candidates], kind="stable")[:max_rows]])
    if not len(candidates):
        return []
    similarity = np.maximum(centred[candidates] @ centred[rows].T, 0.0)  # (candidates, rows)
    covered = np.zeros(len(rows))
    chosen: list[int] = []
    first_gain = 0.0
    while len(chosen) < min(count, len(candidates)):
        gains = np.maximum(similarity - covered, 0.0) @ importance[rows] * weights[candidates]
        best = int(gains.argmax())
        first_gain = first_gain or gains[best]
        if gains[best] <= min_gain * first_gain:
            break
        chosen.append(int(candidates[best]))
        covered = np.maximum(covered, similarity[best])
    return chosen

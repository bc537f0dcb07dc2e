"""Question + scope -> ranked sources with scores: both indexes, fused.

Nothing here knows where passages are kept; ids go in and out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rag.embed import Vectors
from rag.index import Ids, VectorIndex
from rag.records import Signal
from rag.settings import Searching
from rag.words import WordIndex


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found, with the score of each index that was asked."""

    passage_id: int
    score: float  # fused, 0..1
    signals: tuple[Signal, ...] = ()


class Searcher:
    """Asks both indexes and fuses what they bring."""

    def __init__(self, vectors: VectorIndex, words: WordIndex, settings: Searching) -> None:
        self._vectors, self._words, self._settings = vectors, words, settings

    def search(self, question: str, vector: Vectors, k: int, allowed: Ids | None = None) -> list[Hit]:
        """The k best passages for a question and its vector (d,), best first; only `allowed` ids where given."""
        if allowed is not None and not len(allowed):
            return []
        by_vector = self._vectors.search(vector, self._settings.candidates, allowed)
        by_words = self._words.search(question, self._settings.candidates, allowed)
        return fuse(by_vector, by_words, self._settings.vector_weight)[:k]


def fuse(by_vector: tuple[Ids, Vectors], by_words: tuple[Ids, Vectors], vector_weight: float) -> list[Hit]:
    """Convex combination of the two lists, each scaled to 0..1 over its own candidates; best first.

    A passage that one index did not bring counts as its worst there. (Bruch, Gai, Ingber: An Analysis of Fusion
    Functions for Hybrid Retrieval, ACM TOIS 42(1), 2023, eq. 3 with min-max scaling.)
    """
    total: dict[int, float] = {}
    signals: dict[int, tuple[Signal, ...]] = {}
    for name, (ids, scores), weight in (
        ("vectors", by_vector, vector_weight),
        ("words", by_words, 1 - vector_weight),
    ):
        rows = zip(ids.tolist(), scores.tolist(), _scaled(scores).tolist(), strict=True)
        for rank, (passage, score, value) in enumerate(rows, 1):
            total[passage] = total.get(passage, 0.0) + weight * value
            signals[passage] = (*signals.get(passage, ()), Signal(name, score, rank))
    return [Hit(passage, total[passage], signals[passage]) for passage in sorted(total, key=lambda one: -total[one])]


def _scaled(scores: Vectors) -> Vectors:
    """Scores of one list, best first, to 0..1: its worst candidate 0, its best 1."""
    if not len(scores):
        return scores
    low, high = float(scores[-1]), float(scores[0])
    if high - low < 1e-9:
        return np.ones_like(scores)
    return (scores - low) / (high - low)

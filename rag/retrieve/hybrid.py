"""What a question needs + scope -> ranked passages: both indexes, fused, weighed by how well their documents fit.

Nothing here knows where passages are kept; ids go in and out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rag.embed.embedder import Vectors
from rag.index.bm25 import BM25Index
from rag.index.vectors import Ids, VectorIndex
from rag.records import Signal
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.routing import DocumentRouter, Fits
from rag.settings import RetrievalSettings

List = tuple[Ids, Vectors]  # ids and scores, best first


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found, and why."""

    passage_id: int
    score: float  # comparable within one question
    signals: tuple[Signal, ...] = ()


class HybridSearch:
    """Asks both indexes, in the whole scope and in the documents that fit best, and fuses what they bring."""

    def __init__(
        self, vectors: VectorIndex, words: BM25Index, catalog: DocumentRouter, settings: RetrievalSettings
    ) -> None:
        self._vectors, self._words, self._catalog, self._settings = vectors, words, catalog, settings

    def search(
        self, needs: ExpandedQuery, vector: Vectors, allowed: Ids | None = None, fits: Fits | None = None
    ) -> list[Hit]:
        """Passages for a question and its vector (d,), best first; only `allowed` ids where given.

        `fits`: how well each document fits within `allowed`, where that is known already.
        """
        if allowed is not None and not len(allowed):
            return []
        by_vector, by_words = self._ask(needs, vector, allowed)
        fits = self._catalog.fits(needs.texts[0], allowed) if fits is None else fits
        routed_documents = self._routed(fits, allowed)
        if routed_documents is not None:
            more = self._ask(needs, vector, routed_documents)
            by_vector, by_words = _together(by_vector, more[0]), _together(by_words, more[1])
        hits = fuse(by_vector, by_words, self._settings.vector_weight, self._settings.candidates)
        return self._weighed(hits, fits)

    def _ask(self, needs: ExpandedQuery, vector: Vectors, allowed: Ids | None) -> tuple[List, List]:
        count = self._settings.candidates
        return self._vectors.search(vector, count, allowed), self._words.search(needs.terms, count, allowed)

    def _routed(self, fits: Fits, allowed: Ids | None) -> Ids | None:
        """Passages of the documents that fit best; None where none fits, or where the scope holds no others."""
        best = np.argsort(-fits, kind="stable")[: self._settings.routing.routed_documents]
        found = self._catalog.passages(best[fits[best] > 0])
        return found if 0 < len(found) < (len(self._words) if allowed is None else len(allowed)) else None

    def _weighed(self, hits: list[Hit], fits: Fits) -> list[Hit]:
        """The hits with what their documents add, best first."""
        slots = self._catalog.slots(np.array([hit.passage_id for hit in hits], np.int64))
        places = {int(slot): n for n, slot in enumerate(np.argsort(-fits, kind="stable"), 1)}
        weighed = []
        for hit, slot in zip(hits, slots.tolist(), strict=True):
            fit = float(fits[slot]) if 0 <= slot < len(fits) else 0.0  # one may have been added meanwhile
            signals = (*hit.signals, Signal("document", fit, places[slot])) if fit > 0 else hit.signals
            weighed.append(Hit(hit.passage_id, hit.score + self._settings.routing.routing_weight * fit, signals))
        return ranked(weighed)


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Best first; those of equal score in the order they came."""
    return sorted(hits, key=lambda hit: -hit.score)


def fuse(by_vector: List, by_words: List, vector_weight: float, reach: int) -> list[Hit]:
    """Convex combination of the two lists, best first; a passage that one of them did not bring has nothing of it.

    Cosines are scaled so that the best is 1 and the one at place `reach` 0; BM25, whose zero means something, so that
    the best is 1. (Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, ACM TOIS 42(1), 2023,
    eq. 3: min-max scaling, and scaling by the theoretical minimum.)
    """
    total: dict[int, float] = {}
    signals: dict[int, tuple[Signal, ...]] = {}
    floor = float(by_vector[1][:reach][-1]) if len(by_vector[1]) else 0.0
    for name, (ids, scores), low, weight in (
        ("vectors", by_vector, floor, vector_weight),
        ("words", by_words, 0.0, 1 - vector_weight),
    ):
        rows = zip(ids.tolist(), scores.tolist(), _scaled(scores, low).tolist(), strict=True)
        for rank, (passage, score, value) in enumerate(rows, 1):
            total[passage] = total.get(passage, 0.0) + weight * value
            signals[passage] = (*signals.get(passage, ()), Signal(name, score, rank))
    return ranked(Hit(passage, score, signals[passage]) for passage, score in total.items())


def _scaled(scores: Vectors, low: float) -> Vectors:
    """Scores of one list, best first, so that `low` becomes 0 and the best 1; what is lower stays 0."""
    if not len(scores):
        return scores
    high = float(scores[0])
    if high - low < 1e-9:
        return np.ones_like(scores)
    scaled: Vectors = np.maximum((scores - low) / (high - low), 0)
    return scaled


def _together(a: List, b: List) -> List:
    """Two lists of one index as one, each passage once."""
    ids, first = np.unique(np.concatenate([a[0], b[0]]), return_index=True)
    scores = np.concatenate([a[1], b[1]])[first]
    order = np.argsort(-scores, kind="stable")
    return ids[order], scores[order]

"""Hybrid search: searches both indexes, fuses their scores, and adds the score of each passage's document.

Passage ids go in and out; where passages are stored is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from rag.index.protocols import Ids, Scope, TextIndex, VectorIndex
from rag.records import Signal, Vectors
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.routing import DocumentRouter, DocumentScores
from rag.settings import RetrievalSettings

ScoredIds = tuple[Ids, Vectors]  # ids (n,) and scores (n,), best first


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, and why."""

    passage_id: int
    score: float  # comparable only within one question
    signals: tuple[Signal, ...] = ()


class HybridSearch:
    """Searches both indexes, in the whole scope and in the best-matching documents, and fuses the results."""

    def __init__(
        self, vectors: VectorIndex, words: TextIndex, router: DocumentRouter, settings: RetrievalSettings
    ) -> None:
        self._vectors, self._words, self._router, self._settings = vectors, words, router, settings

    def search(
        self,
        query: ExpandedQuery,
        vector: Vectors,
        scope: Scope,
        document_scores: DocumentScores | None = None,
    ) -> list[Hit]:
        """Passages in scope for a query and its vector (d,), best first.

        `document_scores`: of the documents in scope, if already known.
        """
        by_vector, by_words = self._ask(query, vector, scope)
        if document_scores is None:
            document_scores = self._router.scores(query.texts[0], scope)
        # Also search only the best-matching documents, so that others cannot take all the places.
        routed = self._routed_documents(document_scores, scope)
        if routed is not None:
            more_by_vector, more_by_words = self._ask(query, vector, routed)
            by_vector, by_words = _union(by_vector, more_by_vector), _union(by_words, more_by_words)
        hits = fuse(by_vector, by_words, self._settings.vector_weight, self._settings.candidates)
        return self._with_document_scores(hits, document_scores)

    def _ask(self, query: ExpandedQuery, vector: Vectors, scope: Scope) -> tuple[ScoredIds, ScoredIds]:
        count = self._settings.candidates
        return self._vectors.search(vector, count, scope), self._words.search(query.terms, count, scope)

    def _routed_documents(self, scores: DocumentScores, scope: Scope) -> Scope | None:
        """The best-matching documents; None if none matches, or if they are the whole scope."""
        best = np.argsort(-scores, kind="stable")[: self._settings.routing.routed_documents]
        best = best[scores[best] > 0]
        return self._router.narrow(scope, best) if 0 < len(best) < self._router.count(scope) else None

    def _with_document_scores(self, hits: list[Hit], scores: DocumentScores) -> list[Hit]:
        """The hits with the weighted scores of their documents added, best first."""
        slots = self._router.slots_of(np.array([hit.passage_id for hit in hits], np.int64))
        places = {int(slot): n for n, slot in enumerate(np.argsort(-scores, kind="stable"), 1)}
        weighted = []
        for hit, slot in zip(hits, slots.tolist(), strict=True):
            score = float(scores[slot]) if 0 <= slot < len(scores) else 0.0  # the document may be newer than `scores`
            signals = (*hit.signals, Signal("document", score, places[slot])) if score > 0 else hit.signals
            weighted.append(Hit(hit.passage_id, hit.score + self._settings.routing.routing_weight * score, signals))
        return ranked(weighted)


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Best first; hits of equal score keep their order."""
    return sorted(hits, key=lambda hit: -hit.score)


def fuse(by_vector: ScoredIds, by_words: ScoredIds, vector_weight: float, depth: int) -> list[Hit]:
    """Convex combination of both lists' scaled scores, best first. A passage missing from a list scores 0 there.

    Cosines are scaled so that the best becomes 1 and the one at rank `depth` 0; BM25 scores have a natural zero and are
    scaled so that the best becomes 1. (Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, ACM
    TOIS 42(1), 2023, eq. 3: min-max scaling, and scaling by the theoretical minimum.)
    """
    total: dict[int, float] = {}
    signals: dict[int, tuple[Signal, ...]] = {}
    floor = float(by_vector[1][:depth][-1]) if len(by_vector[1]) else 0.0
    for name, (ids, scores), low, weight in (
        ("vectors", by_vector, floor, vector_weight),
        ("words", by_words, 0.0, 1 - vector_weight),
    ):
        rows = zip(ids.tolist(), scores.tolist(), _scaled(scores, low).tolist(), strict=True)
        for rank, (passage, score, value) in enumerate(rows, 1):
            total[passage] = total.get(passage, 0.0) + weight * value
            signals[passage] = (*signals.get(passage, ()), Signal(name, score, rank))
    return ranked(Hit(passage, score, signals[passage]) for passage, score in total.items())


def interleave(lists: Iterable[list[Hit]]) -> list[Hit]:
    """The best of each list, then the second of each, and so on; each passage once, at its first place."""
    first: dict[int, Hit] = {}
    for row in zip_longest(*lists):
        for hit in row:
            if hit is not None:
                first.setdefault(hit.passage_id, hit)
    return list(first.values())


def _scaled(scores: Vectors, low: float) -> Vectors:
    """Scores of one list, best first, scaled so that the best becomes 1, `low` 0, and anything lower 0."""
    if not len(scores):
        return scores
    high = float(scores[0])
    if high - low < 1e-9:
        return np.ones_like(scores)
    scaled: Vectors = np.maximum((scores - low) / (high - low), 0)
    return scaled


def _union(a: ScoredIds, b: ScoredIds) -> ScoredIds:
    """Two lists from one index as one, best first, each passage once."""
    ids, first = np.unique(np.concatenate([a[0], b[0]]), return_index=True)
    scores = np.concatenate([a[1], b[1]])[first]
    order = np.argsort(-scores, kind="stable")
    return ids[order], scores[order]

"""Incremental BM25 index: new documents go into their own segment, and small segments are merged.

BM25 as Lucene computes it, over the terms of `rag.index.tokenize`. Each owner's passages are a partition of their own.
Inverse document frequency and mean length are applied at query time, over the partitions that the person who asks can
see: scores are those of one index over these passages, whatever others hold, and adding costs no more than what is
added. Shared by all is only the vocabulary, which numbers the terms; nothing that is returned depends on the numbers.
Lives in memory, rebuilt from the store at the start.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag.index.counted import CountedTerms
from rag.index.partition import Partition
from rag.index.protocols import SHARED, Ids, Scope, Scores
from rag.index.scopes import PassageScopes
from rag.index.segments import SEGMENT_SIZE, Array, build_segment
from rag.index.tokenize import terms
from rag.records import DocumentKey
from rag.settings import Bm25Settings

_DEFAULTS = Bm25Settings()


class BM25Index:
    """The embedded `TextIndex`. Thread-safe; a search uses a snapshot of the partitions and never waits."""

    def __init__(self, settings: Bm25Settings = _DEFAULTS) -> None:
        self._settings = settings
        self._term_ids: dict[str, int] = {}  # grows only
        self._partitions: dict[str, Partition] = {}  # by owner; a change replaces an entry
        self._scopes = PassageScopes()
        self._changing = threading.Lock()  # held during an addition or removal: one at a time

    def __len__(self) -> int:
        return sum(partition.count for partition in list(self._partitions.values()))

    @property
    def nbytes(self) -> int:
        """Bytes of postings and statistics, without the strings of the vocabulary."""
        return sum(partition.nbytes for partition in list(self._partitions.values()))

    def add(self, ids: Sequence[int], texts: CountedTerms, documents: Sequence[DocumentKey]) -> None:
        """Add passages with the terms of their searchable texts, headings included, and their documents.

        A known id is replaced.
        """
        if not len(ids) == len(texts) == len(documents):
            raise ValueError(f"{len(ids)} ids for {len(texts)} texts and {len(documents)} documents")
        places: dict[str, list[int]] = defaultdict(list)
        for place, (owner, _) in enumerate(documents):
            places[owner].append(place)
        every = np.asarray(ids, np.int64)
        with self._changing:
            known = self._term_ids
            numbers = np.array([known.setdefault(term, len(known)) for term in texts.vocabulary], np.int64)
            self._remove(ids)
            self._scopes.add(every, documents)
            for owner, own in places.items():
                for start in range(0, len(own), SEGMENT_SIZE):
                    part = np.array(own[start : start + SEGMENT_SIZE])
                    self._append(owner, every[part], numbers[texts.places_of(part)], texts.lengths[part])

    def remove(self, ids: Sequence[int]) -> None:
        """Remove passages; unknown ids are ignored."""
        with self._changing:
            self._remove(ids)
            self._scopes.remove(np.asarray(ids, np.int64))

    def idf(self, term: str, scope: Scope = SHARED) -> float:
        """Inverse document frequency of a term over all passages of the owners in scope, chosen or not."""
        term_id, visible = self._term_ids.get(term), self._visible(scope).values()
        wanted = np.array([] if term_id is None else [term_id], np.int64)
        containing = sum(int(partition.frequencies.of(wanted).sum()) for partition in visible)
        return float(inverse_document_frequency(containing, sum(partition.count for partition in visible)))

    def passages_with(self, term: str, scope: Scope = SHARED) -> Ids:
        """Ids of the passages that contain a term, of the owners in scope, chosen or not."""
        term_id, visible = self._term_ids.get(term), self._visible(scope).values()
        if term_id is None:
            return np.zeros(0, np.int64)
        segments = [segment for partition in visible for segment in partition.segments]
        return np.concatenate([np.zeros(0, np.int64), *(segment.passages_with(term_id) for segment in segments)])

    def search(self, query: str | Mapping[str, float], k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        """The k passages in `scope` with the highest BM25 scores above 0, best first: ids and scores.

        `query`: a text, or terms with a weight each.
        """
        wanted = dict.fromkeys(terms(query), 1.0) if isinstance(query, str) else query
        visible = self._visible(scope)
        allowed = self._scopes.resolve(scope)  # after the snapshot: see PassageScopes
        # Weight each term by its inverse document frequency, in float32. Their order is that in which scores are
        # summed up, so it is that of the terms: their numbers depend on who used them first.
        known = [(self._term_ids[term], wanted[term]) for term in sorted(wanted) if term in self._term_ids]
        term_ids = np.array([term_id for term_id, _ in known], np.int64)
        containing = np.zeros(len(known), np.int64)
        for partition in visible.values():
            containing += partition.frequencies.of(term_ids)
        count = sum(partition.count for partition in visible.values())
        weights = inverse_document_frequency(containing, count).astype(np.float32)
        weights *= np.array([weight for _, weight in known], np.float32)
        # Score the segments that hold passages in scope, and keep the best of all.
        length, best = sum(partition.length for partition in visible.values()), _TopK(k)
        segments = [(owner, segment) for owner in allowed if owner in visible for segment in visible[owner].segments]
        for owner, segment in segments if length else ():
            chosen = allowed[owner]
            eligible = segment.live if chosen is None else segment.live & segment.mask(chosen)
            if eligible.any():
                best.offer(segment.ids, segment.scores(term_ids, weights, length / count, self._settings) * eligible)
        return best.ids, best.scores

    def _visible(self, scope: Scope) -> dict[str, Partition]:
        """The partitions of the owners in scope, as they are now."""
        found = {owner: self._partitions.get(owner) for owner in scope.owners}
        return {owner: partition for owner, partition in found.items() if partition is not None}

    def _append(self, owner: str, ids: Ids, term_ids: Array, lengths: Array) -> None:
        segment = build_segment(ids, term_ids, lengths)
        self._partitions[owner] = self._partitions.get(owner, Partition()).with_segment(segment)

    def _remove(self, ids: Sequence[int]) -> None:
        for owner, gone in self._scopes.by_owner(np.asarray(ids, np.int64)).items():
            kept = self._partitions.get(owner, Partition()).without(gone)
            if kept.count:
                self._partitions[owner] = kept
            else:
                self._partitions.pop(owner, None)


def inverse_document_frequency(containing: int | Array, count: int) -> Any:
    """ln(1 + (N - n + 0.5) / (n + 0.5)) as in Lucene, where n = `containing` of N = `count` texts contain the term."""
    return np.log(1 + (count - np.asarray(containing) + 0.5) / (np.asarray(containing) + 0.5))


class _TopK:
    """The k best of all passages offered that score above 0, best first, the lower id first at equal scores."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._threshold: np.float32 = np.finfo(np.float32).tiny  # a lower score is not among the best
        self.ids: Array = np.zeros(0, np.int64)
        self.scores: Array = np.zeros(0, np.float32)

    def offer(self, ids: Array, scores: Array) -> None:
        """Take in passages: ids (n,) and scores (n,)."""
        # Preselect: above the threshold, and among the k best of these.
        scores = scores.astype(np.float32)
        good = np.flatnonzero(scores >= self._threshold)
        if len(good) > self._k:
            least = np.partition(scores[good], len(good) - self._k)[len(good) - self._k]
            good = good[scores[good] >= least]
        # Merge with the best so far.
        ids, scores = np.append(self.ids, ids[good]), np.append(self.scores, scores[good])
        order = np.lexsort((ids, -scores))[: self._k]
        self.ids, self.scores = ids[order], scores[order]
        if len(order) == self._k:
            self._threshold = self.scores[-1]

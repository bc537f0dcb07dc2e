"""Incremental BM25 index: new documents go into their own segment.

Robertson's BM25 as Lucene computes it, over the terms of `rag.index.tokenize`; segments never change.
What is added becomes a small segment; eight of like size become one; what is removed is marked, and gone with the next
merge. So adding costs what is added, and scores are still those of all passages together, because how rare a term is
and how long passages are on average is applied when a question comes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag.index.protocols import DocumentKey, Ids, Scope, Scores
from rag.index.scopes import PassageScopes
from rag.index.segments import ROWS, Array, Loss, Segment, merged, segment_of
from rag.index.tokenize import terms

MERGE = 8  # small segments that become one


class BM25Index:
    """Passages by BM25. Holds passage ids only, lives in memory, is rebuilt from the store. Thread-safe.

    A search never waits for an addition: it works on the segments of the moment it began.
    """

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._frequency: Array = np.zeros(1024, np.int64)  # term's number -> passages that hold it
        self._count = self._length = 0  # passages, and their terms in all
        self._full: list[Segment] = []  # no more is added to these
        self._open: list[Segment] = []  # together at most ROWS passages
        self._scopes = PassageScopes()
        self._changing = threading.Lock()  # one addition or removal at a time
        self._lock = threading.Lock()  # over all of the above, for as long as it takes to swap them

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of the postings; the vocabulary's strings are not among them."""
        with self._lock:
            return sum(segment.nbytes for segment in self._full + self._open) + self._frequency.nbytes

    def add(self, ids: Sequence[int], texts: Sequence[str], documents: Sequence[DocumentKey]) -> None:
        """Add passages with their searchable text, headings included, and their documents; a known id is replaced."""
        if not len(ids) == len(texts) == len(documents):
            raise ValueError(f"{len(ids)} ids for {len(texts)} texts and {len(documents)} documents")
        rows = [terms(text) for text in texts]
        with self._changing:
            self._remove(ids)
            self._scopes.add(np.asarray(ids, np.int64), documents)
            for start in range(0, len(rows), ROWS):
                self._append(ids[start : start + ROWS], rows[start : start + ROWS])

    def remove(self, ids: Sequence[int]) -> None:
        """Remove passages; unknown ids are ignored."""
        with self._changing:
            self._remove(ids)
            self._scopes.remove(np.asarray(ids, np.int64))

    def idf(self, term: str) -> float:
        """Inverse document frequency of a term over all passages."""
        with self._lock:
            number, count = self._vocabulary.get(term), self._count
            found = 0 if number is None else int(self._frequency[number])
        return float(inverse_document_frequency(found, count))

    def passages_with(self, term: str) -> Ids:
        """Ids of the passages that contain a term."""
        with self._lock:
            number, segments = self._vocabulary.get(term), self._full + self._open
        if number is None:
            return np.zeros(0, np.int64)
        return np.concatenate([np.zeros(0, np.int64), *(segment.passages_with(number) for segment in segments)])

    def search(self, query: str | Mapping[str, float], k: int, scope: Scope | None = None) -> tuple[Ids, Scores]:
        """The k passages in `scope` with the highest BM25 scores above 0, best first: ids and scores. None: no filter.

        `query`: a text, or terms with a weight each.
        """
        counts = dict.fromkeys(terms(query), 1.0) if isinstance(query, str) else query
        with self._lock:
            known = sorted((self._vocabulary[term], n) for term, n in counts.items() if term in self._vocabulary)
            numbers = np.array([number for number, _ in known], np.int64)
            found = self._frequency[numbers]
            count, length, segments = self._count, self._length, self._full + self._open
        weights = inverse_document_frequency(found, count).astype(np.float32)
        weights *= np.array([counted for _, counted in known], np.float32)
        allowed = self._scopes.resolve(scope)  # after the snapshot above: see PassageScopes
        best = _Best(k)
        for segment in segments if length else ():
            usable = segment.alive if allowed is None else segment.alive & segment.among(allowed)
            if usable.any():
                best.offer(segment.ids, segment.scores(numbers, weights, length / count) * usable)
        return best.ids, best.scores

    def _numbered(self, rows: list[list[str]]) -> list[list[int]]:
        """The numbers of terms, new ones included; a search meets no number that has no frequency yet."""
        numbers = self._vocabulary
        with self._lock:
            passages = [[numbers.setdefault(term, len(numbers)) for term in row] for row in rows]
            if len(self._frequency) < len(numbers):
                self._frequency = np.append(self._frequency, np.zeros(len(numbers), np.int64))
        return passages

    def _append(self, ids: Sequence[int], rows: list[list[str]]) -> None:
        new = segment_of(ids, self._numbered(rows))
        full, still_open = self._full, self._open
        if sum(segment.count for segment in still_open) + new.count > ROWS:
            full, still_open = _packed([*full, *still_open]), []
        still_open = _tidy([*still_open, new])
        with self._lock:
            self._frequency[new.terms] += np.diff(new.starts)
            self._count, self._length = self._count + new.count, self._length + new.length
            self._full, self._open = full, still_open

    def _remove(self, ids: Sequence[int]) -> None:
        gone = np.unique(np.asarray(ids, np.int64))
        lost: list[Loss] = []
        full = [_less(segment, gone, lost) for segment in self._full]
        still_open = [_less(segment, gone, lost) for segment in self._open]
        if not lost:
            return
        with self._lock:
            for loss in lost:
                self._frequency[loss.terms] -= loss.counts
                self._count, self._length = self._count - loss.passages, self._length - loss.length
            self._full = [segment for segment in full if segment.count]
            self._open = [segment for segment in still_open if segment.count]


def inverse_document_frequency(containing: int | Array, count: int) -> Any:
    """As in Lucene's BM25, of terms that `containing` of `count` texts contain."""
    return np.log(1 + (count - np.asarray(containing) + 0.5) / (np.asarray(containing) + 0.5))


def _less(segment: Segment, gone: Array, lost: list[Loss]) -> Segment:
    """The segment without the ids `gone`, made anew once half of it is removed; what that takes, into `lost`."""
    loss = segment.loss(gone)
    if not loss.passages:
        return segment
    lost.append(loss)
    kept = segment.without(gone)
    return merged([kept]) if 0 < 2 * kept.count < len(kept.ids) else kept


def _packed(segments: list[Segment]) -> list[Segment]:
    """Neighbours that fit into one segment merged; what stands alone stays the very same."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        if sum(one.count for one in groups[-1]) + segment.count > ROWS:
            groups.append([])
        groups[-1].append(segment)
    return [merged(group) if len(group) > 1 else group[0] for group in groups if group]


def _tidy(segments: list[Segment]) -> list[Segment]:
    """Small segments merged while the last eight are of like size, which makes each move at least double."""
    while len(segments) >= MERGE:
        counts = [segment.count for segment in segments[-MERGE:]]
        if sum(counts) < 2 * max(counts):
            break
        segments = [*segments[:-MERGE], merged(segments[-MERGE:])]
    return segments


class _Best:
    """The k highest scores above 0 of what was offered, best first, the lower id where equal."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._floor: np.float32 = np.finfo(np.float32).tiny  # a lower score is not among the best
        self.ids: Array = np.zeros(0, np.int64)
        self.scores: Array = np.zeros(0, np.float32)

    def offer(self, ids: Array, scores: Array) -> None:
        """More passages: ids (n,) and scores (n,)."""
        scores = scores.astype(np.float32)
        good = np.flatnonzero(scores >= self._floor)
        if len(good) > self._k:
            least = np.partition(scores[good], len(good) - self._k)[len(good) - self._k]
            good = good[scores[good] >= least]
        ids, scores = np.append(self.ids, ids[good]), np.append(self.scores, scores[good])
        order = np.lexsort((ids, -scores))[: self._k]
        self.ids, self.scores = ids[order], scores[order]
        if len(order) == self._k:
            self._floor = self.scores[-1]

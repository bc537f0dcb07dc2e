"""Incremental BM25 index: new documents go into their own segment, and small segments are merged.

BM25 as Lucene computes it, over the terms of `rag.index.tokenize`. Segments never change: a removed passage is marked,
and dropped at the next merge. Inverse document frequency and mean length are applied at query time, so scores are
those of one index over all passages, and adding costs no more than what is added. Lives in memory, rebuilt from the
store at the start.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag.index.protocols import DocumentKey, Ids, Scope, Scores
from rag.index.scopes import PassageScopes
from rag.index.segments import SEGMENT_SIZE, Array, RemovedPostings, Segment, build_segment, merge_segments
from rag.index.tokenize import terms
from rag.settings import Bm25Settings

_DEFAULTS = Bm25Settings()
MERGE_FACTOR = 8  # open segments of like size that are merged into one


class BM25Index:
    """The embedded `TextIndex`. Thread-safe; a search uses a snapshot of the segments and never waits for an addition.

    `_full` segments grow no more; the `_open` ones hold at most SEGMENT_SIZE passages together.
    """

    def __init__(self, settings: Bm25Settings = _DEFAULTS) -> None:
        self._settings = settings
        self._term_ids: dict[str, int] = {}
        self._document_frequency: Array = np.zeros(1024, np.int64)  # by term id: passages that contain the term
        self._count = 0  # passages
        self._length = 0  # their terms, repeats included
        self._full: list[Segment] = []
        self._open: list[Segment] = []
        self._scopes = PassageScopes()
        self._changing = threading.Lock()  # held during an addition or removal: one at a time
        self._lock = threading.Lock()  # over all fields above, held only to read or swap them

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of the postings, without the strings of the vocabulary."""
        with self._lock:
            return sum(segment.nbytes for segment in self._full + self._open) + self._document_frequency.nbytes

    def add(self, ids: Sequence[int], texts: Sequence[str], documents: Sequence[DocumentKey]) -> None:
        """Add passages with their searchable text, headings included, and their documents; a known id is replaced."""
        if not len(ids) == len(texts) == len(documents):
            raise ValueError(f"{len(ids)} ids for {len(texts)} texts and {len(documents)} documents")
        passages = [terms(text) for text in texts]
        with self._changing:
            self._remove(ids)
            self._scopes.add(np.asarray(ids, np.int64), documents)
            for start in range(0, len(passages), SEGMENT_SIZE):
                self._append(ids[start : start + SEGMENT_SIZE], passages[start : start + SEGMENT_SIZE])

    def remove(self, ids: Sequence[int]) -> None:
        """Remove passages; unknown ids are ignored."""
        with self._changing:
            self._remove(ids)
            self._scopes.remove(np.asarray(ids, np.int64))

    def idf(self, term: str) -> float:
        """Inverse document frequency of a term over all passages."""
        with self._lock:
            term_id, count = self._term_ids.get(term), self._count
            containing = 0 if term_id is None else int(self._document_frequency[term_id])
        return float(inverse_document_frequency(containing, count))

    def passages_with(self, term: str) -> Ids:
        """Ids of the passages that contain a term."""
        with self._lock:
            term_id, segments = self._term_ids.get(term), self._full + self._open
        if term_id is None:
            return np.zeros(0, np.int64)
        return np.concatenate([np.zeros(0, np.int64), *(segment.passages_with(term_id) for segment in segments)])

    def search(self, query: str | Mapping[str, float], k: int, scope: Scope | None = None) -> tuple[Ids, Scores]:
        """The k passages in `scope` with the highest BM25 scores above 0, best first: ids and scores. None: no filter.

        `query`: a text, or terms with a weight each.
        """
        wanted = dict.fromkeys(terms(query), 1.0) if isinstance(query, str) else query
        # Take a snapshot of statistics and segments.
        with self._lock:
            known = sorted((self._term_ids[term], weight) for term, weight in wanted.items() if term in self._term_ids)
            term_ids = np.array([term_id for term_id, _ in known], np.int64)
            containing = self._document_frequency[term_ids]
            count, length, segments = self._count, self._length, self._full + self._open
        allowed = self._scopes.resolve(scope)  # after the snapshot: see PassageScopes
        # Weight each term by its inverse document frequency, in float32.
        weights = inverse_document_frequency(containing, count).astype(np.float32)
        weights *= np.array([weight for _, weight in known], np.float32)
        # Score the segments that hold passages in scope, and keep the best of all.
        best = _TopK(k)
        for segment in segments if length else ():
            eligible = segment.live if allowed is None else segment.live & segment.mask(allowed)
            if eligible.any():
                best.offer(segment.ids, segment.scores(term_ids, weights, length / count, self._settings) * eligible)
        return best.ids, best.scores

    def _to_term_ids(self, passages: list[list[str]]) -> list[list[int]]:
        """The terms of each passage as ids, new ones included.

        The frequency table grows in the same step, so that a search never meets an id beyond its end.
        """
        known = self._term_ids
        with self._lock:
            rows = [[known.setdefault(term, len(known)) for term in passage] for passage in passages]
            if len(self._document_frequency) < len(known):
                self._document_frequency = np.append(self._document_frequency, np.zeros(len(known), np.int64))
        return rows

    def _append(self, ids: Sequence[int], passages: list[list[str]]) -> None:
        new = build_segment(ids, self._to_term_ids(passages))
        full, still_open = self._full, self._open
        if sum(segment.count for segment in still_open) + new.count > SEGMENT_SIZE:
            full, still_open = _merge_neighbours([*full, *still_open]), []
        still_open = _merge_similar([*still_open, new])
        with self._lock:
            self._document_frequency[new.terms] += np.diff(new.starts)
            self._count, self._length = self._count + new.count, self._length + new.length
            self._full, self._open = full, still_open

    def _remove(self, ids: Sequence[int]) -> None:
        gone = np.unique(np.asarray(ids, np.int64))
        removed: list[RemovedPostings] = []
        full = [_drop_passages(segment, gone, removed) for segment in self._full]
        still_open = [_drop_passages(segment, gone, removed) for segment in self._open]
        if not removed:
            return
        with self._lock:
            for one in removed:
                self._document_frequency[one.terms] -= one.counts
                self._count, self._length = self._count - one.passages, self._length - one.length
            self._full = [segment for segment in full if segment.count]
            self._open = [segment for segment in still_open if segment.count]


def inverse_document_frequency(containing: int | Array, count: int) -> Any:
    """ln(1 + (N - n + 0.5) / (n + 0.5)) as in Lucene, where n = `containing` of N = `count` texts contain the term."""
    return np.log(1 + (count - np.asarray(containing) + 0.5) / (np.asarray(containing) + 0.5))


def _drop_passages(segment: Segment, ids: Array, removed: list[RemovedPostings]) -> Segment:
    """The segment without `ids`, compacted once half of it is removed; what it loses is appended to `removed`."""
    postings = segment.postings_of(ids)
    if not postings.passages:
        return segment
    removed.append(postings)
    kept = segment.without(ids)
    return merge_segments([kept]) if 0 < 2 * kept.count < len(kept.ids) else kept


def _merge_neighbours(segments: list[Segment]) -> list[Segment]:
    """Runs of neighbours that fit into one segment merged; others are kept as they are."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        if sum(one.count for one in groups[-1]) + segment.count > SEGMENT_SIZE:
            groups.append([])
        groups[-1].append(segment)
    return [merge_segments(group) if len(group) > 1 else group[0] for group in groups if group]


def _merge_similar(segments: list[Segment]) -> list[Segment]:
    """The last MERGE_FACTOR segments merged, again and again, unless one of them is over half of the result.

    So each time a passage is written again its segment at least doubles: a logarithmic number of times.
    """
    while len(segments) >= MERGE_FACTOR:
        counts = [segment.count for segment in segments[-MERGE_FACTOR:]]
        if sum(counts) < 2 * max(counts):
            break
        segments = [*segments[:-MERGE_FACTOR], merge_segments(segments[-MERGE_FACTOR:])]
    return segments


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

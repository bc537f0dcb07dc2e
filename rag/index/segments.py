"""One immutable segment of the BM25 index: postings of up to 65,536 passages as numpy arrays.

Removing passages gives a segment that shares all arrays but the mask of live passages; merging drops them for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.settings import Bm25Settings

Array = npt.NDArray[Any]

SEGMENT_SIZE = 65_536  # most passages of a segment: a posting stores its passage's row in two bytes


@dataclass(frozen=True, slots=True)
class RemovedPostings:
    """What an index loses with some of its passages, to be subtracted from its statistics."""

    passages: int
    length: int  # their terms, repeats included
    terms: Array  # (m,) int32 ids of the terms they contain
    counts: Array  # (m,) int64, how many of them contain each


@dataclass(frozen=True, slots=True)
class Segment:
    """Inverted index of n passages, t distinct terms and p postings.

    Posting i says that passage `rows[i]` contains its term `frequencies[i]` times.
    """

    ids: Array  # (n,) int64 passage ids, ascending
    lengths: Array  # (n,) uint32, terms of each passage, repeats included
    live: Array  # (n,) bool, False for removed passages
    terms: Array  # (t,) int32 term ids, ascending
    starts: Array  # (t + 1,) int64; the postings of terms[j] are starts[j] to starts[j + 1]
    rows: Array  # (p,) uint16, ascending within a term
    frequencies: Array  # (p,) uint8, wider where a passage repeats a term more often

    @property
    def count(self) -> int:
        """Number of live passages."""
        return int(np.count_nonzero(self.live))

    @property
    def length(self) -> int:
        """Number of terms of the live passages, repeats included."""
        return int(self.lengths[self.live].sum(dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.ids, self.lengths, self.live, self.terms, self.starts, self.rows, self.frequencies)
        return sum(array.nbytes for array in arrays)

    def mask(self, ids: Array) -> Array:
        """(n,) bool: which passages of the segment, live or not, are among `ids` (m,) int64, ascending."""
        found = np.zeros(len(self.ids), bool)
        near = ids[np.searchsorted(ids, self.ids[0]) : np.searchsorted(ids, self.ids[-1], "right")]
        places = np.searchsorted(self.ids, near)
        found[places[self.ids[places] == near]] = True
        return found

    def passages_with(self, term: int) -> Array:
        """Ids of the live passages that contain a term, given by its id."""
        place = int(np.searchsorted(self.terms, term))
        if place == len(self.terms) or self.terms[place] != term:
            return self.ids[:0]
        rows = self.rows[self.starts[place] : self.starts[place + 1]]
        found: Array = self.ids[rows if self.live.all() else rows[self.live[rows]]]
        return found

    def postings_of(self, ids: Array) -> RemovedPostings:
        """What an index would lose with the passages `ids`, ascending."""
        gone = self.mask(ids) & self.live
        if not gone.any():
            return RemovedPostings(0, 0, self.terms[:0], self.starts[:0])
        postings = np.flatnonzero(gone[self.rows])
        places, counts = np.unique(np.searchsorted(self.starts, postings, "right") - 1, return_counts=True)
        length = int(self.lengths[gone].sum(dtype=np.int64))
        return RemovedPostings(int(np.count_nonzero(gone)), length, self.terms[places], counts)

    def without(self, ids: Array) -> Segment:
        """The segment with the passages `ids`, ascending, marked as removed."""
        return replace(self, live=self.live & ~self.mask(ids))

    def scores(self, terms: Array, weights: Array, average_length: float, bm25: Bm25Settings) -> Array:
        """BM25 scores (n,) float64 of all passages, live or not, for term ids (m,) with weights (m,).

        weight * f / (f + k1 * (1 - b + b * length / average_length)), summed in the order of the terms; the factor
        k1 + 1 is left out, as in Lucene. `average_length` is that of all visible passages, in terms.
        """
        # Find the terms that this segment contains.
        places = np.searchsorted(self.terms, terms)
        known = self.terms[np.minimum(places, len(self.terms) - 1)] == terms if len(self.terms) else places < 0
        if not known.any():
            return np.zeros(len(self.ids))
        places = places[known]
        # Gather their postings.
        spans = [slice(*self.starts[place : place + 2]) for place in places]
        rows = np.concatenate([self.rows[span] for span in spans])
        frequencies = np.concatenate([self.frequencies[span] for span in spans]).astype(np.float32)
        weight = np.repeat(weights[known], self.starts[places + 1] - self.starts[places])
        # Score the postings and sum them up by passage.
        norm = (bm25.k1 * (1 - bm25.b + bm25.b * self.lengths / average_length)).astype(np.float32)
        return np.bincount(rows, weight * frequencies / (frequencies + norm[rows]), len(self.ids))


def build_segment(ids: Array, terms: Array, lengths: Array) -> Segment:
    """A segment of n passages, at most SEGMENT_SIZE.

    ids (n,) int64, the ids (m,) int64 of their terms, passage after passage and repeats included, and the number (n,)
    uint32 of terms of each.
    """
    order = np.argsort(ids)
    row = np.empty(len(ids), np.int64)  # of each passage in the segment
    row[order] = np.arange(len(ids))
    keys, frequencies = np.unique(terms * SEGMENT_SIZE + np.repeat(row, lengths), return_counts=True)
    return _from_keys(ids[order], lengths[order], keys, frequencies)


def merge_segments(segments: Sequence[Segment]) -> Segment:
    """One segment of the live passages of all, at most SEGMENT_SIZE."""
    # Order the passages by id: `rank` is the new row of each, counted over the live passages of all segments.
    ids = np.concatenate([segment.ids[segment.live] for segment in segments])
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids))
    # Rewrite the postings of each segment as keys, term * SEGMENT_SIZE + new row, those of live passages alone.
    parts, first = [], 0
    for segment in segments:
        new_rows = rank[first + np.cumsum(segment.live) - 1]  # meaningless for removed passages, which are dropped next
        terms = np.repeat(segment.terms.astype(np.int64), np.diff(segment.starts))
        parts.append((terms * SEGMENT_SIZE + new_rows[segment.rows])[segment.live[segment.rows]])
        first += segment.count
    keys = np.concatenate(parts)
    frequencies = np.concatenate([segment.frequencies[segment.live[segment.rows]] for segment in segments])
    lengths = np.concatenate([segment.lengths[segment.live] for segment in segments])
    # Sort the postings by term, then by row: each part is sorted already, which makes the stable sort fast.
    by_key = np.argsort(keys, kind="stable")
    return _from_keys(ids[order], lengths[order], keys[by_key], frequencies[by_key])


def _from_keys(ids: Array, lengths: Array, keys: Array, frequencies: Array) -> Segment:
    """A segment from its postings as keys, term * SEGMENT_SIZE + row, ascending, with the frequency of each."""
    terms, firsts = np.unique(keys // SEGMENT_SIZE, return_index=True)
    width = np.min_scalar_type(int(frequencies.max(initial=0)))
    return Segment(
        ids=ids,
        lengths=lengths,
        live=np.ones(len(ids), bool),
        terms=terms.astype(np.int32),
        starts=np.append(firsts, len(keys)).astype(np.int64),
        rows=(keys % SEGMENT_SIZE).astype(np.uint16),
        frequencies=frequencies.astype(width),
    )

"""Passages indexed together: which term stands in which of them how often, as numpy arrays.

A segment never changes. Removing gives a new one that shares all arrays but one; merging gives a new one without the
removed passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ROWS = 65_536  # passages a segment may hold: a posting numbers its passage in two bytes
K1, B = 1.5, 0.75  # of BM25: how fast repeats stop to count, how much long passages are held back


@dataclass(frozen=True, slots=True)
class Loss:
    """What removing passages takes from an index."""

    passages: int
    length: int  # their terms in all
    terms: Array  # (m,) numbers of the terms they held
    counts: Array  # (m,) how many of them held each


@dataclass(frozen=True, slots=True)
class Segment:
    """n passages, t different terms, p postings; passage `rows[i]` holds the term of posting i `times[i]` times."""

    ids: Array  # (n,) int64, ascending
    lengths: Array  # (n,) uint32, terms a passage has, repeats included
    alive: Array  # (n,) bool
    terms: Array  # (t,) int32, ascending numbers of a vocabulary
    starts: Array  # (t + 1,) int64; the postings of terms[j] begin at starts[j], those of the next one follow
    rows: Array  # (p,) uint16, ascending within a term
    times: Array  # (p,) uint8, wider where a passage repeats a term more often

    @property
    def count(self) -> int:
        """Passages not removed."""
        return int(np.count_nonzero(self.alive))

    @property
    def length(self) -> int:
        """Terms of the passages not removed, repeats included."""
        return int(self.lengths[self.alive].sum(dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.ids, self.lengths, self.alive, self.terms, self.starts, self.rows, self.times)
        return sum(array.nbytes for array in arrays)

    def among(self, ids: Array) -> Array:
        """Which of the segment's passages are among `ids` (m,) int64, ascending: (n,) bool."""
        found = np.zeros(len(self.ids), bool)
        near = ids[np.searchsorted(ids, self.ids[0]) : np.searchsorted(ids, self.ids[-1], "right")]
        places = np.searchsorted(self.ids, near)
        found[places[self.ids[places] == near]] = True
        return found

    def passages_with(self, number: int) -> Array:
        """Ids of the passages, not removed, that hold the term of this number."""
        place = int(np.searchsorted(self.terms, number))
        if place == len(self.terms) or self.terms[place] != number:
            return self.ids[:0]
        rows = self.rows[self.starts[place] : self.starts[place + 1]]
        found: Array = self.ids[rows if self.alive.all() else rows[self.alive[rows]]]
        return found

    def loss(self, ids: Array) -> Loss:
        """What removing the passages `ids`, ascending, takes."""
        gone = self.among(ids) & self.alive
        if not gone.any():
            return Loss(0, 0, self.terms[:0], self.starts[:0])
        postings = np.flatnonzero(gone[self.rows])
        places, counts = np.unique(np.searchsorted(self.starts, postings, "right") - 1, return_counts=True)
        length = int(self.lengths[gone].sum(dtype=np.int64))
        return Loss(int(np.count_nonzero(gone)), length, self.terms[places], counts)

    def without(self, ids: Array) -> Segment:
        """The segment with the passages `ids`, ascending, marked as removed."""
        return replace(self, alive=self.alive & ~self.among(ids))

    def scores(self, numbers: Array, weights: Array, average: float) -> Array:
        """BM25 of every passage, (n,) float64, for terms `numbers` (m,) that weigh `weights` (m,) float32.

        `average` is the mean length of all passages there are, in terms.
        """
        places = np.searchsorted(self.terms, numbers)
        held = self.terms[np.minimum(places, len(self.terms) - 1)] == numbers if len(self.terms) else places < 0
        if not held.any():
            return np.zeros(len(self.ids))
        places = places[held]
        spans = [slice(*self.starts[place : place + 2]) for place in places]
        rows = np.concatenate([self.rows[span] for span in spans])
        times = np.concatenate([self.times[span] for span in spans]).astype(np.float32)
        weight = np.repeat(weights[held], self.starts[places + 1] - self.starts[places])
        damping = (K1 * (1 - B + B * self.lengths / average)).astype(np.float32)
        return np.bincount(rows, weight * times / (times + damping[rows]), len(self.ids))


def segment_of(ids: Sequence[int], passages: Sequence[Sequence[int]]) -> Segment:
    """A segment of at most ROWS passages, each given as the numbers of its terms in order."""
    order = np.argsort(np.asarray(ids, np.int64))
    lengths = np.fromiter((len(passages[place]) for place in order), np.uint32, len(order))
    numbers = np.fromiter((number for place in order for number in passages[place]), np.int64, int(lengths.sum()))
    keys, times = np.unique(numbers * ROWS + np.repeat(np.arange(len(order)), lengths), return_counts=True)
    return _segment(np.asarray(ids, np.int64)[order], lengths, keys, times)


def merged(segments: Sequence[Segment]) -> Segment:
    """The passages of all segments that are not removed, at most ROWS, in one."""
    ids = np.concatenate([segment.ids[segment.alive] for segment in segments])
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids))
    keys, first = [], 0
    for segment in segments:
        row = rank[first + np.cumsum(segment.alive) - 1]  # of removed passages too, dropped below
        posted = np.repeat(segment.terms.astype(np.int64), np.diff(segment.starts)) * ROWS + row[segment.rows]
        keys.append(posted[segment.alive[segment.rows]])
        first += segment.count
    key = np.concatenate(keys)
    times = np.concatenate([segment.times[segment.alive[segment.rows]] for segment in segments])
    lengths = np.concatenate([segment.lengths[segment.alive] for segment in segments])
    sequence = np.argsort(key, kind="stable")  # the parts are sorted already, which the stable sort makes use of
    return _segment(ids[order], lengths[order], key[sequence], times[sequence])


def _segment(ids: Array, lengths: Array, keys: Array, times: Array) -> Segment:
    """From postings as ascending keys, term * ROWS + row, and how often each occurs."""
    terms, firsts = np.unique(keys // ROWS, return_index=True)
    width = np.min_scalar_type(int(times.max(initial=0)))
    return Segment(
        ids=ids,
        lengths=lengths,
        alive=np.ones(len(ids), bool),
        terms=terms.astype(np.int32),
        starts=np.append(firsts, len(keys)).astype(np.int64),
        rows=(keys % ROWS).astype(np.uint16),
        times=times.astype(width),
    )

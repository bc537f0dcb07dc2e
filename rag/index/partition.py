"""The part of the BM25 index that holds one owner's passages: segments, and how many passages contain each term.

Immutable: a change gives a new partition, so that a search works on the one of the moment it began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rag.index.segments import SEGMENT_SIZE, Array, Segment, merge_segments

MERGE_FACTOR = 8  # open segments of like size that are merged into one


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How many passages contain each of t terms: 8 bytes a term."""

    terms: Array  # (t,) int32 term ids, ascending
    counts: Array  # (t,) int32

    def of(self, terms: Array) -> Array:
        """The counts (m,) int64 of term ids (m,); 0 for those that no passage contains."""
        if not len(self.terms):
            return np.zeros(len(terms), np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        return np.where(self.terms[places] == terms, self.counts[places], 0).astype(np.int64)

    def plus(self, terms: Array, counts: Array) -> TermCounts:
        """With `counts` (m,) added for term ids (m,), ascending; what becomes 0 is dropped."""
        places = np.searchsorted(self.terms, terms)
        known = np.zeros(len(terms), bool)
        within = places < len(self.terms)
        known[within] = self.terms[places[within]] == terms[within]
        changed = self.counts.copy()
        changed[places[known]] += counts[known].astype(np.int32)
        new = ~known
        made = np.insert(self.terms, places[new], terms[new]), np.insert(changed, places[new], counts[new])
        if not np.any(counts < 0):
            return TermCounts(*made)
        return TermCounts(made[0][made[1] > 0], made[1][made[1] > 0])


NO_COUNTS = TermCounts(np.zeros(0, np.int32), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Partition:
    """One owner's passages.

    `full` segments grow no more; the `still_open` ones hold at most SEGMENT_SIZE passages together.
    """

    full: tuple[Segment, ...] = ()
    still_open: tuple[Segment, ...] = ()
    frequencies: TermCounts = NO_COUNTS  # of the live passages
    count: int = 0  # live passages
    length: int = 0  # their terms, repeats included

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments."""
        return self.full + self.still_open

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        own = self.frequencies.terms.nbytes + self.frequencies.counts.nbytes
        return own + sum(segment.nbytes for segment in self.segments)

    def with_segment(self, new: Segment) -> Partition:
        """The partition with the passages of one more segment."""
        full, still_open = self.full, self.still_open
        if sum(segment.count for segment in still_open) + new.count > SEGMENT_SIZE:
            full, still_open = _merge_neighbours(full + still_open), ()
        return Partition(
            full,
            _merge_similar((*still_open, new)),
            self.frequencies.plus(new.terms, np.diff(new.starts)),
            self.count + new.count,
            self.length + new.length,
        )

    def without(self, ids: Array) -> Partition:
        """The partition without the passages `ids`, ascending; a segment is compacted once half of it is removed."""
        frequencies, count, length = self.frequencies, self.count, self.length
        for segment in self.segments:
            gone = segment.postings_of(ids)
            frequencies = frequencies.plus(gone.terms, -gone.counts) if gone.passages else frequencies
            count, length = count - gone.passages, length - gone.length
        kept = [tuple(_drop_passages(segment, ids) for segment in some) for some in (self.full, self.still_open)]
        full, still_open = (tuple(segment for segment in some if segment.count) for some in kept)
        return replace(self, full=full, still_open=still_open, frequencies=frequencies, count=count, length=length)


def _drop_passages(segment: Segment, ids: Array) -> Segment:
    kept = segment.without(ids)
    if kept.count == segment.count:
        return segment
    return merge_segments([kept]) if 0 < 2 * kept.count < len(kept.ids) else kept


def _merge_neighbours(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Runs of neighbours that fit into one segment merged; others are kept as they are."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        if sum(one.count for one in groups[-1]) + segment.count > SEGMENT_SIZE:
            groups.append([])
        groups[-1].append(segment)
    return tuple(merge_segments(group) if len(group) > 1 else group[0] for group in groups if group)


def _merge_similar(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """The last MERGE_FACTOR segments merged, again and again, unless one of them is over half of the result.

    So each time a passage is written again its segment at least doubles: a logarithmic number of times.
    """
    while len(segments) >= MERGE_FACTOR:
        counts = [segment.count for segment in segments[-MERGE_FACTOR:]]
        if sum(counts) < 2 * max(counts):
            break
        segments = (*segments[:-MERGE_FACTOR], merge_segments(segments[-MERGE_FACTOR:]))
    return segments

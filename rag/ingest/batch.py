"""Overall progress of the files that a person is adding; a batch begins when a file is queued and no other is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rag.records import Job, JobState

UNFINISHED = (JobState.WAITING, JobState.READING, JobState.EMBEDDING)
READING_SHARE = 0.1  # of the time that a file takes; the rest is for embedding
MIN_SECONDS, MIN_SHARE = 2.0, 0.01  # time and share of the work after which the time left is estimated


@dataclass(frozen=True, slots=True)
class Adding:
    """Overall progress of the files that a person is adding."""

    done: int  # files, failed ones included
    total: int
    share: float  # of the work that is done, 0 to 1
    seconds_left: float | None  # None while unknown


@dataclass
class _Batch:
    began: float  # seconds, as the clock tells
    sizes: dict[int, int] = field(default_factory=dict)  # bytes of each job's file, by job id


class Batches:
    """The current batch of each person. Not thread-safe: `rag.ingest.jobs` calls it under its lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._batches: dict[str, _Batch] = {}

    def add(self, job: Job, size: int, jobs: Iterable[Job]) -> None:
        """Add a job with a file of `size` bytes to its person's batch; `jobs` are those there were before."""
        batch = self._batches.get(job.person)
        if batch is None or not any(one.id in batch.sizes and one.state in UNFINISHED for one in jobs):
            batch = self._batches[job.person] = _Batch(self._clock())
        batch.sizes[job.id] = size

    def drop(self, job: Job) -> None:
        """Leave out a job that was cancelled or dismissed."""
        if batch := self._batches.get(job.person):
            batch.sizes.pop(job.id, None)

    def progress(self, person: str, jobs: Iterable[Job]) -> Adding | None:
        """Progress of a person's batch; `jobs` are those that still exist. None if there is nothing left to do."""
        batch = self._batches.get(person)
        if batch is None:
            return None
        left = [job for job in jobs if job.id in batch.sizes and job.state in UNFINISHED]
        if not left:
            return None
        total = sum(batch.sizes.values())
        to_do = sum(batch.sizes[job.id] * (1 - _share_done(job)) for job in left)
        seconds, done = self._clock() - batch.began, 1 - to_do / max(total, 1)
        known = seconds >= MIN_SECONDS and done >= MIN_SHARE
        seconds_left = seconds * (1 - done) / done if known else None
        return Adding(len(batch.sizes) - len(left), len(batch.sizes), done, seconds_left)


def _share_done(job: Job) -> float:
    """How much of the work on a file is done, from 0 to 1."""
    read = min(job.pages_read / job.pages, 1.0) if job.pages else 0.0
    embedded = min(job.passages_embedded / job.passages, 1.0) if job.passages else 0.0
    return READING_SHARE * read + (1 - READING_SHARE) * embedded

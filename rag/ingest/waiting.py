"""Files that wait to be added: whose is next, and each person's overall progress.

A batch starts when a person queues a file while none of theirs is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rag.records import Job, JobState, LoadedDocument

UNFINISHED = (JobState.WAITING, JobState.READING, JobState.EMBEDDING)
READING_SHARE = 0.1  # share of the time for a file; the rest is for embedding
MIN_SECONDS, MIN_SHARE = 2.0, 0.01  # time, and share of the work, after which the time left is estimated


@dataclass(frozen=True, slots=True)
class Adding:
    """Overall progress of the files that a person is adding."""

    done: int  # files, including failed ones
    total: int
    share: float  # share of the work that is done, 0 to 1
    seconds_left: float | None  # None while unknown


@dataclass
class _Batch:
    began: float  # seconds, as the clock tells
    sizes: dict[int, int] = field(default_factory=dict)  # size of each job's file in bytes, by job id


class Batches:
    """The current batch of each person. Not thread-safe: `rag.ingest.jobs` calls it under its lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._batches: dict[str, _Batch] = {}

    def add(self, job: Job, size: int, jobs: Iterable[Job]) -> None:
        """Add a job with a file of `size` bytes to its person's batch. `jobs`: those that existed before."""
        batch = self._batches.get(job.person)
        if batch is None or not any(one.id in batch.sizes and one.state in UNFINISHED for one in jobs):
            batch = self._batches[job.person] = _Batch(self._clock())
        batch.sizes[job.id] = size

    def drop(self, job: Job) -> None:
        """Leave out a job that was cancelled or dismissed."""
        if batch := self._batches.get(job.person):
            batch.sizes.pop(job.id, None)

    def progress(self, person: str, jobs: Iterable[Job]) -> Adding | None:
        """Progress of a person's batch; None if nothing is left to do. `jobs`: those that still exist."""
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
    """How much of the work on a file is done, 0 to 1."""
    read = min(job.pages_read / job.pages, 1.0) if job.pages else 0.0
    embedded = min(job.passages_embedded / job.passages, 1.0) if job.passages else 0.0
    return READING_SHARE * read + (1 - READING_SHARE) * embedded


# ---- which file is next: people take turns, each with their smallest file first


SMALL_BYTES = 1_000_000  # bytes of a file that need not wait for larger ones


@dataclass
class ActiveJob:
    """A job, with what is known about it while the program runs."""

    job: Job
    size: int  # of the file, in bytes
    password: str | None = None  # never stored
    stop: threading.Event = field(default_factory=threading.Event)
    loaded: LoadedDocument | None = None  # set if OCR has already read it
    taken: bool = False  # whether a thread is working on it

    @property
    def waits(self) -> bool:
        """Whether a thread may take it."""
        return not self.taken and (self.job.state == JobState.WAITING or self.loaded is not None)


class Order:
    """Chooses the next job. Not thread-safe: `rag.ingest.jobs` calls it under its lock."""

    def __init__(self, most_of_one: int) -> None:
        """`most_of_one`: files of one person added at the same time, not counting small ones."""
        self._most_of_one = most_of_one
        self._turns = 0
        self._served: dict[str, int] = {}  # each person's last turn

    def take(self, jobs: Iterable[ActiveJob], largest: int | None) -> ActiveJob | None:
        """Take the smallest file of the person with the fewest in progress, then of whoever was served longest ago.

        `largest`: bytes above which a file is left to others; None for any size.
        """
        jobs = list(jobs)
        making = [one.job.person for one in jobs if one.taken]

        def turn(one: ActiveJob) -> tuple[int, int, int, int]:
            person = one.job.person
            return making.count(person), self._served.get(person, 0), one.size, one.job.id

        def allowed(one: ActiveJob) -> bool:
            return making.count(one.job.person) < self._most_of_one if largest is None else one.size <= largest

        chosen = min((one for one in jobs if one.waits and allowed(one)), key=turn, default=None)
        if chosen is not None:
            chosen.taken = True
            self._turns += 1
            self._served[chosen.job.person] = self._turns
        return chosen

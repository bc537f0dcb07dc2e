"""Which file is added next: people take turns, each with its smallest file first."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from rag.records import Job, JobState, LoadedDocument

SMALL_BYTES = 1_000_000  # of a file up to which it need not wait for larger ones


@dataclass
class ActiveJob:
    """A job, with what is known about it while the program runs."""

    job: Job
    size: int  # of the file, in bytes
    password: str | None = None  # never stored
    stop: threading.Event = field(default_factory=threading.Event)
    loaded: LoadedDocument | None = None  # where it has been read already, by OCR
    taken: bool = False  # whether a thread works on it

    @property
    def waits(self) -> bool:
        """Whether a thread may take it."""
        return not self.taken and (self.job.state == JobState.WAITING or self.loaded is not None)


class Order:
    """Chooses the next job. Not thread-safe: `rag.ingest.jobs` calls it under its lock."""

    def __init__(self, most_of_one: int) -> None:
        """`most_of_one`: files of one person that are added at the same time, small ones apart."""
        self._most_of_one = most_of_one
        self._turns = 0
        self._served: dict[str, int] = {}  # the last turn of each person

    def take(self, jobs: Iterable[ActiveJob], largest: int | None) -> ActiveJob | None:
        """Take the smallest file of the person with the fewest in progress and, of several, served longest ago.

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

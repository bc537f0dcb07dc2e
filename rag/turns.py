"""Whose question is answered next: a few at a time, with people taking turns; the others wait and are told their place.

Answers are made in a fixed number of threads, no matter who reads their events and how slowly.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from rag.bugs import error_kept
from rag.errors import Stopped, TooManyWaiting
from rag.records import Event, Waiting
from rag.settings import Limits

CLOSE_SECONDS = 5.0  # for the last answers at the end; a reader may be slow to notice
STOP_SECONDS = 0.5  # a waiting question that is stopped is dropped after at most this time
PLACE_SECONDS = 2.0  # between two places told to a question, since the page is redrawn for each


@dataclass(frozen=True, slots=True)
class _Ended:
    """The end of the events; `error` says what went wrong, if anything did."""

    error: Exception | None = None


@dataclass(eq=False)
class _Question:
    person: str
    work: Callable[[], Iterator[Event]]
    stop: threading.Event
    events: queue.SimpleQueue[Event | _Ended] = field(default_factory=queue.SimpleQueue)
    place: int = 0  # the place last put into `events`


class Turns:
    """The queue of questions. Thread-safe."""

    def __init__(self, at_once: Callable[[], int], limits: Limits, *, place_seconds: float = PLACE_SECONDS) -> None:
        """`at_once`: number of answers made at the same time; it may change."""
        self._at_once, self._limits, self._place_seconds = at_once, limits, place_seconds
        self._condition = threading.Condition()
        self._waiting: dict[str, list[_Question]] = {}  # by person; those served most recently come last
        self._running: list[_Question] = []
        self._threads: list[threading.Thread] = []
        self._entered = 0  # questions so far
        self._spare = 0  # tasks running in spare time
        self._closing = False

    @property
    def counts(self) -> tuple[int, int]:
        """How many questions are being answered, and how many are waiting."""
        with self._condition:
            return len(self._running), self._count_waiting()

    def people_with(self, person: str) -> int:
        """How many people would have an open question if this person asked one."""
        with self._condition:
            return len({person, *self._waiting, *(one.person for one in self._running)})

    def quiet_since(self) -> int | None:
        """A number that changes with each question; None while any is being answered or waiting."""
        with self._condition:
            return None if self._running or self._waiting or self._closing else self._entered

    def events(self, person: str, work: Callable[[], Iterator[Event]], stop: threading.Event) -> Iterator[Event]:
        """The events of `work`, preceded by its places in the queue if it has to wait.

        Ends early once `stop` is set; closing the iterator sets it. Raises TooManyWaiting, and what `work` raises.
        """
        question = _Question(person, work, stop)
        self._enter(question)
        try:
            for event in self._paced(question):
                if stop.is_set() and self._withdraw(question):
                    return
                if isinstance(event, _Ended):
                    if event.error is not None:
                        raise event.error
                    return
                if event is not None:
                    yield event
        except GeneratorExit:  # nobody wants the rest; if it ended by itself, `stop` is left to the next question
            stop.set()
            raise
        finally:
            self._withdraw(question)

    def _paced(self, question: _Question) -> Iterator[Event | _Ended | None]:
        """The events of a question, without end; None after STOP_SECONDS without any.

        If places change quickly, only the newest is passed on, every `place_seconds`.
        """
        place, told = None, -math.inf
        while True:
            try:
                event: Event | _Ended | None = question.events.get(timeout=STOP_SECONDS)
            except queue.Empty:
                event = None
            if isinstance(event, Waiting):
                place, event = event, None
            elif event is not None:  # it is being answered
                place = None
            if place is not None and time.monotonic() - told >= self._place_seconds:
                place, event, told = None, place, time.monotonic()
            yield event

    @contextmanager
    def spare_time(self, stop: threading.Event) -> Iterator[Callable[[], bool]]:
        """For optional work: yields a function that tells whether to continue, to be called before each step.

        It says no if another question could not be started at once, once a question is asked, or once `stop` is set.
        """
        with self._condition:
            busy = len(self._running) + self._count_waiting() + self._spare >= self._at_once()
            entered = None if busy else self._entered
            self._spare += 1

        def may_go_on() -> bool:
            return self._entered == entered and not stop.is_set() and not self._closing

        try:
            yield may_go_on
        finally:
            with self._condition:
                self._spare -= 1

    def close(self) -> None:
        """Stop all answers and refuse new ones."""
        with self._condition:
            self._closing = True
            for question in [*self._running, *(one for own in self._waiting.values() for one in own)]:
                question.stop.set()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)

    # ---- the queue; everything here runs under the lock

    def _enter(self, question: _Question) -> None:
        """Queue a question. Raises TooManyWaiting."""
        limits, person = self._limits, question.person
        with self._condition:
            own = self._waiting.get(person, [])
            if len(own) >= limits.own_waiting_questions:
                raise TooManyWaiting(
                    "{count} of your questions are already waiting: ask again when some of them are answered.",
                    count=len(own),
                )
            if self._closing or self._count_waiting() >= limits.waiting_questions:
                raise TooManyWaiting(
                    "The server is busy, {count} questions are waiting: ask again in a moment.",
                    count=self._count_waiting(),
                )
            self._entered += 1
            self._waiting.setdefault(person, []).append(question)
            while len(self._threads) < min(self._at_once(), len(self._running) + self._count_waiting()):
                thread = threading.Thread(target=self._work, name="answering", daemon=True)
                thread.start()
                self._threads.append(thread)
            if self._must_wait(person):
                self._tell_places()
            self._condition.notify()

    def _withdraw(self, question: _Question) -> bool:
        """Take a question out of the queue; False if it is not waiting."""
        with self._condition:
            own = self._waiting.get(question.person, [])
            if question not in own:
                return False
            self._remove(question)
            self._tell_places()
            return True

    def _remove(self, question: _Question) -> None:
        own = self._waiting[question.person]
        own.remove(question)
        if not own:
            del self._waiting[question.person]

    def _count_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _share_left(self, person: str) -> int:
        """How many more answers a person may have at the same time: one thread stays free for others."""
        return max(1, self._at_once() - 1) - sum(one.person == person for one in self._running)

    def _must_wait(self, person: str) -> bool:
        """Whether a person's newest question cannot be started at once."""
        begun = {one: min(len(own), self._share_left(one)) for one, own in self._waiting.items()}
        no_room = len(self._running) + sum(begun.values()) > self._at_once()
        return no_room or begun[person] < len(self._waiting[person])

    def _next(self) -> _Question | None:
        """The next question: of the person with the fewest running answers, then of whoever was served longest ago."""
        if len(self._running) >= self._at_once():
            return None
        running = [one.person for one in self._running]
        able = [person for person in self._waiting if self._share_left(person) > 0]
        if not able:
            return None
        person = min(able, key=running.count)
        question = self._waiting[person][0]
        self._remove(question)
        if person in self._waiting:
            self._waiting[person] = self._waiting.pop(person)  # to the end
        self._running.append(question)
        return question

    def _tell_places(self) -> None:
        """Tell questions whose place has changed: everybody's first question comes before anybody's second."""
        rounds = chain.from_iterable(zip_longest(*self._waiting.values()))
        for place, question in enumerate(filter(None, rounds), 1):
            if question.place != place:
                question.place = place
                question.events.put(Waiting(place))

    # ---- the threads

    def _work(self) -> None:
        while (question := self._take()) is not None:
            with error_kept() as kept, suppress(Stopped):
                for event in question.work() if not question.stop.is_set() else ():
                    question.events.put(event)
            with self._condition:
                self._running.remove(question)
                self._condition.notify_all()
            question.events.put(_Ended(kept.error))  # it is raised again where the events are taken

    def _take(self) -> _Question | None:
        """Wait for the next question; None when closing."""
        with self._condition:
            while not self._closing:
                if question := self._next():
                    self._tell_places()
                    return question
                self._condition.wait()
        return None

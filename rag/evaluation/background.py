"""Work of the Evaluate view in the background: one task per owner, one after another; each can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rag.bugs import bugs_become
from rag.errors import AskError, Stopped
from rag.messages import Message

PROGRESS_SECONDS: Final = 0.5  # between two reports of progress
STOP_POLL_SECONDS: Final = 0.2  # how often a waiting task checks whether it was stopped


class WorkKind(StrEnum):
    """What is being done."""

    RUN = "run"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an owner's task has got, or why the last one failed."""

    done: int  # questions
    total: int
    running: bool
    problem: Message | str = ""  # why it failed, one sentence
    kind: WorkKind = WorkKind.RUN


@dataclass
class Work:
    """A task in progress, or the last one if it failed."""

    kind: WorkKind
    total: int  # questions
    changed: Callable[[], None]
    done: int = 0
    running: bool = True
    problem: Message | str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    _shown: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        """Report that one more question is done."""
        self.done += 1
        if time.monotonic() - self._shown > PROGRESS_SECONDS:
            self._shown = time.monotonic()
            self.changed()


class Background:
    """The tasks of all owners. Thread-safe."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one task at a time, so that none slows down another
        self._work: dict[str, Work] = {}
        self._threads: list[threading.Thread] = []

    def close(self) -> None:
        """Stop all tasks and wait until they have ended."""
        with self._lock:
            for work in self._work.values():
                work.stop.set()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def progress(self, owner: str) -> Progress | None:
        """Progress of the owner's task; None if none was started, or the last one succeeded."""
        with self._lock:
            work = self._work.get(owner)
            return Progress(work.done, work.total, work.running, work.problem, work.kind) if work else None

    def start(self, owner: str, kind: WorkKind, total: int, job: Callable[[Work], None]) -> bool:
        """Start a task; False if this owner already has one in progress."""
        with self._lock:
            if (before := self._work.get(owner)) and before.running:
                return False
            work = self._work[owner] = Work(kind, total, self._changed)
            thread = threading.Thread(target=self._do, args=(owner, work, job), name="evaluation", daemon=True)
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()
        self._changed()
        return True

    def stop(self, owner: str) -> None:
        """Stop the owner's task."""
        with self._lock:
            if work := self._work.get(owner):
                work.stop.set()

    def _do(self, owner: str, work: Work, job: Callable[[Work], None]) -> None:
        bug = AskError("The run ended because of an error in the program; see the log.")
        try:
            with bugs_become(bug), self._alone(work):
                if not work.stop.is_set():
                    job(work)
        except Stopped:
            pass
        except AskError as exc:
            work.problem = exc.message
        finally:
            with self._lock:
                work.running = False
                if not work.problem:
                    del self._work[owner]
            self._changed()

    @contextmanager
    def _alone(self, work: Work) -> Iterator[None]:
        """Wait until no other task is in progress, or this one is stopped."""
        mine = False
        while not mine and not work.stop.is_set():
            mine = self._turn.acquire(timeout=STOP_POLL_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._turn.release()

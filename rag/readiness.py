"""Whether the library is open. Tells it to those who wait for it, and to a monitor without waiting."""

from __future__ import annotations

import threading
from enum import StrEnum

from rag.errors import AskError


class State(StrEnum):
    """Whether questions can be answered."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class Readiness:
    """Loading until `end` is called. Thread-safe."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._failure: AskError | None = None

    @property
    def state(self) -> State:
        """The state, without waiting."""
        if not self._ended.is_set():
            return State.LOADING
        return State.FAILED if self._failure else State.READY

    def fail(self, error: AskError) -> None:
        """Record why questions can never be answered; must be followed by `end`."""
        self._failure = error

    def end(self) -> None:
        """Loading has ended."""
        self._ended.set()

    def wait(self) -> None:
        """Wait until questions can be answered. Raises the AskError that prevents it for good."""
        self._ended.wait()
        if self._failure:
            raise self._failure

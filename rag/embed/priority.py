"""A lock with two priorities, so that a question's vector is not kept waiting by passages being embedded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PriorityLock:
    """A lock that `high` gets before all who wait with `low`; within a priority, first come, first served."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._taken = False
        self._waiting: list[tuple[int, int]] = []  # (0 for high or 1 for low, order of arrival)
        self._arrivals = 0

    @contextmanager
    def high(self) -> Iterator[None]:
        """Hold the lock, ahead of those who wait with `low`."""
        yield from self._held(0)

    @contextmanager
    def low(self) -> Iterator[None]:
        """Hold the lock, after those who wait with `high`."""
        yield from self._held(1)

    def _held(self, priority: int) -> Iterator[None]:
        with self._condition:
            self._arrivals += 1
            ticket = (priority, self._arrivals)
            self._waiting.append(ticket)
            self._condition.wait_for(lambda: not self._taken and ticket == min(self._waiting))
            self._waiting.remove(ticket)
            self._taken = True
        try:
            yield
        finally:
            with self._condition:
                self._taken = False
                self._condition.notify_all()

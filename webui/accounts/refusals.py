"""Logs refused logins, a few a minute: whoever tries passwords by the thousand must not fill the disk with lines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

LINES: Final = 30  # in a period; further ones are counted
SECONDS: Final = 60.0  # of a period


class RefusalLog:
    """Writes warnings to a logger. Thread-safe."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._clock = logger, clock
        self._began, self._written, self._left_out = clock(), 0, 0
        self._lock = threading.Lock()

    def warn(self, text: str, *values: object) -> None:
        """Write a line, or only count it; the count is written with the next line of a later period."""
        with self._lock:
            if self._clock() - self._began >= SECONDS:
                left_out, self._began, self._written, self._left_out = self._left_out, self._clock(), 0, 0
                if left_out:
                    self._logger.warning("%d more refused logins were not logged one by one", left_out)
            self._written += 1
            if self._written > LINES:
                self._left_out += 1
                return
        self._logger.warning(text, *values)

"""Slows down password guessing: delays further attempts, and limits how many lines they cause in the log.

Delays apply per user name and per address, and double with each further wrong password.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FREE: Final = {"name": 3, "address": 10}  # wrong passwords before any delay; many people may share an address
MAX_DELAY: Final = 300.0  # seconds
FORGOTTEN_AFTER: Final = 3_600.0  # seconds after the last wrong password
LINES: Final = 30  # about refused logins per period; the rest are only counted
LINES_SECONDS: Final = 60.0  # length of a period
MAX_KEYS: Final = 20_000  # names and addresses remembered; the least recently used are forgotten

_Key = tuple[str, str]  # kind, and the name or address


@dataclass(slots=True)
class _Failures:
    """Wrong passwords of one name or address."""

    count: int
    last: float  # when the last one was tried


class Brake:
    """Counts wrong passwords and makes people wait. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str, address: str) -> int:
        """Seconds to wait before a password may be tried; 0 if it may be tried now.

        The attempt counts as wrong until `succeeded` is called, so a hundred attempts at the same time cannot all get
        through.
        """
        keys, now = _keys(name, address), self._clock()
        with self._lock:
            if wait := max(self._wait(key, now) for key in keys):
                return math.ceil(wait)
            for key in keys:
                self._count(key, now)
        return 0

    def succeeded(self, name: str, address: str) -> None:
        """The password was right: the name starts afresh, and the attempt does not count against the address."""
        with self._lock:
            for key in _keys(name, address):
                failures = self._failures.get(key)
                if failures is None:
                    continue
                failures.count -= 1
                if key[0] == "name" or failures.count <= 0:
                    del self._failures[key]

    def _wait(self, key: _Key, now: float) -> float:
        failures = self._failures.get(key)
        over = failures.count - FREE[key[0]] if failures else -1
        if failures is None or over < 0:
            return 0.0
        delay = min(2.0 ** min(over, 30), MAX_DELAY)
        return max(failures.last + delay - now, 0.0)

    def _count(self, key: _Key, now: float) -> None:
        failures = self._failures.pop(key, None)
        if failures is None or now - failures.last > FORGOTTEN_AFTER:
            failures = _Failures(0, now)
        self._failures[key] = _Failures(failures.count + 1, now)
        while len(self._failures) > MAX_KEYS:
            self._failures.popitem(last=False)


def _keys(name: str, address: str) -> tuple[_Key, _Key]:
    return ("name", name[:200]), ("address", address)


class RefusalLog:
    """Logs refused logins, at most a few lines a minute. Thread-safe."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._clock = logger, clock
        self._began, self._written, self._left_out = clock(), 0, 0
        self._lock = threading.Lock()

    def warn(self, text: str, *values: object) -> None:
        """Log a line, or only count it; the next line that is logged in a later period tells the count."""
        with self._lock:
            if self._clock() - self._began >= LINES_SECONDS:
                left_out, self._began, self._written, self._left_out = self._left_out, self._clock(), 0, 0
                if left_out:
                    self._logger.warning("%d more refused logins were not logged one by one", left_out)
            self._written += 1
            if self._written > LINES:
                self._left_out += 1
                return
        self._logger.warning(text, *values)

"""How soon an open page is sent what has changed for everybody, such as a file that is being added.

The more pages are open, the later, so that drawing them all never takes the server's time from those who ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

DRAWINGS: Final = 10  # a second, of all pages together
OPEN_SECONDS: Final = 5.0  # after it was heard of last, a page counts as open
COUNT_SECONDS: Final = 1.0  # between two counts of the open pages


class Pace:
    """Decides when a page is due for an update. Thread-safe, as counting twice does no harm."""

    def __init__(self, count_open: Callable[[float], int], poll_seconds: float) -> None:
        """`count_open`: pages heard of within so many seconds; each of them polls every `poll_seconds`."""
        self._count_open, self._poll_seconds = count_open, poll_seconds
        self._counted_at, self._seconds = -COUNT_SECONDS, 0.0

    def is_due(self, drawn_at: float) -> bool:
        """Whether a page that was sent such changes at a time of `time.monotonic` may be sent further ones."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            self._counted_at = now
            self._seconds = self._count_open(OPEN_SECONDS) / DRAWINGS - self._poll_seconds
        return now - drawn_at >= self._seconds

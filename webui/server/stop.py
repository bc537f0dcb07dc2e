"""Ending the program: at the first signal once answers in flight are finished, at the second one at once."""

from __future__ import annotations

import logging
import os
import signal
from queue import SimpleQueue
from types import FrameType
from typing import Final

from webui.server.traffic import Traffic

logger = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 30  # for answers in flight


class StopSignals:
    """SIGINT and SIGTERM. The kernel ends the processes that read PDFs together with this one."""

    def __init__(self) -> None:
        """Takes over both signals; to be called from the main thread."""
        self._first: SimpleQueue[int] = SimpleQueue()  # may be used in a signal handler, unlike threading.Event
        self._stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._stopping:
            os._exit(128 + number)  # the database is whole at any moment
        self._stopping = True
        self._first.put(number)

    def wait(self) -> None:
        """Wait for the first signal."""
        self._first.get()


def leave_at_once() -> None:
    """End the process without waiting for its threads."""
    logging.shutdown()
    os._exit(0)


def drain(traffic: Traffic) -> bool:
    """Refuse new questions and files, and let the rest finish; returns whether it did in time."""
    traffic.stop()
    logger.info("Stopping: answers in flight have %g s; a second signal ends the program at once", DRAIN_SECONDS)
    left = traffic.drain(DRAIN_SECONDS)
    if left:
        logger.warning("%d answers or uploads were not finished in %g s", left, DRAIN_SECONDS)
    return not left

"""Counts requests for monitoring, and lets those in flight finish before the program ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter as Counted
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from queue import SimpleQueue
from types import FrameType
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

logger = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 30  # for answers in flight when the program ends
QUIET_SECONDS: Final = 1.0  # without any work before none is expected: a page opens its stream after asking
_STEP: Final = 0.05  # seconds between checks
_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Kind(StrEnum):
    """What a request is for."""

    QUESTION = "question"
    ANSWER = "answer"  # the stream on which a page gets its answers
    UPLOAD = "upload"
    EVENT = "event"  # something done on the page, and its polling
    VIEWER = "viewer"
    HEALTH = "health"
    HEARTBEAT = "heartbeat"  # open for as long as a page is
    OTHER = "other"


_WORK: Final = (Kind.QUESTION, Kind.ANSWER, Kind.UPLOAD)
_NEW: Final = (Kind.QUESTION, Kind.UPLOAD)
_OPEN_LONG: Final = (Kind.ANSWER, Kind.HEARTBEAT)  # how long they stay open says nothing about the server
_QUESTIONS: Final = ("/gradio_api/queue/join", "/api/ask", "/api/search", "/v1/chat/completions", "/mcp")
_PREFIXES: Final = (
    ("/gradio_api/queue/data", Kind.ANSWER),
    ("/gradio_api/heartbeat/", Kind.HEARTBEAT),
    ("/gradio_api/run/", Kind.EVENT),
    ("/document/", Kind.VIEWER),
)


def kind_of(method: str, path: str) -> Kind:
    """The kind of a request."""
    if path == "/health":
        return Kind.HEALTH
    if method == "POST" and path in _QUESTIONS:
        return Kind.QUESTION
    if method == "POST" and path in ("/library/add", "/api/documents"):
        return Kind.UPLOAD
    return next((kind for prefix, kind in _PREFIXES if path.startswith(prefix)), Kind.OTHER)


class Traffic:
    """The requests of one server. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ask_http_requests", "Requests by kind and status", ["kind", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "ask_http_request_seconds", "Seconds of requests", ["kind"], buckets=_BUCKETS, registry=self.registry
        )
        self._lock = threading.Lock()
        self._open: Counted[Kind] = Counted()
        self._stopping = False
        self._elsewhere: list[Callable[[], int]] = []

    def awaits(self, count: Callable[[], int]) -> None:
        """Before the program ends, also wait for work that no request stands for; `count` returns how much there is."""
        self._elsewhere.append(count)

    @property
    def stopping(self) -> bool:
        """Whether the program is about to end."""
        return self._stopping

    def stop(self) -> None:
        """Accept no more questions and files."""
        self._stopping = True

    def refuses(self, kind: Kind) -> bool:
        """Whether a new request of this kind is refused."""
        return self._stopping and kind in _NEW

    @contextmanager
    def opened(self, kind: Kind) -> Iterator[None]:
        """Count a request of this kind while it is being answered."""
        began = time.monotonic()
        with self._lock:
            self._open[kind] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[kind] -= 1
            if kind not in _OPEN_LONG:
                self._seconds.labels(kind.value).observe(time.monotonic() - began)

    def answered(self, kind: Kind, status: int) -> None:
        """Count a request that was answered with this HTTP status."""
        self._requests.labels(kind.value, f"{status // 100}xx").inc()

    @property
    def work(self) -> int:
        """Number of questions, answers and uploads that are not finished."""
        with self._lock:
            requests = sum(self._open[kind] for kind in _WORK)
        return requests + sum(count() for count in self._elsewhere)

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` for everything begun to finish; returns how much has not."""
        ends, quiet = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < ends:
            if self.work:
                quiet = time.monotonic()
            elif time.monotonic() - quiet >= QUIET_SECONDS:
                return 0
            time.sleep(_STEP)
        return self.work


# ---- ending the program: at the first signal once answers in flight have finished, at the second one at once


class StopSignals:
    """Handles SIGINT and SIGTERM. When this process ends, the kernel ends the processes that read PDFs."""

    def __init__(self) -> None:
        """Take over both signals. Must be called from the main thread."""
        self._first: SimpleQueue[int] = SimpleQueue()  # safe in a signal handler, unlike threading.Event
        self._stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._stopping:
            os._exit(128 + number)  # the database is consistent at any moment
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
    """Refuse new questions and files, and let the rest finish; returns whether they did in time."""
    traffic.stop()
    logger.info("Stopping: answers in flight have %g s; a second signal ends the program at once", DRAIN_SECONDS)
    left = traffic.drain(DRAIN_SECONDS)
    if left:
        logger.warning("%d answers or uploads were not finished in %g s", left, DRAIN_SECONDS)
    return not left

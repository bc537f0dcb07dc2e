"""Batches: the texts of several requests go through the embedder together, in turns, in one thread.

Questions come before the sentences of sources, and those before passages that are being added. Requests of the same
urgency get one batch each in turn, so that a short one does not wait for all of a long one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from rag.bugs import error_kept
from rag.errors import Stopped
from rag.records import Vectors


class Urgency(IntEnum):
    """What is embedded first."""

    QUESTION = 0
    EVIDENCE = 1  # sentences of the sources of a question
    ADDING = 2  # passages of a document that is being added


@dataclass(eq=False)
class _Request:
    """Texts to embed for one caller."""

    texts: Sequence[str]
    urgency: Urgency
    order: int  # when it arrived, or had its last turn
    stop: threading.Event | None
    vectors: Vectors  # (texts, d), filled in as they are made
    left: list[int]  # rows still to be made, shortest texts first
    result: queue.SimpleQueue[Vectors | Exception] = field(default_factory=queue.SimpleQueue)


class Batches:
    """Embeds the texts of all callers in one thread, started by the first of them. Thread-safe."""

    def __init__(self, encode: Callable[[list[str], Urgency], Vectors], size: int, dimension: int) -> None:
        """`encode` returns the unit vectors (n, d) of at most `size` texts of one urgency."""
        self._encode, self._size, self._dimension = encode, size, dimension
        self._condition = threading.Condition()
        self._waiting: list[_Request] = []
        self._turns = 0
        self._thread: threading.Thread | None = None

    def embed(self, texts: Sequence[str], urgency: Urgency, stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) float32, in the order of `texts`. Raises Stopped soon after `stop` was set."""
        if not texts:
            return np.zeros((0, self._dimension), np.float32)
        # Batch texts of similar length, the longest first, to waste little on padding.
        left = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        with self._condition:
            request = _Request(texts, urgency, self._turn(), stop, vectors, left)
            self._waiting.append(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="embedding", daemon=True)
                self._thread.start()
            self._condition.notify()
        result = request.result.get()
        if isinstance(result, Exception):
            raise result
        return result

    def _turn(self) -> int:
        self._turns += 1
        return self._turns

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting)
                self._drop_stopped()
                batch = self._next_batch()
            if batch:
                self._make(batch)

    def _drop_stopped(self) -> None:
        for request in [one for one in self._waiting if one.stop is not None and one.stop.is_set()]:
            self._waiting.remove(request)
            request.result.put(Stopped())

    def _next_batch(self) -> list[tuple[_Request, int]]:
        """Rows of the request whose turn it is, filled up with rows of the next requests of the same urgency."""
        batch: list[tuple[_Request, int]] = []
        for request in sorted(self._waiting, key=lambda one: (one.urgency, one.order)):
            if batch and request.urgency is not batch[0][0].urgency:
                break
            while request.left and len(batch) < self._size:
                batch.append((request, request.left.pop()))
            request.order = self._turn()
            if len(batch) == self._size:
                break
        return batch

    def _make(self, batch: Sequence[tuple[_Request, int]]) -> None:
        """Embed a batch, and wake the callers whose vectors are now complete, or who get an error."""
        requests = {id(request): request for request, _ in batch}.values()
        with error_kept() as kept:
            vectors = self._encode([request.texts[row] for request, row in batch], batch[0][0].urgency)
        if kept.error is not None:
            for request in requests:
                self._end(request, kept.error)
            return
        for (request, row), vector in zip(batch, vectors, strict=True):
            request.vectors[row] = vector
        for request in requests:
            if not request.left:
                self._end(request, request.vectors)

    def _end(self, request: _Request, result: Vectors | Exception) -> None:
        with self._condition:
            self._waiting.remove(request)
        request.result.put(result)

"""Closes connections that do not finish their request: neither uvicorn nor Gradio sets a time limit for that.

The head of a request has a fixed time. A body has that time and what its size takes at a slow rate. Without this, a
client that sends half of a request holds a connection, and so a file handle, for as long as it likes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

HEAD_SECONDS: Final = 15.0  # for the head of a request, and between two requests
BODY_SECONDS: Final = 30.0  # for a body of any size
BODY_BYTES_PER_SECOND: Final = 10_000  # that a larger one must bring
LOOK_SECONDS: Final = 1.0  # between two looks at all connections


class UnfinishedRequests:
    """Closes connections of one uvicorn server on which no request arrives for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.server: Any = None  # uvicorn.Server; None until it has started
        self._seconds = seconds
        # By connection: the last request on it, and since when nothing has come after that.
        self._idle: WeakKeyDictionary[Any, tuple[Any, float]] = WeakKeyDictionary()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look at the connections in the background."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._seconds / 2))
            for connection in self._unfinished(time.monotonic()):
                connection.transport.abort()

    def _unfinished(self, now: float) -> list[Any]:
        """Connections that have been idle for too long; those that speak WebSocket have no request."""
        found = []
        for connection in list(self.server.server_state.connections) if self.server else ():
            request = getattr(connection, "cycle", connection)
            if request is not None and not getattr(request, "response_complete", False):
                self._idle.pop(connection, None)
                continue
            before, since = self._idle.get(connection, (None, now))
            if before is not request:
                since = now
            self._idle[connection] = (request, since)
            if now - since > self._seconds:
                found.append(connection)
        return found


def timed(receive: Receive, size: int) -> Receive:
    """A `receive` for a body of `size` bytes; it raises ClientDisconnect once the time for that is over."""
    deadline = time.monotonic() + BODY_SECONDS + size / BODY_BYTES_PER_SECOND
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:  # what is awaited now is the client's disconnecting
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), deadline - time.monotonic())
        except TimeoutError as error:
            raise ClientDisconnect from error
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time

"""Closes connections that never complete their request; neither uvicorn nor Gradio limits the time for that.

The head of a request has a fixed time. A body gets the same time plus what its size takes at a slow rate. Without
limits, a client that sends half a request could hold a connection, and thus a file handle, for as long as it likes.
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
BODY_BYTES_PER_SECOND: Final = 10_000  # minimum rate of a larger body
LOOK_SECONDS: Final = 1.0  # between checks of all connections


class UnfinishedRequests:
    """Closes connections of a uvicorn server on which no request arrives for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.server: Any = None  # uvicorn.Server; None until it has started
        self._seconds = seconds
        # By connection: its last request, and since when nothing has followed.
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
    """A `receive` for a body of `size` bytes that raises ClientDisconnect once its time is over."""
    deadline = time.monotonic() + BODY_SECONDS + size / BODY_BYTES_PER_SECOND
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:  # from here on it only waits for the client to disconnect
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), deadline - time.monotonic())
        except TimeoutError as error:
            raise ClientDisconnect from error
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time

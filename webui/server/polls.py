"""The polls of open pages: answered ahead of Gradio if nothing has changed, and how soon changes are sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from webui.server.events import RUN, BodyRefused, again, parse_event, session_of
from webui.server.upload import owner_of
from webui.server.visitors import conversation_owner

PATH: Final = f"{RUN}predict"
DRAWINGS: Final = 10  # per second, over all pages
OPEN_SECONDS: Final = 5.0  # a page counts as open for this long after it was last heard from
COUNT_SECONDS: Final = 1.0  # between counts of the open pages


@dataclass(frozen=True, slots=True)
class Polling:
    """How pages poll."""

    event: int  # id of the event
    parts: int  # of the page that it may change
    unchanged: Callable[[str, str, str], bool]  # by owner, person and name: whether a session's page is up to date


class Polls:
    """ASGI middleware behind the guard, which has already checked who asks."""

    def __init__(self, app: ASGIApp, polling: Polling) -> None:
        self.app, self.polling = app, polling
        # What Gradio answers for an event that changes no part.
        self._nothing = {
            "data": [{"__type__": "update"}] * polling.parts,
            "is_generating": False,
            "duration": 0.0,
            "average_duration": 0.0,
            "render_config": None,
            "changed_state_ids": [],
            "used_cache": None,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that nothing has changed, or pass on."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            request = Request(scope, receive)
            try:
                body = await request.body()
            except ClientDisconnect:
                return
            if self._is_for_nothing(request, body):
                await JSONResponse(self._nothing)(scope, receive, send)
                return
            receive = again(body, receive)
        await self.app(scope, receive, send)

    def _is_for_nothing(self, request: Request, body: bytes) -> bool:
        """Whether this is a poll from a page for which nothing has changed."""
        try:
            event = parse_event(body)
        except BodyRefused:
            return False
        names, owner = session_of(event), owner_of(request)
        if event.get("fn_index") != self.polling.event or not names or owner is None:
            return False
        return self.polling.unchanged(owner, conversation_owner(owner, request.cookies), names[0])


# ---- how soon an open page is sent changes that concern everybody, such as the progress of a file being added
# The more pages are open, the later, so that drawing them never takes the server's time from people who ask.


class Pace:
    """Decides when a page is due for an update. Thread-safe, since counting twice does no harm."""

    def __init__(self, count_open: Callable[[float], int], poll_seconds: float) -> None:
        """`count_open`: number of pages heard from within so many seconds; each of them polls every `poll_seconds`."""
        self._count_open, self._poll_seconds = count_open, poll_seconds
        self._counted_at, self._seconds = -COUNT_SECONDS, 0.0

    def is_due(self, drawn_at: float) -> bool:
        """Whether a page that was last sent such changes at `drawn_at` (`time.monotonic`) may be sent more."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            self._counted_at = now
            self._seconds = self._count_open(OPEN_SECONDS) / DRAWINGS - self._poll_seconds
        return now - drawn_at >= self._seconds

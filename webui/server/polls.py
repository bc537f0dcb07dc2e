"""Answers the polls of pages for which nothing has changed, ahead of Gradio, which takes 3 ms to say so."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Polling:
    """How pages poll."""

    event: int  # id of the event
    parts: int  # of the page that it may change
    unchanged: Callable[[str, str, str], bool]  # by owner, person and name: whether a session's page shows it all


class Polls:
    """ASGI middleware behind the guard, which has checked who asks."""

    def __init__(self, app: ASGIApp, polling: Polling) -> None:
        self.app, self.polling = app, polling
        # As Gradio answers an event that changes no part.
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
        """Whether this is a poll, and nothing has changed for its page."""
        try:
            event = parse_event(body)
        except BodyRefused:
            return False
        names, owner = session_of(event), owner_of(request)
        if event.get("fn_index") != self.polling.event or not names or owner is None:
            return False
        return self.polling.unchanged(owner, conversation_owner(owner, request.cookies), names[0])

"""The outermost layer of the server: gives each request an id, answers `/health`, and refuses new work while stopping.

`/health` comes before the guard, because load balancers use any host name and cannot log in. It answers with one word,
from flags in memory, so that it is quick however busy the server is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ServerMessage

from rag.logs import in_request, request_id
from rag.messages import Message
from rag.readiness import State
from webui.server.api.entry import is_api_path, refused
from webui.server.traffic import Kind, Traffic, kind_of
from webui.strings import language_of, say_message

logger = logging.getLogger(__name__)

ID_HEADER: Final = "X-Request-ID"
RETRY_SECONDS: Final = 30  # until the program has probably started again
STOPPING: Final = Message("The server is being restarted: try again in half a minute.")


class Watch:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, traffic: Traffic, state: Callable[[], State]) -> None:
        """`state`: whether questions can be answered; returns without waiting."""
        self.app, self.traffic, self.state = app, traffic, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on, with the id in the response's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = request_id(Headers(scope=scope).get(ID_HEADER, ""))
        scope.setdefault("state", {})["request_id"] = request
        kind = kind_of(scope["method"], scope["path"])

        async def named(message: ServerMessage) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[ID_HEADER] = request
                self.traffic.answered(kind, message["status"])
                logger.debug("%s %s: %d", scope["method"], scope["path"], message["status"])
            await send(message)

        with in_request(request):
            if kind is Kind.HEALTH:
                await self._health()(scope, receive, named)
            elif self.traffic.refuses(kind):
                await _stopping(Request(scope))(scope, receive, named)
            else:
                with self.traffic.opened(kind):
                    await self.app(scope, receive, named)

    def _health(self) -> Response:
        """200 if questions can be answered, else 503 with the reason in one word."""
        state = "stopping" if self.traffic.stopping else self.state().value
        ready = state == State.READY
        headers = {"Cache-Control": "no-store"} | ({} if ready else {"Retry-After": str(RETRY_SECONDS)})
        return JSONResponse({"status": state}, 200 if ready else 503, headers)


def id_of(request: Any) -> str:
    """The id of a request that Gradio handles in another task; "" if there is none."""
    return str(getattr(getattr(request, "state", None), "request_id", ""))


def _stopping(request: Request) -> Response:
    """A refusal in the format that the client expects."""
    path = request.url.path
    sentence = say_message(language_of(request), STOPPING)
    if is_api_path(path):
        response: Response = refused(path, 503, sentence)
    else:
        response = JSONResponse({"refused": sentence, "detail": sentence}, 503)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response

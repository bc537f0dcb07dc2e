"""Errors as programs get them: a sentence in their language, and a suitable HTTP status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ServerMessage

from rag.errors import (
    AlreadyAdded,
    AskError,
    CollectionRefused,
    FileRefused,
    LimitExceeded,
    NotAPdf,
    QuestionRefused,
    ReaderError,
    StoreError,
    TooManyWaiting,
)
from rag.messages import Message
from webui.edge import errors_shown
from webui.server.api.entry import refused
from webui.strings import Language, pick_language, say_message

# The first class that matches decides.
_STATUS: Final[tuple[tuple[type[AskError], int], ...]] = (
    (AlreadyAdded, 409),
    (LimitExceeded, 413),
    (NotAPdf, 415),
    (FileRefused, 422),
    (CollectionRefused, 403),
    (QuestionRefused, 422),
    (TooManyWaiting, 503),
    (StoreError, 503),
    (ReaderError, 502),
)


class RequestRefused(AskError):
    """A request that is refused for a reason that only programs can meet."""

    def __init__(self, status: int, message: Message) -> None:
        Exception.__init__(self, str(message))
        self.status, self.message = status, message


def status_of(error: AskError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RequestRefused):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def language_of(request: Request) -> Language:
    """The language that a program asks for with Accept-Language; English by default."""
    return pick_language(None, request.headers.get("accept-language"))


def handle_errors(app: FastAPI) -> None:
    """Answer every error as `refused` does."""

    async def foreseen(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, AskError)
        return refused(request.scope["path"], status_of(error), say_message(language_of(request), error.message))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return refused(request.scope["path"], 422, first_fault(error.errors()))

    async def failed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return refused(request.scope["path"], error.status_code, str(error.detail))

    app.add_exception_handler(AskError, foreseen)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, failed)
    app.add_middleware(_UnexpectedErrors)


class _UnexpectedErrors:
    """ASGI middleware that logs unforeseen errors and responds to them; Starlette's own would close the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, problems = False, list[Message]()

        async def watched(message: ServerMessage) -> None:
            nonlocal started
            started = True
            await send(message)

        with errors_shown(problems.append):
            await self.app(scope, receive, watched)
        for problem in problems:
            if not started:
                sentence = say_message(language_of(Request(scope)), problem)
                await refused(scope["path"], 500, sentence)(scope, receive, send)


def first_fault(faults: Sequence[Any]) -> str:
    """The first error that pydantic found in a request, such as "limit: Input should be less than or equal to 50"."""
    first = faults[0]
    if first["type"] in ("model_attributes_type", "missing") and first["loc"] == ("body",):
        return "Send a JSON object, with the header Content-Type: application/json."
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{place[:100]}: {first['msg']}" if place else str(first["msg"])

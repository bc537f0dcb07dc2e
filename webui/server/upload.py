"""The upload route: one PDF per request, as the body, with its name in a header.

It replaces Gradio's own upload, which changes names, keeps a copy in a folder that everybody can read, and refuses all
files of a drop if one of them is too large.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import FileRefused, LimitExceeded
from rag.messages import Message
from rag.records import Job
from webui.accounts.roles import Right, Role, require
from webui.edge import errors_shown, number_in
from webui.engine import Engine
from webui.strings import language_of, say_message

MAX_NAME_CHARACTERS = 1_000

LOGGED_OUT = Message("You are logged out: reload the page and log in, then add the file again.")


def upload_route(engine: Engine, folder: Path, role_of: Callable[[str], Role]) -> Route:
    """POST /library/add. Answers `{"refused": ""}` once the file is queued, else the reason.

    Files are written to `folder`.
    """

    async def add(request: Request) -> Response:
        owner = owner_of(request)
        language = language_of(request)
        if owner is None:
            return JSONResponse({"refused": say_message(language, LOGGED_OUT)}, status_code=401)
        name = unquote(request.headers.get("x-file-name", ""), errors="replace")[:MAX_NAME_CHARACTERS] or "unnamed.pdf"
        replaces = request.headers.get("x-replaces", "")[:MAX_NAME_CHARACTERS]
        collection = number_in(request.headers.get("x-collection", "0"))
        refusals: list[Message] = []
        with errors_shown(refusals.append):
            require(role_of(owner), Right.ADD)
            try:
                await receive_file(request, engine, owner, name, folder, replaces, collection)
            except ClientDisconnect:
                return Response(status_code=400)
        return JSONResponse({"refused": "".join(say_message(language, refusal) for refusal in refusals)})

    return Route("/library/add", add, methods=["POST"])


async def receive_file(
    request: Request,
    engine: Engine,
    owner: str,
    name: str,
    folder: Path,
    replaces: str = "",
    collection: int = 0,
) -> Job:
    """Write the body to a file with a random name, give it to the engine, delete it. Raises AskError."""
    limit = engine.settings.limits.file_bytes
    _check_size(int(request.headers.get("content-length") or 0), limit, name)
    path = folder / f"{secrets.token_hex(16)}.pdf"
    try:
        try:
            await _write(request, path, limit, name)
        except OSError as error:
            raise FileRefused(
                "“{name}” could not be saved in the data folder: {reason}. Free some space there and add it again.",
                name=name,
                reason=error.strerror or str(error),
            ) from error
        return await run_in_threadpool(engine.add, owner, name, path, replaces, collection)
    finally:
        path.unlink(missing_ok=True)


async def _write(request: Request, path: Path, limit: int, name: str) -> None:
    size = 0
    with path.open("xb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            _check_size(size, limit, name)
            file.write(chunk)


def _check_size(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise LimitExceeded(
            "“{name}” is {size:.1f} MB, the limit is {limit:g} MB: split it, or restart with a higher --max-file-mb.",
            name=name,
            size=size / 1e6,
            limit=limit / 1e6,
        )


def owner_of(request: HTTPConnection) -> str | None:
    """The user's id, found as Gradio's own routes do; "" without logins, None for somebody who is not logged in."""
    app = request.app
    if app.auth is None:
        return ""
    for kind in ("access-token", "access-token-unsecure"):
        user = app.tokens.get(request.cookies.get(f"{kind}-{app.cookie_id}"))
        if user is not None:
            return str(user)
    return None

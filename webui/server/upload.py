"""The route that takes files: one PDF a request, as the body, its name as given in a header.

Not Gradio's upload: that one changes names, keeps a copy in a folder it serves to everybody, and refuses a whole
drop for one file that is too large.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import FileRefused, LimitExceeded
from webui.edge import sentence_for
from webui.engine import Engine
from webui.strings import pick_language

LONGEST_NAME = 1_000  # characters


def upload_route(engine: Engine, folder: Path) -> Route:
    """POST /library/add: `{"refused": ""}` once the file is queued, else the sentence; it waits in `folder`."""

    async def add(request: Request) -> Response:
        owner = owner_of(request)
        if owner is None:
            return JSONResponse({"refused": "Log in first."}, status_code=401)
        name = unquote(request.headers.get("x-file-name", ""), errors="replace")[:LONGEST_NAME] or "unnamed.pdf"
        try:
            await _receive(request, engine, owner, name, folder)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the page's edge
            language = pick_language(request.cookies.get("language"), request.headers.get("accept-language"))
            return JSONResponse({"refused": sentence_for(error, language)})
        return JSONResponse({"refused": ""})

    return Route("/library/add", add, methods=["POST"])


async def _receive(request: Request, engine: Engine, owner: str, name: str, folder: Path) -> None:
    """Write the body to a file of our own naming, hand it to the engine, delete it."""
    limit = engine.settings.limits.file_bytes
    _hold(int(request.headers.get("content-length") or 0), limit, name)
    path = folder / f"{secrets.token_hex(16)}.pdf"
    try:
        try:
            await _write(request, path, limit, name)
        except OSError as error:
            raise FileRefused(
                f"“{name}” could not be kept in the data folder: {error.strerror}. Make room there and add it again."
            ) from error
        await run_in_threadpool(engine.add, owner, name, path)
    finally:
        path.unlink(missing_ok=True)


async def _write(request: Request, path: Path, limit: int, name: str) -> None:
    size = 0
    with path.open("xb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            _hold(size, limit, name)
            file.write(chunk)


def _hold(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise LimitExceeded(
            f"“{name}” has {size / 1e6:.1f} MB, files of up to {limit / 1e6:g} MB are taken: "
            "split it, or start with a higher --max-file-mb."
        )


def owner_of(request: Request) -> str | None:
    """The login name as Gradio's own routes find it, "" without login, None for a stranger."""
    app = request.app
    if app.auth is None:
        return ""
    for kind in ("access-token", "access-token-unsecure"):
        user = app.tokens.get(request.cookies.get(f"{kind}-{app.cookie_id}"))
        if user is not None:
            return str(user)
    return None

"""Routes for the viewer: pictures and words of pages, search within a document, its outline, and the PDF itself.

All of them answer GET requests below /document/<id>/, only for documents in the library of whoever asks; any other id
is not found. Browsers may cache the responses but must revalidate them each time.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from rag.errors import FileRefused, NotInLibrary
from rag.messages import Message
from rag.records import Box
from webui.edge import errors_shown
from webui.engine import Engine
from webui.server.upload import owner_of
from webui.strings import language_of, say_message

DOCUMENT_ROUTE: Final = re.compile(
    r"/document/[0-9a-f]{64}/(?:page/[0-9]{1,7}(?:/words|/hits)?|find|contents|pdf)\Z", re.ASCII
)
MAX_PICTURES = 6  # requests for pictures handled at the same time; further ones wait without a thread
MAX_THUMBNAILS = 2  # the same for thumbnails, of which a browser asks for many at once
THUMBNAIL = 320  # pixels; the widest thumbnail
PICTURES_VERSION = 1  # raised when pages are drawn differently, so that browsers ask for new pictures
KEPT: Final = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
# For a PDF in a tab of its own: no scripts run, and no other origin gets the file.
PDF_POLICY: Final = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; sandbox allow-downloads"


@dataclass(frozen=True)
class _Asked:
    """A request: whose it is, and what for."""

    request: Request
    owner: str
    document: str
    page: int

    @property
    def text(self) -> str:
        """The text to search for."""
        return self.request.query_params.get("text", "")


def document_routes(engine: Engine) -> list[Route]:
    """The routes of the viewer. Errors become `{"problem": …}` in the page's language."""
    pages = engine.pages
    large, small = anyio.Semaphore(MAX_PICTURES), anyio.Semaphore(MAX_THUMBNAILS)

    async def picture(asked: _Asked) -> Response:
        width = asked.request.query_params.get("width", "")
        wanted = int(width) if re.fullmatch(r"[0-9]{1,5}", width, re.ASCII) else 0
        tag = f'"{PICTURES_VERSION}-{pages.picture_width(wanted)}"'
        if asked.request.headers.get("if-none-match") == tag:
            await run_in_threadpool(pages.file, asked.owner, asked.document)  # may they still see it?
            return Response(status_code=304, headers=KEPT | {"ETag": tag})
        async with small if pages.picture_width(wanted) <= THUMBNAIL else large:
            if await asked.request.is_disconnected():  # the browser has moved on to another page
                return Response(status_code=400)
            drawn = await run_in_threadpool(pages.picture, asked.owner, asked.document, asked.page, wanted)
        headers = KEPT | {"ETag": tag, "X-Points-Wide": f"{drawn.points_wide:.2f}"}
        return Response(drawn.png, media_type="image/png", headers=headers)

    async def words(asked: _Asked) -> Response:
        found = await run_in_threadpool(pages.words, asked.owner, asked.document, asked.page)
        return JSONResponse([[word.text, *_rounded(word.box)] for word in found], headers=KEPT)

    async def hits(asked: _Asked) -> Response:
        found = await run_in_threadpool(pages.found_on, asked.owner, asked.document, asked.page, asked.text)
        return JSONResponse([[_rounded(box) for box in boxes] for boxes in found], headers=KEPT)

    async def find(asked: _Asked) -> Response:
        found = await run_in_threadpool(pages.find, asked.owner, asked.document, asked.text)
        return JSONResponse({"pages": found.pages, "searched": found.searched}, headers=KEPT)

    async def contents(asked: _Asked) -> Response:
        known = await run_in_threadpool(pages.contents, asked.owner, asked.document)
        outline = [[heading.title, heading.level, heading.page] for heading in known.outline]
        body = {"labels": known.labels, "outline": outline, "protected": known.protected, "found": known.found}
        return JSONResponse(body, headers=KEPT)

    async def pdf(asked: _Asked) -> Response:
        file = await run_in_threadpool(pages.file, asked.owner, asked.document)
        kind = "attachment" if "download" in asked.request.query_params else "inline"
        headers = KEPT | {"Content-Security-Policy": PDF_POLICY}
        return FileResponse(
            file.path, media_type="application/pdf", filename=file.name, content_disposition_type=kind, headers=headers
        )

    return [
        Route("/document/{document}/page/{page:int}", _answered(picture)),
        Route("/document/{document}/page/{page:int}/words", _answered(words)),
        Route("/document/{document}/page/{page:int}/hits", _answered(hits)),
        Route("/document/{document}/find", _answered(find)),
        Route("/document/{document}/contents", _answered(contents)),
        Route("/document/{document}/pdf", _answered(pdf)),
    ]


def _answered(answer: Callable[[_Asked], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that knows who asks, and turns errors into responses."""

    async def endpoint(request: Request) -> Response:
        language = language_of(request)
        owner = owner_of(request)
        if owner is None:
            return _problem("Log in first.", 401)
        asked = _Asked(request, owner, request.path_params["document"], request.path_params.get("page", 0))
        problems: list[Message] = []
        response: Response | None = None
        with errors_shown(problems.append):
            try:
                response = await answer(asked)
            except FileRefused as error:
                status = 404 if isinstance(error, NotInLibrary) else 422
                response = _problem(say_message(language, error.message), status)
        return response or _problem("".join(say_message(language, problem) for problem in problems), 500)

    return endpoint


def _problem(text: str, status: int) -> Response:
    return JSONResponse({"problem": text}, status_code=status, headers={"Cache-Control": "no-store"})


def _rounded(box: Box) -> list[float]:
    """A box rounded to a hundredth of a pixel of the widest picture."""
    return [round(side, 5) for side in box]

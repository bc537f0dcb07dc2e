"""The HTTP API under `/api`: search, ask, documents and their pages, described by OpenAPI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rag import records
from rag.messages import Message
from rag.reader import Turn
from rag.records import Answer, AskOptions, Found, Job, Piece, Waiting
from webui.edge import errors_shown
from webui.engine import Engine
from webui.server.api import shapes
from webui.server.api.asking import Asking, Question
from webui.server.api.errors import RequestRefused, handle_errors, language_of
from webui.server.api.library import check_page, collections_of, find, find_own
from webui.server.api.manual import manual_page
from webui.server.api.present import AnswerShapes, document_shape, job_shape, library_shapes, page_shape, source_shape
from webui.server.upload import MAX_NAME_CHARACTERS, receive_file
from webui.strings import Language, say_message

DESCRIPTION: Final = """\
Search and ask your documents from a program. On the machine that runs the server, and without logins, no token is \
needed. Otherwise send one with every request, in the header `Authorization: Bearer TOKEN`; whoever runs the server \
makes it with `python app.py --api-token NAME`.

Requests and responses are JSON. Pages are counted from 1. Messages are in English, or in Chinese where \
`Accept-Language` asks for it.

The same server speaks OpenAI's chat completions at `/v1/chat/completions` (model `ask-your-pdfs`), the Model Context \
Protocol at `/mcp`, and to `gradio_client` as the endpoints `/search` and `/ask`."""
SSE_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": shapes.Error, "description": text}
    for status, text in (
        (401, "There is no valid token."),
        (403, "The document is shared, or the request comes from another site."),
        (404, "There is no such document or page in your library."),
        (409, "The document is there already, or waits for no password."),
        (413, "The body is too large."),
        (415, "The body is not a PDF."),
        (422, "A question, a file or a field is not accepted."),
        (502, "The model cannot answer."),
        (503, "Too many questions are waiting, or the data folder cannot be used."),
    )
}

_Result = TypeVar("_Result")
DocumentId = Annotated[str, Path(description="SHA-256 of the file, hexadecimal")]
PageNumber = Annotated[int, Path(ge=1, le=10_000_000, description="from 1")]


def owner_of(request: Request) -> str:
    """The owner whose documents a request is about, as the guard determined."""
    return str(request.state.owner)


Owner = Annotated[str, Depends(owner_of)]
Spoken = Annotated[Language, Depends(language_of)]


def api_app(engine: Engine, asking: Asking, incoming: FilePath) -> FastAPI:
    """The application to mount at `/api`. `incoming`: folder in which uploads are received."""
    app = FastAPI(
        title="Ask your PDFs",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    handle_errors(app)
    app.include_router(_question_routes(engine, asking))
    app.include_router(_document_routes(engine))
    app.include_router(_change_routes(engine, incoming))

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(app.openapi() | {"servers": [{"url": "/api"}]})

    @app.get("/docs", include_in_schema=False)
    def manual(spoken: Spoken) -> Response:
        return Response(manual_page(app.openapi()), media_type="text/html")

    return app


def _question_routes(engine: Engine, asking: Asking) -> APIRouter:
    router = APIRouter(tags=["Questions"], responses=_REFUSALS)

    @router.post("/search")
    async def search(body: shapes.SearchRequest, owner: Owner, request: Request) -> shapes.SearchResponse:
        """Find the sources for a question, without an answer."""
        question = Question(owner, body.question, body.documents)
        found = await while_connected(request, asking.search(question, body.limit))
        return shapes.SearchResponse(sources=[source_shape(source) for source in found])

    @router.post("/ask", response_model=shapes.AskResponse)
    async def ask(body: shapes.AskRequest, owner: Owner, spoken: Spoken, request: Request) -> Any:
        """Answer a question, every sentence with its citations.

        With `stream`, server-sent events: `waiting` (its place in the queue, while it has to wait), `found` (the
        question as it was understood, and the sources), `piece` (text as it is written, not checked yet), and at the
        end `answer` (the response below) or `error`.
        """
        history = tuple(Turn(turn.question, turn.answer) for turn in body.history)
        question = Question(owner, body.question, body.documents, history, AskOptions(anyway=body.anyway))
        if body.stream:
            events = _server_sent(engine, asking, question, spoken)
            return StreamingResponse(events, media_type="text/event-stream", headers=SSE_HEADERS)
        found, answer = await while_connected(request, asking.answer(question))
        return await asyncio.to_thread(AnswerShapes(engine, owner, body.question, found, answer).response, spoken)

    return router


async def _server_sent(engine: Engine, asking: Asking, question: Question, language: Language) -> AsyncIterator[str]:
    """An answer as server-sent events (HTML standard, section 9.2)."""
    found = Found((), question.text)
    problems: list[Message] = []
    with errors_shown(problems.append):
        async with aclosing(asking.events(question)) as events:
            async for event in events:
                if isinstance(event, Waiting):
                    yield sse("waiting", {"place": event.place})
                elif isinstance(event, Found):
                    found = event
                    yield _found_event(found)
                elif isinstance(event, Piece):
                    yield sse("piece", {"text": event.text})
                elif isinstance(event, Answer):
                    made = AnswerShapes(engine, question.owner, question.text, found, event)
                    yield sse("answer", (await asyncio.to_thread(made.response, language)).model_dump())
    for problem in problems:
        yield sse("error", {"error": say_message(language, problem)})


def _found_event(found: Found) -> str:
    sources = [source_shape(source).model_dump() for source in found.sources]
    return sse("found", {"question": found.query, "parts": list(found.parts), "sources": sources})


def sse(event: str, data: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def while_connected(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`, which is cancelled when the client goes away. Raises RequestRefused then."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RequestRefused(499, Message("The client disconnected."))
    finally:
        working.cancel()
        leaving.cancel()


def _document_routes(engine: Engine) -> APIRouter:
    router = APIRouter(tags=["Documents"], responses=_REFUSALS)

    @router.get("/documents")
    def documents(owner: Owner, spoken: Spoken) -> shapes.DocumentList:
        """All documents that can be seen, including those being added."""
        return shapes.DocumentList(documents=list(library_shapes(engine, owner, spoken)))

    @router.get("/collections")
    def collections(owner: Owner) -> shapes.CollectionList:
        """The collections that are shared with you."""
        shown = [
            shapes.Collection(number=one.number, name=one.name, edits=one.edits, documents=one.documents)
            for one in collections_of(engine, owner)
        ]
        return shapes.CollectionList(collections=shown)

    @router.get("/documents/{document_id}")
    def document(document_id: DocumentId, owner: Owner, spoken: Spoken) -> shapes.DocumentDetails:
        """A document: its pages, the progress of its ingestion, and what its file says about itself."""
        found = find(engine, owner, document_id)
        shape = job_shape(found, spoken) if isinstance(found, Job) else document_shape(found, spoken)
        details = engine.details(owner, document_id)
        outline = details.outline if details else ()
        return shapes.DocumentDetails(
            **shape.model_dump(),
            author=details.author if details else "",
            created=details.created if details else "",
            outline=[shapes.Heading(title=one.title, level=one.level, page=one.page + 1) for one in outline],
        )

    @router.get("/documents/{document_id}/pages/{number}")
    def page(document_id: DocumentId, number: PageNumber, owner: Owner, spoken: Spoken) -> shapes.Page:
        """The text of a page."""
        check_page(engine, owner, document_id, number - 1)
        return page_shape(document_id, engine.pages.read(owner, document_id, number - 1, number - 1)[0], spoken)

    @router.get(
        "/documents/{document_id}/pages/{number}/picture",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}, "description": "the page as it looks"}},
    )
    def picture(
        document_id: DocumentId,
        number: PageNumber,
        owner: Owner,
        width: Annotated[int, Query(ge=1, le=10_000, description="minimum width in pixels")] = 1_000,
    ) -> Response:
        """The page as a PNG picture."""
        check_page(engine, owner, document_id, number - 1)
        drawn = engine.pages.picture(owner, document_id, number - 1, width)
        return Response(drawn.png, media_type="image/png", headers={"Cache-Control": "private, no-store"})

    return router


def _change_routes(engine: Engine, incoming: FilePath) -> APIRouter:
    router = APIRouter(tags=["Documents"], responses=_REFUSALS)
    pdf = {"requestBody": {"required": True, "content": {"application/pdf": {"schema": {"type": "string"}}}}}

    @router.post("/documents", status_code=202, openapi_extra=pdf)
    async def add(
        owner: Owner,
        spoken: Spoken,
        request: Request,
        name: Annotated[str, Query(max_length=MAX_NAME_CHARACTERS, description="file name")] = "unnamed.pdf",
        collection: Annotated[int, Query(ge=0, description="number of a collection that you edit; 0 for none")] = 0,
    ) -> shapes.Document:
        """Add a PDF, sent as the body. It is read in the background: ask for its state until it is ready or failed."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise RequestRefused(415, Message("Send the PDF itself as the body, not as a form."))
        given = name or "unnamed.pdf"
        return job_shape(await receive_file(request, engine, owner, given, incoming, collection=collection), spoken)

    @router.post("/documents/{document_id}/unlock", status_code=202)
    def unlock(document_id: DocumentId, body: shapes.UnlockRequest, owner: Owner, spoken: Spoken) -> shapes.Document:
        """Give the password for a document in state `locked`. Its next state shows whether the password was right."""
        found = find_own(engine, owner, document_id)
        if not isinstance(found, Job) or found.state is not records.JobState.LOCKED:
            raise RequestRefused(409, Message("This document is not waiting for a password."))
        engine.unlock(owner, found.id, body.password)
        return job_shape(found, spoken)

    @router.put("/documents/{document_id}/collection")
    def move(document_id: DocumentId, body: shapes.MoveRequest, owner: Owner, spoken: Spoken) -> shapes.Document:
        """Move a document into a collection that you edit, or back to your own documents."""
        if isinstance(find_own(engine, owner, document_id), Job):
            raise RequestRefused(409, Message("This document is still being added."))
        engine.sharing.move(owner, document_id, body.collection or 0)
        found = find(engine, owner, document_id)
        return job_shape(found, spoken) if isinstance(found, Job) else document_shape(found, spoken)

    @router.delete("/documents/{document_id}", status_code=204)
    def remove(document_id: DocumentId, owner: Owner) -> None:
        """Remove a document for good, or stop adding it. Only whoever runs the server can remove a shared document."""
        found = find_own(engine, owner, document_id)
        if isinstance(found, Job):
            engine.cancel(owner, found.id)
        else:
            engine.remove(found.owner, document_id)

    return router

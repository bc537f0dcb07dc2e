"""An MCP server (Model Context Protocol) with the tools `search`, `ask`, `list_documents` and `read_pages`.

The same server speaks streamable HTTP at `/mcp` and, for programs that start it themselves, standard input and output.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from rag.errors import AskError
from webui.engine import Engine
from webui.server.api import shapes
from webui.server.api.asking import Asking, Question
from webui.server.api.library import check_page
from webui.server.api.present import AnswerShapes, library_shapes, page_shape, source_shape

NAME: Final = "ask-your-pdfs"
INSTRUCTIONS: Final = (
    "Answers questions about the user's own PDF documents, with the page behind every sentence. Use `ask` for a "
    "question, `search` for passages, `list_documents` and `read_pages` to read on. Cite document and page."
)
MAX_PAGES: Final = 20  # pages that one call returns
MAX_CHARACTERS: Final = 60_000  # of the pages' text together
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)

OwnerOf = Callable[[Context[Any, Any]], str]
Documents = Annotated[
    list[shapes.DocumentId] | None,
    Field(max_length=shapes.MAX_SCOPE, description="ids from list_documents; by default all documents"),
]


class ToolAnswer(BaseModel):
    """An answer, with only the sources that it cites."""

    state: str = Field(description="answer; closest: may not answer; none: not in these documents")
    text: str = Field(description="the answer, its citations as [n]")
    citations: list[shapes.Citation]


class PageList(BaseModel):
    """Pages of a document, in order."""

    pages: list[shapes.Page]
    next: int | None = Field(description="page to continue from; null after the last page")


def mcp_server(engine: Engine, asking: Asking, owner_of: OwnerOf) -> MCPServer[Any]:
    """The server. `owner_of` tells whose documents a request is about."""
    server: MCPServer[Any] = MCPServer(NAME, title="Ask your PDFs", instructions=INSTRUCTIONS)

    @server.tool(title="Search the documents", annotations=_READS)
    async def search(
        context: Context[Any, Any],
        question: Annotated[shapes.Text, Field(description="a question, or words to search for")],
        documents: Documents = None,
        limit: Annotated[int, Field(ge=1, le=shapes.MAX_SOURCES)] = 5,
    ) -> shapes.SearchResponse:
        """Find the passages of the user's PDFs that answer a question best, with document and page."""
        with _sentences():
            found = await asking.search(Question(owner_of(context), question, documents or None), limit)
        return shapes.SearchResponse(sources=[source_shape(source) for source in found])

    @server.tool(title="Ask the documents", annotations=_READS)
    async def ask(
        context: Context[Any, Any],
        question: Annotated[shapes.Text, Field(description="a complete question, in English or Chinese")],
        documents: Documents = None,
    ) -> ToolAnswer:
        """Answer a question from the user's PDFs. Each sentence is checked and cites its page, word for word."""
        owner = owner_of(context)
        with _sentences():
            found, answer = await asking.answer(Question(owner, question, documents or None))
            made = await asyncio.to_thread(AnswerShapes(engine, owner, question, found, answer).response, "en")
        return ToolAnswer(state=made.state, text=made.text, citations=made.citations)

    @server.tool(title="List the documents", annotations=_READS)
    async def list_documents(context: Context[Any, Any]) -> shapes.DocumentList:
        """List the user's PDFs: id, name, pages, and whether they can be searched already."""
        with _sentences():
            return shapes.DocumentList(documents=list(library_shapes(engine, owner_of(context), "en")))

    @server.tool(title="Read pages", annotations=_READS)
    async def read_pages(
        context: Context[Any, Any],
        document: Annotated[shapes.DocumentId, Field(description="id from list_documents, or of a source")],
        first: Annotated[int, Field(ge=1, le=10_000_000, description="first page, from 1")] = 1,
        last: Annotated[int | None, Field(ge=1, description=f"last page; at most {MAX_PAGES} are read")] = None,
    ) -> PageList:
        """Read the text of pages of a PDF."""
        with _sentences():
            return await asyncio.to_thread(_pages, engine, owner_of(context), document, first, last or first)

    return server


def _pages(engine: Engine, owner: str, document: str, first: int, last: int) -> PageList:
    """Pages first..last (from 1), as many as one call may return. Raises RequestRefused if there are none."""
    check_page(engine, owner, document, first - 1)
    count = min(max(last - first + 1, 1), MAX_PAGES)
    read = engine.pages.read(owner, document, first - 1, first - 1 + count)  # one more, to tell whether any are left
    given: list[shapes.Page] = []
    characters = 0
    for page in read[:count]:
        characters += len(page.text)
        if given and characters > MAX_CHARACTERS:
            break
        given.append(page_shape(document, page, "en"))
    return PageList(pages=given, next=first + len(given) if len(given) < len(read) else None)


@contextmanager
def _sentences() -> Iterator[None]:
    """Errors meant for people, in the form that the model reads."""
    try:
        yield
    except AskError as error:
        raise ToolError(str(error)) from error


class HttpTools:
    """The MCP server as an ASGI application. The guard has already checked host, origin and token."""

    def __init__(self, engine: Engine, asking: Asking) -> None:
        server = mcp_server(engine, asking, _owner_of_request)
        server.streamable_http_app(
            stateless_http=True,  # no session whose name somebody else could use
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the guard does this
        )
        self.manager = server.session_manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self.manager.handle_request(scope, receive, send)


def _owner_of_request(context: Context[Any, Any]) -> str:
    request = context.request_context.request
    assert request is not None
    return str(request.state.owner)


def serve_stdio(engine: Engine) -> None:
    """Speak MCP over standard input and output until the input ends, with the documents of owner ""."""
    server = mcp_server(engine, Asking(engine), lambda _: "")
    anyio.run(server.run_stdio_async)

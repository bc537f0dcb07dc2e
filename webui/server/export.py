"""The route that exports a conversation, or one turn of it, to its owner: GET /c/<id>.md, .html or .json."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rag.errors import AskError
from rag.records import Citation, Source, View
from webui.conversation import Conversation
from webui.edge import number_in
from webui.engine import Engine
from webui.export import as_html, as_json, as_markdown
from webui.own_conversations import OwnConversations, title_of
from webui.server.upload import owner_of
from webui.server.visitors import conversation_owner
from webui.strings import Language, language_of

EXPORT_ROUTE: Final = re.compile(r"/c/([\w-]{1,64})\.(md|html|json)\Z", re.ASCII)
MAX_EXPORTS: Final = 2  # exports made at the same time; further ones wait without a thread
PICTURE_PIXELS: Final = 1_000  # wide
_TYPES: Final = {"md": "text/markdown", "html": "text/html", "json": "application/json"}


def export_route(engine: Engine) -> Route:
    """The route. Another owner's conversation is not found, just like one that does not exist.

    `?turn=N`: only that turn.
    """
    making = anyio.Semaphore(MAX_EXPORTS)

    async def export(request: Request) -> Response:
        owner, asked = owner_of(request), EXPORT_ROUTE.match(request.url.path)
        if owner is None:
            return PlainTextResponse("Log in first.", 401)
        person = conversation_owner(owner, request.cookies)
        if asked is None or not person:
            return PlainTextResponse("Not here.", 404)
        own, turn = OwnConversations(engine.conversations, person), request.query_params.get("turn")
        conversation = await run_in_threadpool(_asked_for, own, asked[1], turn)
        if conversation is None:
            return PlainTextResponse("Not here.", 404)
        language = language_of(request)
        async with making:
            text = await run_in_threadpool(_exported, engine, owner, conversation, asked[2], language)
        title = conversation.title if turn is None else title_of(conversation.exchanges[0].question)
        name = quote(f"{_file_name(title)}.{asked[2]}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
        return Response(text, media_type=_TYPES[asked[2]], headers=headers)

    return Route("/c/{name}", export)


def _asked_for(own: OwnConversations, conversation_id: str, turn: str | None) -> Conversation | None:
    """A conversation, or only that turn of it; None if there is none."""
    conversation = own.open(conversation_id)
    if conversation is None or turn is None:
        return conversation
    exchange = conversation.exchange(number_in(turn))
    return Conversation([exchange], title=conversation.title) if exchange else None


def _exported(engine: Engine, owner: str, conversation: Conversation, kind: str, language: Language) -> str:
    def pictured(source: Source, citation: Citation | None) -> tuple[View, bytes] | None:
        try:
            view = engine.view(owner, source, citation)
            return view, engine.pages.picture(owner, source.document_id, view.page, PICTURE_PIXELS).png
        except AskError:  # the document has been removed
            return None

    if kind == "json":
        return as_json(conversation)
    return as_markdown(conversation, language) if kind == "md" else as_html(conversation, language, pictured)


def _file_name(title: str) -> str:
    """A title without characters that file systems refuse."""
    return re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|.]+', " ", title).strip()[:80] or "conversation"

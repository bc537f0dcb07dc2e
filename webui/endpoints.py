"""The named endpoints of Gradio's own API, for `gradio_client`: `search` and `ask`. All other events are private."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.events import api
from pydantic import ValidationError

from rag.errors import AskError
from rag.reader import Turn
from rag.records import Answer, AskOptions, Found, Piece, Waiting
from webui.engine import Engine
from webui.handlers import owner_of
from webui.server.api.errors import first_fault
from webui.server.api.library import check_scope
from webui.server.api.present import AnswerShapes, source_shape
from webui.server.api.shapes import AskRequest, SearchRequest
from webui.strings import Language, pick_language, say_message


def add_endpoints(engine: Engine, **queueing: Any) -> None:
    """Add both endpoints to the Blocks being built. `queueing`: how many calls may run at a time."""

    def search(
        request: gr.Request, question: str, documents: list[str] | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        """Find the passages that answer a question best, 1 to 50 of them, in the documents with these ids or in all."""
        with _sentences(request):
            asked = SearchRequest(question=question, documents=documents, limit=limit)
            owner = owner_of(request)
            check_scope(engine, owner, asked.documents)
            found = engine.search(owner, asked.question, asked.documents, asked.limit)
            return [source_shape(source).model_dump() for source in found]

    def ask(
        request: gr.Request,
        question: str,
        documents: list[str] | None = None,
        history: list[dict[str, str]] | None = None,
        anyway: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Answer a question from the documents with these ids, or from all, with citations for every sentence.

        While it waits, it yields its place in the queue as `{"state": "waiting", "place": 3}`; then the text so far as
        `{"state": "writing", "text": ...}`, and finally the whole answer. `history` is a list of earlier turns, oldest
        first, each with `question` and `answer`. With `anyway` it answers even if the documents do not seem to hold the
        answer.
        """
        with _sentences(request):
            given: dict[str, Any] = {"question": question, "documents": documents, "history": history or []}
            asked = AskRequest(**given, anyway=anyway)
            yield from _answered(engine, owner_of(request), asked, _language(request))

    api(search, api_name="search", **queueing)
    api(ask, api_name="ask", **queueing)


def _answered(engine: Engine, owner: str, asked: AskRequest, language: Language) -> Iterator[dict[str, Any]]:
    check_scope(engine, owner, asked.documents)
    history = [Turn(turn.question, turn.answer) for turn in asked.history]
    stop, text, found = threading.Event(), "", Found((), asked.question)
    try:
        options = AskOptions(anyway=asked.anyway)
        for event in engine.ask(owner, asked.question, asked.documents, history, stop, options):
            if isinstance(event, Waiting):
                yield {"state": "waiting", "place": event.place, "text": ""}
            elif isinstance(event, Found):
                found = event
            elif isinstance(event, Piece):
                text += event.text
                yield {"state": "writing", "text": text}
            elif isinstance(event, Answer):
                yield AnswerShapes(engine, owner, asked.question, found, event).response(language).model_dump()
    finally:
        stop.set()


def _language(request: gr.Request) -> Language:
    return pick_language(None, request.headers.get("accept-language"))


@contextmanager
def _sentences(request: gr.Request) -> Iterator[None]:
    """Pass errors meant for people on to Gradio's clients."""
    try:
        yield
    except AskError as error:
        raise gr.Error(say_message(_language(request), error.message), print_exception=False) from error
    except ValidationError as error:
        raise gr.Error(first_fault(error.errors()), print_exception=False) from error

"""OpenAI's chat completions under `/v1`: the last user message is the question, earlier messages are the history.

The field `citations` of a message (of the last chunk, when streaming) tells what its marks `[n]` refer to.
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rag import records
from rag.answer.marks import remove_citation_marks
from rag.messages import Message
from rag.reader import Turn
from rag.records import Answer, Checked, Event, Found
from webui.conversation import HISTORY_TURNS
from webui.edge import errors_shown
from webui.engine import Engine
from webui.server.api import shapes
from webui.server.api.asking import Asking, Question
from webui.server.api.entry import error_body
from webui.server.api.errors import RequestRefused, handle_errors
from webui.server.api.present import AnswerShapes, source_lines
from webui.server.api.rest import SSE_HEADERS, Owner, Spoken, while_connected
from webui.strings import Language, say, say_message

MODEL: Final = "ask-your-pdfs"  # the only model, whichever a request names
_SOURCE_LINE = re.compile(r"\[\d{1,3}\] [^\n]+")


def chat_app(engine: Engine, asking: Asking) -> FastAPI:
    """The application to mount at `/v1`."""
    app = FastAPI(title="Chat completions", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    handle_errors(app)
    card = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}

    @app.get("/models")
    def models(owner: Owner) -> dict[str, Any]:
        return {"object": "list", "data": [card]}

    @app.get("/models/{name}")
    def model(name: str, owner: Owner) -> dict[str, Any]:
        if name != MODEL:
            raise RequestRefused(404, Message("The only model here is {model}.", {"model": MODEL}))
        return card

    @app.post("/chat/completions")
    async def complete(body: shapes.ChatRequest, owner: Owner, spoken: Spoken, request: Request) -> Response:
        question = question_of(body, owner)
        completion = _Completion(engine, asking, question, spoken)
        if body.stream:
            return StreamingResponse(completion.stream(), media_type="text/event-stream", headers=SSE_HEADERS)
        return JSONResponse(await while_connected(request, completion.whole()))

    return app


def question_of(body: shapes.ChatRequest, owner: str) -> Question:
    """The last message as a question, with the turns before it as history. Raises RequestRefused."""
    spoken = [message for message in body.messages if message.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise RequestRefused(422, Message("The last message must be the user's question."))
    turns: list[Turn] = []
    for message, after in itertools.pairwise(spoken):
        if message.role == "user" and after.role == "assistant":
            turns.append(Turn(message.text, bare_text(after.text)))
    return Question(owner, spoken[-1].text, body.documents, tuple(turns[-HISTORY_TURNS:]))


def bare_text(text: str) -> str:
    """An earlier answer without its marks and the list of sources below it."""
    lines = text.rstrip().split("\n")
    while lines and _SOURCE_LINE.fullmatch(lines[-1]):
        lines.pop()
    return remove_citation_marks("\n".join(lines)).strip()


class _Completion:
    """One chat completion."""

    def __init__(self, engine: Engine, asking: Asking, question: Question, language: Language) -> None:
        self._engine, self._asking, self._question, self._language = engine, asking, question, language
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    async def whole(self) -> dict[str, Any]:
        """The completion as one object."""
        found, answer = await self._asking.answer(self._question)
        made = await self._made(found, answer)
        content = "\n\n".join(part for part in (made.text, self._sources(made)) if part)
        message = {"role": "assistant", "content": content, "refusal": None, "citations": self._citations(made)}
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(answer), "logprobs": None}
        return self._object("chat.completion", [choice])

    async def stream(self) -> AsyncIterator[str]:
        """The completion as server-sent chunks: sentence by sentence, each checked, and at the end the citations."""
        yield self._chunk({"role": "assistant", "content": ""})
        problems: list[Message] = []
        with errors_shown(problems.append):
            async with aclosing(self._asking.events(self._question)) as events:
                async for chunk in self._chunks(events):
                    yield chunk
        for problem in problems:
            error = error_body("/v1/", 500, say_message(self._language, problem))
            yield f"data: {json.dumps(error, ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"

    async def _chunks(self, events: AsyncIterator[Event]) -> AsyncIterator[str]:
        found, said = Found((), self._question.text), 0
        async for event in events:
            if isinstance(event, Found):
                found = event
            # A model's sentences are sent as they are checked; quotes are sent together, after the short answer.
            elif isinstance(event, Checked) and found.writes_markdown:
                yield self._chunk({"content": _marked(event.sentences[said:])})
                said = len(event.sentences)
            elif isinstance(event, Answer):
                made = await self._made(found, event)
                rest = f"{_marked(event.sentences[said:])}{self._doubt(event)}" if said else made.text
                if footer := self._sources(made):
                    rest = f"{rest}\n\n{footer}"
                yield self._chunk({"content": rest})
                yield self._chunk({}, finish=_finish_reason(event), citations=self._citations(made))

    async def _made(self, found: Found, answer: Answer) -> shapes.AskResponse:
        shape = AnswerShapes(self._engine, self._question.owner, self._question.text, found, answer)
        return await asyncio.to_thread(shape.response, self._language)

    def _doubt(self, answer: Answer) -> str:
        """The doubt about an answer whose beginning has already been sent."""
        keys = {"closest": "why_closest", "none": "why_none"}
        key = keys.get(answer.state.value)
        return f"\n\n{say(self._language, key)}" if key else ""

    def _sources(self, made: shapes.AskResponse) -> str:
        return "\n".join(source_lines(made.citations, self._language))

    def _citations(self, made: shapes.AskResponse) -> list[dict[str, Any]]:
        return [citation.model_dump() for citation in made.citations]

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None, **extra: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        data = self._object("chat.completion.chunk", [choice]) | extra
        return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"

    def _object(self, kind: str, choices: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": MODEL, "choices": list(choices)}


def _marked(sentences: Sequence[records.Sentence]) -> str:
    """Sentences with their citations as `[n]`."""
    parts = []
    for sentence in sentences:
        marks = "".join(f"[{citation.number}]" for citation in sentence.citations)
        parts.append(f"{sentence.lead}{sentence.text}{marks}")
    return "".join(parts)


def _finish_reason(answer: Answer) -> str:
    return "length" if answer.cut else "stop"

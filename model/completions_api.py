"""OpenAI's chat completions over a loaded GLM: streaming, stop sequences, usage, and a limit on waiting requests.

https://platform.openai.com/docs/api-reference/chat. Text in messages is never parsed for control tokens.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, Literal

import anyio
from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from model.batch import MAX_SEQUENCES
from model.prompt import ChatMessage
from model.reader import GlmReader, Usage
from model.stream import StopText
from rag.errors import AnswerCut, AskError, PromptTooLong
from rag.reader import PromptScopes, Sampling

MAX_ASKING: Final = MAX_SEQUENCES + 64  # requests at the same time, including those waiting
MAX_BODY: Final = 8_000_000  # bytes of a request
RETRY_SECONDS: Final = 5  # after which a client that was refused may try again


class TextPart(BaseModel):
    """A part of a message."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> ChatMessage:
        """As the prompt takes it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return ChatMessage("system" if self.role == "developer" else self.role, text)


class StreamOptions(BaseModel):
    """What a stream contains besides the answer."""

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """The fields that matter here; others are ignored."""

    messages: list[Message] = Field(min_length=1, max_length=1_000)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1)  # this and the next as in vLLM; -1, like 0, for all tokens
    repetition_penalty: float | None = Field(None, ge=0.1, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    n: Literal[1] = 1
    prompt_cache_key: str = Field("", max_length=256)  # requests with the same key share what was computed

    def sampling(self, max_tokens: int) -> Sampling:
        """How to sample: as the client says, else up to `max_tokens`, as the model's makers recommend."""
        most = self.max_completion_tokens or self.max_tokens or max_tokens
        top_k = None if self.top_k is None else max(self.top_k, 0)
        return Sampling(most, self.temperature, self.top_p, self.seed, top_k, self.repetition_penalty)

    def stops(self) -> list[str]:
        """The stop sequences."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]


def completions_app(
    reader: GlmReader, name: str, key: str = "", *, max_tokens: int = Sampling().max_tokens
) -> Starlette:
    """The application. `name`: of the model, for clients; `key`: what they have to send, "" for none.

    `max_tokens`: of an answer, unless the client says otherwise.
    """
    api = _Completions(reader, name, key, max_tokens)
    return Starlette(
        routes=[
            Route("/health", api.health),
            Route("/v1/models", api.models),
            Route("/v1/chat/completions", api.complete, methods=["POST"]),
        ]
    )


class _Completions:
    """The routes."""

    def __init__(self, reader: GlmReader, name: str, key: str, max_tokens: int) -> None:
        self._reader, self._name, self._key, self._max_tokens = reader, name, key, max_tokens
        self._threads = CapacityLimiter(2 * MAX_ASKING)  # a stopped one may need its thread a little longer
        self._asking = 0

    async def health(self, _: Request) -> Response:
        """That the server runs, and how many answers are being generated and wait."""
        running, waiting = self._reader.batch.counts
        return JSONResponse({"status": "ok", "running": running, "waiting": waiting})

    async def models(self, request: Request) -> Response:
        """The one model, with its context as vLLM tells it."""
        if not self._allowed(request):
            return _error(401, "The key is missing or wrong.")
        model = {"id": self._name, "object": "model", "created": 0, "owned_by": "ask-your-pdfs"}
        return JSONResponse({"object": "list", "data": [{**model, "max_model_len": self._reader.context_tokens}]})

    async def complete(self, request: Request) -> Response:
        """An answer, whole or as a stream."""
        if not self._allowed(request):
            return _error(401, "The key is missing or wrong.")
        # Other sites' pages can send anything but JSON without asking first.
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return _error(415, "The content type must be application/json.")
        try:
            body = CompletionRequest.model_validate_json(await _read(request))
        except _TooLong:
            return _error(413, f"The request is longer than {MAX_BODY:,} bytes.")
        except ValidationError as error:
            fault = error.errors()[0]
            return _error(400, f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}")
        if [message.role for message in body.messages][-1] != "user":
            return _error(400, "messages: the last must be the user's.")
        if self._asking >= MAX_ASKING:
            refused = _error(429, f"{self._asking} requests are being answered or wait: try again later.")
            refused.headers["Retry-After"] = str(RETRY_SECONDS)
            return refused
        completion = _Completion(self._reader, self._name, body, body.sampling(self._max_tokens), self._threads)
        if body.stream:
            return StreamingResponse(self._counted(completion.stream()), media_type="text/event-stream")
        return await self._whole(completion, request)

    async def _counted(self, chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        self._asking += 1
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            self._asking -= 1

    async def _whole(self, completion: _Completion, request: Request) -> Response:
        async def stop_when_left() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            completion.stop.set()

        self._asking += 1
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(stop_when_left)
                response = await completion.whole()
                group.cancel_scope.cancel()
        finally:
            self._asking -= 1
        return response

    def _allowed(self, request: Request) -> bool:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return not self._key or hmac.compare_digest(sent.encode(), self._key.encode())


class _Completion:
    """One answer."""

    def __init__(
        self, reader: GlmReader, name: str, body: CompletionRequest, sampling: Sampling, threads: CapacityLimiter
    ) -> None:
        self._reader, self._name, self._body, self._sampling, self._threads = reader, name, body, sampling, threads
        self._id, self._created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
        self._usage, self._finish = Usage(), "stop"
        self.stop = threading.Event()

    async def whole(self) -> Response:
        """The answer as one object."""
        pieces: list[str] = []
        try:
            async with aclosing(self._pieces()) as answer:
                async for piece in answer:
                    pieces.append(piece)
        except AskError as error:
            return JSONResponse(_failure(error), 400 if isinstance(error, PromptTooLong) else 500)
        message = {"role": "assistant", "content": "".join(pieces), "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self._finish, "logprobs": None}
        return JSONResponse({**self._object("chat.completion", [choice]), "usage": self._usage_object()})

    async def stream(self) -> AsyncIterator[str]:
        """The answer as server-sent chunks, the last with the usage if that was asked for."""
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async with aclosing(self._pieces()) as answer:
                async for piece in answer:
                    yield self._chunk({"content": piece})
        except AskError as error:
            yield _event(_failure(error))
        else:
            yield self._chunk({}, self._finish)
            if self._body.stream_options.include_usage:
                yield _event({**self._object("chat.completion.chunk", []), "usage": self._usage_object()})
        yield "data: [DONE]\n\n"

    async def _pieces(self) -> AsyncGenerator[str]:
        """The text as it comes, up to a stop sequence; closing it stops the model. Raises AskError."""
        stops = StopText(self._body.stops())
        messages = [message.plain() for message in self._body.messages]
        scopes = PromptScopes(conversation=self._body.prompt_cache_key)
        pieces = self._reader.chat(messages, self._sampling, self.stop, self._usage, scopes)
        try:
            while (piece := await self._next(pieces)) is not None:
                if ready := stops.feed(piece):
                    yield ready
                if stops.found:
                    return
        except AnswerCut:
            self._finish = "length"
        finally:
            self.stop.set()
        if rest := stops.end():
            yield rest

    async def _next(self, pieces: Any) -> str | None:
        """The next piece. Whoever cancels does not wait for it."""
        return await to_thread.run_sync(lambda: next(pieces, None), limiter=self._threads, abandon_on_cancel=True)

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event(self._object("chat.completion.chunk", [choice]))

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._name, "choices": choices}

    def _usage_object(self) -> dict[str, Any]:
        prompt, completion = self._usage.prompt_tokens, self._usage.completion_tokens
        details = {"cached_tokens": self._usage.cached_tokens}
        counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return {**counts, "prompt_tokens_details": details}


class _TooLong(Exception):
    """A request longer than MAX_BODY."""


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise _TooLong
    return bytes(body)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _failure(error: AskError) -> dict[str, Any]:
    """Why there is no answer. A prompt that is too long is the client's to change, so that it does not try again."""
    if isinstance(error, PromptTooLong):
        return _told("invalid_request_error", str(error), "context_length_exceeded")
    return _told("server_error", str(error))


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse(_told("server_error" if status >= 500 else "invalid_request_error", sentence), status)


def _told(kind: str, sentence: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": sentence, "type": kind, "param": None, "code": code}}

"""A streamed chat completion of an OpenAI-compatible server: retries, stop, stalls, and differences between servers.

The connection has its own thread and event loop, so that it can be closed whatever it is waiting for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import re
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
from httpx_sse import EventSource, ServerSentEvent

from rag.errors import ServerUnreachable
from rag.messages import Message

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05  # between checks whether the answer was stopped
RETRIED: Final = frozenset((429, 500, 502, 503, 504))  # statuses that are often temporary
SALT: Final = "cache_salt"  # field of a request; see `model.server_context`
UNKNOWN_FIELD: Final = frozenset((400, 422))  # statuses for a field that a server does not accept
MAX_DETAIL: Final = 300  # characters of a server's own error message that are shown
MAX_LINE: Final = 1_000_000  # characters of an event; a server that sends more without a line end is cut off
MAX_EVENT: Final = 80  # characters of an unexpected event that are shown
_ERROR_FIELD: Final = re.compile(r"^error:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take, and how often it is asked again before an answer starts."""

    connect: float = 10.0  # seconds
    first: float = 300.0  # seconds until the answer starts: a busy server makes it wait, and reads a long prompt
    between: float = 60.0  # seconds between two events of an answer
    tries: int = 4  # requests in all
    backoff: float = 1.0  # seconds before the second request; doubled before each further one
    longest_wait: float = 60.0  # longest wait, in seconds, that a server may ask for in Retry-After


PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Delta:
    """What one event adds to the answer."""

    text: str
    finish_reason: str  # "" until the answer ends


class ChatCompletion:
    """A request for one answer."""

    def __init__(self, url: str, body: dict[str, Any], headers: dict[str, str], patience: Patience) -> None:
        """`url`: that of version 1 of the API; `body`: the request, including "stream"."""
        self._url, self._body, self._headers, self._patience = url, body, headers, patience
        self._begun = False  # whether the server has started an answer

    def deltas(self, stop: threading.Event) -> Generator[Delta]:
        """What the server sends, until the answer ends or `stop` is set, which closes the connection at once.

        Raises ServerUnreachable.
        """
        try:
            yield from _until_stopped(self._receive(), stop)
        except TimeoutError as error:
            waited = self._patience.between if self._begun else self._patience.first
            raise self._failed(Message("it sent nothing for {seconds:.0f} seconds", {"seconds": waited})) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed(str(error) or type(error).__name__) from error

    async def _receive(self) -> AsyncGenerator[Delta]:
        timeout = httpx.Timeout(None, connect=self._patience.connect)
        ended = False
        async with httpx.AsyncClient(timeout=timeout, headers=self._headers, trust_env=False) as client:
            async with asyncio.timeout(self._patience.first):
                response = await self._accepted(client)
            async with aclosing(_events(response)) as events:
                while event := await self._next(events):
                    ended |= event.data.strip() == "[DONE]"
                    for delta in self._deltas(event):
                        ended |= bool(delta.finish_reason)
                        self._begun = True
                        yield delta
        if not self._begun:
            raise self._failed(Message("status {status} without an answer", {"status": response.status_code}))
        if not ended:
            raise self._failed(Message("the connection ended before the answer did"))

    async def _next(self, events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent | None:
        async with asyncio.timeout(self._patience.between if self._begun else self._patience.first):
            return await anext(events, None)

    async def _accepted(self, client: httpx.AsyncClient) -> httpx.Response:
        """The response to the first request that the server accepts, not read yet. Raises ServerUnreachable."""
        backoff = self._patience.backoff
        for left in reversed(range(self._patience.tries)):
            request = client.build_request("POST", f"{self._url}/chat/completions", json=self._body)
            response = await client.send(request, stream=True)
            if not response.is_error:
                return response
            await response.aread()
            wait = max(backoff, asked_to_wait(response))
            if response.status_code in UNKNOWN_FIELD and SALT in self._body and SALT in response.text:
                log.warning("%s takes no %s: other people's prompts may be reused there", self._url, SALT)
                self._body = {name: value for name, value in self._body.items() if name != SALT}
                continue
            if response.status_code not in RETRIED:
                break
            if not left or wait > self._patience.longest_wait:
                raise self._busy(response)
            log.info("%s: status %d, asked again in %.0f s", self._url, response.status_code, wait)
            await asyncio.sleep(wait)
            backoff *= 2
        raise ServerUnreachable(
            "The model server {url} refused the request for {model} (status {status}: {detail}); check --model and the"
            " server's log.",
            url=self._url,
            model=self._body["model"],
            status=response.status_code,
            detail=error_detail(response),
        )

    def _deltas(self, event: ServerSentEvent) -> list[Delta]:
        """What each choice of an event adds. Raises ServerUnreachable for an error that it reports."""
        if event.data.strip() in ("", "[DONE]"):
            return []
        try:
            body = json.loads(event.data)
            error = body if event.event == "error" else body.get("error")
            if error:
                raise self._broke_off(_detail(error))
            # A server that does not stream sends a whole message instead.
            parts = [
                (choice.get("delta") or choice.get("message") or {}, choice.get("finish_reason"))
                for choice in body.get("choices") or ()
            ]
            return [Delta("" + (part.get("content") or ""), reason or "") for part, reason in parts]
        except (AttributeError, TypeError, ValueError) as exc:
            raise self._failed(Message("unexpected event: {event}", {"event": event.data[:MAX_EVENT]})) from exc

    def _broke_off(self, detail: str | Message) -> ServerUnreachable:
        return ServerUnreachable(
            "The model server {url} broke off the answer of {model} ({detail}): ask again, and see the server's log if"
            " it happens again.",
            url=self._url,
            model=self._body["model"],
            detail=detail,
        )

    def _failed(self, reason: str | Message) -> ServerUnreachable:
        if self._begun:
            return self._broke_off(reason)
        return ServerUnreachable(
            "The model server {url} does not answer properly ({reason}): check that it runs and that --server names"
            " it, or restart with --reader quote.",
            url=self._url,
            reason=reason,
        )

    def _busy(self, response: httpx.Response) -> ServerUnreachable:
        return ServerUnreachable(
            "The model server {url} is too busy, or cannot answer now (status {status}: {detail}): ask again later.",
            url=self._url,
            status=response.status_code,
            detail=error_detail(response),
        )


def asked_to_wait(response: httpx.Response) -> float:
    """Seconds that a server asks to wait in Retry-After (RFC 9110, section 10.2.3); 0 if it does not."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value[:9])
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0


def error_detail(response: httpx.Response) -> str:
    """Why a server refused a request, in its own words."""
    try:
        detail = _detail(response.json()["error"] or "")
    except (ValueError, KeyError, TypeError):
        detail = response.text[:MAX_DETAIL]
    return detail or response.reason_phrase or HTTPStatus(response.status_code).phrase


def _detail(error: Any) -> str:
    """What a server says about its failure, in its own words."""
    told = error.get("message") if isinstance(error, dict) else error
    return str(told or error)[:MAX_DETAIL]


# ---- events


class _EventStream:
    """A response as `EventSource` reads it, with corrections for servers that deviate from the standard.

    Some leave out the content type, and llama.cpp has sent errors in a field `error`, which the standard ignores.
    """

    headers = httpx.Headers({"content-type": "text/event-stream"})

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def aiter_text(self) -> AsyncIterator[str]:
        """Whole lines, each `error:` field as an event of type "error"; ends at an endless line."""
        unfinished = ""
        async for text in self._response.aiter_text():
            lines, newline, unfinished = (unfinished + text).rpartition("\n")
            yield _ERROR_FIELD.sub("event: error\ndata:", lines + newline)
            if len(unfinished) > MAX_LINE:
                return
        yield _ERROR_FIELD.sub("event: error\ndata:", unfinished) + "\n\n"  # the last event may lack its blank line


async def _events(response: httpx.Response) -> AsyncGenerator[ServerSentEvent]:
    """The events of a response, which is closed at the end; a response in JSON is one event, and the end."""
    try:
        if "json" in response.headers.get("content-type", ""):
            yield ServerSentEvent(data=(await response.aread()).decode("utf-8", "replace"))
            yield ServerSentEvent(data="[DONE]")
            return
        async for event in EventSource(cast(httpx.Response, _EventStream(response))).aiter_sse():
            yield event
    finally:
        await response.aclose()


# ---- the thread


def _until_stopped(items: AsyncGenerator[Delta], stop: threading.Event) -> Generator[Delta]:
    """The items of an async generator that runs in its own thread.

    It is cancelled within `POLL_SECONDS`, whatever it waits for, once `stop` is set or this generator is closed.
    """
    arrived: queue.SimpleQueue[Delta | None] = queue.SimpleQueue()
    closed = threading.Event()
    executor = ThreadPoolExecutor(1, thread_name_prefix="remote-answer")
    done = executor.submit(lambda: asyncio.run(_pump(items, arrived.put, (stop, closed))))
    done.add_done_callback(lambda _: arrived.put(None))
    executor.shutdown(wait=False)
    try:
        while not stop.is_set():
            try:
                item = arrived.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if item is None:
                return done.result()
            yield item
    finally:
        closed.set()


async def _pump(items: AsyncGenerator[Delta], put: Callable[[Delta], None], ends: Iterable[threading.Event]) -> None:
    """Pass the items on until one of `ends` is set."""

    async def forward() -> None:
        async with aclosing(items):
            async for item in items:
                put(item)

    task = asyncio.ensure_future(forward())
    while not task.done():
        await asyncio.wait({task}, timeout=POLL_SECONDS)
        if any(event.is_set() for event in ends):
            task.cancel()
            await asyncio.wait({task})
            return
    task.result()

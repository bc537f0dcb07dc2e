"""A GLM on a server: any endpoint with OpenAI's chat completions API (vLLM, SGLang, Xinference, llama.cpp).

The server applies the model's own chat template and parses control tokens in whatever it is sent, so control tokens in
the text of documents and people are broken up before it leaves this machine.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, cast

import httpx
from httpx_sse import EventSource, ServerSentEvent

from model.families import PromptFormat
from model.prompt import chat_messages, without_turns
from model.stream import Cleaner
from rag.errors import ReaderError, ServerUnreachable, SettingRefused
from rag.language import FIRST_EAST_ASIAN
from rag.messages import Message
from rag.reader import ReadRequest

DEFAULT_CONTEXT = 8_192  # tokens; what the server really holds cannot be asked for in this protocol
CONNECT_SECONDS = 10.0
READ_SECONDS = 300.0  # until the next token: a busy server takes its time to process a long prompt
MAX_TOKEN_CHARACTERS = 32  # of an answer for each token asked for; a server that sends more does not keep to the limit
MAX_DETAIL = 300  # characters of a server's own error message that are shown
MAX_LINE = 1_000_000  # characters of an event; a server that sends more without a line end is cut off
MAX_EVENT = 80  # characters of an unexpected event that are shown
MAX_PORT = 65_535
# The first character of what may be a control token of GLM, or of another model that such a server may hold:
# <|user|>, [gMASK], <sop>, </s>, <tool_call>, <arg_key>, <start_of_turn>, [INST], <<SYS>>.
_CONTROL_TOKEN = re.compile(
    r"<(?=[|｜])|<(?=/?(?:s|bos|eos|pad|unk|mask|sop|eop|eod|cls|sep|think|tools?|nothink)>)|<(?=<?/?SYS>)"
    r"|<(?=/?[a-z]{1,20}_[a-z_]{1,40}>)|\[(?=/?(?:[gs]?MASK|INST|TOOL_[A-Z]{1,20}|AVAILABLE_TOOLS|CLS|SEP)\])",
    re.IGNORECASE,
)
_ERROR_FIELD = re.compile(r"^error:", re.MULTILINE)


class RemoteReader:
    """One model on one server."""

    quotes_evidence = False
    writes_markdown = True

    def __init__(self, server: str, model: str, *, key: str = "", context_tokens: int = DEFAULT_CONTEXT) -> None:
        """`key` is sent as a bearer token and never shown. Raises SettingRefused if `server` is not an address."""
        self._url = base_url(server)
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name = f"{model} · {httpx.URL(self._url).host}"
        self.context_tokens = context_tokens

    def __repr__(self) -> str:
        return f"RemoteReader({self._url!r}, {self._model!r})"

    def count_tokens(self, text: str) -> int:
        """An upper estimate, as the server's tokenizer is unknown: one token per CJK character or per 3 others."""
        wide = sum(ord(character) >= FIRST_EAST_ASIAN for character in text)
        return wide + (len(text) - wide) // 3 + 1

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Stream the answer without the model's reasoning. Setting `stop` closes the connection, so the server stops.

        A server that goes on far beyond the tokens asked for is cut off, and what came so far is the answer.

        Raises ServerUnreachable, and ReaderError if the model reasoned until its limit and gave no answer.
        """
        cleaner = Cleaner(PromptFormat.TEMPLATE)
        last_piece = finish_reason = ""
        room = request.sampling.max_tokens * MAX_TOKEN_CHARACTERS
        with closing(self._stream(request, stop)) as deltas:
            for text, reason in deltas:
                finish_reason = reason or finish_reason
                if piece := cleaner.feed(text[:room]):
                    last_piece = piece
                    yield piece
                room -= max(len(text), 1)
                if room <= 0:
                    finish_reason = "length"
                    break
        if stop.is_set():
            return
        if rest := cleaner.end():
            yield rest
        elif not last_piece and (cleaner.reasoning or finish_reason == "length"):
            raise ReaderError(
                "{model} gave no answer within its limit of {limit:,} tokens, as happens to models that reason before"
                " they answer: turn reasoning off at the server, or name another model with --model.",
                model=self._model,
                limit=request.sampling.max_tokens,
            )

    def _stream(self, request: ReadRequest, stop: threading.Event) -> Generator[tuple[str, str]]:
        """Yield (new text, finish reason) as the server sends them; the reason is "" until the answer ends."""
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        answered = False
        try:
            with (
                httpx.Client(timeout=timeout, headers=self._headers, trust_env=False) as client,
                client.stream("POST", f"{self._url}/chat/completions", json=self._body(request)) as response,
            ):
                if response.is_error:
                    response.read()
                    raise self._refused(response)
                for event in _events(response, stop):
                    for delta in self._deltas(event):
                        answered = True
                        yield delta
                if not answered and not stop.is_set():
                    raise self._failed(Message("status {status} without an answer", {"status": response.status_code}))
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise self._failed(str(exc) or type(exc).__name__) from exc

    def _body(self, request: ReadRequest) -> dict[str, Any]:
        sampling = request.sampling
        body = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": self._plain(message.content)} for message in chat_messages(request)
            ],
            "stream": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        return body if sampling.seed is None else {**body, "seed": sampling.seed}

    def _plain(self, text: str) -> str:
        """`text` without what the server could take for a control token or, with the first ChatGLMs, for a turn."""
        return break_control_tokens(without_turns(text) if "chatglm" in self._model.lower() else text)

    def _deltas(self, event: ServerSentEvent) -> list[tuple[str, str]]:
        """(new text, finish reason) of each choice of an event. Raises ServerUnreachable for an error it reports."""
        if event.data.strip() in ("", "[DONE]"):
            return []
        try:
            body = json.loads(event.data)
            error = body if event.event == "error" else body.get("error")
            if error:
                raise ServerUnreachable(
                    "The model server {url} broke off the answer of {model} ({detail}): ask again, and see the"
                    " server's log if it happens again.",
                    url=self._url,
                    model=self._model,
                    detail=_detail(error),
                )
            deltas = [(choice.get("delta") or {}, choice.get("finish_reason")) for choice in body.get("choices") or ()]
            return [("" + (delta.get("content") or ""), reason or "") for delta, reason in deltas]
        except (AttributeError, TypeError, ValueError) as exc:
            raise self._failed(Message("unexpected event: {event}", {"event": event.data[:MAX_EVENT]})) from exc

    def _failed(self, reason: str | Message) -> ServerUnreachable:
        return ServerUnreachable(
            "The model server {url} does not answer properly ({reason}): check that it runs and that --server names"
            " it, or restart with --reader quote.",
            url=self._url,
            reason=reason,
        )

    def _refused(self, response: httpx.Response) -> ServerUnreachable:
        return ServerUnreachable(
            "The model server {url} refused the request for {model} (status {status}: {detail}); check --model and the"
            " server's log.",
            url=self._url,
            model=self._model,
            status=response.status_code,
            detail=error_detail(response),
        )


def break_control_tokens(text: str) -> str:
    """`text` with a word joiner (U+2060) after the first character of anything that looks like a control token."""
    return _CONTROL_TOKEN.sub(lambda match: match.group() + "\u2060", text)


def base_url(server: str) -> str:
    """The address of version 1 of the API at `server`. Raises SettingRefused if it is not an HTTP address."""
    server = server.strip().rstrip("/").removesuffix("/chat/completions")
    if "@" in server or "?" in server:  # never repeated: the address stands in errors and on the page
        raise SettingRefused(
            "The address in --server holds a user name, a password or a query, which errors would show: leave it out,"
            " and set the server's key as ASK_SERVER_KEY."
        )
    try:
        url = httpx.URL(server)
        url.host.encode("idna")
        valid = url.scheme in ("http", "https") and bool(url.host) and (url.port or 0) <= MAX_PORT and not url.query
    except (httpx.InvalidURL, UnicodeError):
        valid = False
    if not valid:
        raise SettingRefused("--server takes an address such as http://localhost:8000, not {value!r}.", value=server)
    return server.removesuffix("/v1") + "/v1"


class _EventStream:
    """A response as `EventSource` reads it, with what servers do against the standard put right.

    Some leave the content type out, and llama.cpp has sent errors in a field `error`, which the standard ignores.
    """

    headers = httpx.Headers({"content-type": "text/event-stream"})

    def __init__(self, response: httpx.Response, stop: threading.Event) -> None:
        self._response, self._stop = response, stop

    def iter_text(self) -> Iterator[str]:
        """Whole lines, each `error:` field as an event of type "error"; ends at `stop` or at an endless line."""
        unfinished = ""
        for text in self._response.iter_text():
            if self._stop.is_set():
                return
            lines, newline, unfinished = (unfinished + text).rpartition("\n")
            yield _ERROR_FIELD.sub("event: error\ndata:", lines + newline)
            if len(unfinished) > MAX_LINE:
                return
        yield _ERROR_FIELD.sub("event: error\ndata:", unfinished) + "\n\n"  # the last event may lack its blank line


def _events(response: httpx.Response, stop: threading.Event) -> Iterator[ServerSentEvent]:
    return EventSource(cast(httpx.Response, _EventStream(response, stop))).iter_sse()


def error_detail(response: httpx.Response) -> str:
    """Why a server refused a request, in its own words."""
    try:
        detail = _detail(response.json()["error"] or "")
    except (ValueError, KeyError, TypeError):
        detail = response.text[:MAX_DETAIL]
    return detail or response.reason_phrase


def _detail(error: Any) -> str:
    """What a server says about its failure, in its own words."""
    told = error.get("message") if isinstance(error, dict) else error
    return str(told or error)[:MAX_DETAIL]

"""A GLM on a server: any endpoint with OpenAI's chat completions API (vLLM, SGLang, Xinference, llama.cpp).

The server applies the model's own chat template and parses control tokens in whatever it is sent. So control tokens in
the text of documents and people are broken up before it leaves this machine.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import httpx

from model.completion import PATIENCE, SALT, ChatCompletion, Patience
from model.families import PromptFormat
from model.prompt import chat_messages, without_turns
from model.server_context import ServerFacts, ask_server
from model.stream import Cleaner
from rag.errors import AnswerCut, ReaderError, ServerUnreachable, SettingRefused, answer_too_long
from rag.language import count_east_asian
from rag.reader import Prompt, PromptScopes, ReadRequest

DEFAULT_CONTEXT = 8_192  # tokens, if the server does not say
ASK_AGAIN_SECONDS = 60.0  # after which a server that did not tell its context is asked again
ASK_SOON_SECONDS = 5.0  # after which one that could not be reached is
SALT_BYTES = 32  # as vLLM's documentation advises
MAX_TOKEN_CHARACTERS = 32  # characters of an answer per token asked for; a server that sends more ignores the limit
MAX_PORT = 65_535
# The first character of what may be a control token of GLM, or of another model that such a server may hold:
# <|user|>, [gMASK], <sop>, </s>, <tool_call>, <arg_key>, <start_of_turn>, [INST], <<SYS>>.
_CONTROL_TOKEN = re.compile(
    r"<(?=[|｜])|<(?=/?(?:s|bos|eos|pad|unk|mask|sop|eop|eod|cls|sep|think|tools?|nothink)>)|<(?=<?/?SYS>)"
    r"|<(?=/?[a-z]{1,20}_[a-z_]{1,40}>)|\[(?=/?(?:[gs]?MASK|INST|TOOL_[A-Z]{1,20}|AVAILABLE_TOOLS|CLS|SEP)\])",
    re.IGNORECASE,
)


class RemoteReader:
    """One model on one server."""

    quotes_evidence = False
    writes_markdown = True

    def __init__(
        self,
        server: str,
        model: str,
        *,
        key: str = "",
        context_tokens: int | None = None,
        fallback_context: int = DEFAULT_CONTEXT,
        patience: Patience = PATIENCE,
    ) -> None:
        """`key` is sent as a bearer token and never shown. Raises SettingRefused if `server` is not an address.

        `context_tokens`: None for what the server tells, or `fallback_context` if it does not.
        """
        self._url = base_url(server)
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name = f"{model} · {httpx.URL(self._url).host}"
        self._patience = patience
        self._context, self._fallback = context_tokens, fallback_context
        self._lock = threading.Lock()  # guards what the server has told
        self._told, self._ask_at = ServerFacts(), 0.0
        self._secret = secrets.token_bytes(SALT_BYTES)

    def __repr__(self) -> str:
        return f"RemoteReader({self._url!r}, {self._model!r})"

    @property
    def context_tokens(self) -> int:
        """Longest prompt and answer together, in tokens: the configured value, or what the server tells."""
        return self._context or self._facts().context or self._fallback

    @context_tokens.setter
    def context_tokens(self, tokens: int) -> None:
        self._context = tokens

    def _facts(self) -> ServerFacts:
        """What the server tells about itself.

        It is asked once, and again if it did not tell a context that is needed.
        """
        with self._lock:
            known = self._told.reached and (self._context or self._told.context)
            if not known and time.monotonic() >= self._ask_at:
                self._told = ask_server(self._url, self._model, self._headers)
                self._ask_at = time.monotonic() + (ASK_AGAIN_SECONDS if self._told.reached else ASK_SOON_SECONDS)
            return self._told

    def count_tokens(self, text: str) -> int:
        """An upper estimate, as the server's tokenizer is unknown: one token per CJK character or per 3 others."""
        wide = count_east_asian(text)
        return wide + (len(text) - wide) // 3 + 1

    def prompt(self, request: ReadRequest) -> Prompt:
        """The messages as they are sent; the server adds its own control tokens around them."""
        text = "\n\n".join(f"{message.role}:\n{self._plain(message.text)}" for message in chat_messages(request))
        return Prompt(text, self.count_tokens(text))

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Stream the answer without the model's reasoning. Setting `stop` closes the connection, so the server stops.

        Raises ServerUnreachable; ReaderError if the model reasoned until its limit and gave no answer; AnswerCut after
        the last piece of an answer that the server did not finish, or that reached the limit of its length.
        """
        cleaner = Cleaner(PromptFormat.TEMPLATE)
        answered = False
        try:
            for piece in self._pieces(request, cleaner, stop):
                answered = answered or bool(piece)
                yield piece
        except ServerUnreachable as error:
            if not answered:
                raise
            raise AnswerCut("The answer is incomplete: {reason}", reason=error.message) from error

    def _pieces(self, request: ReadRequest, cleaner: Cleaner, stop: threading.Event) -> Iterator[str]:
        finish_reason = ""
        answered = False
        limit = request.sampling.max_tokens
        room = limit * MAX_TOKEN_CHARACTERS
        completion = ChatCompletion(self._url, self._body(request), self._headers, self._patience)
        with closing(completion.deltas(stop)) as deltas:
            for delta in deltas:
                finish_reason = delta.finish_reason or finish_reason
                if piece := cleaner.feed(delta.text[:room]):
                    answered = True
                    yield piece
                room -= max(len(delta.text), 1)
                if room <= 0:
                    finish_reason = "length"
                    break
        if stop.is_set():
            return
        if rest := cleaner.end():
            answered = True
            yield rest
        if not answered and (cleaner.reasoning or finish_reason == "length"):
            raise ReaderError(
                "{model} gave no answer within its limit of {limit:,} tokens, as can happen with models that reason"
                " first: turn reasoning off at the server, or name another model with --model.",
                model=self._model,
                limit=limit,
            )
        if finish_reason == "length":
            raise answer_too_long(limit)

    def _body(self, request: ReadRequest) -> dict[str, Any]:
        """The request as it is sent.

        A number of the sampling that nobody chose is left to the server: vLLM and SGLang take it from the checkpoint's
        generation_config.json.
        """
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": self._plain(message.text)} for message in chat_messages(request)
            ],
            "stream": True,
        }
        if self._facts().takes_salt:
            body[SALT] = self._salt(request.scopes)
        return body | {name: value for name, value in asdict(sampling).items() if value is not None}

    def _salt(self, scopes: PromptScopes) -> str:
        """Which of the server's earlier prompts this one may reuse: those of the same person, if known.

        A salt applies to a whole prompt, so the sources alone cannot be shared by all who see them. Cannot be guessed.
        """
        if scopes.conversation is None:
            return secrets.token_urlsafe(SALT_BYTES)
        scope = scopes.conversation.encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64encode(hmac.digest(self._secret, scope, "sha256")).decode("ascii")

    def _plain(self, text: str) -> str:
        """`text` without what the server could take for a control token or, with the first ChatGLMs, for a turn."""
        return break_control_tokens(without_turns(text) if "chatglm" in self._model.lower() else text)


def break_control_tokens(text: str) -> str:
    """`text` with a word joiner (U+2060) after the first character of anything that looks like a control token."""
    return _CONTROL_TOKEN.sub(lambda match: match.group() + "\u2060", text)


def base_url(server: str) -> str:
    """The address of version 1 of the API at `server`. Raises SettingRefused if it is not an HTTP address."""
    server = server.strip().rstrip("/").removesuffix("/chat/completions")
    if "@" in server or "?" in server:  # never repeated: the address appears in errors and on the page
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

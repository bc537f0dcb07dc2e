"""Logging without content: request ids, lines as text or JSON, and tracebacks without values.

Unless the level is debug, no line contains text from a document, question or answer, or a file name. Tracebacks name
the program's files and lines; messages of exceptions, which may quote a document, are only logged at level debug.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal, TypeVar

Format = Literal["text", "json"]
_Item = TypeVar("_Item")
_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
# Their messages name files and options of this machine, never what is in a document.
_TELLING: Final = (OSError, MemoryError)


def request_id(offered: str = "") -> str:
    """The id that a proxy gave a request, if it looks like one, else a new one of 16 hexadecimal digits."""
    return offered if _REQUEST_ID.fullmatch(offered) else secrets.token_hex(8)


def current_request() -> str:
    """The id of the request that this thread works for; "" without one."""
    return _REQUEST.get()


def short(document_id: str) -> str:
    """How a document appears in the log: by the beginning of its id, because its name may be confidential."""
    return document_id[:12]


@contextmanager
def in_request(request: str) -> Iterator[None]:
    """Log what happens inside the block as part of a request."""
    token = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def steps_in_request(request: str, steps: Iterator[_Item]) -> Iterator[_Item]:
    """The same for an iterator whose steps may run in different threads."""
    while True:
        with in_request(request):
            try:
                step = next(steps)
            except StopIteration:
                return
        yield step


class _Formatter(logging.Formatter):
    """Leaves out the messages of exceptions, which may contain content, unless they are wanted."""

    def __init__(self, *, with_values: bool) -> None:
        """`with_values`: include the messages of exceptions."""
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(request)s%(message)s", datefmt="%H:%M:%S")
        self._with_values = with_values

    def formatException(self, ei: _ExceptionInfo) -> str:
        """The traceback, without values unless they are wanted."""
        return super().formatException(ei) if self._with_values else trace_without_values(ei[1])


class TextFormatter(_Formatter):
    """Lines for people: time, level, logger, request if there is one, and message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, followed by the traceback if there is one."""
        request = current_request()
        record.request = f"[{request}] " if request else ""
        record.exc_text = None  # another handler may have formatted it differently
        return super().format(record)


class JsonFormatter(_Formatter):
    """One JSON object per line: time (UTC), level, logger, message and, if there are any, request and exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := current_request():
            line["request"] = request
        if record.exc_info and record.exc_info[1]:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def trace_without_values(error: BaseException | None) -> str:
    """A traceback of types, files and lines, without messages: those may quote a document or a question."""
    parts: list[str] = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        said = f": {error}" if isinstance(error, _TELLING) else ""
        parts.append(f"{frames}{type(error).__module__}.{type(error).__qualname__}{said}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nraised while this was handled:\n".join(parts)


def set_up(level: str, form: Format) -> None:
    """Log to standard error from this level on; for libraries, only warnings and errors."""
    formatter = JsonFormatter if form == "json" else TextFormatter
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(with_values=level == "debug"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("httpx", "faiss", "sentence_transformers", "transformers", "pypdf", "huggingface_hub", "mcp"):
        logging.getLogger(name).setLevel(logging.WARNING)

"""Searches and answers for programs: a limited number at a time, each stopped when its client disconnects."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from anyio import CapacityLimiter, to_thread

from rag.messages import Message
from rag.reader import Turn
from rag.records import DEFAULT_OPTIONS, Answer, AskOptions, Event, Found, Source
from webui.engine import Engine
from webui.server.api.errors import RequestRefused
from webui.server.api.library import check_scope

MAX_AT_ONCE: Final = 64  # questions of all programs together, including those waiting; beyond it, requests are refused


@dataclass(frozen=True, slots=True)
class Question:
    """A program's question, and how it is asked."""

    owner: str
    text: str
    documents: Collection[str] | None = None  # ids; None for all
    history: tuple[Turn, ...] = ()
    options: AskOptions = DEFAULT_OPTIONS


class Asking:
    """Searches and answers for programs. Use it from one event loop only."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._asked = 0  # questions not answered yet
        self._threads = CapacityLimiter(2 * MAX_AT_ONCE)  # a stopped one may hold its thread a little longer

    async def search(self, question: Question, limit: int) -> list[Source]:
        """At most `limit` sources. Raises AskError and RequestRefused."""
        check_scope(self.engine, question.owner, question.documents)
        with self._slot():
            found = await self._in_thread(self.engine.search, question.owner, question.text, question.documents, limit)
            return list(found)

    async def events(self, question: Question) -> AsyncGenerator[Event, None]:
        """The events of an answer. Closing the iterator stops the answer. Raises AskError and RequestRefused."""
        check_scope(self.engine, question.owner, question.documents)
        stop = threading.Event()
        with self._slot():
            try:
                asked = self.engine.ask(
                    question.owner, question.text, question.documents, question.history, stop, question.options
                )
                while (event := await self._in_thread(next, asked, None)) is not None:
                    yield event
            finally:
                stop.set()

    async def answer(self, question: Question) -> tuple[Found, Answer]:
        """A finished answer with its sources. Raises AskError and RequestRefused."""
        found = Found((), question.text)
        async with aclosing(self.events(question)) as events:
            async for event in events:
                if isinstance(event, Found):
                    found = event
                elif isinstance(event, Answer):
                    return found, event
        raise RuntimeError("an answer ends with an Answer")

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """A place among the programs' questions. Raises RequestRefused if there are too many."""
        if self._asked >= MAX_AT_ONCE:
            raise RequestRefused(503, Message("Too many questions are waiting: try again in a moment."))
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        """Call a function in a thread; if the caller stops waiting, the thread ends on its own."""
        return await to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=self._threads)

"""The answers being made, each in its own thread.

An answer belongs to its conversation, not to the page that asked. It continues while that page is reloaded, and every
page that shows the conversation can show and stop it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final

from webui.conversation import Conversation, Exchange
from webui.engine import Engine
from webui.own_conversations import OwnConversations
from webui.session import Asking, Session

MAX_ANSWERS: Final = 256  # at the same time, including those waiting for their turn in the engine
LEFT_SECONDS: Final = 300.0  # an answer is stopped when no page of the person who asked has sent anything for this long
CLOSED_SECONDS: Final = 10.0  # the same for the pages that show a question which still waits for its turn
_CHECK_SECONDS: Final = 2.0  # between checks for abandoned answers
_CLOSE_SECONDS: Final = 5.0  # for the last answers when the program ends; a reader may be slow to notice
_WAIT_SECONDS: Final = 1.0  # to wait for a change before checking whether the answer is complete
_STOP_SECONDS: Final = 0.3  # to wait after a stop without a change; then the request that asked ends without the answer


@dataclass(eq=False)
class _Running:
    """An answer being made."""

    conversation: Conversation
    exchange: Exchange
    session: Session  # the session that asked
    who: OwnConversations | Session  # tells when the person who asked was last there
    followed: bool = True  # drawn by the request of the page that asked
    done: bool = False

    @property
    def shown_at(self) -> float:
        """When a page that shows the conversation last sent something."""
        return max(self.session.seen_at, self.conversation.seen_at)


class Answers:
    """Makes the answers for all pages. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        *,
        most: int = MAX_ANSWERS,
        left_seconds: float = LEFT_SECONDS,
        closed_seconds: float = CLOSED_SECONDS,
        raise_errors: bool = False,
    ) -> None:
        """At most `most` answers at a time.

        `left_seconds`: one is stopped this long after its person was last heard from.

        `closed_seconds`: a waiting question gives up its place this long after the last page that showed it was heard
        from. This must be long enough to reload a page.
        """
        self._engine, self._raise_errors = engine, raise_errors
        self._left_seconds, self._closed_seconds = left_seconds, closed_seconds
        self._free = threading.BoundedSemaphore(most)
        self._changed = threading.Condition()  # guards the list of running answers
        self._running: list[_Running] = []

    def ask(self, session: Session, asking: Asking) -> Iterator[None]:
        """Ask, and yield whenever the page should be redrawn, until the answer is complete.

        If the maximum number of answers is being made, it first waits. Closing the iterator does not stop the answer.
        After a stop, the iterator ends soon, even if the reader has not noticed yet; polling then brings the rest to
        the page.
        """
        running = self._begin(session, asking)
        seen = running.conversation.version
        try:
            yield
            while not running.done:
                stopped = running.exchange.stopped
                seconds = _STOP_SECONDS if stopped else _WAIT_SECONDS
                version = running.conversation.wait_for_change(seen, seconds, lambda: running.done)
                if version != seen:
                    seen = version
                    yield
                elif stopped:
                    return
            if running.conversation.version != seen:
                yield
        finally:
            running.followed = False

    def __len__(self) -> int:
        """The number of answers being made."""
        return len(self._running)

    def close(self) -> None:
        """Stop all answers, and wait at most `_CLOSE_SECONDS` until what they have said so far is stored."""
        with self._changed:
            for running in self._running:
                running.conversation.stop()
            self._changed.wait_for(lambda: not self._running, _CLOSE_SECONDS)

    def _begin(self, session: Session, asking: Asking) -> _Running:
        while not self._free.acquire(timeout=_WAIT_SECONDS):
            self._make_room()
        with ExitStack() as undo:
            undo.callback(self._free.release)
            steps = session.ask(self._engine, asking, raise_errors=self._raise_errors)
            next(steps)  # the question is part of the conversation now
            undo.pop_all()
        conversation = session.conversation
        running = _Running(conversation, conversation.exchanges[-1], session, session.own or session)
        with self._changed:
            self._running.append(running)
            if len(self._running) == 1:
                threading.Thread(target=self._stop_left, name="answers-left", daemon=True).start()
        arguments = (self._finish, running, steps)
        threading.Thread(target=copy_context().run, args=arguments, name="answer", daemon=True).start()
        return running

    def _finish(self, running: _Running, steps: Iterator[None]) -> None:
        try:
            for _ in steps:
                pass
        finally:
            running.done = True
            running.conversation.wake()
            with self._changed:
                self._running.remove(running)
                self._changed.notify_all()
            self._free.release()

    def _make_room(self) -> None:
        """Stop an answer that no request is waiting for: the one whose person has been away longest."""
        with self._changed:
            alone = [running for running in self._running if not running.followed and running.conversation.running]
        if alone:
            min(alone, key=lambda running: running.who.seen_at).conversation.stop(left=True)

    def _stop_left(self) -> None:
        """Stop the answers of people who have left. Returns when no answer is left."""
        with self._changed:
            while self._running:
                for running in filter(self._is_left, self._running):
                    running.conversation.stop(left=True)
                self._changed.wait(min(_CHECK_SECONDS, self._left_seconds, self._closed_seconds))

    def _is_left(self, running: _Running) -> bool:
        """Whether nobody is waiting for an answer any more."""
        now = time.monotonic()
        closed = not running.followed and now - running.shown_at > self._closed_seconds
        return now - running.who.seen_at > self._left_seconds or (closed and running.conversation.waiting)

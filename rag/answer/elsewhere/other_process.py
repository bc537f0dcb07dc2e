"""Answers of the quote reader made in another process, while several people ask.

Most of the work on such an answer is plain Python, of which a process runs one thread at a time. Without another
process, answers would wait for everybody's pages and pages for answers, however many processors there are. While only
one person asks, everything is done here and nothing is started. An answer that the process cannot complete is completed
here, from where it was.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from rag.answer.asked import Asked
from rag.answer.elsewhere.pipe import (
    Call,
    Command,
    Ended,
    Forget,
    Known,
    Opening,
    Question,
    Refused,
    Returned,
    receive,
    send,
)
from rag.bugs import error_kept
from rag.child_process import start_module
from rag.embed.embedder import Embeds
from rag.errors import Stopped
from rag.index.protocols import Scope
from rag.reader import Sampling
from rag.records import DocumentKey, Event, Vectors
from rag.retrieve.query import Query
from rag.retrieve.searching import Searched, Searching
from rag.settings import Settings

MODULE: Final = "rag.answer.elsewhere.process"
AGAIN_SECONDS: Final = 60.0  # between two starts of the process, if it ends by itself
IDLE_SECONDS: Final = 900.0  # a process that has not answered for this long is ended

log = logging.getLogger(__name__)


class CannotGoOn(Exception):
    """The process has ended, or met an error."""


class Calls:
    """What the process may ask for while it carries out a command."""

    def __init__(self, searching: Searching, embedder: Embeds, stop: threading.Event) -> None:
        self._searching, self._embedder, self._stop = searching, embedder, stop
        self._named: dict[str, Callable[..., Any]] = {
            "search": searching.search,
            "idf": searching.idf,
            "named_documents": searching.named_documents,
            "compared_documents": searching.compared_documents,
            "coverage": searching.coverage,
            "queries": embedder.queries,
            "passages": self._passages,
            "stopped": stop.is_set,
        }

    def reply(self, call: Call) -> Returned | Refused:
        """The result of a call.

        Exceptions are not passed on: the answer is made again here, where they have their traceback.
        """
        with error_kept() as kept:
            value = self._named[call.name](*call.arguments)
            known = self._asked_next(call.arguments[0], call.arguments[1], value) if call.name == "search" else {}
        if kept.error is not None:
            return Refused(stopped=isinstance(kept.error, Stopped))
        return Returned(value, self._stop.is_set(), known)

    def _asked_next(self, query: Query, scope: Scope, searched: Searched) -> Known:
        """What is asked for after nearly every search; each further call would have to wait for this process."""
        terms = {(term, found.scope) for found in searched.found for term in found.query.terms}
        known: dict[tuple[Any, ...], Any] = {("idf", *one): self._searching.idf(*one) for one in terms}
        known["compared_documents", query.completed, scope] = self._searching.compared_documents(query.completed, scope)
        return known

    def _passages(self, texts: Sequence[str], urgent: bool, stoppable: bool) -> Vectors:
        return self._embedder.passages(texts, urgent=urgent, stop=self._stop if stoppable else None)


def carried_out(command: Command, connection: Connection, calls: Calls | None = None) -> Iterator[Event]:
    """The events of a command. Raises Stopped and CannotGoOn."""
    try:
        send(connection, command)
        while not isinstance(sent := receive(connection), Ended):
            if isinstance(sent, Call):
                assert calls is not None
                send(connection, calls.reply(sent))
            else:
                yield sent
    except (OSError, EOFError) as error:
        raise CannotGoOn("it has ended") from error
    if sent.stopped:
        raise Stopped
    if sent.failed:
        raise CannotGoOn(sent.failed)


class OtherProcess:
    """The process that answers questions about one library, once it has been started. Thread-safe."""

    def __init__(self, opening: Opening, searching: Searching, embedder: Embeds) -> None:
        self._opening, self._searching, self._embedder = opening, searching, embedder
        self._idle_seconds = IDLE_SECONDS
        self._changed = threading.Condition()
        self._free: list[Connection] = []
        self._answering = 0
        self._control: socket.socket | None = None  # once it answers
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None  # starts and ends it
        self._started = self._used = -AGAIN_SECONDS  # `time.monotonic`
        self._closing = False

    def start(self) -> None:
        """Start it in the background, unless it is running or has just ended by itself."""
        with self._changed:
            now = time.monotonic()
            if self._closing or self._thread is not None or now - self._started < AGAIN_SECONDS:
                return
            self._started = self._used = now
            self._thread = threading.Thread(target=self._run, name="other-process", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread, process = self._thread, self._process
        if process is not None:  # it may still be loading
            process.kill()
        if thread is not None:
            thread.join()

    @property
    def running(self) -> bool:
        """Whether it can answer."""
        return self._control is not None

    def answer(
        self, asked: Asked, sampling: Sampling, stop: threading.Event, here: Callable[[], Iterator[Event]]
    ) -> Iterator[Event]:
        """The events of an answer: the process's, or while it does not run those of `here`. Raises what that does."""
        connection = self._take()
        if connection is None:
            yield from here()
            return
        given, whole = 0, False
        try:
            for event in carried_out(Question(asked, sampling), connection, self._calls(stop)):
                yield event
                given += 1
            whole = True
        except Stopped:
            whole = True
            raise
        except CannotGoOn as error:
            log.warning("An answer is made here, as the process that began it could not go on: %s", error)
            yield from islice(here(), given, None)
        finally:
            self._give_back(connection, whole=whole)

    def forget(self, document: DocumentKey) -> None:
        """Drop everything kept of a document; it is gone when this returns."""
        connection = self._take()
        if connection is None:
            return
        whole = False
        try:
            for _ in carried_out(Forget(document), connection):
                pass
            whole = True
        except (CannotGoOn, Stopped):
            self._end()
        finally:
            self._give_back(connection, whole=whole)

    def _calls(self, stop: threading.Event) -> Calls:
        return Calls(self._searching, self._embedder, stop)

    # ---- connections, each for one command at a time

    def _take(self) -> Connection | None:
        """A connection; None if the process is not running."""
        with self._changed:
            if self._control is None:
                return None
            self._used = time.monotonic()
            self._answering += 1
            if self._free:
                return self._free.pop()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._control, [b"."], [theirs.fileno()])
                except OSError:  # it has ended: the connection tells so
                    log.debug("The process that answers has ended")
            return Connection(ours.detach())

    def _give_back(self, connection: Connection, *, whole: bool) -> None:
        """`whole`: the connection is at the end of a command."""
        with self._changed:
            self._answering -= 1
            if whole and self._control is not None:
                self._free.append(connection)
                return
        connection.close()
        if self._process is not None and self._process.poll() is not None:
            self._end()

    def _end(self) -> None:
        """Stop using it."""
        with self._changed:
            if self._control is not None:
                self._control.close()  # which ends it
            self._control = None
            for connection in self._free:
                connection.close()
            self._free.clear()
            self._changed.notify_all()

    # ---- starting and ending, in a thread of its own

    def _run(self) -> None:
        control = self._open()
        with self._changed:
            self._control = control
            if control is not None:
                log.info("Several people ask: answers are made in another process")
            while self._control is not None and not self._closing and not self._is_idle():
                self._changed.wait(min(self._idle_seconds, AGAIN_SECONDS))
        self._end()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with self._changed:
            self._thread, self._process = None, None

    def _is_idle(self) -> bool:
        return not self._answering and time.monotonic() - self._used > self._idle_seconds

    def _open(self) -> socket.socket | None:
        """Start the process and wait until it has loaded everything; None if that fails."""
        control, theirs = socket.socketpair()
        with theirs:
            # As many answers are made at once as there are processors.
            self._process = start_module(MODULE, theirs, OMP_NUM_THREADS="1")
        try:
            with Connection(os.dup(control.fileno())) as connection:
                for _ in carried_out(self._opening, connection, self._calls(threading.Event())):
                    pass
        except (CannotGoOn, Stopped) as error:
            log.warning("All answers are made in this process, as another one cannot be started: %s", error)
            control.close()
            return None
        return control


def other_process(
    settings: Settings, name: str, folder: Path | None, searching: Searching, embedder: Embeds
) -> OtherProcess:
    """The process, not yet started, for the embedder with this name."""
    return OtherProcess(Opening(settings, name, folder, sys.getswitchinterval()), searching, embedder)

"""The process that `other_process` starts: answers questions, as many at a time as it has connections.

Standard input is a socket. It first brings what is needed to load everything, then one byte for each connection, with
its descriptor. A thread carries out the commands of a connection, one after another. What only the program has (the
embedder and the indexes) is asked for through the connection; documents are read from the database.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from rag.answer.answerability import EvidenceScorer
from rag.answer.answering import Answerer
from rag.answer.elsewhere.pipe import (
    Call,
    CallFailed,
    Command,
    Ended,
    Forget,
    Opening,
    Question,
    Refused,
    Returned,
    receive,
    send,
)
from rag.answer.phrases.short_phrase import PhraseFinder
from rag.answer.phrases.span_model import open_span_model
from rag.answer.quote import QuoteReader
from rag.bugs import error_kept
from rag.errors import Stopped
from rag.index.protocols import Scope
from rag.records import Vectors
from rag.retrieve.page_facts import StoredFacts
from rag.retrieve.query import Query
from rag.retrieve.retriever import Retriever
from rag.retrieve.searching import Searched
from rag.store.read_only import ReadOnlyStore
from rag.store.sentences import StoredSentences

HEARD_SECONDS: Final = 0.03  # after which the program is asked again whether an answer is still wanted


class Program:
    """The program, which each thread asks through its own connection."""

    def __init__(self) -> None:
        self._local = threading.local()

    def connect(self, connection: Connection) -> None:
        """From now on, ask through this connection in this thread."""
        self._local.connection = connection
        self.begin()

    def begin(self) -> None:
        """Forget what was asked for the question before: documents may have come and gone since."""
        self._local.known, self._local.stopped, self._local.heard = {}, False, -math.inf

    def ask(self, name: str, *arguments: Any) -> Any:
        """The result of a call. Raises Stopped and CallFailed."""
        connection: Connection = self._local.connection
        send(connection, Call(name, arguments))
        reply = receive(connection)
        self._local.heard = time.monotonic()
        if isinstance(reply, Returned):
            self._local.stopped = reply.stopped
            self._local.known.update(reply.known)
            return reply.value
        assert isinstance(reply, Refused)
        raise Stopped if reply.stopped else CallFailed(name)

    def ask_once(self, name: str, *arguments: Any) -> Any:
        """The same, asked once for each question."""
        known: dict[tuple[Any, ...], Any] = self._local.known
        key = (name, *arguments)
        if key not in known:
            known[key] = self.ask(name, *arguments)
        return known[key]

    @property
    def stopped(self) -> bool:
        """Whether nobody waits for the answer any more, as of a short while ago."""
        if not self._local.stopped and time.monotonic() - self._local.heard > HEARD_SECONDS:
            self.ask("stopped")
        return bool(self._local.stopped)


class SearchingThere:
    """The program's indexes, see `rag.retrieve.searching.Searching`."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def search(self, query: Query, scope: Scope, depth: int) -> Searched:
        """At most `depth` hits of each search that a question needs."""
        return self._program.ask("search", query, scope, depth)  # type: ignore[no-any-return]

    def idf(self, term: str, scope: Scope) -> float:
        """The inverse document frequency of a term in the library of a scope."""
        return self._program.ask_once("idf", term, scope)  # type: ignore[no-any-return]

    def named_documents(self, question: str, scope: Scope) -> Mapping[str, frozenset[str]]:
        """The documents that a question names."""
        return self._program.ask_once("named_documents", question, scope)  # type: ignore[no-any-return]

    def compared_documents(self, question: str, scope: Scope) -> list[Scope]:
        """The sides that a question compares."""
        return self._program.ask_once("compared_documents", question, scope)  # type: ignore[no-any-return]

    def coverage(self, term: str, scope: Scope) -> Mapping[str, float]:
        """The share of the passages of each document that have a term."""
        return self._program.ask_once("coverage", term, scope)  # type: ignore[no-any-return]


class EmbedderThere:
    """The program's embedder, see `rag.embed.embedder.Embeds`."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) of passages. Raises Stopped."""
        if not texts:  # mostly, as vectors of sentences are stored
            return np.zeros((0, 0), np.float32)
        return self._program.ask("passages", list(texts), urgent, stop is not None)  # type: ignore[no-any-return]

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, d) of questions."""
        return self._program.ask("queries", list(texts))  # type: ignore[no-any-return]


class StopThere(threading.Event):
    """Whether nobody waits for the answer any more, as the program says."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = program

    def is_set(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._program.stopped


class Answering:
    """Carries out commands. Thread-safe."""

    def __init__(self, opening: Opening, program: Program) -> None:
        """Loads everything that is the same for every question; asks the program for some vectors."""
        settings, embedder = opening.settings, EmbedderThere(program)
        store, facts = ReadOnlyStore(settings.database), settings.retrieval.pages.kept_pages
        retriever = Retriever(store, SearchingThere(program), settings.retrieval, StoredFacts(store, facts))
        scorer = EvidenceScorer(embedder, settings.answering, StoredSentences(store))
        phrases = PhraseFinder(open_span_model(opening.embedder, opening.folder), settings.answering.phrases)
        self._answerer = Answerer(store, retriever, scorer, phrases, settings)
        self._program, self._reader, self._stop = program, QuoteReader(), StopThere(program)

    def serve(self, connection: Connection) -> None:
        """Carry out the commands of a connection until there are no more."""
        self._program.connect(connection)
        with connection, suppress(OSError, EOFError):
            while True:
                send(connection, self._carry_out(receive(connection), connection))

    def _carry_out(self, command: Command, connection: Connection) -> Ended:
        with error_kept() as kept:
            if isinstance(command, Question):
                self._answer(command, connection)
            elif isinstance(command, Forget):
                self._answerer.forget(command.document)
        if isinstance(kept.error, Stopped):
            return Ended(stopped=True)
        if isinstance(kept.error, OSError | EOFError):  # the program has ended, or wants nothing more from this process
            raise kept.error
        # The program answers the question itself, and sees what the error is.
        return Ended(failed=type(kept.error).__name__ if kept.error else "")

    def _answer(self, question: Question, connection: Connection) -> None:
        self._program.begin()
        for event in self._answerer.answer(question.asked, self._reader, question.sampling, self._stop):
            send(connection, event)


def load(control: socket.socket) -> Answering:
    """Load everything, and say so."""
    program = Program()
    with Connection(os.dup(control.fileno())) as connection:
        program.connect(connection)
        opening = receive(connection)
        sys.setswitchinterval(opening.switch_seconds)
        answering = Answering(opening, program)
        send(connection, Ended())
    return answering


def main() -> None:
    """Load everything, then serve each connection in a thread, until the program ends."""
    # The program ends this process, once its last answers are complete.
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    with socket.socket(fileno=0) as control, suppress(OSError, EOFError):
        answering = load(control)
        while descriptors := socket.recv_fds(control, 1, 1)[1]:
            threading.Thread(target=answering.serve, args=(Connection(descriptors[0]),), daemon=True).start()
    os._exit(0)  # answers that nobody wants any more are not waited for


if __name__ == "__main__":
    main()

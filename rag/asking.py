"""Handles everybody's questions: which documents each may use, when it is answered, and by which reader."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from rag.answer.answering import Answerer
from rag.answer.asked import Asked
from rag.answer.elsewhere.other_process import OtherProcess
from rag.answer.quote import QuoteReader
from rag.answer.sentence_vectors import SentencesAhead, SentenceVectors
from rag.answer.small_talk import ASK_A_QUESTION, small_talk
from rag.answer.suggesting import suggest
from rag.errors import QuestionRefused
from rag.index.protocols import Scope
from rag.library import Library
from rag.reader import CachesPrompts, PromptCacheUsage, Reader, Sampling, Turn
from rag.records import Answer, AnswerState, AskOptions, Document, DocumentKey, Event, Found, Source
from rag.retrieve.query import validate_question
from rag.settings import Settings
from rag.store.sentences import StoredSentences
from rag.turns import Turns

QUOTING_AT_ONCE = (2, 8)  # least and most answers of the quote reader at the same time; in between, one per processor
SEVERAL = 3  # from this many people asking at the same time, another process makes the answers
READING_AT_ONCE = 16  # answers of a model at the same time


class Questions:
    """Asks one library, with one reader at a time. Thread-safe."""

    def __init__(
        self,
        library: Library,
        documents: Callable[[str], Sequence[Document]],
        answerer: Callable[[], Answerer],
        settings: Settings,
        reader: Reader,
        sampling: Sampling | None = None,
    ) -> None:
        """`documents`: those an owner sees; `answerer` waits until it is loaded, or raises AskError if that fails."""
        self._library, self._documents, self._answerer = library, documents, answerer
        self._settings, self.reader, self._sampling = settings, reader, sampling or Sampling()
        self.turns = Turns(self._at_once, settings.limits)
        self._ahead: SentencesAhead | None = None  # until everything is loaded
        self.other_process: OtherProcess | None = None  # until everything is loaded, and with a reranker

    def make_ahead(self, vectors: SentenceVectors, stored: StoredSentences, version: Callable[[], int]) -> None:
        """Compute missing sentence vectors while nobody asks; check again at each new `version` of the library."""
        answering = self._settings.answering
        if answering.sentences_ahead:
            self._ahead = SentencesAhead(
                stored, vectors, answering.sentence_characters, quiet_since=self.turns.quiet_since, version=version
            )

    def close(self) -> None:
        """Stop all answers and refuse new ones."""
        self.turns.close()
        if self._ahead is not None:
            self._ahead.close()
        if self.other_process is not None:
            self.other_process.close()

    def _at_once(self) -> int:
        if self._settings.limits.answers_at_once:
            return self._settings.limits.answers_at_once
        if not self.reader.quotes_evidence:
            return READING_AT_ONCE
        least, most = QUOTING_AT_ONCE
        if self.other_process is not None and self.other_process.running:
            least, most = least + 1, most + 1  # one of them waits for the embedder
        return max(least, min(os.cpu_count() or 1, most))

    def ask(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        history: Sequence[Turn],
        stop: threading.Event | None,
        options: AskOptions,
        person: str,
    ) -> Iterator[Event]:
        """See `rag.engine.Engine.ask`."""
        question = validate_question(question, self._settings.limits.question_characters)
        if reply := small_talk(question, lambda: self._names(owner, documents)):
            yield Found((), question, writes_markdown=False)
            is_asked = reply is not ASK_A_QUESTION
            yield Answer((), "", AnswerState.ANSWER if is_asked else AnswerState.NONE, reply=reply)
            return
        stop = stop or threading.Event()
        asked = Asked(question, self._scope(owner, documents), tuple(history), options, person or owner)
        reader = QuoteReader() if options.quotes else self.reader
        answerer = self._answerer()
        person = person or owner
        if self.other_process is not None and reader.quotes_evidence and self.turns.people_with(person) >= SEVERAL:
            self.other_process.start()
        yield from self.turns.events(person, lambda: self._answer(answerer, asked, reader, stop), stop)

    def _answer(self, answerer: Answerer, asked: Asked, reader: Reader, stop: threading.Event) -> Iterator[Event]:
        """The answer to a question whose turn has come: made here or, if several people ask, in another process."""
        here = partial(answerer.answer, asked, reader, self._sampling, stop)
        if self.other_process is None or not reader.quotes_evidence:
            return here()
        return self.other_process.answer(asked, self._sampling, stop, here)

    def follow_ups(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        sources: tuple[Source, ...],
        stop: threading.Event | None,
    ) -> tuple[str, ...]:
        """See `rag.engine.Engine.follow_ups`."""
        with self.turns.spare_time(stop or threading.Event()) as may_go_on:
            return suggest(self._answerer(), Asked(question, self._scope(owner, documents)), sources, may_go_on)

    def search(
        self, owner: str, question: str, documents: Collection[str] | None, count: int | None, person: str
    ) -> list[Source]:
        """At most `count` sources for a question. Raises QuestionRefused and TooManyWaiting."""
        question = validate_question(question, self._settings.limits.question_characters)
        asked = Asked(question, self._scope(owner, documents))

        def found() -> Iterator[Event]:
            retrieved = self._answerer().retrieve(asked, count)
            yield Found(retrieved.sources, retrieved.queries[0])

        events = self.turns.events(person or owner, found, threading.Event())
        return [source for event in events if isinstance(event, Found) for source in event.sources]

    def prompt_cache(self) -> PromptCacheUsage | None:
        """The prompt cache of a model on this machine; None without one."""
        return self.reader.prompt_cache_usage if isinstance(self.reader, CachesPrompts) else None

    def forget(self, document: DocumentKey) -> None:
        """Drop everything kept of a document that was removed or has changed, except what a model keeps."""
        if self.other_process is not None:
            self.other_process.forget(document)

    def forget_document(self, document_id: str) -> None:
        """Drop what the current model keeps of a document."""
        if isinstance(self.reader, CachesPrompts):
            self.reader.forget_document(document_id)

    def _names(self, owner: str, documents: Collection[str] | None) -> list[str]:
        """The names of the documents searched."""
        return [one.name for one in self._documents(owner) if documents is None or one.id in documents]

    def _scope(self, owner: str, documents: Collection[str] | None) -> Scope:
        """The documents that a question may use.

        Raises QuestionRefused if there are none, and what `answerer` raises.
        """
        self._answerer()
        known, visible = self._library.documents(owner), {document.id for document in self._documents(owner)}
        everything = Scope(owner, granted=self._library.access.granted(owner))
        if not visible or not self._library.router.count(everything):
            raise QuestionRefused("There is no document to search yet: add a PDF first.")
        chosen = visible if documents is None else visible.intersection(documents)
        scope = everything if len(chosen) == len(known) else replace(everything, documents=frozenset(chosen))
        if not self._library.router.count(scope):
            raise QuestionRefused("No document is chosen: tick at least one.")
        return scope

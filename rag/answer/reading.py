"""What a model reads for a question: as many sources as its context can take, and the resulting prompt."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from rag.answer.asked import Asked
from rag.answer.citations import AnswerChecker
from rag.answer.context import SourceRead, pack_context, room_for_sources, title_tokens
from rag.answer.marks import remove_citation_marks
from rag.answer.source_tables import SourceTables
from rag.answer.steady import LastRead, Question, Steady
from rag.answer.surroundings import Surroundings
from rag.answer.whole.read import Parts, WholeReading, WholeRequest, parts_asked, reading_of
from rag.errors import AnswerCut
from rag.manner import Manner
from rag.messages import Message
from rag.reader import NOT_SHARED, Evidence, PromptScopes, Reader, ReadRequest, Sampling, Turn
from rag.records import Checked, Event, Piece, Reading, Source
from rag.settings import Settings
from rag.store.access import collection_of
from rag.store.database import Store
from rag.store.rows import StoredPassage

FILLED = 0.95  # share of the room for sources that a part may take: tables take more as Markdown
TOKENS_PER_FULL_PAGE = 2_000  # tokens of a model's context for each source extended to its whole page, of about 1,000


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a reader has room for, besides a question and its answer."""

    sources: int | None  # sources to retrieve; None: as many as configured, with whole pages as configured
    full_pages: int | None = None  # sources that are extended to their whole page
    tokens: int = 0  # of sources, history and evidence together


class ModelContext:
    """The context of one reader, for one question."""

    def __init__(
        self, asked: Asked, reader: Reader, sampling: Sampling, store: Store, settings: Settings, last_read: LastRead
    ) -> None:
        """`last_read`: what was read for the questions before."""
        self._last_read = last_read
        self._before: Sequence[SourceRead] = ()  # of what is read and, before it, what was read for the question before
        self._asked, self._preferences = asked, asked.options.preferences
        self._reader, self._sampling = reader, sampling
        self._store, self._settings, self._context = store, settings, settings.answering.context

    def capacity(self) -> Capacity:
        """What fits besides the question: for a model, as much as its context takes, unless a number is preferred."""
        if self._reader.quotes_evidence or self._preferences.sources:
            return Capacity(self._preferences.sources)
        room = max(room_for_sources(self._reader, self._asked.question, self._sampling, self._preferences.manner), 0)
        retrieval = self._settings.retrieval
        sources = max(min(room // self._context.tokens_per_source, self._context.max_sources), retrieval.sources)
        return Capacity(sources, max(room // TOKENS_PER_FULL_PAGE, retrieval.full_page_sources), room)

    def arranged(self, sources: tuple[Source, ...], capacity: Capacity, *, cited: bool) -> tuple[Source, ...]:
        """The sources with their surroundings and, unless they are already `cited`, with their previous numbers."""
        surrounded = self._surrounded(sources, capacity)
        return surrounded if cited else self._steady(surrounded, capacity)

    def _surrounded(self, sources: tuple[Source, ...], capacity: Capacity) -> tuple[Source, ...]:
        """The sources with the rest of their documents and sections, as far as there is room for it."""
        if not capacity.tokens:
            return sources
        free = int(capacity.tokens * (1 - self._context.max_history_share - self._context.max_evidence_share))

        def passages_of(document_id: str) -> Sequence[StoredPassage]:
            document = self._store.document(self._asked.scope.owner, document_id)
            return self._store.document_passages(document.owner, document.id) if document else ()

        surroundings = Surroundings(
            free,
            self._reader.count_tokens,
            passages_of,
            source_tokens=2 * self._context.source_tokens,
            source_characters=self._settings.retrieval.source_characters,
        )
        return surroundings.added_to(sources)

    def _steady(self, sources: tuple[Source, ...], capacity: Capacity) -> tuple[Source, ...]:
        """The sources; those read for the previous question stay in place if many of them were found again.

        The better half of what fits is read in any case.
        """
        before = self._read_before() if capacity.tokens else ()
        if not before:
            return sources
        steady = Steady(sources, before)
        settings, tokens = self._context, self._reader.count_tokens
        turns = sum(tokens(turn.question) + tokens(turn.answer) for turn in map(without_marks, self._asked.history))
        turns = min(turns, int(capacity.tokens * settings.max_history_share))
        room = int(capacity.tokens * (1 - settings.max_evidence_share)) - turns
        longest = int(room * settings.max_source_share)
        steady.leave_room(room, lambda source: min(self._tokens_of(source), longest))
        self._before = steady.kept
        return steady.sources if steady.kept else sources

    def _tokens_of(self, source: Source) -> int:
        return self._reader.count_tokens(source.text) + title_tokens(source, self._reader, self._context)

    def _question(self, question: str) -> Question:
        return self._asked.person, self._reader.name, question.strip()

    def _read_before(self) -> Sequence[SourceRead]:
        """What was read for the previous question, up to the first document that may no longer be asked."""
        if not (self._asked.history and self._asked.person):
            return ()
        read, scope = self._last_read.of(self._question(self._asked.history[-1].question)), self._asked.scope
        allowed = {
            document.id
            for document in (self._store.document(scope.owner, document_id) for document_id in _documents(read))
            if document is not None and scope.allows((document.owner, document.id))
        }
        return list(takewhile(lambda one: one.source.document_id in allowed, read))

    def whole(self, request: WholeRequest) -> tuple[WholeReading, Parts] | None:
        """How the documents of a request are read; None if that takes too many parts, or there are none."""
        manner = self._preferences.manner
        reading = WholeReading(request.question, self._reader, self._sampling, manner, self._context, self._scopes)
        parts = parts_asked(self._store, request, self._reader, int(reading.room * FILLED), self._settings)
        return None if parts is None else (reading, parts)

    def read(
        self,
        sources: Sequence[Source],
        evidence: Sequence[Evidence],
        tables: SourceTables,
        stop: threading.Event,
    ) -> Iterator[Reading | str]:
        """What a model reads, then the reader's answer in pieces. Raises QuestionRefused and ReaderError."""
        reader, manner, question = self._reader, self._preferences.manner, self._asked.question
        turns = [without_marks(turn) for turn in self._asked.history]
        quotes = reader.quotes_evidence
        packed = pack_context(
            question, sources, turns, reader, self._sampling, self._context,
            None if quotes else tables, () if quotes else evidence, manner, self._before,
        )  # fmt: skip
        given = tuple(evidence) if quotes else packed.evidence
        request = ReadRequest(question, packed.sources, packed.history, self._sampling, given, manner)
        if not quotes:
            if self._asked.person:
                self._last_read.keep(self._question(question), packed.read)
            request = replace(request, scopes=self._scopes([one.source for one in packed.read]))
            yield reading_of(request, reader, len(sources))
        yield from reader.answer(request, stop)

    def _scopes(self, sources: Sequence[Source]) -> PromptScopes:
        """Who may share a prompt with these sources."""
        ids = {source.document_id for source in sources}
        documents = [self._store.document(self._asked.scope.owner, document_id) for document_id in ids]
        holders = {document.owner for document in documents if document is not None}
        known = None not in documents  # one that was removed meanwhile is shared with nobody
        if not known:
            return NOT_SHARED
        scopes = prompt_scopes(self._asked.person, holders, self._preferences.manner)
        return replace(scopes, documents=frozenset(ids))


def _documents(read: Sequence[SourceRead]) -> set[str]:
    return {one.source.document_id for one in read}


def without_marks(turn: Turn) -> Turn:
    """A turn as a reader gets it, without citation marks."""
    return Turn(turn.question, remove_citation_marks(turn.answer))


def checked(pieces: Iterable[Reading | str], checker: AnswerChecker) -> Generator[Event, None, Message | None]:
    """What a model reads, the pieces of its answer, and its sentences as they become complete.

    Returns why the answer is incomplete, if it is.
    """
    try:
        for piece in pieces:
            if isinstance(piece, Reading):
                yield piece
                continue
            yield Piece(piece)
            if sentences := checker.add(piece):
                yield Checked(sentences)
    except AnswerCut as cut:
        return cut.message
    return None


# ---- who may share what a model computes for parts of a prompt: those who can see every document in it


def prompt_scopes(person: str, holders: Collection[str], manner: Manner) -> PromptScopes:
    """The scopes of a prompt of `person` ("" if unknown), whose sources are documents of `holders`.

    The time to an answer reveals whether a prompt started like an earlier one. So sources are shared among those who
    can see all of them, like everybody for shared documents and the members of a collection for its own, and only with
    the usual instruction. Everything else is kept for one person, or for nobody if the person is not known.
    """
    own = f"person {person}" if person else None
    held = set(holders) - {""}
    is_usual = not (manner.english or manner.chinese)
    if is_usual and len(held) <= 1 and all(collection_of(holder) is not None for holder in held):
        return PromptScopes(f"documents {''.join(held)}", own)
    return PromptScopes(own, own)

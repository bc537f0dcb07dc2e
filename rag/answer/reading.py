"""What a model reads for a question: as many sources as its context takes, and the prompt that they make."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answer.context import pack_context, room_for_sources
from rag.answer.marks import remove_citation_marks
from rag.answer.source_tables import SourceTables
from rag.answer.surroundings import Surroundings
from rag.index.protocols import Scope
from rag.preferences import Preferences
from rag.reader import Evidence, Reader, ReadRequest, Sampling, Turn
from rag.records import Reading, Source
from rag.settings import Settings
from rag.store.database import Store
from rag.store.rows import StoredPassage

TOKENS_PER_FULL_PAGE = 2_000  # of a model's context, for each source that is extended to its whole page, about 1,000


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a reader has room for, beside a question and its answer."""

    sources: int | None  # that are retrieved; None: as many as set, with whole pages as set
    full_pages: int | None = None  # sources that are extended to their whole page
    tokens: int = 0  # of sources, history and evidence together


class ModelContext:
    """The context of one reader, for the questions of one person."""

    def __init__(
        self, reader: Reader, sampling: Sampling, preferences: Preferences, store: Store, settings: Settings
    ) -> None:
        self._reader, self._sampling, self._preferences = reader, sampling, preferences
        self._store, self._settings, self._context = store, settings, settings.answering.context

    def capacity(self, question: str) -> Capacity:
        """What there is room for beside a question: with a model and no number preferred, what its context takes."""
        if self._reader.quotes_evidence or self._preferences.sources:
            return Capacity(self._preferences.sources)
        room = max(room_for_sources(self._reader, question, self._sampling, self._preferences.manner), 0)
        retrieval = self._settings.retrieval
        sources = max(min(room // self._context.tokens_per_source, self._context.max_sources), retrieval.sources)
        return Capacity(sources, max(room // TOKENS_PER_FULL_PAGE, retrieval.full_page_sources), room)

    def surrounded(self, sources: tuple[Source, ...], capacity: Capacity, scope: Scope) -> tuple[Source, ...]:
        """The sources with the rest of their documents and sections, as far as there is room for it."""
        free = int(capacity.tokens * (1 - self._context.max_history_share - self._context.max_evidence_share))

        def passages_of(document_id: str) -> Sequence[StoredPassage]:
            document = self._store.document(scope.owner, document_id)
            return self._store.document_passages(document.owner, document.id) if document else ()

        surroundings = Surroundings(
            free,
            self._reader.count_tokens,
            passages_of,
            source_tokens=2 * self._context.source_tokens,
            source_characters=self._settings.retrieval.source_characters,
        )
        return surroundings.added_to(sources) if capacity.tokens else sources

    def read(
        self,
        question: str,
        sources: Sequence[Source],
        history: Sequence[Turn],
        evidence: Sequence[Evidence],
        tables: SourceTables,
        stop: threading.Event,
    ) -> Iterator[Reading | str]:
        """With a model what it reads; then the reader's answer in pieces. Raises QuestionRefused and ReaderError."""
        reader, manner = self._reader, self._preferences.manner
        turns = [without_marks(turn) for turn in history]
        quotes = reader.quotes_evidence
        packed = pack_context(
            question, sources, turns, reader, self._sampling, self._context,
            None if quotes else tables, () if quotes else evidence, manner,
        )  # fmt: skip
        given = tuple(evidence) if quotes else packed.evidence
        request = ReadRequest(question, packed.sources, packed.history, self._sampling, given, manner)
        if not quotes:
            prompt = reader.prompt(request)
            yield Reading(len(packed.sources), len(sources), prompt.tokens, reader.context_tokens, prompt.text)
        yield from reader.answer(request, stop)


def without_marks(turn: Turn) -> Turn:
    """A turn as a reader gets it: without citation marks."""
    return Turn(turn.question, remove_citation_marks(turn.answer))

"""Whole documents as sources: which of them a request is about, and the parts in which a model reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.context import title_tokens
from rag.answer.summary.summary import documents_asked
from rag.answer.surroundings import blocks_of
from rag.answer.whole.request import Whole
from rag.index.protocols import Scope
from rag.reader import Reader
from rag.records import Document, Source
from rag.settings import Settings
from rag.store.database import Store

FULL_ENOUGH: Final = 0.6  # of a part, from which it ends where a section does


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one document, or all documents together where they fit."""

    sources: tuple[Source, ...]

    @property
    def title(self) -> str:
        """The document, and the pages from the first to the last."""
        first, last = self.sources[0], self.sources[-1]
        if first.first_page == last.first_page:
            return f"{first.document}, p. {first.page_label}"
        return f"{first.document}, pp. {first.page_label}–{last.page_label}"


@dataclass(frozen=True, slots=True)
class Parts:
    """Whole documents."""

    sources: tuple[Source, ...]  # all of them, numbered
    parts: tuple[Part, ...]


def whole_sources(store: Store, documents: Sequence[Document], source_characters: int) -> tuple[Source, ...]:
    """All text of documents as numbered sources in reading order, none over pages if it can be helped."""
    sources: list[Source] = []
    for document in documents:
        rows = store.document_passages(document.owner, document.id)
        sources += blocks_of(rows, source_characters)
    return tuple(replace(source, number=number) for number, source in enumerate(sources, 1))


def parts_of(sources: Sequence[Source], room: int, tokens_of: Callable[[Source], int]) -> Parts:
    """Sources in parts of at most `room` tokens; all in one if they fit, else no part holds two documents.

    A part that is nearly full ends where a section does.
    """
    sizes = [tokens_of(source) for source in sources]
    if sum(sizes) <= room:
        return Parts(tuple(sources), (Part(tuple(sources)),))
    parts: list[list[Source]] = []
    used = 0
    for source, size in zip(sources, sizes, strict=True):
        last = parts[-1][-1] if parts else None
        fits = last is not None and last.document_id == source.document_id and used + size <= room
        begins_section = last is not None and last.heading[:1] != source.heading[:1] and used > FULL_ENOUGH * room
        if not fits or begins_section:
            parts.append([])
            used = 0
        parts[-1].append(source)
        used += size
    return Parts(tuple(sources), tuple(Part(tuple(part)) for part in parts))


# ---- which documents a request over whole documents is about


MAX_PARTS: Final = 100  # that a request is read in; for more, passages are retrieved as for any question
TOKENS_PER_PASSAGE: Final = 100  # at least, by which too many parts are told before anything is read


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A question about whole documents."""

    question: str
    kind: Whole
    scope: Scope
    mentioned: Collection[str]  # ids of the documents that the conversation was about
    named: Collection[str]  # ids of those that the question names


def parts_asked(store: Store, request: WholeRequest, reader: Reader, room: int, settings: Settings) -> Parts | None:
    """The documents asked, in parts of at most `room` tokens; None if there are none, or too many parts."""
    documents = _documents(store, request)
    least = sum(document.passages for document in documents) * TOKENS_PER_PASSAGE
    if not documents or room <= 0 or least > MAX_PARTS * room:
        return None
    sources = whole_sources(store, documents, settings.retrieval.source_characters)
    context = settings.answering.context

    def tokens_of(source: Source) -> int:
        return reader.count_tokens(source.text) + title_tokens(source, reader, context)

    parts = parts_of(sources, room, tokens_of)
    return parts if 0 < len(parts.parts) <= MAX_PARTS else None


def _documents(store: Store, request: WholeRequest) -> list[Document]:
    kind, scope = request.kind, request.scope
    if kind is Whole.SUMMARY:
        return documents_asked(store, scope, request.question, request.mentioned)
    everything = [one for one in store.documents(scope.owner) if scope.allows((one.owner, one.id))]
    least = 2 if kind is Whole.COMPARISON else 1
    for ids in (request.named, request.mentioned):
        chosen = [document for document in everything if document.id in ids]
        if len(chosen) >= least:
            return chosen
    return everything if len(everything) >= least else []

"""Whole documents as sources, and in parts that fit a model's context each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.surroundings import blocks_of
from rag.records import Document, Source
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

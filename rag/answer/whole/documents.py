"""Which documents a request over whole documents is about, and in what parts a model reads them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from rag.answer.context import title_tokens
from rag.answer.summary.summary import documents_asked
from rag.answer.whole.parts import Parts, parts_of, whole_sources
from rag.answer.whole.request import Whole
from rag.index.protocols import Scope
from rag.reader import Reader
from rag.records import Document, Source
from rag.settings import Settings
from rag.store.database import Store

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

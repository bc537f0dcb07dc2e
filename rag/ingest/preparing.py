"""Everything slow that is done with a file's text before it is embedded: reading, layout, chunking, counting terms.

`rag.ingest.workers` does it in separate processes, so that the one that serves the page has time for people.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rag.embed.embedder import Embedder
from rag.errors import Stopped
from rag.index.counted import CountedTerms
from rag.ingest.chunk import chunk_document, fitting
from rag.pdf.load import load
from rag.records import DocumentKey, LoadedDocument, Passage, Vectors
from rag.settings import ChunkSettings, Limits
from rag.store.database import Store
from rag.store.indexed import Rows, indexed_passages

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A document, ready to be embedded and stored."""

    document: LoadedDocument
    passages: Sequence[Passage]
    terms: CountedTerms  # of the passages' searchable texts


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file to read, and how to read it."""

    path: Path
    password: str | None
    ocr: bool  # whether OCR comes next, so that a document without text is acceptable
    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class IndexedPassages:
    """Stored passages, in the form that the indexes take."""

    ids: list[int]
    documents: list[DocumentKey]
    vectors: Vectors  # (n, d) float32
    terms: CountedTerms


class Preparing(Protocol):
    """Prepares documents, in this process or in others. Thread-safe."""

    def file(self, file: FileToRead, progress: Callable[[int, int], None], stop: threading.Event) -> Prepared:
        """Read a file. `progress` gets the number of pages read, and of all pages.

        Raises FileRefused, like `rag.pdf.load.load`, and Stopped once `stop` is set.
        """
        ...

    def document(self, document: LoadedDocument, places: Sequence[int] | None, stop: threading.Event) -> Prepared:
        """A document read by OCR. `places`: as in `chunk_document`. Raises LimitExceeded and Stopped."""
        ...

    def stored(self, store: Store, stop: threading.Event) -> Iterator[IndexedPassages]:
        """All stored passages with a vector, in batches ordered by id. Raises StoreError and Stopped."""
        ...

    def close(self) -> None:
        """End what is running."""
        ...


def read_and_chunk(
    file: FileToRead,
    count_tokens: CountTokens,
    chunking: ChunkSettings,
    progress: Callable[[int, int], None],
    stop: threading.Event | None = None,
) -> Prepared:
    """Read and prepare a file; it has no passages if its text depends on OCR. Raises FileRefused and Stopped."""
    loaded = load(file.path, limits=file.limits, password=file.password, progress=progress, stop=stop, ocr=file.ocr)
    return chunked(loaded, count_tokens, chunking)


def chunked(
    loaded: LoadedDocument, count_tokens: CountTokens, chunking: ChunkSettings, places: Sequence[int] | None = None
) -> Prepared:
    """Prepare a document that has been read. `places`: as in `chunk_document`."""
    passages = [one for one in chunk_document(loaded, count_tokens, chunking, places) if one.text.strip()]
    return Prepared(loaded, passages, CountedTerms.of(passage.searchable for passage in passages))


def ready_for_index(rows: Rows) -> Iterator[IndexedPassages]:
    """All passages of a database with a vector, in batches ordered by id."""
    for passages, vectors in indexed_passages(rows):
        yield IndexedPassages(
            [kept.id for kept in passages],
            [(kept.owner, kept.document_id) for kept in passages],
            vectors,
            CountedTerms.of(kept.passage.searchable for kept in passages),
        )


class PreparingHere:
    """Prepares documents in this process, for embedders whose tokenizer cannot be passed to another one."""

    def __init__(self, embedder: Embedder, chunking: ChunkSettings) -> None:
        self._embedder, self._chunking = embedder, fitting(chunking, embedder.max_tokens)

    def file(self, file: FileToRead, progress: Callable[[int, int], None], stop: threading.Event) -> Prepared:
        """Read a file."""
        return read_and_chunk(file, self._counting(stop), self._chunking, progress, stop)

    def document(self, document: LoadedDocument, places: Sequence[int] | None, stop: threading.Event) -> Prepared:
        """Chunk a document."""
        return chunked(document, self._counting(stop), self._chunking, places)

    def stored(self, store: Store, stop: threading.Event) -> Iterator[IndexedPassages]:
        """All stored passages that have a vector."""
        for passages in ready_for_index(store.rows):
            if stop.is_set():
                raise Stopped
            yield passages

    def _counting(self, stop: threading.Event) -> CountTokens:
        def count_tokens(text: str) -> int:
            if stop.is_set():  # chunking a long text takes a while
                raise Stopped
            return self._embedder.count_tokens(text)

        return count_tokens

    def close(self) -> None:
        """Nothing to end: all work runs in the callers' threads."""

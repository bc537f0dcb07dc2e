"""Opens a library in the background: loads the embedder, the indexes, the reranker and the answerer.

Meanwhile documents are listed, files queue up and questions wait; the page shows the progress.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rag.answer.answerability import EvidenceScorer
from rag.answer.answering import Answerer
from rag.answer.elsewhere.other_process import OtherProcess, other_process
from rag.answer.phrases.short_phrase import PhraseFinder
from rag.answer.phrases.span_model import open_span_model
from rag.answer.sentence_vectors import SentenceVectors
from rag.bugs import bugs_become
from rag.choices import LOADING, UNAVAILABLE, Choices
from rag.embed.embedder import Embedder
from rag.errors import AskError, Stopped, StoreError
from rag.index.bm25 import BM25Index
from rag.index.protocols import TextIndex, VectorIndex
from rag.index.vectors import FaissIndex
from rag.ingest.preparing import Preparing
from rag.ingest.workers import preparing
from rag.library import Library, embed_missing
from rag.messages import Message
from rag.pdf.page_readers import PageReader
from rag.readiness import Readiness
from rag.records import Choice, DocumentKey
from rag.retrieve.page_facts import StoredFacts
from rag.retrieve.rerank import Reranker
from rag.retrieve.retriever import Retriever
from rag.retrieve.searching import SearchingHere
from rag.settings import RetrievalSettings, Settings
from rag.store.database import Store
from rag.store.sentences import StoredSentences

log = logging.getLogger(__name__)


def _faiss(dimension: int, settings: RetrievalSettings) -> VectorIndex:
    return FaissIndex(dimension, settings.exact_index_size)


def _bm25(settings: RetrievalSettings) -> TextIndex:
    return BM25Index(settings.bm25)


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of an engine that can be replaced. The functions are called when the part is needed."""

    reranker: Callable[[], Reranker | None] = lambda: None
    ocr: PageReader | None = None  # reads scanned pages; None: RapidOCR
    vector_index: Callable[[int, RetrievalSettings], VectorIndex] = _faiss  # a vector index with this many dimensions
    text_index: Callable[[RetrievalSettings], TextIndex] = _bm25


DEFAULT_PARTS = Parts()


@dataclass(frozen=True, slots=True)
class Opened:
    """What is used with a library once it is open."""

    embedder: Embedder
    preparing: Preparing
    answerer: Answerer
    sentences: StoredSentences
    sentence_vectors: SentenceVectors
    other_process: OtherProcess | None  # makes answers while several people ask; None if nothing can


class LibraryOpening:
    """Opens one library in a thread of its own."""

    def __init__(
        self,
        store: Store,
        library: Library,
        settings: Settings,
        choices: Choices,
        *,
        embedder: Callable[[], Embedder],
        parts: Parts,
        re_embed: bool,
        then: Callable[[Opened], None],
    ) -> None:
        """`embedder`, `parts` and `then` are called in the thread; `then` before anybody stops waiting."""
        self._store, self._library, self._settings, self._choices = store, library, settings, choices
        self._embedder, self._parts, self._re_embed, self._then = embedder, parts, re_embed, then
        self.readiness, self._closed = Readiness(), threading.Event()
        self._preparing: Preparing | None = None  # until the embedder is loaded
        self._answerer: Answerer | None = None  # until everything is loaded
        self._thread = threading.Thread(target=self._open, name="opening", daemon=True)

    def start(self) -> None:
        """Start; whatever `then` needs must exist by now."""
        self._thread.start()

    @property
    def answerer(self) -> Answerer:
        """What answers questions, once it is loaded. Raises the AskError that prevents it for good."""
        self.readiness.wait()
        assert self._answerer is not None
        return self._answerer

    def forget(self, document: DocumentKey) -> None:
        """Drop what is kept of a document that was removed or has changed."""
        if self._answerer is not None:
            self._answerer.forget(document)

    def stop(self) -> None:
        """Give up if it is not open yet, and wait until the thread has ended."""
        self._closed.set()
        self._thread.join()

    def close(self) -> None:
        """Release what was opened, after everybody has stopped using it."""
        if self._preparing is not None:
            self._preparing.close()

    def _open(self) -> None:
        bug = StoreError("The library cannot be opened because of an error in the program; see the log.")
        try:
            with bugs_become(bug):
                opened = self._opened()
                self._answerer = opened.answerer
                self._then(opened)
        except Stopped:
            log.info("The program ends before the library is open")
        except AskError as exc:
            self._fail(exc)
        finally:
            self.readiness.end()

    def _fail(self, error: AskError) -> None:
        log.error("%s", error)
        self.readiness.fail(error)
        self._choices.drop("index")
        self._choices.set(Choice("embedder", "none", UNAVAILABLE, ready=False, failed=error.message))

    def _opened(self) -> Opened:
        """Everything, opened one part after another. Raises Stopped if the program ends meanwhile."""
        embedder = self._open_embedder()
        if self._closed.is_set():
            raise Stopped
        self._preparing = preparing(embedder, self._settings)
        vectors = self._parts.vector_index(embedder.dimension, self._settings.retrieval)
        self._load_indexes(vectors, self._preparing)
        with no_garbage_collection():
            return self._answering(embedder, self._preparing, vectors, self._open_reranker())

    def _open_embedder(self) -> Embedder:
        """The embedder, once every stored passage has one of its vectors. Raises ModelMissing and EmbedderMismatch."""
        with no_garbage_collection():
            opened = self._embedder()
        if self._re_embed:
            self._store.delete_vectors()
        self._store.require_embedder(opened)
        embed_missing(self._store, opened, self._closed)
        self._choices.set(Choice("embedder", opened.name, opened.why))
        self._choices.set(Choice("device", opened.device, Message("the embedder runs there")))
        return opened

    def _open_reranker(self) -> Reranker | None:
        """The reranker; None if there is none, or if it cannot be opened, in which case the page says so."""
        try:
            opened = self._parts.reranker()
        except AskError as exc:
            self._choices.set(Choice("reranker", "none", UNAVAILABLE, failed=exc.message))
            return None
        if opened is not None:
            self._choices.set(Choice("reranker", opened.name, opened.why))
        return opened

    def _load_indexes(self, vectors: VectorIndex, preparing: Preparing) -> None:
        began = time.monotonic()
        self._library.load(vectors, preparing, self._show_index_loading, self._closed)
        self._choices.drop("index")
        log.info("%d passages indexed in %.1f s", len(vectors), time.monotonic() - began)

    def _show_index_loading(self, loaded: int, total: int) -> None:
        # Everybody can see this: the total number of passages would reveal how much others have.
        self._choices.show(Choice("index", f"{loaded * 100 // max(total, 1)}%", LOADING, ready=False))

    def _answering(
        self, embedder: Embedder, preparing: Preparing, vectors: VectorIndex, reranker: Reranker | None
    ) -> Opened:
        words, retrieval, answering = self._library.text_index, self._settings.retrieval, self._settings.answering
        sentences = StoredSentences(self._store)
        scorer = EvidenceScorer(embedder, answering, sentences)
        router = self._library.router
        searching = SearchingHere(embedder, vectors, words, router, retrieval, scorer.mean_query_vectors)
        facts = StoredFacts(self._store, retrieval.pages.kept_pages)
        retriever = Retriever(self._store, searching, retrieval, facts, reranker)
        phrases = PhraseFinder(open_span_model(embedder.name, embedder.folder), answering.phrases)
        answerer = Answerer(self._store, retriever, scorer, phrases, self._settings)
        other = None  # the reranker exists only in this process
        if reranker is None:
            other = other_process(self._settings, embedder.name, embedder.folder, searching, embedder)
        return Opened(embedder, preparing, answerer, sentences, scorer.sentence_vectors, other)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Do not collect garbage while large modules and models are loaded, and exempt them from later collections.

    A full collection visits half a million of their objects while all threads wait, and finds nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

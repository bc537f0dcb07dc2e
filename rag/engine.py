"""The whole pipeline behind one object: what the page, the command line and the evaluation talk to.

Thread-safe. It opens at once: the embedder and the indexes are loaded in a thread of their own; meanwhile documents are
listed, files queue up and questions wait. `owner` is "" without login, and the login name with it; everybody reads the
shared documents, those of "".
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from rag.answer.answerability import EvidenceScorer
from rag.answer.citations import check_citations
from rag.answer.context import pack_context
from rag.answer.marks import remove_citation_marks
from rag.answer.view import open_view
from rag.embed.embedder import Embedder, text_digest
from rag.errors import AlreadyAdded, AskError, FileRefused, LimitExceeded, QuestionRefused, StoreError
from rag.evaluation.saved import Evaluations
from rag.index.embedded import embedded_text_index, embedded_vector_index
from rag.index.protocols import Scope, TextIndex, VectorIndex, Vectors
from rag.ingest.jobs import EMBED_BATCH, Jobs
from rag.library import Library
from rag.messages import Message
from rag.pdf.render import PageImages
from rag.reader import Evidence, Reader, ReadRequest, Sampling, Turn
from rag.records import (
    Answer,
    Choice,
    Citation,
    Document,
    DocumentDetails,
    Event,
    Found,
    Job,
    LoadedDocument,
    Passage,
    Piece,
    Source,
    View,
)
from rag.retrieve.query import build_query, validate_question
from rag.retrieve.rerank import Reranker
from rag.retrieve.retriever import Retriever
from rag.settings import RetrievalSettings, Settings
from rag.store.blobs import copy_to_partial, create_folders, delete_files, file_to_render, original_file
from rag.store.database import Store

log = logging.getLogger(__name__)


class Engine:
    """One data folder, one embedder, one reader at a time. Close it when done."""

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Callable[[], Embedder],
        reranker: Callable[[], Reranker | None] = lambda: None,
        reader: Reader,
        reader_why: Message | str = "",
        sampling: Sampling | None = None,
        re_embed: bool = False,
        vector_index: Callable[[int, RetrievalSettings], VectorIndex] = embedded_vector_index,
        text_index: Callable[[RetrievalSettings], TextIndex] = embedded_text_index,
    ) -> None:
        self.settings = settings
        create_folders(settings.data_dir, settings.files_dir)
        self._store = Store(settings.database)
        self._pictures = PageImages(settings.pictures_dir, settings.rendering, settings.limits)
        self._library = Library(self._store, text_index(settings.retrieval), settings.retrieval.routing)
        self._vector_index = vector_index
        self._reader, self._sampling = reader, sampling or Sampling()
        self._choices = {"reader": Choice("reader", reader.name, reader_why)}
        self._choices["embedder"] = Choice("embedder", "…", Message("is being loaded"), ready=False)
        self._version = 0
        self._lock = threading.Lock()
        self._files = threading.Lock()  # over the files folder: the same bytes twice at once are one document
        self._ready = threading.Event()
        self._failure: AskError | None = None
        self._closed = threading.Event()
        self._jobs = Jobs(
            self._store, settings, complete=self._complete, delete_files=self._delete_orphaned_files, changed=self._bump
        )
        self.evaluations = Evaluations(
            self._store, settings, search=self.search, choices=self.choices, changed=self._bump
        )
        try:
            self._delete_orphaned_files()
        except StoreError as exc:  # a full disk: old documents can be asked all the same
            log.error("%s", exc)
        self._opening = threading.Thread(
            target=self._open, args=(embedder, reranker, re_embed), name="opening", daemon=True
        )
        self._opening.start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop adding after the current batch and release the data folder."""
        self._closed.set()
        self._opening.join()
        self.evaluations.close()
        self._jobs.close()
        self._store.close()

    # ---- opening

    def _open(self, embedder: Callable[[], Embedder], reranker: Callable[[], Reranker | None], re_embed: bool) -> None:
        """Load the embedder and the indexes, then start the queue."""
        try:
            opened = embedder()
            if re_embed:
                self._store.delete_vectors()
            self._store.require_embedder(opened)
            self._embed_missing(opened)
            self.choose(Choice("embedder", opened.name, opened.why))
            self.choose(Choice("device", opened.device, Message("the embedder runs there")))
            if not self._closed.is_set():
                self._load_indexes(opened, self._opened_reranker(reranker))
        except AskError as exc:
            self._fail(exc)
        except Exception:  # whatever it is, the page must say that nothing can be asked
            log.exception("Opening the library failed")
            self._fail(StoreError("The library cannot be opened because of an error in the program; see the log."))
        else:
            self._jobs.start(opened)
        finally:
            self._ready.set()

    def _fail(self, error: AskError) -> None:
        log.error("%s", error)
        self._failure = error
        with self._lock:
            self._choices.pop("index", None)
        self.choose(Choice("embedder", "none", "", ready=False, failed=error.message))

    def _embed_missing(self, embedder: Embedder) -> None:
        while (texts := self._store.texts_without_vector(EMBED_BATCH)) and not self._closed.is_set():
            log.info("Embedding %d stored passages with %s", len(texts), embedder.name)
            self._store.add_vectors([text_digest(text) for text in texts], embedder.passages(texts))

    def _opened_reranker(self, reranker: Callable[[], Reranker | None]) -> Reranker | None:
        """The reranker; None, and said so, where one was named and cannot be had: finding goes on without."""
        try:
            opened = reranker()
        except AskError as exc:
            self.choose(Choice("reranker", "none", "", failed=exc.message))
            return None
        if opened is not None:
            self.choose(Choice("reranker", opened.name, opened.why))
        return opened

    def _load_indexes(self, embedder: Embedder, reranker: Reranker | None) -> None:
        began = time.monotonic()
        vectors, words = self._vector_index(embedder.dimension, self.settings.retrieval), self._library.text_index
        self._library.load(vectors, self._show_index_loading, self._closed)
        with self._lock:
            self._choices.pop("index", None)
        self._evidence_scorer = EvidenceScorer(embedder, words.idf, self.settings.answering)
        retrieval, usual = self.settings.retrieval, self._evidence_scorer.mean_query_vectors
        self._finder = Retriever(
            self._store, embedder, vectors, words, self._library.router, retrieval, usual, reranker
        )
        log.info("%d passages indexed in %.1f s", len(words), time.monotonic() - began)

    def _show_index_loading(self, loaded: int, total: int) -> None:
        why = Message(
            "{loaded:,} of {total:,} passages are loaded; questions wait.", {"loaded": loaded, "total": total}
        )
        with self._lock:
            self._choices["index"] = Choice("index", f"{loaded * 100 // max(total, 1)}%", why, ready=False)
        self._bump()

    def wait(self) -> None:
        """Wait until questions can be answered. Raises the AskError for which they never can."""
        self._ready.wait()
        if self._failure:
            raise self._failure

    # ---- what was chosen

    def choices(self) -> tuple[Choice, ...]:
        """Reader, embedder and device in use, and why."""
        with self._lock:
            return tuple(self._choices.values())

    def choose(self, choice: Choice) -> None:
        """Show a choice on the page and in the log."""
        with self._lock:
            self._choices[choice.what] = choice
        log.info("%s: %s (%s)", choice.what, choice.name, choice.failed or choice.why)
        self._bump()

    def use_reader(self, reader: Reader, why: Message | str) -> None:
        """Answer with another reader from the next question on."""
        self._reader = reader
        self.choose(Choice("reader", reader.name, why))

    def version(self) -> int:
        """Grows with every change worth showing."""
        return self._version

    def _bump(self) -> None:
        with self._lock:
            self._version += 1

    # ---- the library

    def documents(self, owner: str) -> tuple[Document, ...]:
        """Documents that `owner` sees, oldest first; returns at once, also while the indexes are being loaded."""
        return tuple(self._library.documents(owner))

    def details(self, owner: str, document_id: str) -> DocumentDetails | None:
        """Author, date, outline and notes on pages of a document that `owner` sees; None where there is none."""
        return self._store.document_details(owner, document_id)

    def jobs(self, owner: str) -> tuple[Job, ...]:
        """Files being added, and those that failed until they are dismissed."""
        return self._jobs.visible_to(owner)

    def add(self, owner: str, name: str, data: Path | bytes) -> Job:
        """Queue a file. Raises FileRefused, the file's name in the message, for what can be told at once."""
        try:
            return self._add(owner, name, data)
        except FileRefused as exc:
            raise type(exc)("{name}: {reason}", name=name, reason=exc.message) from exc

    def _add(self, owner: str, name: str, data: Path | bytes) -> Job:
        limits = self.settings.limits
        waiting = len(self._jobs.visible_to(owner))
        if waiting >= limits.queued_files:
            raise LimitExceeded(
                "{waiting:,} files are waiting, the limit: add more when some of them are done.",
                waiting=waiting,
            )
        document_id, kept = copy_to_partial(data, self.settings.files_dir, limits)
        with self._files:
            try:
                if self._store.document(owner, document_id):
                    raise AlreadyAdded("the same file is in the library already; nothing was added.")
                if self._jobs.busy_with(owner, document_id):
                    raise AlreadyAdded("the same file is being added already.")
                kept.replace(original_file(self.settings.files_dir, document_id))
            finally:
                kept.unlink(missing_ok=True)
            return self._jobs.add(owner, document_id, name.encode("utf-8", "replace").decode())

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Try a password on a file that waits for one."""
        self._jobs.unlock(owner, job_id, password)

    def cancel(self, owner: str, job_id: int) -> None:
        """Cancel a file that is being added, or dismiss one that failed."""
        self._jobs.cancel(owner, job_id)

    def remove(self, owner: str, document_id: str) -> None:
        """Remove a document of `owner`, everywhere and at once. One that is not theirs stays."""
        self._library.remove(owner, document_id)
        self._bump()
        self._delete_orphaned_files()

    def _delete_orphaned_files(self) -> None:
        """Delete the files of documents that nothing refers to any more, and what the write-ahead log has of them."""
        folder = self.settings.files_dir
        with self._files:
            for document_id in self._store.orphaned_files():
                delete_files(folder, document_id)
                self._pictures.forget(document_id)
                self._store.clear_orphaned_file(document_id)
        self._store.checkpoint()

    def _complete(self, job: Job, loaded: LoadedDocument, passages: list[Passage]) -> bool:
        """Add a job's document to the library; False where the job was cancelled."""
        size = original_file(self.settings.files_dir, job.document_id).stat().st_size
        return self._library.add(job, size, loaded, passages)

    # ---- asking

    def ask(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None = None,
        history: Sequence[Turn] = (),
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answer from the chosen documents, all with None: one Found, Pieces as they come, one Answer.

        Raises QuestionRefused, for a long one after the first event too, and ReaderError.
        """
        began, stop = time.monotonic(), stop or threading.Event()
        question = self._checked(question)
        history = [Turn(turn.question, remove_citation_marks(turn.answer)) for turn in history]
        queries, vectors, sources = self._find(owner, question, documents, history)
        reader = self._reader
        yield Found(tuple(sources), queries[0], queries[1:], reader.writes_markdown)
        packed = pack_context(question, sources, history, reader, self._sampling, self.settings.answering.context)
        first = 1 if len(queries) > 1 else 0  # a compound question is answered part by part
        evidence: list[Evidence] = []
        if reader.uses_evidence:
            evidence = self._evidence_scorer.find_evidence(queries[first:], vectors[first:], sources)
        request = ReadRequest(question, packed.sources, packed.history, self._sampling, tuple(evidence))
        text = ""
        if sources:
            for piece in reader.answer(request, stop):
                text += piece
                yield Piece(piece)
        yield Answer(
            sentences=check_citations(text, sources, self.settings.answering),
            reader=reader.name,
            refused=not text.strip() and not stop.is_set(),
            stopped=stop.is_set(),
            seconds=time.monotonic() - began,
        )

    def term_weight(self, term: str) -> float:
        """How rare a term is in this library."""
        return self._library.text_index.idf(term)

    def passage_texts(self, owner: str) -> list[str]:
        """The texts of all passages that `owner` sees."""
        return [
            kept.passage.text for part, _ in self._store.all_passages() for kept in part if kept.owner in ("", owner)
        ]

    def search(self, owner: str, question: str, documents: Collection[str] | None = None) -> list[Source]:
        """The sources for a question alone, without an answer. Raises QuestionRefused."""
        return self._find(owner, self._checked(question), documents, [])[2]

    def _find(
        self, owner: str, question: str, documents: Collection[str] | None, history: Sequence[Turn]
    ) -> tuple[tuple[str, ...], Vectors, list[Source]]:
        """What was searched, the whole and then its parts, the vectors (1 + parts, d) and the sources found."""
        scope, most = self._scope(owner, documents), self.settings.limits.question_characters
        query = build_query(question, history, most, self.settings.retrieval.query)
        return query.texts, *self._finder.find(query, scope, self.settings.retrieval.sources)

    def _checked(self, question: str) -> str:
        return validate_question(question, self.settings.limits.question_characters)

    def _scope(self, owner: str, documents: Collection[str] | None) -> Scope:
        """What a question may use. Raises QuestionRefused where that is nothing, and what `wait` raises."""
        self.wait()
        if not self._library.router.count(Scope(owner)):
            raise QuestionRefused("There is no document to search yet: add a PDF first.")
        scope = Scope(owner, None if documents is None else frozenset(documents))
        if not self._library.router.count(scope):
            raise QuestionRefused("No document is chosen: tick at least one.")
        return scope

    # ---- seeing

    def view(self, owner: str, source: Source, citation: Citation | None = None) -> View:
        """Open a source at the page where it begins, or where the cited stretch does."""
        return self._opened(owner, source, citation, None)

    def view_page(self, owner: str, source: Source, page: int, citation: Citation | None = None) -> View:
        """Another page of the same document, source and citation marked where they run there."""
        return self._opened(owner, source, citation, page)

    def _opened(self, owner: str, source: Source, citation: Citation | None, page: int | None) -> View:
        document = self._store.document(owner, source.document_id)
        if document is None:
            raise FileRefused("{document} is no longer in the library.", document=source.document)
        file = file_to_render(self.settings.files_dir, document.id)
        return open_view(self._store, self._pictures, file, document, source, citation, page)

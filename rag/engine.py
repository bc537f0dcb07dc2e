"""The whole pipeline behind one object, used by the page, the command line and the evaluation.

Thread-safe. It opens at once: the embedder and the indexes are loaded in another thread, while documents are listed,
files queue up and questions wait. `owner` is the login, or "" without logins. Every owner can also see the shared
documents (owner "") and those in collections granted to them (`rag.store.access`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from rag.activity import Activity
from rag.answer.answering import Answerer
from rag.asking import Questions
from rag.choices import Choices
from rag.embed.embedder import Embedder
from rag.evaluation.evaluations import Evaluations
from rag.evaluation.ratings import Ratings
from rag.files import DocumentFiles
from rag.ingest.jobs import Jobs
from rag.ingest.preparing import Prepared
from rag.ingest.waiting import Adding
from rag.introductions import Introductions
from rag.library import Library, open_scan_queue
from rag.messages import AS_REQUESTED, Message
from rag.opening import DEFAULT_PARTS, LibraryOpening, Opened, Parts
from rag.pages import Pages
from rag.pdf.render import PageImages
from rag.reader import Reader, Sampling, Turn
from rag.records import (
    DEFAULT_OPTIONS,
    AskOptions,
    Choice,
    Citation,
    Document,
    DocumentDetails,
    Event,
    Job,
    Source,
    View,
)
from rag.removals import Removals
from rag.settings import Settings
from rag.sharing import Sharing, listed_once
from rag.store.annotations import Annotations
from rag.store.collections import Collections
from rag.store.conversations import Conversations
from rag.store.database import Store
from rag.store.folder import prepare
from rag.store.preferences import StoredPreferences
from rag.store.removals import StoredRemovals
from rag.store.totals import StoredTotals


class Engine:
    """One data folder, one embedder, one reader at a time. Close it when done."""

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Callable[[], Embedder],
        reader: Reader,
        reader_why: Message = AS_REQUESTED,
        sampling: Sampling | None = None,
        re_embed: bool = False,
        parts: Parts = DEFAULT_PARTS,
    ) -> None:
        """Opens the store; `embedder` is called later. Raises StoreError if the data folder cannot be used."""
        self.settings = settings
        prepare(settings)
        self._store = Store(settings.database)
        self._choices = Choices(
            Choice("reader", reader.name, reader_why),
            Choice("embedder", "…", Message("is being loaded"), ready=False),
        )
        changed = self._choices.changed
        images = PageImages(settings.pictures_dir, settings.rendering, settings.limits)
        self._files = DocumentFiles(settings, self._store, images)
        self.pages = Pages(self._store, images, self._files)
        words = parts.text_index(settings.retrieval)
        self._library = Library(self._store, words, settings.retrieval.routing)
        self._opening = LibraryOpening(
            self._store,
            self._library,
            settings,
            self._choices,
            embedder=embedder,
            parts=parts,
            re_embed=re_embed,
            then=self._begin,
        )
        self.readiness = self._opening.readiness
        self._scans = open_scan_queue(self._library, settings, parts.ocr, self._forget, changed)
        self._jobs = Jobs(
            self._store,
            settings,
            scans=self._scans,
            complete=self._complete,
            delete_files=self._files.delete_unused,
            changed=changed,
        )
        self.conversations, self.collections = Conversations(self._store), Collections(self._store, changed)
        self.annotations = Annotations(self._store, changed)
        self.preferences, self.totals = StoredPreferences(self._store), StoredTotals(self._store)
        self.evaluations = Evaluations(self._store, settings, ask=self.ask, choices=self.choices, changed=changed)
        self.ratings = Ratings(self._store, changed=changed)
        self.introductions = Introductions(self._store, self.annotations, lambda: self.answerer, settings)
        self.questions = Questions(self._library, self.documents, lambda: self.answerer, settings, reader, sampling)
        self.activity = Activity(self.questions.prompt_cache)
        self.sharing = Sharing(self._store, self._library, self._files, self._jobs, self._scans, self._forget)
        begun = StoredRemovals(self._store)
        self.removals = Removals(self.remove, changed, begun, holder=self._library.access.holder)
        self.removals.complete()
        self._files.tidy()
        self._closed = False
        self._opening.start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop adding files after the current batch and release the data folder. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._opening.stop()
        self.questions.close()
        self.introductions.close()
        self.evaluations.close()
        self._jobs.close()
        self.conversations.close()
        self.removals.close()
        self._opening.close()
        self._store.close()

    # ---- opening

    def wait(self) -> None:
        """Wait until questions can be answered. Raises the AskError that prevents it for good."""
        self.readiness.wait()

    @property
    def answerer(self) -> Answerer:
        """What answers questions, once it is loaded. Raises what `wait` raises."""
        return self._opening.answerer

    def _begin(self, opened: Opened) -> None:
        """Start what had to wait until the library was open."""
        self.questions.other_process = opened.other_process
        self.questions.make_ahead(opened.sentence_vectors, opened.sentences, self.version)
        self._jobs.start(opened.embedder, opened.preparing)

    def _forget(self, owner: str, document_id: str) -> None:
        """Drop what is kept in memory of a document that was removed or has changed."""
        self._opening.forget((owner, document_id))
        self.questions.forget((owner, document_id))
        self._choices.changed()

    # ---- what the page shows

    def choices(self) -> tuple[Choice, ...]:
        """The reader, embedder, device and reranker in use, and why each was chosen."""
        return self._choices.all()

    def choose(self, choice: Choice) -> None:
        """Show a choice on the page and in the log."""
        self._choices.set(choice)

    def use_reader(self, reader: Reader, why: Message) -> None:
        """Use another reader, from the next question on."""
        self.questions.reader = reader
        self.choose(Choice("reader", reader.name, why))

    def version(self) -> int:
        """A number that increases with every change the page might show."""
        return self._choices.version

    # ---- the library

    def documents(self, owner: str) -> tuple[Document, ...]:
        """Documents that `owner` can see, oldest first, except those about to be removed.

        Returns at once, even while loading. A file that they can see several times is listed once: their own comes
        before that of a collection, then the shared one.
        """
        return listed_once(owner, self.removals.without_hidden(self._library.documents(owner)))

    def details(self, owner: str, document_id: str) -> DocumentDetails | None:
        """Author, date, outline and page notes of a document; None if `owner` cannot see it."""
        return self._store.document_details(owner, document_id)

    def jobs(self, owner: str) -> tuple[Job, ...]:
        """Files being added, and those that failed and have not been dismissed."""
        return self._jobs.visible_to(owner)

    def adding(self, owner: str) -> Adding | None:
        """The combined progress of all files that `owner` is adding; None if nothing is left to do."""
        return self._jobs.adding(owner)

    def add(self, owner: str, name: str, data: Path | bytes, replaces: str = "", collection: int = 0) -> Job:
        """Queue a file. Raises FileRefused for problems found without reading it; later ones are reported by the job.

        `replaces`: id of a document that `owner` may change; the new one takes its place when complete. `collection`:
        where to put it, 0 for the owner's own documents. Raises CollectionRefused if they may not.
        """
        old = next((known for known in self.documents(owner) if known.id == replaces), None)
        return self._files.add(self.sharing.new_file(owner, name, old, collection), data, self._jobs, self.removals)

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Try a password on a file that needs one."""
        self._jobs.unlock(owner, job_id, password)

    def cancel(self, owner: str, job_id: int) -> None:
        """Cancel a file that is being added, or dismiss one that failed."""
        self._jobs.cancel(owner, job_id)

    def remove(self, owner: str, document_id: str) -> None:
        """Remove a document of `owner` and all its data at once. Another owner's document is not affected."""
        if self._scans is not None:
            self._scans.forget(owner, document_id)
        self._library.remove(owner, document_id)
        self.annotations.forget_tags()
        self._forget(owner, document_id)
        self.questions.forget_document(document_id)
        self._files.delete_unused(owner, document_id)

    def _complete(self, job: Job, prepared: Prepared) -> bool:
        """Add a job's document to the library; False if the job was cancelled."""
        added = self._library.add(job, self._files.size(job.document_id), prepared)
        if added:
            self.activity.document_added(time.monotonic() - job.queued)
        if added and job.replaces:
            self.remove(job.owner, job.replaces)
        return added

    # ---- asking

    def ask(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None = None,
        history: Sequence[Turn] = (),
        stop: threading.Event | None = None,
        options: AskOptions = DEFAULT_OPTIONS,
        person: str = "",
    ) -> Iterator[Event]:
        """Answer from these documents (None: all): one Found, Pieces as they arrive, one Answer.

        They are preceded by a Waiting for each new place in the queue. People take turns; `person` is who asks, "" for
        the owner. Ends early once `stop` is set. Small talk gets a reply at once, even while the indexes are being
        loaded.

        Raises TooManyWaiting, ReaderError, and QuestionRefused, which can also come after Found if no source fits next
        to the question.
        """
        asking = self.questions.ask(owner, question, documents, history, stop, options, person)
        yield from self.activity.answering(asking)

    def follow_ups(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        sources: tuple[Source, ...],
        stop: threading.Event | None = None,
    ) -> tuple[str, ...]:
        """Questions to ask next, given a completed question and its sources; the same documents answer them.

        Often none. They are looked for only while no other question needs the time, and until `stop` is set.
        """
        return self.questions.follow_ups(owner, question, documents, sources, stop)

    def search(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None = None,
        count: int | None = None,
        person: str = "",
    ) -> list[Source]:
        """At most `count` sources, by default as many as an answer gets. Raises QuestionRefused and TooManyWaiting."""
        return self.questions.search(owner, question, documents, count, person)

    def view(self, owner: str, source: Source, citation: Citation | None = None) -> View:
        """The page on which a source, or the cited part of it, begins.

        Raises FileRefused if the document was removed.
        """
        return self.pages.view(owner, source, citation)

    def view_page(self, owner: str, source: Source, page: int, citation: Citation | None = None) -> View:
        """Another page (from 0) of the source's document, with the parts of the source and citation on it marked."""
        return self.pages.view(owner, source, citation, page)

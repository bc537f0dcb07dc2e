"""The OCR queue: reads scanned and garbled pages in the background, a few pages of one document at a time.

It only works while no file waits to be read, chunked or embedded, and alternates between documents. Which pages await
OCR is stored, so that it resumes after a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag.bugs import bugs_become
from rag.embed.embedder import Embedder
from rag.errors import AskError, DamagedFile, FileRefused, Stopped
from rag.ingest.preparing import Prepared, Preparing
from rag.logs import short
from rag.messages import Message
from rag.pdf.notes import CANCELLED, is_note_on_kinds, notes_on_kinds
from rag.pdf.ocr import OcrUnavailable
from rag.pdf.page_readers import OpenPdf, PageReader
from rag.pdf.scans import WaitingPage, read_scans
from rag.records import Job, JobState, LoadedDocument, Page, PageKind, Vectors, WordBoxes
from rag.settings import Settings
from rag.store.blobs import file_to_render
from rag.store.scans import NotesOf, StoredScan, StoredScans

log = logging.getLogger(__name__)

EMBED_BATCH = 16  # passages embedded together; between batches, others have their turn
POLL_SECONDS = 0.5  # longest delay until it notices that no file is waiting any more
AddPages = Callable[[StoredScan, list[Page], Prepared, Vectors, NotesOf], bool]


@dataclass(eq=False)
class Scan:
    """A document whose scanned pages are being read.

    `take` is called with the pages of each batch, and returns whether to continue with the next; `show` with the number
    of pages read and the seconds left; `fail` if an error ends the reading.
    """

    owner: str
    document_id: str
    name: str
    waiting: list[WaitingPage]
    take: Callable[[list[Page]], bool]
    show: Callable[[int, float], None]
    fail: Callable[[AskError], None] = lambda error: None
    stop: threading.Event = field(default_factory=threading.Event)
    job: Job | None = None  # as this queue shows it; None if another list shows it
    read: int = 0  # pages read so far


class ScanQueue:
    """Reads the scanned pages of one data folder in its own thread.

    `add_pages` makes pages of a document searchable, and returns False if it was removed. `changed` is called after any
    change.
    """

    def __init__(
        self,
        scans: StoredScans,
        settings: Settings,
        reader: PageReader,
        *,
        add_pages: AddPages,
        changed: Callable[[], None],
    ) -> None:
        self._stored, self._settings, self._reader = scans, settings, reader
        self._add_pages, self._changed = add_pages, changed
        self._is_busy: Callable[[], bool] = lambda: False
        self._embedder: Embedder | None = None
        self._preparing: Preparing | None = None
        self._condition = threading.Condition()
        self._scans: list[Scan] = []  # by waiting time, longest first
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self, embedder: Embedder, preparing: Preparing, is_busy: Callable[[], bool]) -> None:
        """Start the thread, with the pages that were left when the program last ended.

        `is_busy` tells whether files are waiting, which come first.
        """
        self._embedder, self._preparing, self._is_busy = embedder, preparing, is_busy
        for stored in self._stored.all():
            self._put_stored(stored)
        self._thread = threading.Thread(target=self._loop, name="ocr", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop at once; pages that are being read await OCR again."""
        with self._condition:
            self._closing = True
            for scan in self._scans:
                scan.stop.set()
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def put(self, scan: Scan) -> None:
        """Queue a document."""
        with self._condition:
            self._scans.append(scan)
            self._condition.notify_all()
        self._changed()

    def put_document(self, owner: str, document_id: str) -> None:
        """Queue the pages of a document in the library that await OCR, if there are any."""
        stored = self._stored.of(owner, document_id)
        if stored is not None:
            self._put_stored(stored)

    def jobs_of(self, owners: Collection[str]) -> tuple[Job, ...]:
        """Documents of these owners whose pages are being read; their ids are negative."""
        with self._condition:
            jobs = [scan.job for scan in self._scans if scan.job is not None]
        return tuple(job for job in jobs if job.owner in owners)

    def cancel(self, owners: Collection[str], job_id: int) -> None:
        """Leave the rest of a document's pages unread, if it belongs to one of these owners."""
        for job in self._taken_out(lambda job: job.id == job_id and job.owner in owners):
            stored = self._stored.of(job.owner, job.document_id)
            if stored is not None:
                self._stored.give_up(stored, CANCELLED, _notes_without_ocr)
        self._changed()

    def forget(self, owner: str, document_id: str) -> None:
        """Stop reading a document that was removed."""
        self._taken_out(lambda job: (job.owner, job.document_id) == (owner, document_id))

    def _taken_out(self, which: Callable[[Job], bool]) -> list[Job]:
        with self._condition:
            found = [scan for scan in self._scans if scan.job is not None and which(scan.job)]
            for scan in found:
                scan.stop.set()
                self._scans.remove(scan)
        return [scan.job for scan in found if scan.job is not None]

    # ---- the thread

    def _loop(self) -> None:
        bug = FileRefused("an error in the program kept its scanned pages from being read; see the log.")
        while (scan := self._next()) is not None:
            try:
                with bugs_become(bug, OcrUnavailable):
                    self._step(scan)
            except Stopped:
                self._drop(scan)
            except OcrUnavailable as exc:
                log.error("OCR cannot be used, scanned pages are left unread: %s", exc)
                self._drop(scan, FileRefused("OCR cannot be used on this machine; see the log."))
            except AskError as exc:
                log.error("Document %s: its scanned pages cannot be read: %s", short(scan.document_id), exc)
                self._drop(scan, exc)

    def _next(self) -> Scan | None:
        """Wait for a document, and for files that come first; None when closing."""
        with self._condition:
            while not self._closing:
                if self._scans and not self._is_busy():
                    return self._scans[0]
                self._condition.wait(POLL_SECONDS if self._scans else None)
        return None

    def _step(self, scan: Scan) -> None:
        """Read some pages of a document; the next turn is another document's."""
        batch = scan.waiting[: self._settings.ocr.batch_pages]
        began = time.monotonic()

        def go_on(read: int) -> bool:
            rate = (time.monotonic() - began) / read
            scan.show(scan.read + read, (len(scan.waiting) - read) * rate)
            return not self._is_busy()

        path = file_to_render(self._settings.files_dir, scan.owner, scan.document_id)
        try:
            pages = read_scans(
                path, batch, self._reader, lambda file: OpenPdf(file, self._settings.limits, None, scan.stop), go_on
            )
        except FileNotFoundError as exc:
            if scan.stop.is_set():  # the document was removed or moved in the meantime
                raise Stopped from exc
            raise DamagedFile("its file is no longer in the data folder: add it again.") from exc
        del scan.waiting[: len(pages)]
        scan.read += len(pages)
        if scan.stop.is_set():
            raise Stopped
        goes_on = scan.take(pages)
        with self._condition:
            if scan in self._scans:
                self._scans.remove(scan)
                if goes_on and scan.waiting:
                    self._scans.append(scan)
        self._changed()

    def _drop(self, scan: Scan, error: AskError | None = None) -> None:
        """Stop reading a document until the program is restarted."""
        with self._condition:
            if scan in self._scans:
                self._scans.remove(scan)
        if error is not None:
            scan.fail(error)
        self._changed()

    # ---- documents in the library

    def _put_stored(self, stored: StoredScan) -> None:
        def show(read: int, seconds_left: float) -> None:
            scan.job = replace(job, pages_read=read, seconds_left=seconds_left)
            self._changed()

        waiting = [WaitingPage(*page) for page in stored.waiting]
        job = Job(-stored.key, stored.owner, stored.document_id, stored.name, JobState.OCR, pages=len(waiting))
        about = stored.owner, stored.document_id, stored.name
        scan = Scan(*about, waiting, lambda pages: self._add(scan, stored, pages), show, job=job)
        self.put(scan)

    def _add(self, scan: Scan, stored: StoredScan, pages: list[Page]) -> bool:
        """Chunk, embed and add pages to their document; returns whether it still exists."""
        prepared = self._prepared(scan, stored, pages)
        vectors = self._vectors(scan, [passage.searchable for passage in prepared.passages])
        there = self._add_pages(stored, pages, prepared, vectors, _notes_with_ocr)
        shown, passages = short(stored.document_id), len(prepared.passages)
        log.info("Document %s: %d scanned pages read, %d passages", shown, len(pages), passages)
        return there

    def _prepared(self, scan: Scan, stored: StoredScan, pages: Sequence[Page]) -> Prepared:
        """Passages of these pages only, with the headings of the whole document."""
        assert self._preparing is not None
        read = {page.number: page for page in pages}
        all_pages = tuple(read.get(number) or _without_text(number) for number in range(len(stored.places)))
        return self._preparing.document(LoadedDocument(all_pages, stored.outline), stored.places, scan.stop)

    def _vectors(self, scan: Scan, texts: Sequence[str]) -> Vectors:
        """Vectors (n, d) of texts, made while no file is waiting."""
        assert self._embedder is not None
        parts = [np.zeros((0, self._embedder.dimension), np.float32)]
        for start in range(0, len(texts), EMBED_BATCH):
            while self._is_busy() and not scan.stop.wait(POLL_SECONDS):
                pass
            if scan.stop.is_set():
                raise Stopped
            parts.append(self._embedder.passages(texts[start : start + EMBED_BATCH]))
        return np.concatenate(parts)


def _without_text(number: int) -> Page:
    return Page(number, "", PageKind.EMPTY, "", WordBoxes.none(), 0.0, 0.0)


def _notes_with_ocr(pages: Sequence[tuple[PageKind, str]], count: int, notes: Sequence[Message]) -> list[Message]:
    """The notes of a document after OCR of some pages; the others have had their turn."""
    kept = [note for note in notes if not is_note_on_kinds(note)]
    return [*kept, *notes_on_kinds(pages, count, tried_ocr=True)]


def _notes_without_ocr(pages: Sequence[tuple[PageKind, str]], count: int, notes: Sequence[Message]) -> list[Message]:
    """The notes of a document some of whose pages are left unread."""
    kept = [note for note in notes if not is_note_on_kinds(note)]
    return [*kept, *notes_on_kinds(pages, count)]

"""The library: documents in the store and in the indexes. A document is in both or in neither.

The store can be read at once; the indexes are loaded from it in the background, which takes a while for a large
library. Knows nothing about questions.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from rag.embed.embedder import Embedder
from rag.errors import CollectionRefused
from rag.index.counted import CountedTerms
from rag.index.protocols import TextIndex, VectorIndex
from rag.ingest.jobs import EMBED_BATCH
from rag.ingest.preparing import Prepared, Preparing
from rag.ingest.scans import ScanQueue
from rag.pdf.ocr import OcrReader, is_installed
from rag.pdf.page_readers import PageReader
from rag.records import Document, DocumentKey, Job, Page, Vectors, text_digest
from rag.retrieve.routing import DocumentRouter
from rag.settings import RoutingSettings, Settings
from rag.store.access import Access
from rag.store.database import Store
from rag.store.owners import move_document
from rag.store.scans import NotesOf, StoredScan, StoredScans

log = logging.getLogger(__name__)


class Library:
    """The documents of one data folder. Thread-safe."""

    def __init__(self, store: Store, text_index: TextIndex, settings: RoutingSettings) -> None:
        self.text_index = text_index
        self.router = DocumentRouter(text_index, settings)
        self.scans, self.access = StoredScans(store), Access(store)
        self._store = store
        self._vector_index: VectorIndex | None = None  # None until the indexes are loaded
        self._lock = threading.Lock()  # held while store and indexes change together
        self._adding: DocumentKey | None = None  # already stored, but not in the indexes yet

    def documents(self, owner: str) -> list[Document]:
        """Documents that `owner` can see, oldest first, even while the indexes are being loaded or added to."""
        found = self._store.documents(owner)
        adding = self._adding  # read after the store: what was stored by then and is not here any more has been indexed
        return [document for document in found if (document.owner, document.id) != adding]

    def load(
        self,
        vector_index: VectorIndex,
        preparing: Preparing,
        progress: Callable[[int, int], None],
        stop: threading.Event,
    ) -> None:
        """Fill the indexes from the store. `progress` gets the number of passages loaded, and of all passages.

        Documents may be removed meanwhile, but not added. Raises Stopped once `stop` is set.
        """
        total = sum(document.passages for document in self._store.documents())
        loaded: dict[DocumentKey, list[int]] = {}
        done = 0
        for part in preparing.stored(self._store, stop) if total else ():
            progress(done, total)
            vector_index.add(np.array(part.ids, np.int64), part.vectors, part.documents)
            self.text_index.add(part.ids, part.terms, part.documents)
            for key, passage_id in zip(part.documents, part.ids, strict=True):
                loaded.setdefault(key, []).append(passage_id)
            done += len(part.ids)
        with self._lock:
            for document in self._store.documents():
                key = (document.owner, document.id)
                self.router.add(key, document.name, document.title, np.array(loaded.pop(key, []), np.int64))
            # The rest were removed from the store after their passages had been read.
            removed = [passage_id for ids in loaded.values() for passage_id in ids]
            vector_index.remove(np.array(removed, np.int64))
            self.text_index.remove(removed)
            self._vector_index = vector_index

    def add(self, job: Job, size: int, prepared: Prepared) -> bool:
        """Add a job's document of `size` bytes, visible and searchable at once; False if the job was cancelled."""
        with self._lock:
            self._adding = (job.owner, job.document_id)
            try:
                return self._add(job, size, prepared)
            finally:
                self._adding = None

    def _add(self, job: Job, size: int, prepared: Prepared) -> bool:
        ids = self._store.add_document(job, size, prepared.document, prepared.passages)
        if ids is None or self._vector_index is None:
            return False
        complete = False
        try:
            self._add_to_indexes(self._vector_index, job, prepared, ids)
            complete = True
        finally:
            if not complete:  # out of memory: it is in neither the store nor the indexes
                self._remove(job.owner, job.document_id)
                self._store.keep_replaced(job)
        return True

    def _add_to_indexes(self, vector_index: VectorIndex, job: Job, prepared: Prepared, ids: list[int]) -> None:
        key = (job.owner, job.document_id)
        vectors = self._store.vectors_of([text_digest(one.searchable, job.owner) for one in prepared.passages])
        vector_index.add(np.array(ids, np.int64), vectors, [key] * len(ids))
        self.text_index.add(ids, prepared.terms, [key] * len(ids))
        self.router.add(key, job.name, prepared.document.title, np.array(ids, np.int64))

    def add_pages(
        self, scan: StoredScan, pages: list[Page], prepared: Prepared, vectors: Vectors, notes_of: NotesOf
    ) -> bool:
        """Make pages that OCR has read searchable; False if the document was removed."""
        with self._lock:
            changed = self.scans.add(scan, pages, prepared.passages, vectors, notes_of)
            if changed is None or self._vector_index is None:
                return False
            key = (scan.owner, scan.document_id)
            added, removed = np.array(changed.added, np.int64), np.array(changed.removed, np.int64)
            self._vector_index.remove(removed)
            self.text_index.remove(changed.removed)
            self._vector_index.add(added, vectors, [key] * len(added))
            self.text_index.add(changed.added, prepared.terms, [key] * len(added))
            self.router.extend(key, added, removed)
        return True

    def move(self, document: Document, target: str) -> bool:
        """Give a document to another owner; False if it is no longer in the library.

        Raises AlreadyAdded if the target has it, and CollectionRefused while the indexes are being loaded.
        """
        with self._lock:
            if self._vector_index is None:
                raise CollectionRefused("The library is still being opened: try again in a moment.")
            if not move_document(self._store, document.owner, document.id, target):
                return False
            passages = self._store.document_passages(target, document.id)
            ids, keys = np.array([kept.id for kept in passages], np.int64), [(target, document.id)] * len(passages)
            self._vector_index.remove(ids)
            self._vector_index.add(ids, self._store.vectors_of([kept.digest for kept in passages]), keys)
            self.text_index.add(ids.tolist(), CountedTerms.of(kept.passage.searchable for kept in passages), keys)
            self.router.remove((document.owner, document.id))
            self.router.add((target, document.id), document.name, document.title, ids)
            return True

    def remove(self, owner: str, document_id: str) -> None:
        """Remove a document of `owner`; does nothing if they have no such document."""
        with self._lock:
            self._remove(owner, document_id)

    def _remove(self, owner: str, document_id: str) -> None:
        ids = self._store.remove_document(owner, document_id)
        if self._vector_index is not None:
            self._vector_index.remove(np.array(ids, np.int64))
            self.text_index.remove(ids)
            self.router.remove((owner, document_id))


def embed_missing(store: Store, embedder: Embedder, stop: threading.Event) -> None:
    """Embed the stored passages whose vector is missing or damaged, until none is left or `stop` is set."""
    if damaged := store.delete_damaged_vectors():
        log.warning("%d vectors are damaged and are made again", damaged)
    while (texts := store.texts_without_vector(EMBED_BATCH)) and not stop.is_set():
        log.info("Embedding %d stored passages with %s", len(texts), embedder.name)
        store.add_vectors(list(texts), embedder.passages(list(texts.values())))


def open_scan_queue(
    library: Library,
    settings: Settings,
    reader: PageReader | None,
    forget: Callable[[str, str], None],
    changed: Callable[[], None],
) -> ScanQueue | None:
    """The queue of a library's pages that await OCR; None if OCR is turned off or not installed.

    `reader` reads them, by default RapidOCR. `forget` is called with the owner and id of a document that has got more
    pages, `changed` after any change.
    """
    if not settings.ocr.enabled:
        return None
    if reader is None and not is_installed():
        log.warning("OCR is not installed, scanned pages are not read: pip install -r requirements.txt")
        return None

    def add_pages(scan: StoredScan, *pages: Any) -> bool:
        there = library.add_pages(scan, *pages)
        forget(scan.owner, scan.document_id)
        return there

    return ScanQueue(library.scans, settings, reader or OcrReader(settings.ocr), add_pages=add_pages, changed=changed)

"""Who owns the documents that people add, and moving documents into and out of collections."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from rag.errors import CollectionRefused, NotInLibrary
from rag.files import DocumentFiles, NewFile
from rag.ingest.jobs import Jobs
from rag.ingest.scans import ScanQueue
from rag.library import Library
from rag.logs import short
from rag.records import Document
from rag.store.access import collection_owner
from rag.store.collections import Collections
from rag.store.database import Store
from rag.store.owners import erase_person

log = logging.getLogger(__name__)


def listed_once(owner: str, documents: Sequence[Document]) -> tuple[Document, ...]:
    """Each file once, in order: the owner's own comes before a collection's, then the shared one."""
    best: dict[str, Document] = {}
    for document in sorted(documents, key=lambda one: (one.owner != owner, one.owner == "", one.owner)):
        best.setdefault(document.id, document)
    return tuple(document for document in documents if best[document.id] is document)


class Sharing:
    """Moves documents of one library to other owners. Thread-safe."""

    def __init__(
        self,
        store: Store,
        library: Library,
        files: DocumentFiles,
        jobs: Jobs,
        scans: ScanQueue | None,
        forget: Callable[[str, str], None],
    ) -> None:
        """`forget` is called with the owner and id that a document had before."""
        self._store, self._collections = store, Collections(store, lambda: None)
        self._library, self._files, self._jobs, self._scans, self._forget = library, files, jobs, scans, forget

    def target(self, owner: str, collection: int) -> str:
        """The owner id of documents that `owner` puts into a collection; their own for 0.

        Raises CollectionRefused if they may not.
        """
        if not collection:
            return owner
        found = collection_owner(collection)
        if found not in self._library.access.visible(owner):
            raise CollectionRefused("There is no such collection.")
        if found not in self._library.access.changeable(owner):
            raise CollectionRefused("You can only read this collection: ask one of its editors to do that.")
        return found

    def new_file(self, owner: str, name: str, old: Document | None, collection: int) -> NewFile:
        """A file that `owner` adds to a collection, or as a replacement for `old` if they may change that.

        Raises CollectionRefused if they may not add to the collection.
        """
        holder = self._library.access.holder(owner, old.id) if old else None
        if old is not None and holder is not None:
            return NewFile(holder, owner, name, old.id)
        return NewFile(self.target(owner, collection), owner, name)

    def erase(self, owner: str, conversation_owner: str, remove: Callable[[str, str], None]) -> None:
        """Erase all data of a removed user; documents in collections stay. `remove` removes one document."""
        if not owner:
            raise ValueError("shared documents are nobody's")
        self._collections.forget(owner)
        for job in self._jobs.visible_to(owner):
            if job.owner == owner:
                self._jobs.cancel(owner, job.id)
        for document in self._library.documents(owner):
            if document.owner == owner:
                remove(owner, document.id)
        erase_person(self._store, owner, conversation_owner)

    def move(self, owner: str, document_id: str, collection: int) -> None:
        """Move a document that `owner` can see into a collection; for 0, to their own.

        Raises CollectionRefused, NotInLibrary, LimitExceeded and AlreadyAdded.
        """
        document = self._store.document(owner, document_id)
        if document is None:
            raise NotInLibrary("There is no such document.")
        target = self.target(owner, collection)
        if document.owner == target:
            return
        if document.owner not in self._library.access.changeable(owner):
            raise CollectionRefused("You can only read this document: ask one of its editors to move it.")
        self._files.refuse_more(owner, document, target, self._jobs)
        if self._scans is not None:
            self._scans.forget(document.owner, document.id)
        self._files.copy_unlocked(document, target)
        if not self._library.move(document, target):
            self._files.delete_unused(target, document.id)
            raise NotInLibrary("{document} is no longer in the library.", document=document.name)
        self._forget(document.owner, document.id)
        self._files.delete_unused(document.owner, document.id)
        if self._scans is not None:
            self._scans.put_document(target, document.id)
        where = f"into collection {collection}" if collection else "out of its collection"
        log.info("Document %s: moved %s, by %r", short(document.id), where, owner)

"""The files folder: takes in files that people add, and deletes those that no document or job refers to any more."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from rag.errors import AlreadyAdded, DamagedFile, FileRefused, LimitExceeded, StoreError
from rag.ingest.jobs import Jobs
from rag.pdf.render import PageImages
from rag.pdf.unlock import unlock
from rag.records import Document, Job, JobState
from rag.removals import Removals
from rag.settings import MB, Settings
from rag.store.access import collection_of
from rag.store.blobs import (
    SHA256,
    copy_name,
    copy_to_partial,
    file_to_render,
    move_into_place,
    original_file,
    replace_file,
    stored_bytes,
    unlocked_file,
)
from rag.store.collections import Collections
from rag.store.database import Store
from rag.store.leftovers import remove_leftovers
from rag.store.totals import StoredTotals

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is being added."""

    owner: str  # who will own the document: a person or a collection
    person: str  # who is adding it
    name: str  # as given: untrusted text, never a path
    replaces: str = ""  # id of a document of `owner` that is removed when this one is complete


class DocumentFiles:
    """The original files of one data folder. Thread-safe: the same bytes added by two threads become one document."""

    def __init__(self, settings: Settings, store: Store, images: PageImages) -> None:
        self._settings, self._folder, self._limits = settings, settings.files_dir, settings.limits
        self._store, self._images, self._totals = store, images, StoredTotals(store)
        self._collections = Collections(store, lambda: None)
        self._lock = threading.Lock()

    def add(self, file: NewFile, data: Path | bytes, jobs: Jobs, removals: Removals) -> Job:
        """Copy a file into the folder and queue it. Raises FileRefused with the file's name in the message."""
        try:
            return self._add(file, data, jobs, removals)
        except FileRefused as exc:
            raise type(exc)("{name}: {reason}", name=file.name, reason=exc.message) from exc

    def _add(self, file: NewFile, data: Path | bytes, jobs: Jobs, removals: Removals) -> Job:
        owner = file.owner
        self._refuse_more_files(file.person, jobs)
        document_id, partial = copy_to_partial(data, self._folder, self._limits)
        removals.finish(owner, document_id)
        with self._lock:
            try:
                self._replace_lost(document_id, partial)
                self._refuse_known(owner, document_id, jobs)
                taken = partial if partial.exists() else original_file(self._folder, document_id)
                leaving = {file.replaces, *removals.pending(file.person)}
                self._refuse_more_bytes(file.person, owner, taken.stat().st_size, jobs, leaving)
                if partial.exists():
                    move_into_place(partial, original_file(self._folder, document_id))
            finally:
                partial.unlink(missing_ok=True)
            name = file.name.encode("utf-8", "replace").decode()
            return jobs.add(owner, document_id, name, file.replaces, file.person)

    def _replace_lost(self, document_id: str, partial: Path) -> None:
        """Restore the lost file of a document, so that its pages can be shown again."""
        path = original_file(self._folder, document_id)
        if not path.exists() and any(known.id == document_id for known in self._store.documents()):
            move_into_place(partial, path)

    def _refuse_more_files(self, person: str, jobs: Jobs) -> None:
        waiting, limit = sum(job.person == person for job in jobs.visible_to(person)), self._limits.queued_files
        if waiting >= limit:
            raise LimitExceeded(
                "{waiting:,} of your files are waiting or have failed, the limit is {limit:,}: add more when some are "
                "done, dismiss those that failed, or ask whoever runs the server to raise --max-waiting.",
                waiting=waiting,
                limit=limit,
            )

    def refuse_more(self, person: str, document: Document, owner: str, jobs: Jobs) -> None:
        """Raises LimitExceeded if the document would exceed the quota of whoever pays for `owner`'s documents."""
        if self._payer(document.owner) != self._payer(owner):
            self._refuse_more_bytes(person, owner, document.bytes, jobs, set())

    def _payer(self, owner: str) -> str:
        """The person whose quota pays for an owner's documents; a collection's are paid for by its creator."""
        number = collection_of(owner)
        return owner if number is None else self._collections.maker(number) or owner

    def _refuse_more_bytes(self, person: str, owner: str, size: int, jobs: Jobs, leaving: set[str]) -> None:
        """Raises LimitExceeded if a person's documents and jobs, without `leaving`, would exceed `owner_bytes`."""
        limit, payer = self._limits.owner_bytes, self._payer(owner)
        if not limit:
            return
        known = self._totals.sizes_of(payer)
        for job in jobs.visible_to(payer):
            if self._payer(job.owner) == payer and job.state is not JobState.FAILED:
                known.setdefault(job.document_id, stored_bytes(self._folder, job.document_id))
        used = sum(taken for document_id, taken in known.items() if document_id not in leaving)
        if used + size > limit and payer != person:
            raise LimitExceeded(
                "it has {size:.1f} MB, more than is left to the person who made this collection: remove some of its "
                "documents, or ask whoever runs the server to raise --quota-mb.",
                size=size / MB,
            )
        if used + size > limit:
            raise LimitExceeded(
                "it has {size:.1f} MB, and your documents already take {used:.1f} of {limit:.1f} MB: remove some, or "
                "ask whoever runs the server to raise --quota-mb.",
                size=size / MB,
                used=used / MB,
                limit=limit / MB,
            )

    def _refuse_known(self, owner: str, document_id: str, jobs: Jobs) -> None:
        if self._store.document(owner, document_id):
            raise AlreadyAdded("the same file is in the library already; nothing was added.")
        if jobs.busy_with(owner, document_id):
            raise AlreadyAdded("the same file is being added already.")

    def size(self, document_id: str) -> int:
        """Bytes of a document's file."""
        return original_file(self._folder, document_id).stat().st_size

    def to_render(self, document: Document) -> Path:
        """The file from which pages are drawn. Raises DamagedFile if it is lost."""
        path = file_to_render(self._folder, document.owner, document.id)
        if not path.exists():
            raise DamagedFile("Its file is no longer in the data folder: add it again to see its pages.")
        return path

    def original(self, document: Document) -> tuple[Path, bool]:
        """A document's file as it was added, and whether it needs a password, which drawing its pages does not."""
        path = original_file(self._folder, document.id)
        return path, self.to_render(document) != path

    def remove_empty_password(self, document: Document) -> Path:
        """A copy for drawing, of a file that one PDF reader opens without a password and the other does not.

        PDFium does not try the empty owner password of AES-256. Raises DamagedFile if pypdf cannot write the copy.
        """
        copy = unlocked_file(self._folder, document.owner, document.id)
        replace_file(copy, unlock(original_file(self._folder, document.id), "", self._limits))
        return copy

    def copy_unlocked(self, document: Document, owner: str) -> None:
        """Give another owner the unlocked copy of a document that moves to them, if it has one."""
        copy = unlocked_file(self._folder, document.owner, document.id)
        if copy.exists():
            replace_file(unlocked_file(self._folder, owner, document.id), copy.read_bytes())

    def delete_unused(self, owner: str, document_id: str) -> None:
        """Delete what was made from a file for `owner`, who no longer has the document, and all orphaned files."""
        with self._lock:
            if SHA256.fullmatch(document_id) and not self._store.owns(owner, document_id):
                unlocked_file(self._folder, owner, document_id).unlink(missing_ok=True)
                self._images.forget(copy_name(owner, document_id))
        self.delete_orphans()

    def delete_orphans(self) -> None:
        """Delete files that nothing refers to any more, and their text in the write-ahead log."""
        with self._lock:
            for document_id, waited_for in self._store.orphaned_files():
                if not waited_for:
                    original_file(self._folder, document_id).unlink(missing_ok=True)
                self._store.clear_orphaned_file(document_id, waited_for)
        self._store.checkpoint()

    def tidy(self) -> None:
        """Delete what a crash left behind. Continues on a full disk, so that questions can still be asked."""
        try:
            self.delete_orphans()
            self._separate_copies()
            remove_leftovers(self._store, self._settings)
        except (StoreError, OSError) as exc:
            log.error("%s", exc)

    def _separate_copies(self) -> None:
        """Give each owner their own unlocked copy, where an earlier version of the program had one for all."""
        for document in self._store.documents():
            common = unlocked_file(self._folder, "", document.id)
            own = unlocked_file(self._folder, document.owner, document.id)
            if common.exists() and not own.exists():
                replace_file(own, common.read_bytes())

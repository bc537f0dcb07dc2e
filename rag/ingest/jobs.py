"""The ingestion queue: files are read, chunked, embedded and stored in the background.

One file is read while another is embedded. `waiting.py` decides which is next, and one thread is reserved for small
files. Jobs are stored: after a restart, an unfinished one starts again and reuses the vectors that it has already made.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.bugs import bugs_become
from rag.embed.embedder import Embedder
from rag.errors import AskError, DamagedFile, FileRefused, PasswordNeeded, Stopped, StoreError
from rag.ingest.preparing import FileToRead, Prepared, Preparing
from rag.ingest.scans import Scan, ScanQueue
from rag.ingest.waiting import SMALL_BYTES, UNFINISHED, ActiveJob, Adding, Batches, Order
from rag.logs import in_request, short
from rag.messages import Message
from rag.pdf.notes import no_text, notes_on_kinds
from rag.pdf.scans import WaitingPage
from rag.pdf.unlock import unlock
from rag.records import Job, JobState, LoadedDocument, Page, text_digest
from rag.settings import Settings
from rag.store.access import Access
from rag.store.blobs import original_file, replace_file, stored_bytes, unlocked_file
from rag.store.database import Store

log = logging.getLogger(__name__)

EMBED_BATCH = 64  # passages embedded and stored together; a job can be stopped between batches
ABOUT_FILE = "{name}: {reason}"


class Jobs:
    """The queue, with its own threads.

    `scans` reads the pages that await OCR; None leaves them unread. `complete` stores and indexes a document and
    deletes its job, and returns False if the job was cancelled. `delete_files` deletes what was made of an owner's
    file; it is called after a job has ended in any other way. `changed` is called after any change.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        scans: ScanQueue | None = None,
        complete: Callable[[Job, Prepared], bool],
        delete_files: Callable[[str, str], None],
        changed: Callable[[], None],
    ) -> None:
        self._store, self._settings, self._scans = store, settings, scans
        self._complete, self._delete_files, self._changed = complete, delete_files, changed
        self._embedder: Embedder | None = None
        self._preparing: Preparing | None = None
        self._condition = threading.Condition()  # over an RLock
        self._active: dict[int, ActiveJob] = {}
        self._protected: dict[int, Sequence[bytes]] = {}  # digests of vectors that belong to no document yet, by job
        self._access, self._order = Access(store), Order(settings.parallel_reads)
        self._closing, self._batches = False, Batches()
        self._threads: list[threading.Thread] = []
        for stored in self._store.jobs():
            job = replace(stored, state=JobState.WAITING) if stored.state in (*UNFINISHED, JobState.OCR) else stored
            if job.state is JobState.WAITING:
                self._add_to_batch(job)
            self._active[job.id] = ActiveJob(job, self._size(job))
        self._resumed = self._is_busy()  # whether interrupted jobs may have left vectors

    def start(self, embedder: Embedder, preparing: Preparing) -> None:
        """Start the threads: enough that one owner leaves one of them free, and one more for small files."""
        self._embedder, self._preparing = embedder, preparing
        for largest in (*[None] * (self._settings.parallel_reads + 1), SMALL_BYTES):
            thread = threading.Thread(target=self._work, args=(largest,), name="adding", daemon=True)
            thread.start()
            self._threads.append(thread)
        if self._scans is not None:
            self._scans.start(embedder, preparing, self._is_busy)

    def close(self) -> None:
        """Stop after the current batch. Unfinished jobs start again when the program does."""
        if self._scans is not None:
            self._scans.close()
        with self._condition:
            self._closing = True
            for active in self._active.values():
                active.stop.set()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    # ---- people's actions

    def visible_to(self, owner: str) -> tuple[Job, ...]:
        """Jobs for libraries that `owner` can see.

        Those with a negative id are documents whose scanned pages are being read.
        """
        owners = self._access.visible(owner)
        with self._condition:
            jobs = tuple(active.job for active in self._active.values() if active.job.owner in owners)
        added = {(job.owner, job.document_id) for job in jobs}
        scans = self._scans.jobs_of(owners) if self._scans is not None else ()
        return (*jobs, *(job for job in scans if (job.owner, job.document_id) not in added))

    def _is_busy(self) -> bool:
        """Whether files are waiting; they come before any scanned page."""
        with self._condition:
            return any(active.job.state in UNFINISHED for active in self._active.values())

    def adding(self, owner: str) -> Adding | None:
        """The combined progress of all files that `owner` is adding; None if nothing is left to do."""
        with self._condition:
            return self._batches.progress(owner, [active.job for active in self._active.values()])

    def _add_to_batch(self, job: Job) -> None:
        self._batches.add(job, self._size(job), [active.job for active in self._active.values()])

    def _size(self, job: Job) -> int:
        return stored_bytes(self._settings.files_dir, job.document_id)

    def add(self, owner: str, document_id: str, name: str, replaces: str = "", added_by: str = "") -> Job:
        """Queue a file that is already in the files folder. `replaces`: id of the document it is a new version of."""
        job_id = self._store.add_job(owner, document_id, name, JobState.WAITING, replaces, added_by)
        job = Job(job_id, owner, document_id, name, JobState.WAITING, replaces=replaces, added_by=added_by)
        log.info("Document %s: queued", short(document_id))
        with self._condition:
            failed = [
                old.job.id
                for old in self._active.values()
                if (old.job.document_id, old.job.owner, old.job.state) == (document_id, owner, JobState.FAILED)
            ]
            for old_id in failed:  # this job replaces them
                self._batches.drop(self._active.pop(old_id).job)
            self._add_to_batch(job)
            self._active[job.id] = ActiveJob(job, self._size(job))
            self._condition.notify_all()
        for old_id in failed:
            self._store.remove_job(old_id)
        self._changed()
        return job

    def busy_with(self, owner: str, document_id: str) -> bool:
        """Whether this file is already being added."""
        with self._condition:
            jobs = [active.job for active in self._active.values() if active.job.state != JobState.FAILED]
        return (owner, document_id) in ((job.owner, job.document_id) for job in jobs)

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Try a password on a file that needs one, if `owner` may change its document."""
        owners = self._access.changeable(owner)
        with self._condition:
            active = self._active.get(job_id)
            if active is None or active.job.owner not in owners or active.job.state != JobState.LOCKED:
                return
            active.password = password
        self._set_state(active, JobState.WAITING)

    def cancel(self, owner: str, job_id: int) -> None:
        """Cancel a job, or dismiss a failed one, if `owner` may change its document."""
        owners = self._access.changeable(owner)
        if self._scans is not None and job_id < 0:
            self._scans.cancel(owners, job_id)
            return
        with self._condition:
            active = self._active.get(job_id)
            if active is None or active.job.owner not in owners:
                return
            active.stop.set()
            self._batches.drop(self._active.pop(job_id).job)
        self._store.remove_job(job_id)
        self._clean_up(active.job)
        self._changed()

    # ---- the threads

    def _work(self, largest: int | None) -> None:
        """Add one file after another, none larger than `largest` bytes, until closing."""
        while active := self._next_job(largest):
            try:
                self._run_step(active, self._add)
            finally:
                with self._condition:
                    active.taken = False
                    self._condition.notify_all()

    def _next_job(self, largest: int | None) -> ActiveJob | None:
        """Wait for a job and take it; None when closing."""
        with self._condition:
            while not self._closing:
                if active := self._order.take(self._active.values(), largest):
                    if active.loaded is None:
                        self._set_state(active, JobState.READING)
                    return active
                self._condition.wait()
        return None

    def _add(self, active: ActiveJob) -> None:
        """Read a file, unless that is done, and add its passages; a scanned file is set aside for OCR."""
        assert self._preparing is not None
        loaded, active.loaded = active.loaded, None
        if loaded is None:
            prepared = self._read(active, self._preparing)
        else:
            prepared = self._preparing.document(loaded, None, active.stop)
        if prepared is not None:
            self._embed_and_complete(active, prepared)

    def _read(self, active: ActiveJob, preparing: Preparing) -> Prepared | None:
        """The document; None if all of its text depends on OCR."""
        path = original_file(self._settings.files_dir, active.job.document_id)
        if not path.exists():
            raise DamagedFile("its file is no longer in the data folder: add it again.")
        prepared = preparing.file(
            FileToRead(path, active.password, self._scans is not None, self._settings.limits),
            lambda read, pages: self._progress(active, pages_read=read, pages=pages),
            active.stop,
        )
        self._raise_if_stopped(active)
        if active.password is not None:
            copy = unlocked_file(path.parent, active.job.owner, active.job.document_id)
            replace_file(copy, unlock(path, active.password, self._settings.limits))
        if self._scans is not None and not prepared.document.has_text:
            self._read_scans(active, prepared.document, self._scans)
            return None
        self._set_state(active, JobState.EMBEDDING)
        return prepared

    def _read_scans(self, active: ActiveJob, loaded: LoadedDocument, scans: ScanQueue) -> None:
        """Queue for OCR a document that has no other text; it is added once its first pages have been read."""
        waiting = [WaitingPage(page.number, page.label, page.kind) for page in loaded.pages if page.awaits_ocr]
        read: dict[int, Page] = {}

        def take(pages: list[Page]) -> bool:
            read.update((page.number, page) for page in pages)
            going_on = bool(waiting) and not any(page.text for page in pages)
            if not going_on:
                self._run_step(active, lambda active: self._take_scans(active, loaded, read))
            return going_on

        def show(pages_read: int, seconds_left: float) -> None:
            self._progress(active, pages_read=pages_read, seconds_left=seconds_left)

        self._progress(active, pages=len(waiting), pages_read=0)
        self._set_state(active, JobState.OCR)
        about = active.job.owner, active.job.document_id, active.job.name
        scan = Scan(*about, waiting, take, show, stop=active.stop)
        scan.fail = lambda error: self._fail(
            active, Message(ABOUT_FILE, {"name": active.job.name, "reason": error.message})
        )
        scans.put(scan)

    def _take_scans(self, active: ActiveJob, loaded: LoadedDocument, read: dict[int, Page]) -> None:
        """Continue with a document as soon as one of its pages has text, which may only come from OCR."""
        self._raise_if_stopped(active)
        loaded = replace(loaded, pages=tuple(read.get(page.number, page) for page in loaded.pages))
        if not loaded.has_text:
            raise no_text([page.kind for page in loaded.pages], tried_ocr=True)
        notes = notes_on_kinds([(page.kind, page.label) for page in read.values()], len(loaded.pages), tried_ocr=True)
        with self._condition:
            active.loaded = replace(loaded, notes=(*loaded.notes, *notes))
        self._set_state(active, JobState.EMBEDDING)

    def _embed_and_complete(self, active: ActiveJob, prepared: Prepared) -> None:
        assert self._embedder is not None
        self._progress(active, passages=len(prepared.passages))
        try:
            self._embed(active, [passage.searchable for passage in prepared.passages], self._embedder)
            self._raise_if_stopped(active)
            if self._complete(active.job, prepared):
                shown, pages = short(active.job.document_id), len(prepared.document.pages)
                log.info("Document %s: added, %d pages, %d passages", shown, pages, len(prepared.passages))
        finally:
            self._protect_vectors(active, [])
        if self._scans is not None:
            self._scans.put_document(active.job.owner, active.job.document_id)
        with self._condition:
            self._active.pop(active.job.id, None)
        if self._resumed and not self._is_busy():
            self._delete_resumed_vectors()
        self._changed()

    def _embed(self, active: ActiveJob, texts: list[str], embedder: Embedder) -> None:
        """Make and store the vectors that do not exist yet, in batches of texts of similar length."""
        by_digest = {text_digest(text, active.job.owner): text for text in texts}
        self._protect_vectors(active, list(by_digest))
        missing = self._store.without_vector(list(by_digest))
        digests = sorted(missing, key=lambda digest: len(by_digest[digest]))
        done, began = len(texts) - len(digests), time.monotonic()
        for start in range(0, len(digests), EMBED_BATCH):
            self._raise_if_stopped(active)
            batch = digests[start : start + EMBED_BATCH]
            self._store.add_vectors(batch, embedder.passages([by_digest[digest] for digest in batch]))
            made = start + len(batch)
            rate = made / max(time.monotonic() - began, 1e-6)
            left = (len(digests) - made) / rate
            self._progress(active, passages_embedded=done + made, passages_per_second=rate, seconds_left=left)

    def _protect_vectors(self, active: ActiveJob, digests: Sequence[bytes]) -> None:
        """Keep the vectors of all unfinished jobs; these are the given job's."""
        with self._condition:
            self._protected[active.job.id] = digests
            if not digests:
                del self._protected[active.job.id]
            self._store.protect_vectors([digest for own in self._protected.values() for digest in own])

    # ---- states

    def _run_step(self, active: ActiveJob, step: Callable[[ActiveJob], None]) -> None:
        """Run one step of a job; an error in it ends this job and no other."""
        with in_request(active.job.request):
            self._run(active, step)

    def _run(self, active: ActiveJob, step: Callable[[ActiveJob], None]) -> None:
        name = active.job.name
        bug = FileRefused("could not be added because of an error in the program; see the log.")
        try:
            with bugs_become(bug):
                step(active)
        except Stopped:
            log.info("Document %s: stopped", short(active.job.document_id))
            self._clean_up(active.job, stopped=True)
        except PasswordNeeded as exc:
            self._set_state(active, JobState.LOCKED, Message(ABOUT_FILE, {"name": name, "reason": exc.message}))
        except FileRefused as exc:
            self._fail(active, Message(ABOUT_FILE, {"name": name, "reason": exc.message}))
        except AskError as exc:
            self._fail(active, exc.message)

    def _raise_if_stopped(self, active: ActiveJob) -> None:
        if active.stop.is_set():
            raise Stopped

    def _fail(self, active: ActiveJob, message: Message) -> None:
        """End a job with a reason. People see it once everything made from the file has been deleted."""
        reason = message.values.get("reason", message.template)  # without the file's name
        log.warning("Document %s: refused: %s", short(active.job.document_id), reason)
        with self._condition:
            self._save_state(active, JobState.FAILED, message)
        self._clean_up(active.job)
        with self._condition:
            self._publish_state(active, JobState.FAILED, message)
        self._changed()

    def _delete_resumed_vectors(self) -> None:
        """After the last resumed job, delete the vectors that none of them needed."""
        self._resumed = False
        try:
            self._store.delete_orphan_vectors()
        except StoreError as exc:
            log.error("%s", exc)

    def _clean_up(self, ended: Job, *, stopped: bool = False) -> None:
        """Delete vectors and files that belong to no document or job. On a full disk, leave that for the next time.

        `stopped`: the job that has ended may have written a file after it was cancelled.
        """
        with self._condition:
            others = {active.job.state for active in self._active.values() if active.job.id != ended.id}
        try:
            if others.isdisjoint(UNFINISHED):
                self._store.delete_orphan_vectors()
            if stopped:
                self._store.record_orphaned_file(ended.document_id)
            self._delete_files(ended.owner, ended.document_id)
        except StoreError as exc:
            log.error("%s", exc)

    def _set_state(self, active: ActiveJob, state: JobState, message: Message | None = None) -> None:
        with self._condition:
            self._save_state(active, state, message)
            self._publish_state(active, state, message)
        self._changed()

    def _save_state(self, active: ActiveJob, state: JobState, message: Message | None) -> None:
        """Store a job's state, unless the job was cancelled in the meantime."""
        if active.job.id not in self._active:
            return
        try:
            self._store.set_job(active.job.id, state, message)
        except StoreError as exc:  # the page shows the state anyway; after a restart, the job starts again
            log.error("%s", exc)

    def _publish_state(self, active: ActiveJob, state: JobState, message: Message | None) -> None:
        """Show a state to people, and wake the threads that wait for it."""
        active.job = replace(active.job, state=state, message=message)
        self._condition.notify_all()

    def _progress(self, active: ActiveJob, **numbers: float) -> None:
        with self._condition:
            active.job = replace(active.job, **numbers)  # type: ignore[arg-type]
        self._changed()

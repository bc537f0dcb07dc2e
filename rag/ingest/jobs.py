"""Files on their way in: read, split, embedded and stored in the background.

While one document is embedded the next ones are read. Jobs are rows of the store, so they survive a restart: an
unfinished one begins anew, and finds the vectors it had made.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rag.embed.embedder import Embedder, text_digest
from rag.errors import AskError, FileRefused, PasswordNeeded, StoreError
from rag.ingest.chunk import split
from rag.pdf.load import load
from rag.pdf.sandbox import Stopped
from rag.pdf.unlock import unlock
from rag.records import Job, JobState, LoadedDocument, Passage
from rag.settings import Settings
from rag.store.blobs import kept_file, replace_file, unlocked_file
from rag.store.database import Store

log = logging.getLogger(__name__)

CHUNK = 64  # passages embedded between two looks at the stop sign, and kept together
RESERVED_TOKENS = 16  # of what the embedder can take, for its prompt and marks
UNFINISHED = (JobState.WAITING, JobState.READING, JobState.EMBEDDING)


@dataclass
class _Work:
    """A job and what only this process knows of it."""

    job: Job
    password: str | None = None  # never written down
    stop: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The queue.

    `complete` stores and indexes a document, which ends its job; `sweep` deletes what nothing needs any more, after a
    job has ended in another way; `changed` is called after any change.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        complete: Callable[[Job, LoadedDocument, list[Passage]], bool],
        sweep: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._store, self._settings = store, settings
        self._complete, self._sweep, self._changed = complete, sweep, changed
        self._embedder: Embedder | None = None
        self._condition = threading.Condition()  # over an RLock
        self._reading = 0  # threads that read
        self._works: dict[int, _Work] = {}
        self._read: queue.Queue[tuple[_Work, LoadedDocument] | None] = queue.Queue(maxsize=1)
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._resume()

    def _resume(self) -> None:
        for row in self._store.jobs():
            state = JobState(row["state"])
            state = JobState.WAITING if state in UNFINISHED else state
            job = Job(row["id"], row["owner"], row["document_id"], row["name"], state, message=row["message"])
            self._works[job.id] = _Work(job)

    def start(self, embedder: Embedder) -> None:
        """Begin to work the queue off."""
        self._embedder = embedder
        self._reading = self._settings.parallel_reads
        for target in (*[self._read_all] * self._reading, self._embed_all):
            thread = threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Stop after the passages in hand. What is unfinished goes on at the next start."""
        with self._condition:
            self._closing = True
            for work in self._works.values():
                work.stop.set()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    # ---- what people do

    def visible_to(self, owner: str) -> tuple[Job, ...]:
        """Jobs that `owner` sees: their own and those of shared documents."""
        with self._condition:
            return tuple(work.job for work in self._works.values() if work.job.owner in ("", owner))

    def add(self, owner: str, document_id: str, name: str) -> Job:
        """Queue a file that lies in the files folder already."""
        job = Job(
            self._store.add_job(owner, document_id, name, JobState.WAITING), owner, document_id, name, JobState.WAITING
        )
        with self._condition:
            failed = [
                old.job.id
                for old in self._works.values()
                if (old.job.document_id, old.job.owner, old.job.state) == (document_id, owner, JobState.FAILED)
            ]
            for old_id in failed:  # it is tried again
                del self._works[old_id]
            self._works[job.id] = _Work(job)
            self._condition.notify_all()
        for old_id in failed:
            self._store.remove_job(old_id)
        self._changed()
        return job

    def busy_with(self, owner: str, document_id: str) -> bool:
        """Whether this file is on its way in already."""
        with self._condition:
            jobs = [work.job for work in self._works.values()]
        return any(
            job.document_id == document_id and job.owner == owner and job.state != JobState.FAILED for job in jobs
        )

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Try a password on a locked file."""
        with self._condition:
            work = self._works.get(job_id)
            if work is None or work.job.owner != owner or work.job.state != JobState.LOCKED:
                return
            work.password = password
        self._move(work, JobState.WAITING)

    def cancel(self, owner: str, job_id: int) -> None:
        """Give a job up, or dismiss one that failed, if it is this owner's."""
        with self._condition:
            work = self._works.get(job_id)
            if work is None or work.job.owner != owner:
                return
            work.stop.set()
            del self._works[job_id]
        self._store.remove_job(job_id)
        self._tidy()
        self._changed()

    # ---- the threads

    def _read_all(self) -> None:
        try:
            while work := self._next():
                self._guarded(work, self._read_one)
        finally:
            with self._condition:
                self._reading -= 1
                last = not self._reading
            if last:
                self._read.put(None)

    def _next(self) -> _Work | None:
        """The next file in the queue, taken; None when closing."""
        with self._condition:
            while not self._closing:
                for work in self._works.values():
                    if work.job.state == JobState.WAITING:
                        self._move(work, JobState.READING)
                        return work
                self._condition.wait()
        return None

    def _read_one(self, work: _Work) -> None:
        path = kept_file(self._settings.files_dir, work.job.document_id)
        loaded = load(
            path,
            limits=self._settings.limits,
            password=work.password,
            progress=lambda read, pages: self._progress(work, pages_read=read, pages=pages),
            stop=work.stop,
        )
        self._check(work)
        if work.password is not None:
            unlocked = unlock(path, work.password, self._settings.limits)
            replace_file(unlocked_file(self._settings.files_dir, work.job.document_id), unlocked)
        self._move(work, JobState.EMBEDDING)
        self._read.put((work, loaded))

    def _embed_all(self) -> None:
        while item := self._read.get():
            work, loaded = item
            self._guarded(work, lambda work: self._embed_one(work, loaded))  # noqa: B023 - called at once

    def _embed_one(self, work: _Work, loaded: LoadedDocument) -> None:
        assert self._embedder is not None
        embedder = self._embedder

        def count_tokens(text: str) -> int:
            self._check(work)  # splitting a long text takes a while
            return embedder.count_tokens(text)

        longest = min(self._settings.chunking.max_passage_tokens, embedder.max_tokens - RESERVED_TOKENS)
        passages = split(loaded, count_tokens, replace(self._settings.chunking, max_passage_tokens=longest))
        passages = [passage for passage in passages if passage.text.strip()]
        self._progress(work, passages=len(passages))
        try:
            self._embed(work, [passage.searchable for passage in passages], embedder)
            self._check(work)
            if self._complete(work.job, loaded, passages):
                log.info("Added %r: %d pages, %d passages", work.job.name, len(loaded.pages), len(passages))
        finally:
            self._store.hold([])
        with self._condition:
            self._works.pop(work.job.id, None)
        self._changed()

    def _embed(self, work: _Work, texts: list[str], embedder: Embedder) -> None:
        """Make the vectors that are missing, in chunks, and keep each chunk at once."""
        by_digest = {text_digest(text): text for text in texts}
        self._store.hold(list(by_digest))
        missing = self._store.missing(list(by_digest))
        digests = sorted(missing, key=lambda digest: len(by_digest[digest]))
        done, began = len(texts) - len(digests), time.monotonic()
        for start in range(0, len(digests), CHUNK):
            self._check(work)
            part = digests[start : start + CHUNK]
            self._store.keep_vectors(part, embedder.passages([by_digest[digest] for digest in part]))
            made = start + len(part)
            rate = made / max(time.monotonic() - began, 1e-6)
            left = (len(digests) - made) / rate
            self._progress(work, passages_embedded=done + made, passages_per_second=rate, seconds_left=left)

    # ---- states

    def _guarded(self, work: _Work, step: Callable[[_Work], None]) -> None:
        """Run one step of a job; whatever goes wrong ends this job and no other."""
        try:
            step(work)
        except Stopped:
            log.info("Stopped adding %r", work.job.name)
            self._tidy()
        except PasswordNeeded as exc:
            self._move(work, JobState.LOCKED, f"{work.job.name}: {exc}")
        except FileRefused as exc:
            self._fail(work, f"{work.job.name}: {exc}")
        except AskError as exc:
            self._fail(work, str(exc))
        except Exception:  # the worker's edge: one bad file must not stop the queue
            log.exception("Adding %r failed", work.job.name)
            self._fail(work, f"{work.job.name}: could not be added because of an error in the program; see the log.")

    def _check(self, work: _Work) -> None:
        if work.stop.is_set():
            raise Stopped

    def _fail(self, work: _Work, message: str) -> None:
        """End a job with its sentence, shown once nothing of the file is left."""
        log.warning("%r", message)
        with self._condition:
            self._record(work, JobState.FAILED, message)
        self._tidy(ending=work)
        with self._condition:
            self._show(work, JobState.FAILED, message)
        self._changed()

    def _tidy(self, ending: _Work | None = None) -> None:
        """Forget what belongs to no document and no job any more. On a full disk that waits for the next time."""
        with self._condition:
            idle = not any(work.job.state in UNFINISHED for work in self._works.values() if work is not ending)
        try:
            if idle:
                self._store.drop_orphan_vectors()
            self._sweep()
        except StoreError as exc:
            log.error("%s", exc)

    def _move(self, work: _Work, state: JobState, message: str = "") -> None:
        with self._condition:
            self._record(work, state, message)
            self._show(work, state, message)
        self._changed()

    def _record(self, work: _Work, state: JobState, message: str) -> None:
        """Write a state down, unless the job was given up in the meantime."""
        if work.job.id not in self._works:
            return
        try:
            self._store.set_job(work.job.id, state, message)
        except StoreError as exc:  # the page shows it all the same; after a restart the job begins anew
            log.error("%s", exc)

    def _show(self, work: _Work, state: JobState, message: str) -> None:
        work.job = replace(work.job, state=state, message=message)
        self._condition.notify_all()

    def _progress(self, work: _Work, **numbers: float) -> None:
        with self._condition:
            work.job = replace(work.job, **numbers)  # type: ignore[arg-type]
        self._changed()

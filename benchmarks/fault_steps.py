"""What `benchmarks.faults` interrupts: a program that adds, unlocks, replaces, removes and shows documents.

Every step tells on a pipe what it is about to do and what was acknowledged, so that what must hold afterwards is known.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import AskError
from rag.ingest.chunk import chunk_document, fitting
from rag.opening import Parts
from rag.pdf.load import load
from rag.records import Job, JobState, LoadedDocument, Passage, text_digest
from rag.settings import Settings
from rag.store.database import Store
from rag.store.folder import prepare
from tests.fakes import ExactEmbedder
from tests.rag.ocr import FakeOcr
from tests.rag.pdfs import encrypted, scanned_pdf, text_pdf

PASSWORD = "open sesame"
WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "PRAGMA wal_checkpoint")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")  # audit events
WORD = "QUAGGA"  # begins the word that each document has and no other


@dataclass(frozen=True, slots=True)
class Sample:
    """A file to add, with what a library that was never interrupted makes of it."""

    name: str
    data: bytes
    word: str  # that no other document holds
    password: str = ""
    loaded: LoadedDocument | None = None  # None: it is refused, or is read by OCR
    passages: tuple[Passage, ...] = ()

    @property
    def id(self) -> str:
        """Its document id."""
        return sha256(self.data).hexdigest()


def samples() -> list[Sample]:
    """Eight documents, two of them protected, one a scan, and one file that is refused."""
    made = []
    for number in range(10):
        word = f"{WORD}{number}{sha256(bytes([number])).hexdigest()[:8]}"
        pages = [f"The {word} of {place} was seen {number * 31} times." for place in ("Oslo", "Bern")]
        data, password = text_pdf(pages, title=word), PASSWORD if number in (3, 4) else ""
        data = encrypted(data, password) if password else data
        data = scanned_pdf(2) if number == 8 else b"%PDF-1.7 " + word.encode() if number == 9 else data
        made.append(_read(Sample(f"{word}.pdf", data, word, password), number >= 8))
    return made


def _read(sample: Sample, unread: bool) -> Sample:
    if unread:
        return sample
    settings, embedder = Settings(), ExactEmbedder()
    loaded = load(sample.data, limits=settings.limits, password=sample.password or None, ocr=True)
    limits = fitting(settings.chunking, embedder.max_tokens)
    passages = chunk_document(loaded, embedder.count_tokens, limits)
    kept = tuple(one for one in passages if one.text.strip())
    return Sample(sample.name, sample.data, sample.word, sample.password, loaded, kept)


def opened(settings: Settings) -> Engine:
    """The engine of a data folder, with an embedder and OCR that take no time."""
    return Engine(settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=Parts(ocr=FakeOcr()))


def undisturbed(settings: Settings, made: list[tuple[str, Sample]]) -> None:
    """Write a library with these documents of these owners as it is when nothing goes wrong."""
    prepare(settings)
    embedder = ExactEmbedder()
    with Store(settings.database) as store:
        store.require_embedder(embedder)
        for owner, sample in made:
            assert sample.loaded is not None
            (settings.files_dir / f"{sample.id}.pdf").write_bytes(sample.data)
            texts = [passage.searchable for passage in sample.passages]
            store.add_vectors([text_digest(text) for text in texts], embedder.queries(texts))
            job = store.add_job(owner, sample.id, sample.name, JobState.EMBEDDING)
            stored = Job(job, owner, sample.id, sample.name, JobState.EMBEDDING)
            assert store.add_document(stored, len(sample.data), sample.loaded, sample.passages)


def die_at(count: int, folder: Path, engine_store: Any) -> Callable[[], int]:
    """Kill this process right before its write number `count`, from 1; 0 only counts. Returns how many there were.

    A write is a statement of SQL that changes something, or a file that is opened to be written, renamed or deleted.
    """
    seen, inside, process = 0, str(folder), os.getpid()

    def write() -> None:
        nonlocal seen
        if os.getpid() == process:
            seen += 1
            if seen == count:
                os.kill(process, signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            changes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if changes and str(arguments[0]).startswith(inside):
                write()
        elif event in CHANGES and str(arguments[0]).startswith(inside):
            write()

    sys.addaudithook(hook)
    engine_store._sql.set_trace_callback(lambda statement: write() if statement.startswith(WRITES) else None)
    return lambda: seen


class Steps:
    """Random steps on a library, told on a pipe."""

    def __init__(self, engine: Engine, made: list[Sample], seed: int, tell: Callable[[str], None]) -> None:
        self.engine, self.made, self.tell_line = engine, made, tell
        self.random = random.Random(seed)

    def run(self, count: int) -> None:
        """Take so many steps."""
        steps = (self.add, self.add, self.add, self.remove, self.begin_removal, self.replace, self.show, self.cancel)
        for _ in range(count):
            with suppress(AskError):  # such as a file that is there already
                self.random.choice(steps)()

    def tell(self, what: str, *keys: tuple[str, str]) -> None:
        """Say what is about to be done to documents ("touch"), or what has been acknowledged."""
        self.tell_line(json.dumps([what, keys]))

    def _owner(self) -> str:
        return self.random.choice(("", "ann"))

    def _wait(self, owner: str, job: Job) -> None:
        """Wait until a job has ended, and unlock it on the way."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            now = [one for one in self.engine.jobs(owner) if one.id == job.id]
            if not now or now[0].state == JobState.FAILED:
                break
            if now[0].state == JobState.LOCKED:
                self.engine.unlock(owner, job.id, PASSWORD)
            time.sleep(0.003)
        if any(one.id == job.document_id for one in self.engine.documents(owner)):
            self.tell("present", (owner, job.document_id))

    def add(self, replaces: str = "", owner: str | None = None) -> None:
        """Add a file, and mostly wait until that is done."""
        owner = self._owner() if owner is None else owner
        sample = self.random.choice(self.made)
        self.tell("touch", (owner, sample.id))
        job = self.engine.add(owner, sample.name, sample.data, replaces)
        if replaces or self.random.random() < 0.8:
            self._wait(owner, job)

    def _some(self) -> tuple[str, str]:
        owner = self._owner()
        own = [one.id for one in self.engine.documents(owner) if one.owner == owner]
        if not own:
            raise AskError("There is none.")
        return owner, self.random.choice(own)

    def remove(self) -> None:
        """Remove a document at once."""
        key = self._some()
        self.tell("touch", key)
        self.engine.remove(*key)
        self.tell("absent", key)

    def begin_removal(self) -> None:
        """Remove a document as the page does, and at times undo that."""
        key = self._some()
        self.tell("touch", key)
        self.engine.removals.begin(*key)
        self.tell("absent", key)
        if self.random.random() < 0.5:
            pending = self.engine.removals.pending(key[0])
            self.tell("touch", *((key[0], one) for one in pending))
            self.engine.removals.undo(key[0])
            self.tell("present", *((key[0], one) for one in pending))

    def replace(self) -> None:
        """Add a new version of a document."""
        key = self._some()
        self.tell("touch", key)
        self.add(key[1], key[0])

    def show(self) -> None:
        """Draw a page, which is kept as a picture."""
        key = self._some()
        self.engine.pages.picture(*key, 0, 160)

    def cancel(self) -> None:
        """Cancel a file that is being added, or dismiss one that failed."""
        owner = self._owner()
        for job in self.engine.jobs(owner)[:1]:
            self.engine.cancel(owner, job.id)

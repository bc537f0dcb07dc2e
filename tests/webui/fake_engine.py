"""An engine without a library: jobs and answers follow a script, so that the page can be tested on its own."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from rag.activity import Activity
from rag.answer.introduction.record import Introduction
from rag.errors import AlreadyAdded, CollectionRefused, FileRefused, NotAPdf, NotInLibrary, QuestionRefused
from rag.evaluation.ratings import Ratings
from rag.ingest.waiting import Adding
from rag.messages import Message
from rag.reader import Reader, Turn
from rag.readiness import Readiness
from rag.records import (
    DEFAULT_OPTIONS,
    Answer,
    AnswerState,
    AskOptions,
    Checked,
    Choice,
    Citation,
    ClaimState,
    Document,
    DocumentDetails,
    Event,
    Found,
    Job,
    JobState,
    Piece,
    Reading,
    Sentence,
    ShortAnswer,
    Source,
    View,
    Waiting,
)
from rag.removals import Removals
from rag.settings import Settings
from rag.store.access import Access, collection_owner
from rag.store.collections import Collections
from rag.store.connection import Connection
from rag.store.conversations import Conversations
from rag.store.preferences import StoredPreferences
from rag.store.totals import StoredTotals
from tests.fakes import BegunInMemory
from tests.webui.fake_evaluations import FakeEvaluations
from tests.webui.fake_pages import FakePages

PASSAGE = (
    "Revenue for the year grew to 4,218 million euros. Growth came from services, which rose by 12 percent. "
    "Costs of materials fell."
)


def png(width: int = 300, height: int = 400, shade: int = 255) -> bytes:
    """A grey picture with lines that look like text."""
    rows = []
    for y in range(height):
        ink = y > 40 and y % 14 < 5
        row = bytes([120 if ink and 30 < x < width - 30 and (x * 7 + y // 14) % 11 else shade for x in range(width)])
        rows.append(b"\0" + row)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


def document(name: str, owner: str = "", **changes: object) -> Document:
    """A document as the engine would show it."""
    base = Document(
        id=hashlib.sha256((owner + name).encode("utf-8", "replace")).hexdigest(), owner=owner, name=name, title="",
        bytes=1000, pages=12, passages=40, kinds={"text": 12}, notes=(), added=0.0,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def source(number: int, of: Document, text: str = PASSAGE, page: int = 4, **changes: object) -> Source:
    """A passage of `of`, retrieved."""
    base = Source(
        number=number, passage_id=number, document_id=of.id, document=of.name, first_page=page, last_page=page,
        page_label=str(page + 1), heading=("Results", "(In millions)", "Revenue"), text=text, start=0, end=len(text),
        score=0.9,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


class FakeAnnotations:
    """Tags and replacements in memory, of one owner."""

    def __init__(self, change: Callable[[], None]) -> None:
        self.change = change
        self.given: dict[str, tuple[str, ...]] = {}
        self.newer: dict[str, str] = {}

    def tags(self, owner: str) -> dict[str, tuple[str, ...]]:
        return dict(self.given)

    def add_tag(self, owner: str, documents: Collection[str], tag: str) -> None:
        for document_id in documents:
            self.given[document_id] = tuple(sorted({*self.given.get(document_id, ()), tag}))
        self.change()

    def remove_tag(self, owner: str, document_id: str, tag: str) -> None:
        self.given[document_id] = tuple(one for one in self.given[document_id] if one != tag)
        self.change()

    def replaced(self, owner: str) -> dict[str, str]:
        return dict(self.newer)


class FakeIntroductions:
    """Introductions as they were given."""

    def __init__(self) -> None:
        self.given: dict[str, Introduction] = {}  # by document id

    def of(self, owner: str, document_id: str) -> Introduction | None:
        return self.given.get(document_id)

    def making(self, owner: str, document_id: str) -> bool:
        return False


class FakeEngine:
    """Scripted: `step` seconds pass between the events of a job or an answer."""

    def __init__(self, data_dir: Path, *, step: float = 0.0, settings: Settings | None = None) -> None:
        self.settings = settings or Settings(data_dir=data_dir)
        self.step = step
        self.places: tuple[int, ...] = ()  # in the queue, one after another
        self.undo_seconds = 10.0  # in which a deleted conversation can be restored
        self.picked: tuple[Choice, ...] = (
            Choice("reader", "Quote reader", Message("no GLM on this machine: answers are sentences of the sources")),
            Choice("embedder", "multilingual-e5-small", Message("the default on a CPU, packaged weights")),
            Choice("device", "CPU, 2 cores", Message("no GPU was found")),
        )
        self.readiness, self.activity = Readiness(), Activity()
        self.readiness.end()
        self.library: list[Document] = []
        self.document_details: dict[str, DocumentDetails] = {}  # by document id
        self.evaluations = FakeEvaluations(self.documents, self.change)
        self.opened: Connection | None = None  # the database, once something is stored
        self.pages = FakePages(self.documents, data_dir, png)
        self.annotations = FakeAnnotations(self.change)
        self.introductions = FakeIntroductions()
        self.removals = Removals(self.remove, self.change, BegunInMemory(), holder=self._holder)
        self.running: list[Job] = []
        self.erased: list[tuple[str, str]] = []
        self.sharing = self  # what moves and erases
        self.progress: Adding | None = None  # of all jobs together
        self.asked: list[tuple[str, str, tuple[str, ...] | None, tuple[Turn, ...]]] = []
        self.stops: list[threading.Event] = []
        self.received: list[tuple[str, str, bytes]] = []
        self.password = "sesame"
        self.passages: list[str] = [PASSAGE]
        self.short: ShortAnswer | None = None
        self.answer: list[tuple[str, tuple[int, ...]]] | None = None  # sentences and what they cite; None refuses
        self.pieces: list[str] | None = None
        self.query: str | None = None
        self.suggested: tuple[str, ...] = ()  # after every answer
        self.writes_markdown = False
        self.reading: Reading | None = None  # of a model
        self.options = AskOptions()  # of the last question
        self.error: Exception | None = None
        self.reader_stalls = threading.Event()  # set: the reader ignores stop until cleared
        self._version = 0
        self._lock = threading.RLock()

    @cached_property
    def conversations(self) -> Conversations:
        """Stored in a real database, which takes the place of the documents' one."""
        return Conversations(self._database(), undo_seconds=self.undo_seconds)

    @cached_property
    def ratings(self) -> Ratings:
        """The same for ratings."""
        return Ratings(self._database(), changed=self.change)

    @cached_property
    def preferences(self) -> StoredPreferences:
        """The same for what people prefer."""
        return StoredPreferences(self._database())

    @cached_property
    def collections(self) -> Collections:
        """The same for collections."""
        return Collections(self._database(), self.change)

    def _visible(self, owner: str) -> tuple[str, ...]:
        return Access(self._database()).visible(owner) if owner else ("",)

    def _changeable(self, owner: str) -> tuple[str, ...]:
        return Access(self._database()).changeable(owner) if owner else ("",)

    def _holder(self, owner: str, document_id: str) -> str | None:
        known = {d.owner for d in self.library if d.id == document_id}
        return next((one for one in self._changeable(owner) if one in known), None)

    def move(self, owner: str, document_id: str, collection: int) -> None:
        target = collection_owner(collection) if collection else owner
        if self._holder(owner, document_id) is None or target not in self._changeable(owner):
            raise CollectionRefused("There is no such collection.")
        with self._lock:
            self.library = [replace(d, owner=target) if d.id == document_id else d for d in self.library]
        self.change()

    def erase(self, owner: str, conversation_owner: str, remove: Callable[[str, str], None]) -> None:
        self.erased.append((owner, conversation_owner))

    @cached_property
    def totals(self) -> StoredTotals:
        """The same for what is stored."""
        return StoredTotals(self._database())

    def _database(self) -> Connection:
        with self._lock:
            self.opened = self.opened or Connection(self.settings.database)
            return self.opened

    # ---- what a page polls

    def choices(self) -> tuple[Choice, ...]:
        return self.picked

    def choose(self, choice: Choice) -> None:
        with self._lock:
            self.picked = tuple(choice if known.what == choice.what else known for known in self.picked)
        self.change()

    def use_reader(self, reader: Reader, why: Message) -> None:
        self.choose(Choice("reader", reader.name, why))

    def wait(self) -> None:
        pass

    def version(self) -> int:
        return self._version

    def change(self) -> None:
        with self._lock:
            self._version += 1

    def documents(self, owner: str) -> tuple[Document, ...]:
        with self._lock:
            return tuple(self.removals.without_hidden(d for d in self.library if d.owner in self._visible(owner)))

    def details(self, owner: str, document_id: str) -> DocumentDetails | None:
        with self._lock:
            known = any(document.id == document_id for document in self.documents(owner))
        return self.document_details.get(document_id, DocumentDetails("", "", (), ())) if known else None

    def jobs(self, owner: str) -> tuple[Job, ...]:
        with self._lock:
            return tuple(j for j in self.running if j.owner in self._visible(owner))

    # ---- adding

    def adding(self, owner: str) -> Adding | None:
        return self.progress

    def add(self, owner: str, name: str, data: Path | bytes, replaces: str = "", collection: int = 0) -> Job:
        content = data if isinstance(data, bytes) else data.read_bytes()
        adding, owner = owner, collection_owner(collection) if collection else owner
        if collection and owner not in self._changeable(adding):
            raise CollectionRefused("There is no such collection.")
        with self._lock:
            self.received.append((owner, name, content))
            if not content.startswith(b"%PDF-"):
                raise NotAPdf(f"“{name}” is not a PDF: it does not begin with %PDF-. Choose another file.")
            if any(d.name == name and d.owner == owner for d in self.library):
                raise AlreadyAdded(f"“{name}” is in the library already.")
            job = Job(
                len(self.received),
                owner,
                hashlib.sha256(content).hexdigest(),
                name,
                JobState.WAITING,
                replaces=replaces,
                added_by=adding,
            )
            self.running.append(job)
            self.change()
        locked = b"/Encrypt" in content
        threading.Thread(target=self._work, args=(job, locked), daemon=True).start()
        return job

    def _work(self, job: Job, locked: bool) -> None:
        if locked:
            self._set(job.id, state=JobState.LOCKED, message=Message("It opens with a password only."))
            return
        for read in range(0, 12, 3):
            self._set(job.id, state=JobState.READING, pages=12, pages_read=read, seconds_left=7.0)
            time.sleep(self.step)
        for embedded in range(0, 40, 8):
            self._set(job.id, state=JobState.EMBEDDING, pages=12, pages_read=12, passages=40,
                      passages_embedded=embedded, passages_per_second=9.7, seconds_left=95.0)  # fmt: skip
            time.sleep(self.step)
        with self._lock:
            if any(other.id == job.id for other in self.running):
                self.library.append(document(job.name, job.owner))
                if job.replaces:
                    self.annotations.newer[job.replaces] = self.library[-1].id
                    self.library = [known for known in self.library if known.id != job.replaces]
                self.running = [other for other in self.running if other.id != job.id]
                self.change()

    def _set(self, job_id: int, **changes: object) -> None:
        with self._lock:
            self.running = [
                replace(job, **changes) if job.id == job_id else job  # type: ignore[arg-type]
                for job in self.running
            ]
            self.change()

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        job = next(job for job in self.jobs(owner) if job.id == job_id)
        if password != self.password:
            self._set(job_id, message=Message("This password does not open it."))
            return
        threading.Thread(target=self._work, args=(job, False), daemon=True).start()

    def cancel(self, owner: str, job_id: int) -> None:
        with self._lock:
            self.running = [j for j in self.running if j.id != job_id or j.owner not in self._changeable(owner)]
            self.change()

    def remove(self, owner: str, document_id: str) -> None:
        with self._lock:
            if not any(d.id == document_id and d.owner == owner for d in self.library):
                raise FileRefused("There is no such document.")
            self.library = [d for d in self.library if d.id != document_id]
            self.change()

    # ---- asking

    def ask(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        history: Sequence[Turn],
        stop: threading.Event,
        options: AskOptions = DEFAULT_OPTIONS,
        person: str = "",
    ) -> Iterator[Event]:
        self.options, self.person = options, person
        self.asked.append((owner, question, None if documents is None else tuple(documents), tuple(history)))
        self.stops.append(stop)
        if self.error is not None:
            raise self.error
        if len(question) > self.settings.limits.question_characters:
            raise QuestionRefused("The question is too long.")
        chosen = [d for d in self.documents(owner) if documents is None or d.id in documents]
        sources = tuple(
            source(n, chosen[(n - 1) % len(chosen)], text, page=3 + n)
            for n, text in enumerate(self.passages if chosen else (), 1)
        )
        for place in self.places:
            yield Waiting(place)
            time.sleep(self.step)
        time.sleep(self.step)
        yield Found(sources, self.query or question, writes_markdown=self.writes_markdown)
        if self.reading is not None:
            yield self.reading
            time.sleep(self.step)
        reader = self.picked[0].name
        if self.answer is None:
            yield Answer((), reader, state=AnswerState.NONE, seconds=0.2)
            return
        sentences = tuple(
            Sentence(
                text,
                tuple(Citation(n, 0, 49) for n in cited),
                " " if i else "",
                ClaimState.SUPPORTED if cited else ClaimState.NOT_FOUND,
            )
            for i, (text, cited) in enumerate(self.answer)
        )
        pieces = self.pieces or [f"{text}{''.join(f'[{n}]' for n in cited)} " for text, cited in self.answer]
        for number, piece in enumerate(pieces):
            time.sleep(self.step)
            if stop.is_set() and not self.reader_stalls.is_set():
                break
            yield Piece(piece)
            if number and not self.pieces:
                yield Checked(sentences[:number])
        yield Answer(sentences, reader, stopped=stop.is_set(), seconds=1.24, short=self.short)

    def search(
        self, owner: str, question: str, documents: Collection[str] | None = None, count: int | None = None
    ) -> list[Source]:
        if self.error is not None:
            raise self.error
        self.asked.append((owner, question, None if documents is None else tuple(documents), ()))
        chosen = [d for d in self.documents(owner) if documents is None or d.id in documents]
        texts = self.passages if chosen else []
        return [source(n, chosen[(n - 1) % len(chosen)], text) for n, text in enumerate(texts[:count], 1)]

    def follow_ups(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        sources: tuple[Source, ...],
        stop: threading.Event | None = None,
    ) -> tuple[str, ...]:
        return self.suggested

    # ---- seeing

    def view(self, owner: str, source: Source, citation: Citation | None) -> View:
        pages = self._own(owner, source).pages
        lines = ((0.1, 0.30, 0.9, 0.345), (0.1, 0.345, 0.9, 0.38))
        page = source.last_page if citation else source.first_page
        return View(source, page, self._label(page, source.page_label), pages, lines, lines[:1] if citation else ())

    def view_page(self, owner: str, source: Source, page: int, citation: Citation | None = None) -> View:
        pages = self._own(owner, source).pages
        return View(source, page, self._label(page, str(page + 1)), pages, (), ())

    def _label(self, page: int, usual: str) -> str:
        return self.pages.labels[page] if self.pages.labels else usual

    def _own(self, owner: str, source: Source) -> Document:
        for known in self.documents(owner):
            if known.id == source.document_id:
                return known
        raise NotInLibrary("The document is no longer in the library.")

    def close(self) -> None:
        self.removals.close()
        for stop in self.stops:
            stop.set()
        if self.opened is not None:
            self.conversations.close()
            self.opened.close()
            self.opened = None
            for stored in ("conversations", "preferences", "ratings", "totals"):
                self.__dict__.pop(stored, None)

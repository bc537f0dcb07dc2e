"""Converts between rows of the database and records."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rag.messages import Message
from rag.records import (
    Document,
    DocumentDetails,
    Heading,
    Job,
    JobState,
    Page,
    PageKind,
    Passage,
    Signal,
    Source,
    Vectors,
    WordBoxes,
)


class StoredPassage:
    """A passage from the database, with its document."""

    __slots__ = ("digest", "document", "document_id", "id", "owner", "page_label", "passage")

    def __init__(self, row: sqlite3.Row) -> None:
        self.id: int = row["id"]
        self.document_id: str = row["document_id"]
        self.owner: str = row["owner"]
        self.document: str = row["name"]
        self.digest: bytes = row["digest"]  # key of its vector
        self.page_label: str = row["label"]  # of its first page
        self.passage = Passage(
            text=row["text"],
            start=row["start"],
            end=row["stop"],
            first_page=row["first_page"],
            last_page=row["last_page"],
            heading=tuple(json.loads(row["heading"])),
        )

    def as_source(self, number: int, score: float, signals: tuple[Signal, ...]) -> Source:
        """The passage as a source for an answer."""
        passage = self.passage
        return Source(
            number=number,
            passage_id=self.id,
            document_id=self.document_id,
            document=self.document,
            first_page=passage.first_page,
            last_page=passage.last_page,
            page_label=self.page_label,
            heading=passage.heading,
            text=passage.text,
            start=passage.start,
            end=passage.end,
            score=score,
            signals=signals,
        )


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page from the database."""

    number: int
    label: str
    kind: PageKind
    start: int  # offset of its text in the document's text, in characters
    text: str
    words: WordBoxes
    note: Message | None  # what is wrong with it


def page_row(start: int, page: Page) -> tuple[Any, ...]:
    """A page as values of PAGE_COLUMNS, after the document's key. `start`: the length of the pages before it."""
    note, words = message_to_text(page.note), page.words.to_bytes()
    return (page.number, page.label, page.kind.value, start, page.text, words, note, page_crc(page.text, words))


PAGE_COLUMNS = "document, number, label, kind, start, text, words, note, crc"


def page_crc(text: str, words: bytes) -> int:
    """CRC-32 of what a page holds, for detecting damage."""
    return zlib.crc32(words, zlib.crc32(text.encode("utf-8", "surrogatepass")))


def blobs_crc(*blobs: bytes) -> int:
    """CRC-32 of these blobs, one after another."""
    found = 0
    for blob in blobs:
        found = zlib.crc32(blob, found)
    return found


def insert_vectors(sql: sqlite3.Connection, digests: Iterable[bytes], vectors: Vectors) -> None:
    """Add vectors (n, d) with their checksums, except for digests that already have one."""
    blobs = (vector.astype("<f4").tobytes() for vector in vectors)
    rows = [(digest, blob, zlib.crc32(blob)) for digest, blob in zip(digests, blobs, strict=True)]
    sql.executemany("INSERT OR IGNORE INTO vectors (digest, vector, crc) VALUES (?, ?, ?)", rows)


def page_of(row: sqlite3.Row) -> StoredPage:
    """A page from its row."""
    return StoredPage(
        number=row["number"],
        label=row["label"],
        kind=PageKind(row["kind"]),
        start=row["start"],
        text=row["text"],
        words=WordBoxes.from_bytes(row["words"]),
        note=message_from_text(row["note"]),
    )


# Columns of a `Document`, without the outline, which is long.
DOCUMENT_COLUMNS = "id, owner, name, title, bytes, pages, passages, kinds, notes, added"


def document_of(row: sqlite3.Row) -> Document:
    """A document from its row."""
    return Document(
        id=row["id"],
        owner=row["owner"],
        name=row["name"],
        title=row["title"],
        bytes=row["bytes"],
        pages=row["pages"],
        passages=row["passages"],
        kinds=json.loads(row["kinds"]),
        notes=tuple(Message.from_json(note) for note in json.loads(row["notes"])),
        added=row["added"],
    )


def details_of(row: sqlite3.Row, noted_pages: list[sqlite3.Row], kinds: list[sqlite3.Row]) -> DocumentDetails:
    """The rest of a document's row. `noted_pages`: rows (label, note) of pages with a note; `kinds`: of all pages."""
    return DocumentDetails(
        author=row["author"],
        created=row["created"],
        outline=tuple(Heading(*entry) for entry in json.loads(row["outline"])),
        page_notes=tuple((page["label"], Message.from_json(json.loads(page["note"]))) for page in noted_pages),
        page_kinds=tuple(PageKind(page["kind"]) for page in kinds),
    )


def job_of(row: sqlite3.Row) -> Job:
    """A job from its row."""
    return Job(
        id=row["id"],
        owner=row["owner"],
        document_id=row["document_id"],
        name=row["name"],
        state=JobState(row["state"]),
        message=message_from_text(row["message"]),
        replaces=row["replaces"],
        added_by=row["added_by"],
    )


def message_to_text(message: Message | None) -> str:
    """A message as JSON; "" for none."""
    return json.dumps(message.to_json()) if message else ""


def message_from_text(text: str) -> Message | None:
    """The inverse of `message_to_text`."""
    return Message.from_json(json.loads(text)) if text else None

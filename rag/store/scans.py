"""Pages that await OCR: which they are, and how they are added to their document once read."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rag.messages import Message
from rag.records import Heading, Page, PageKind, Passage, Vectors, text_digest
from rag.store.database import Store, insert_passage
from rag.store.rows import insert_vectors, message_to_text, page_crc

# The numbers of pages of each kind and the notes so far, from the pages that do not await OCR.
NotesOf = Callable[[Sequence[tuple[PageKind, str]], int, Sequence[Message]], Sequence[Message]]


@dataclass(frozen=True, slots=True)
class StoredScan:
    """A document with pages that await OCR."""

    key: int  # key of the document in the database
    owner: str
    document_id: str
    name: str
    waiting: tuple[tuple[int, str, PageKind], ...]  # number, label and kind of each such page
    places: tuple[int, ...]  # offset of each of its pages in the document's text
    outline: tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class PagesAdded:
    """Ids of passages that were added to and removed from the library together with pages, in order."""

    added: list[int]
    removed: list[int]


class StoredScans:
    """The pages of one data folder that await OCR."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[StoredScan]:
        """The documents with such pages, oldest first."""
        rows = self._store.rows(
            "SELECT owner, id FROM documents WHERE key IN (SELECT document FROM pages_awaiting_ocr) ORDER BY key"
        )
        found = (self.of(row["owner"], row["id"]) for row in rows)
        return [scan for scan in found if scan is not None]

    def of(self, owner: str, document_id: str) -> StoredScan | None:
        """A document of `owner` with such pages; None if there is none."""
        rows = self._store.rows(
            "SELECT key, name, outline FROM documents WHERE owner = ? AND id = ?", (owner, document_id)
        )
        if not rows:
            return None
        key = rows[0]["key"]
        waiting = self._store.rows(
            "SELECT p.number, p.label, p.kind FROM pages_awaiting_ocr w JOIN pages p USING (document, number)"
            " WHERE w.document = ? ORDER BY p.number",
            (key,),
        )
        places = self._store.rows("SELECT start FROM pages WHERE document = ? ORDER BY number", (key,))
        if not waiting:
            return None
        return StoredScan(
            key,
            owner,
            document_id,
            rows[0]["name"],
            tuple((row["number"], row["label"], PageKind(row["kind"])) for row in waiting),
            tuple(row["start"] for row in places),
            tuple(Heading(*entry) for entry in json.loads(rows[0]["outline"])),
        )

    def add(
        self, scan: StoredScan, pages: Sequence[Page], passages: Sequence[Passage], vectors: Vectors, notes_of: NotesOf
    ) -> PagesAdded | None:
        """Make pages that were read searchable, in one transaction; None if the document was removed or moved.

        `vectors` (n, d): those of the passages; `notes_of`: returns the document's new notes.
        """
        with self._store.transaction() as sql:
            if not _is_there(sql, scan):
                return None
            removed = [row["id"] for page in pages for row in _delete_passages(sql, scan.key, page.number)]
            for page in pages:
                _update_page(sql, scan.key, page)
            insert_vectors(sql, [text_digest(passage.searchable, scan.owner) for passage in passages], vectors)
            added = [insert_passage(sql, scan.key, scan.owner, passage) for passage in passages]
            _update_document(sql, scan.key, notes_of)
        return PagesAdded(added, removed)

    def give_up(self, scan: StoredScan, note: Message, notes_of: NotesOf) -> None:
        """Leave the pages that still await OCR unread for good, each with a note."""
        with self._store.transaction() as sql:
            sql.execute(
                "UPDATE pages SET note = ?2 WHERE document = ?1 AND number IN"
                " (SELECT number FROM pages_awaiting_ocr WHERE document = ?1)",
                (scan.key, message_to_text(note)),
            )
            sql.execute("DELETE FROM pages_awaiting_ocr WHERE document = ?", (scan.key,))
            if _is_there(sql, scan):
                _update_document(sql, scan.key, notes_of)


def _is_there(sql: sqlite3.Connection, scan: StoredScan) -> bool:
    there = sql.execute("SELECT 1 FROM documents WHERE key = ? AND owner = ?", (scan.key, scan.owner)).fetchone()
    return there is not None


def _delete_passages(sql: sqlite3.Connection, key: int, page: int) -> Iterable[sqlite3.Row]:
    """Delete what was indexed for a page before, such as a stamp on it; returns the ids."""
    return sql.execute(
        "DELETE FROM passages WHERE document = ?1 AND first_page = ?2 AND last_page = ?2 RETURNING id", (key, page)
    ).fetchall()


def _update_page(sql: sqlite3.Connection, key: int, page: Page) -> None:
    words = page.words.to_bytes()
    sql.execute(
        "UPDATE pages SET kind = ?, text = ?, words = ?, crc = ?, note = ? WHERE document = ? AND number = ?",
        (page.kind.value, page.text, words, page_crc(page.text, words), message_to_text(page.note), key, page.number),
    )
    sql.execute("DELETE FROM pages_awaiting_ocr WHERE document = ? AND number = ?", (key, page.number))
    sql.execute("DELETE FROM sentence_vectors WHERE document = ? AND page = ?", (key, page.number))


def _update_document(sql: sqlite3.Connection, key: int, notes_of: NotesOf) -> None:
    """Update the page counts and notes of a document from its pages."""
    rows = sql.execute("SELECT kind, label, number FROM pages WHERE document = ? ORDER BY number", (key,)).fetchall()
    waiting = {
        row["number"]
        for row in sql.execute("SELECT number FROM pages_awaiting_ocr WHERE document = ?", (key,)).fetchall()
    }
    (notes,) = sql.execute("SELECT notes FROM documents WHERE key = ?", (key,)).fetchone()
    unread = [(PageKind(row["kind"]), row["label"]) for row in rows if row["number"] not in waiting]
    notes = notes_of(unread, len(rows), [Message.from_json(note) for note in json.loads(notes)])
    sql.execute(
        "UPDATE documents SET kinds = ?, notes = ?, passages = (SELECT COUNT(*) FROM passages WHERE document = key)"
        " WHERE key = ?",
        (json.dumps(Counter(row["kind"] for row in rows)), json.dumps([note.to_json() for note in notes]), key),
    )

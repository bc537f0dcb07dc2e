"""Documents, pages, passages, vectors and jobs in one SQLite file: the source of truth of a data folder.

A document becomes visible in the transaction that completes it, and disappears in the one that removes it. Deleted
content is overwritten on disk, see `rag.store.connection`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from rag.errors import EmbedderMismatch
from rag.messages import Message
from rag.records import (
    Document,
    DocumentDetails,
    Job,
    JobState,
    LoadedDocument,
    Passage,
    Vectors,
    page_starts,
    text_digest,
)
from rag.store.access import PREFERRED, sees
from rag.store.annotations import record_replacement
from rag.store.connection import Connection
from rag.store.indexed import PASSAGES, batches, indexed_passages, marks, vectors_by_digest
from rag.store.removals import begin_removal, end_removal
from rag.store.rows import (
    DOCUMENT_COLUMNS,
    PAGE_COLUMNS,
    StoredPage,
    StoredPassage,
    blobs_crc,
    details_of,
    document_of,
    insert_vectors,
    job_of,
    message_to_text,
    page_of,
    page_row,
)

MAX_PAGE_NOTES = 50  # per document


class EmbedderIdentity(Protocol):
    """What is recorded about the embedder whose vectors are stored."""

    name: str
    revision: str  # of the weights; vectors of different revisions cannot be compared
    dimension: int
    option: str  # the value of --embedder that opens it


class Store(Connection):
    """The database of a data folder. Close it, or use it in a `with`."""

    # ---- vectors, by the digest of the text that was embedded

    def require_embedder(self, embedder: EmbedderIdentity) -> None:
        """Record the embedder whose vectors are stored. Raises EmbedderMismatch if the stored ones are from another."""
        identity = {"name": embedder.name, "revision": embedder.revision, "dimension": embedder.dimension}
        rows = self.rows("SELECT value FROM meta WHERE key = 'embedder'")
        stored: dict[str, Any] = json.loads(rows[0]["value"]) if rows else identity
        differs = any(stored[field] != value for field, value in identity.items())
        if differs and self.rows("SELECT 1 FROM vectors LIMIT 1"):
            raise EmbedderMismatch(
                "The vectors in this data folder were made by {stored} (revision {revision}, {dimension} dimensions), "
                "not by {given}: start with --embedder {option}, or with --re-embed to embed all passages again.",
                stored=stored["name"],
                revision=stored["revision"],
                dimension=stored["dimension"],
                given=embedder.name,
                option=stored["option"],
            )
        value = json.dumps({**identity, "option": embedder.option})
        with self.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (value,))
            if differs:
                sql.execute("DELETE FROM sentence_vectors")

    def delete_vectors(self) -> None:
        """Delete all vectors, so that another embedder can make new ones."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM vectors")
            sql.execute("DELETE FROM sentence_vectors")

    def protect_vectors(self, digests: Sequence[bytes]) -> None:
        """Keep these vectors although they belong to no document yet; replaces the digests protected before."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM protected_vectors")
            sql.executemany("INSERT OR IGNORE INTO protected_vectors VALUES (?)", [(digest,) for digest in digests])

    def without_vector(self, digests: Sequence[bytes]) -> set[bytes]:
        """The digests that have no vector."""
        return set(digests) - set(vectors_by_digest(self.rows, digests))

    def add_vectors(self, digests: Sequence[bytes], vectors: Vectors) -> None:
        """Store vectors (n, d) before their document is complete, so that an interrupted job can continue from here."""
        with self.transaction() as sql:
            insert_vectors(sql, digests, vectors)

    def vectors_of(self, digests: Sequence[bytes]) -> Vectors:
        """The vectors (n, d) float32 for these digests, each of which has one."""
        found = vectors_by_digest(self.rows, list(dict.fromkeys(digests)))
        return np.array([np.frombuffer(found[digest], "<f4") for digest in digests], dtype=np.float32)

    def delete_damaged_vectors(self) -> int:
        """Delete damaged vectors, so that they are made anew; returns how many."""
        with self.transaction() as sql:
            sql.create_function("crc32", -1, blobs_crc, deterministic=True)
            damaged = sql.execute("DELETE FROM vectors WHERE crc32(CAST(vector AS BLOB)) != crc").rowcount
            held = "crc32(CAST(digests AS BLOB), CAST(vectors AS BLOB))"
            return damaged + sql.execute(f"DELETE FROM sentence_vectors WHERE {held} != crc").rowcount

    def delete_orphan_vectors(self) -> None:
        """Delete unprotected vectors without a passage, which removed documents and jobs have left."""
        with self.transaction() as sql:
            sql.execute(
                "DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)"
                " AND digest NOT IN (SELECT digest FROM protected_vectors)"
            )

    # ---- documents

    def add_document(
        self, job: Job, size: int, loaded: LoadedDocument, passages: Sequence[Passage]
    ) -> list[int] | None:
        """Make a job's document visible and delete the job, in one transaction. Its vectors must already be stored.

        Returns the ids of its passages in order, or None if the job was cancelled in the meantime.
        """
        outline = json.dumps([[h.title, h.level, h.page, h.top] for h in loaded.outline])
        kinds = json.dumps(Counter(page.kind.value for page in loaded.pages))
        notes = json.dumps([note.to_json() for note in loaded.notes])
        starts = page_starts(loaded.pages)
        # All threads wait during a transaction, so anything slow is done before it starts.
        pages = [page_row(start, page) for page, start in zip(loaded.pages, starts, strict=True)]
        with self.transaction() as sql:
            if not sql.execute("DELETE FROM jobs WHERE id = ?", (job.id,)).rowcount:
                return None
            key = sql.execute(
                "INSERT INTO documents (id, owner, name, title, author, created, bytes, pages, passages, kinds,"
                " outline, notes, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job.document_id, job.owner, job.name, loaded.title, loaded.author, loaded.created, size)
                + (len(loaded.pages), len(passages), kinds, outline, notes, time.time()),
            ).lastrowid
            sql.executemany(
                f"INSERT INTO pages ({PAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(key, *row) for row in pages],
            )
            sql.execute("DELETE FROM orphaned_files WHERE document_id = ?", (job.document_id,))
            waiting = [(key, page.number) for page in loaded.pages if page.awaits_ocr]
            sql.executemany("INSERT INTO pages_awaiting_ocr VALUES (?, ?)", waiting)
            if job.replaces:
                record_replacement(sql, job.owner, job.replaces, job.document_id)
                begin_removal(sql, job.owner, job.replaces)
            return [insert_passage(sql, key, job.owner, passage) for passage in passages]

    def keep_replaced(self, job: Job) -> None:
        """Keep the document that a job was to replace, since the new one could not be added."""
        with self.transaction() as sql:
            end_removal(sql, job.owner, job.replaces)
            sql.execute("DELETE FROM replacements WHERE owner = ? AND new = ?", (job.owner, job.document_id))

    def remove_document(self, owner: str, document_id: str) -> list[int]:
        """Remove a document with its pages, passages and vectors; returns the ids of the removed passages."""
        with self.transaction() as sql:
            rows = sql.execute(
                "SELECT p.id FROM passages p JOIN documents d ON p.document = d.key WHERE d.owner = ? AND d.id = ?",
                (owner, document_id),
            ).fetchall()
            sql.execute(_DELETE_OWN_VECTORS, (owner, document_id))
            end_removal(sql, owner, document_id)
            if sql.execute("DELETE FROM documents WHERE owner = ? AND id = ?", (owner, document_id)).rowcount:
                sql.execute(_RECORD_ORPHANED_FILE, (document_id,))
        return [row["id"] for row in rows]

    def record_orphaned_file(self, document_id: str) -> None:
        """Record that a document's files can be deleted, unless another document or a job needs them."""
        with self.transaction() as sql:
            sql.execute(_RECORD_ORPHANED_FILE, (document_id,))

    def orphaned_files(self) -> list[tuple[str, bool]]:
        """Removed documents whose files are not deleted yet: id, and whether a job waits for the file."""
        return [(row["document_id"], bool(row["waited_for"])) for row in self.rows(_ORPHANED_FILES)]

    def clear_orphaned_file(self, document_id: str, waited_for: bool) -> None:
        """Take a document off the list: its files have been deleted, except the PDF if a job still waits for it."""
        condition = f" AND {_WAITED_FOR}" if waited_for else ""
        with self.transaction() as sql:
            sql.execute(f"DELETE FROM orphaned_files AS o WHERE document_id = ?{condition}", (document_id,))

    def documents(self, owner: str | None = None) -> list[Document]:
        """Documents that `owner` can see (see `rag.store.access`), oldest first; with None, all."""
        where, values = ("", ()) if owner is None else (f"WHERE {sees('?1')}", (owner,))
        query = f"SELECT {DOCUMENT_COLUMNS} FROM documents {where} ORDER BY key"
        return [document_of(row) for row in self.rows(query, values)]

    def document(self, owner: str, document_id: str) -> Document | None:
        """A document that `owner` can see: their own comes before a collection's, then the shared one."""
        where = f"WHERE {sees('?1')} AND id = ?2 ORDER BY {PREFERRED} LIMIT 1"
        rows = self.rows(f"SELECT {DOCUMENT_COLUMNS} FROM documents {where}", (owner, document_id))
        return document_of(rows[0]) if rows else None

    def owns(self, owner: str, document_id: str) -> bool:
        """Whether a document belongs to `owner`, rather than only being visible to them."""
        return bool(self.rows("SELECT 1 FROM documents WHERE owner = ? AND id = ?", (owner, document_id)))

    def document_details(self, owner: str, document_id: str) -> DocumentDetails | None:
        """Author, date, outline and the first MAX_PAGE_NOTES page notes of the document that `document` returns."""
        query = f"SELECT * FROM documents WHERE {sees('?1')} AND id = ?2 ORDER BY {PREFERRED} LIMIT 1"
        rows = self.rows(query, (owner, document_id))
        if not rows:
            return None
        noted = "SELECT label, note FROM pages WHERE document = ? AND note != '' ORDER BY number LIMIT ?"
        kinds = self.rows("SELECT kind FROM pages WHERE document = ? ORDER BY number", (rows[0]["key"],))
        return details_of(rows[0], self.rows(noted, (rows[0]["key"], MAX_PAGE_NOTES)), kinds)

    def pages(self, owner: str, document_id: str, first: int = 0, last: int = 1 << 30) -> list[StoredPage]:
        """Pages first..last (inclusive) of a document that belongs to `owner` ("" for shared ones)."""
        rows = self.rows(
            "SELECT p.* FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number BETWEEN ? AND ? ORDER BY p.number",
            (owner, document_id, first, last),
        )
        return [page_of(row) for row in rows]

    def page_start(self, owner: str, document_id: str, page: int) -> int:
        """Offset of a page in the document's text, in characters; 0 if there is no such page."""
        return self.page_text(owner, document_id, page)[0]

    def page_text(self, owner: str, document_id: str, page: int) -> tuple[int, str]:
        """Offset of a page in the document's text, in characters, and its text; (0, "") if there is no such page."""
        rows = self.rows(
            "SELECT p.start, p.text FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number = ?",
            (owner, document_id, page),
        )
        return (rows[0]["start"], rows[0]["text"]) if rows else (0, "")

    def page_texts(self, owner: str, document_id: str, first: int, last: int) -> list[tuple[int, str]]:
        """Number and text of pages first..last (inclusive) of a document that belongs to `owner`."""
        rows = self.rows(
            "SELECT p.number, p.text FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number BETWEEN ? AND ? ORDER BY p.number",
            (owner, document_id, first, last),
        )
        return [(row["number"], row["text"]) for row in rows]

    def page_labels(self, owner: str, document_id: str) -> list[str]:
        """The labels of all pages of a document that belongs to `owner`, in order."""
        rows = self.rows(
            "SELECT p.label FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? ORDER BY p.number",
            (owner, document_id),
        )
        return [row["label"] for row in rows]

    def labelled_page_texts(self, owner: str, document_id: str, count: int) -> list[tuple[int, str, int, str]]:
        """Number, label, start and text of a document's first `count` pages. Fast, since it leaves out their words."""
        rows = self.rows(
            "SELECT p.number, p.label, p.start, p.text FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number < ? ORDER BY p.number",
            (owner, document_id, count),
        )
        return [(row["number"], row["label"], row["start"], row["text"]) for row in rows]

    # ---- passages

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        """Passages by id; those that no longer exist are left out."""
        found: dict[int, StoredPassage] = {}
        for part in batches([int(n) for n in ids]):
            rows = self.rows(f"{PASSAGES} WHERE p.id IN ({marks(part)})", part)
            found.update((row["id"], StoredPassage(row)) for row in rows)
        return found

    def document_passages(self, owner: str, document_id: str, limit: int = -1) -> list[StoredPassage]:
        """Passages of a document that belongs to `owner` ("" for shared ones), in reading order; at most `limit`."""
        query = f"{PASSAGES} WHERE d.owner = ? AND d.id = ? ORDER BY p.start, p.id LIMIT ?"
        return [StoredPassage(row) for row in self.rows(query, (owner, document_id, limit))]

    def all_passages(self) -> Iterator[tuple[list[StoredPassage], Vectors]]:
        """All passages that have a vector, with their vectors (n, d) float32, in batches ordered by id."""
        return indexed_passages(self.rows)

    def texts_without_vector(self, limit: int) -> dict[bytes, str]:
        """By digest, the texts of passages without a vector, for example after `delete_vectors`."""
        query = f"{PASSAGES} WHERE p.digest NOT IN (SELECT digest FROM vectors) GROUP BY p.digest LIMIT ?"
        return {row["digest"]: StoredPassage(row).passage.searchable for row in self.rows(query, (limit,))}

    # ---- jobs

    def add_job(
        self, owner: str, document_id: str, name: str, state: JobState, replaces: str = "", added_by: str = ""
    ) -> int:
        """Record a job, so that it survives a restart; returns its id."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM orphaned_files WHERE document_id = ?", (document_id,))
            cursor = sql.execute(
                "INSERT INTO jobs (owner, document_id, name, state, message, replaces, added_by)"
                " VALUES (?, ?, ?, ?, '', ?, ?)",
                (owner, document_id, name, state, replaces, added_by),
            )
            return int(cursor.lastrowid or 0)

    def set_job(self, job_id: int, state: JobState, message: Message | None = None) -> None:
        """Record the state of a job."""
        with self.transaction() as sql:
            sql.execute(
                "UPDATE jobs SET state = ?, message = ? WHERE id = ?", (state, message_to_text(message), job_id)
            )
            if state == JobState.FAILED:
                row = sql.execute("SELECT document_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
                sql.execute(_RECORD_ORPHANED_FILE, (row["document_id"] if row else "",))

    def remove_job(self, job_id: int) -> None:
        """Delete a job that was cancelled or dismissed."""
        with self.transaction() as sql:
            row = sql.execute("DELETE FROM jobs WHERE id = ? RETURNING document_id", (job_id,)).fetchone()
            sql.execute(_RECORD_ORPHANED_FILE, (row["document_id"] if row else "",))

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return [job_of(row) for row in self.rows("SELECT * FROM jobs ORDER BY id")]


# Record that a document's file can be deleted, unless another owner has the document or a job works on it. If a job
# waits, or waits for its password, the file stays.
_RECORD_ORPHANED_FILE = """
INSERT OR IGNORE INTO orphaned_files SELECT ?1 WHERE ?1 != '' AND NOT EXISTS (SELECT 1 FROM documents WHERE id = ?1)
AND NOT EXISTS (SELECT 1 FROM jobs WHERE document_id = ?1 AND state IN ('reading', 'embedding', 'ocr'))
"""
_WAITED_FOR = "EXISTS (SELECT 1 FROM jobs j WHERE j.document_id = o.document_id AND state != 'failed')"
_ORPHANED_FILES = f"SELECT document_id, {_WAITED_FOR} AS waited_for FROM orphaned_files o"
# Delete a document's vectors, unless they are protected or belong to another document, too.
_DELETE_OWN_VECTORS = """
DELETE FROM vectors WHERE digest IN (
    SELECT p.digest FROM passages p JOIN documents d ON p.document = d.key WHERE d.owner = ?1 AND d.id = ?2)
AND digest NOT IN (
    SELECT p.digest FROM passages p JOIN documents d ON p.document = d.key WHERE NOT (d.owner = ?1 AND d.id = ?2))
AND digest NOT IN (SELECT digest FROM protected_vectors)
"""
# The same for one digest.
DELETE_UNUSED_VECTOR = (
    "DELETE FROM vectors WHERE digest = ?1 AND digest NOT IN (SELECT digest FROM passages WHERE digest = ?1)"
    " AND digest NOT IN (SELECT digest FROM protected_vectors)"
)


def insert_passage(sql: sqlite3.Connection, key: int | None, owner: str, passage: Passage) -> int:
    """Add a passage to the document with this key, which belongs to `owner`; returns its id."""
    cursor = sql.execute(
        "INSERT INTO passages (document, text, start, stop, first_page, last_page, heading, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key, passage.text, passage.start, passage.end, passage.first_page, passage.last_page)
        + (json.dumps(passage.heading), text_digest(passage.searchable, owner)),
    )
    return int(cursor.lastrowid or 0)

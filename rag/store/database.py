"""Documents, pages, passages, vectors and jobs in one SQLite file: the only truth of a data folder.

A document becomes visible in the transaction that completes it and disappears in the one that removes it. What is
removed is overwritten on the disk (`secure_delete`), the write-ahead log included. One process writes at a time: a
lock on the folder holds that. Every statement runs under one lock of this object, so threads may share it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rag.embed.embedder import Embedder, Vectors, text_digest
from rag.errors import EmbedderMismatch, StoreDamaged, StoreError, StoreInUse
from rag.records import Document, Job, LoadedDocument, Page, Passage
from rag.store.rows import StoredPassage, document_of, page_of, page_row

log = logging.getLogger(__name__)

VERSION = 3
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL,
    title TEXT NOT NULL, author TEXT NOT NULL, created TEXT NOT NULL, bytes INTEGER NOT NULL,
    pages INTEGER NOT NULL, passages INTEGER NOT NULL, kinds TEXT NOT NULL, outline TEXT NOT NULL,
    notes TEXT NOT NULL, added REAL NOT NULL, UNIQUE (owner, id));
CREATE TABLE IF NOT EXISTS pages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL, label TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, words BLOB NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
    furniture TEXT NOT NULL, flows_on INTEGER NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (document, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    text TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, first_page INTEGER NOT NULL,
    last_page INTEGER NOT NULL, heading TEXT NOT NULL, digest BLOB NOT NULL);
CREATE TEMP TABLE IF NOT EXISTS held (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passages_of_document ON passages (document);
CREATE INDEX IF NOT EXISTS passages_of_digest ON passages (digest);
CREATE TABLE IF NOT EXISTS vectors (digest BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doomed (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, document_id TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, message TEXT NOT NULL);
"""


class Store:
    """The database of one data folder. Close it, or use it in a `with`."""

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self._guard = _lock_folder(database.parent)
        self._lock = threading.RLock()
        self._sql = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._sql.row_factory = sqlite3.Row
        try:
            self._open_schema(database)
        except StoreError:
            self.close()
            raise
        except sqlite3.OperationalError as exc:
            self.close()
            raise StoreError(f"{database} cannot be written ({exc}): choose another --data-dir.") from exc
        except sqlite3.DatabaseError as exc:
            self.close()
            raise StoreDamaged(
                f"{database} cannot be read ({exc}): restore it from a backup, or start with another --data-dir."
            ) from exc

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write everything into the main file and let the folder go."""
        with self._lock:
            self._sql.close()
            self._guard.close()

    def _open_schema(self, database: Path) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._sql.execute(f"PRAGMA {pragma}")
        if self._sql.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("damaged pages")
        version = self._sql.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise StoreError(
                f"{database} was written by another version (format {version}, this one reads {VERSION}): "
                "start with another --data-dir."
            )
        self._sql.executescript(SCHEMA)
        self._sql.execute(f"PRAGMA user_version={VERSION}")

    def add_tables(self, script: str) -> None:
        """Make tables that another module keeps here, where they are not there yet."""
        with self._lock, _mapped():
            self._sql.executescript(script)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write, all of it or nothing. Raises StoreError where the disk does not take it."""
        with self._lock, _mapped():
            try:
                self._sql.execute("BEGIN IMMEDIATE")
                yield self._sql
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What a query gives."""
        with self._lock, _mapped():
            return self._sql.execute(query, values).fetchall()

    # ---- the embedder that the vectors belong to

    def claim(self, embedder: Embedder) -> None:
        """Remember the embedder at its first vector; refuse another one afterwards (EmbedderMismatch)."""
        mine = {"name": embedder.name, "revision": embedder.revision, "dimension": embedder.dimension}
        mine["option"] = embedder.option
        rows = self.rows("SELECT value FROM meta WHERE key = 'embedder'")
        kept = json.loads(rows[0]["value"]) if rows else None
        if kept not in (None, mine) and self.rows("SELECT 1 FROM vectors LIMIT 1"):
            raise EmbedderMismatch(
                f"The vectors in this data folder were made by {kept['name']} (revision {kept['revision']}, "
                f"{kept['dimension']} dimensions), not by {embedder.name}: start with --embedder {kept['option']}, "
                "or with --re-embed to make them anew from the stored passages."
            )
        with self.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (json.dumps(mine),))

    def forget_vectors(self) -> None:
        """Drop every vector, so that another embedder may claim the folder and make them anew."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM vectors")

    # ---- vectors, by the digest of their text

    def hold(self, digests: Sequence[bytes]) -> None:
        """Keep the vectors of these texts, and of no others, though no document has them yet."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM held")
            sql.executemany("INSERT OR IGNORE INTO held VALUES (?)", [(digest,) for digest in digests])

    def missing(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these texts have no vector yet."""
        return set(digests) - set(self._vectors(digests))

    def keep_vectors(self, digests: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors (n, d) at once, before their document is complete: an interrupted job goes on from here."""
        rows = [(digest, row.astype("<f4").tobytes()) for digest, row in zip(digests, vectors, strict=True)]
        with self.transaction() as sql:
            sql.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def _vectors(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(digests), 500):
            part = list(digests[start : start + 500])
            marks = ",".join("?" * len(part))
            rows = self.rows(f"SELECT digest, vector FROM vectors WHERE digest IN ({marks})", part)
            found.update((row["digest"], row["vector"]) for row in rows)
        return found

    def vectors_of(self, passages: Sequence[Passage]) -> Vectors:
        """Vectors (n, d) of passages that all have one."""
        digests = [text_digest(passage.searchable) for passage in passages]
        found = self._vectors(list(dict.fromkeys(digests)))
        return np.array([np.frombuffer(found[digest], "<f4") for digest in digests], dtype=np.float32)

    def drop_orphan_vectors(self) -> None:
        """Forget vectors whose text is in no document: of removed documents and of jobs given up."""
        with self.transaction() as sql:
            sql.execute(
                "DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)"
                " AND digest NOT IN (SELECT digest FROM held)"
            )

    # ---- documents

    def add_document(
        self, job: Job, size: int, loaded: LoadedDocument, passages: Sequence[Passage]
    ) -> list[int] | None:
        """Make a job's document visible and end the job, in one transaction; its vectors are kept already.

        Returns the ids of its passages in order, or None where the job was given up in the meantime.
        """
        outline = json.dumps([[h.title, h.level, h.page, h.top] for h in loaded.outline])
        kinds = json.dumps(Counter(page.kind.value for page in loaded.pages))
        notes = json.dumps([note.to_json() for note in loaded.notes])
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
                "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [page_row(key, p) for p in loaded.pages]
            )
            return [_insert_passage(sql, key, passage) for passage in passages]

    def remove_document(self, owner: str, document_id: str) -> list[int]:
        """Remove a document and all that belongs to it, on the disk too; ids of the passages that are gone."""
        with self.transaction() as sql:
            rows = sql.execute(
                "SELECT p.id FROM passages p JOIN documents d ON p.document = d.key WHERE d.owner = ? AND d.id = ?",
                (owner, document_id),
            ).fetchall()
            sql.execute(_DROP_VECTORS, (owner, document_id))
            if sql.execute("DELETE FROM documents WHERE owner = ? AND id = ?", (owner, document_id)).rowcount:
                sql.execute(_DOOM, (document_id,))
        return [row["id"] for row in rows]

    def flush(self) -> None:
        """Fold the write-ahead log into the main file and empty it, so that nothing removed lingers there."""
        with self._lock, _mapped():
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def doomed(self) -> list[str]:
        """Ids of documents that nothing needs any more and whose files are still to be deleted."""
        return [row["document_id"] for row in self.rows("SELECT document_id FROM doomed")]

    def spare(self, document_id: str) -> None:
        """The files of this document are deleted, or wanted again."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM doomed WHERE document_id = ?", (document_id,))

    def documents(self, owner: str | None = None) -> list[Document]:
        """Documents that `owner` can see, their own and the shared ones, oldest first; all with None."""
        where, values = ("", ()) if owner is None else ("WHERE owner IN ('', ?)", (owner,))
        return [document_of(row) for row in self.rows(f"SELECT * FROM documents {where} ORDER BY key", values)]

    def document(self, owner: str, document_id: str) -> Document | None:
        """A document that `owner` can see: their own before the shared one."""
        query = "SELECT * FROM documents WHERE owner IN ('', ?) AND id = ? ORDER BY owner DESC LIMIT 1"
        rows = self.rows(query, (owner, document_id))
        return document_of(rows[0]) if rows else None

    def pages(self, owner: str, document_id: str, first: int = 0, last: int = 1 << 30) -> list[Page]:
        """Pages first..last (both included) of a document in `owner`'s own documents ("" for shared)."""
        rows = self.rows(
            "SELECT p.* FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number BETWEEN ? AND ? ORDER BY p.number",
            (owner, document_id, first, last),
        )
        return [page_of(row) for row in rows]

    def page_start(self, owner: str, document_id: str, page: int) -> int:
        """Where a page begins in the document's text, in characters."""
        rows = self.rows(
            "SELECT COALESCE(SUM(LENGTH(p.text)), 0) AS n FROM pages p JOIN documents d ON p.document = d.key"
            " WHERE d.owner = ? AND d.id = ? AND p.number < ?",
            (owner, document_id, page),
        )
        return int(rows[0]["n"])

    def page_text(self, owner: str, document_id: str, page: int) -> tuple[int, str]:
        """Where a page begins in the document's text, and its text; "" where there is none."""
        query = "SELECT p.text FROM pages p JOIN documents d ON p.document = d.key"
        rows = self.rows(f"{query} WHERE d.owner = ? AND d.id = ? AND p.number = ?", (owner, document_id, page))
        return self.page_start(owner, document_id, page), rows[0]["text"] if rows else ""

    # ---- passages

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        """Passages by id; ids that are gone are left out."""
        found: dict[int, StoredPassage] = {}
        for start in range(0, len(ids), 500):
            part = [int(n) for n in ids[start : start + 500]]
            marks = ",".join("?" * len(part))
            rows = self.rows(f"{_PASSAGES} WHERE p.id IN ({marks})", part)
            found.update((row["id"], StoredPassage(row)) for row in rows)
        return found

    def all_passages(self) -> Iterator[tuple[list[StoredPassage], Vectors]]:
        """Every passage with its vector, in chunks, to build the indexes from; those without a vector are left out."""
        last = 0
        while rows := self.rows(f"{_PASSAGES} WHERE p.id > ? ORDER BY p.id LIMIT 2000", (last,)):
            last = rows[-1]["id"]
            vectors = self._vectors([row["digest"] for row in rows])
            kept = [row for row in rows if row["digest"] in vectors]
            matrix = [np.frombuffer(vectors[row["digest"]], "<f4") for row in kept]
            yield [StoredPassage(row) for row in kept], np.array(matrix, dtype=np.float32).reshape(len(kept), -1)

    def texts_without_vector(self, limit: int) -> list[str]:
        """What passages are found by, of those that have no vector: after `forget_vectors`."""
        query = f"{_PASSAGES} WHERE p.digest NOT IN (SELECT digest FROM vectors) GROUP BY p.digest LIMIT ?"
        return [StoredPassage(row).passage.searchable for row in self.rows(query, (limit,))]

    # ---- jobs

    def add_job(self, owner: str, document_id: str, name: str, state: str) -> int:
        """A job that survives a restart; its id."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM doomed WHERE document_id = ?", (document_id,))
            cursor = sql.execute(
                "INSERT INTO jobs (owner, document_id, name, state, message) VALUES (?, ?, ?, ?, '')",
                (owner, document_id, name, state),
            )
            return int(cursor.lastrowid or 0)

    def set_job(self, job_id: int, state: str, message: str = "") -> None:
        """Record where a job is."""
        with self.transaction() as sql:
            sql.execute("UPDATE jobs SET state = ?, message = ? WHERE id = ?", (state, message, job_id))
            if state == "failed":
                row = sql.execute("SELECT document_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
                sql.execute(_DOOM, (row["document_id"] if row else "",))

    def remove_job(self, job_id: int) -> None:
        """Forget a job: finished, given up or dismissed."""
        with self.transaction() as sql:
            row = sql.execute("DELETE FROM jobs WHERE id = ? RETURNING document_id", (job_id,)).fetchone()
            sql.execute(_DOOM, (row["document_id"] if row else "",))

    def jobs(self) -> list[sqlite3.Row]:
        """All jobs, oldest first: id, owner, document_id, name, state, message."""
        return self.rows("SELECT * FROM jobs ORDER BY id")


_PASSAGES = (
    "SELECT p.*, d.id AS document_id, d.owner, d.name, g.label FROM passages p JOIN documents d ON p.document = d.key"
    " JOIN pages g ON g.document = p.document AND g.number = p.first_page"
)


# The files of a document, unless another library or a job has it too.
_DOOM = """
INSERT OR IGNORE INTO doomed SELECT ?1 WHERE ?1 != '' AND NOT EXISTS (SELECT 1 FROM documents WHERE id = ?1)
AND NOT EXISTS (SELECT 1 FROM jobs WHERE document_id = ?1 AND state != 'failed')
"""
# Vectors of a document's passages that no other document, and no job, has too.
_DROP_VECTORS = """
DELETE FROM vectors WHERE digest IN (
    SELECT p.digest FROM passages p JOIN documents d ON p.document = d.key WHERE d.owner = ?1 AND d.id = ?2)
AND digest NOT IN (
    SELECT p.digest FROM passages p JOIN documents d ON p.document = d.key WHERE NOT (d.owner = ?1 AND d.id = ?2))
AND digest NOT IN (SELECT digest FROM held)
"""


def _insert_passage(sql: sqlite3.Connection, key: int | None, passage: Passage) -> int:
    cursor = sql.execute(
        "INSERT INTO passages (document, text, start, stop, first_page, last_page, heading, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key, passage.text, passage.start, passage.end, passage.first_page, passage.last_page)
        + (json.dumps(passage.heading), text_digest(passage.searchable)),
    )
    return int(cursor.lastrowid or 0)


@contextmanager
def _mapped() -> Iterator[None]:
    """What SQLite raises when the disk is full, read-only or gone becomes one sentence."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreError(f"The data folder cannot be used ({exc}): free some space, or choose another.") from exc


def _lock_folder(folder: Path) -> Any:
    """Take the folder for this process until the file returned is closed."""
    guard = (folder / "lock").open("w")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        guard.close()
        raise StoreInUse(
            f"Another process uses the data folder {folder.resolve()}: stop it, or start with another --data-dir."
        ) from exc
    return guard

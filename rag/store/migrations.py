"""The migrations that bring a database from any earlier format up to date.

`PRAGMA user_version` holds the format of a database. Each migration raises it by one in its own transaction, so a
failed migration leaves the database as it was. A migration describes the past: it uses nothing from the program that
may change, and is never edited once released.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StoreError
from rag.store.schema import FORMAT, SCHEMA

log = logging.getLogger(__name__)


def migrate(sql: sqlite3.Connection, database: Path) -> None:
    """Create the tables of a new database, or bring an older one up to date. Does nothing to a current one.

    `sql` must be in autocommit mode. Raises StoreError for a format newer than this program knows, and whatever SQLite
    raises if the database cannot be written.
    """
    found = _format_of(sql)
    if found > FORMAT:
        raise StoreError(
            "{database} was written by a newer version of this program (format {found}, this version reads up to "
            "format {known}): update the program.",
            database=str(database),
            found=found,
            known=FORMAT,
        )
    if found == 0:
        with _step(sql, FORMAT):
            for statement in SCHEMA:
                sql.execute(statement)
            sql.execute("INSERT INTO meta VALUES ('created', ?)", (str(time.time()),))
        return
    for number in range(found + 1, FORMAT + 1):
        log.info("Upgrading %s from format %d to format %d", database, number - 1, number)
        with _step(sql, number):
            MIGRATIONS[number](sql)
    if sql.execute("PRAGMA user_version").fetchone()[0] != FORMAT:  # recognised by its tables
        sql.execute(f"PRAGMA user_version={FORMAT}")
    if found < FORMAT:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# A table that each of these formats introduced, newest first.
_NEW_TABLES = (
    ("sentence_vectors", 14),
    ("collections", 13),
    ("experiments", 12),
    ("removals", 11),
    ("given_answers", 10),
    ("preferences", 9),
    ("introductions", 8),
    ("pages_awaiting_ocr", 7),
    ("ratings", 6),
    ("conversations", 5),
    ("orphaned_files", 4),
)


def _format_of(sql: sqlite3.Connection) -> int:
    """The format of a database; 0 for a new one.

    A database restored from an SQL dump has lost its `user_version`, so its tables have to tell the format.
    """
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    tables = {row[0] for row in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if version or "jobs" not in tables:
        return int(version)
    for table, number in _NEW_TABLES:
        if table in tables:
            return number
    return 2 if "doomed" in tables else 1  # migrating from 2 to 3 changes nothing in a database of format 3


@contextmanager
def _step(sql: sqlite3.Connection, number: int) -> Iterator[None]:
    """One transaction that ends in format `number`, or leaves everything as it was."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
        sql.execute(f"PRAGMA user_version={number}")
        sql.execute("COMMIT")
    finally:
        if sql.in_transaction:  # the COMMIT was not reached, or failed
            sql.execute("ROLLBACK")


def _columns(sql: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in sql.execute(f"PRAGMA table_info({table})")}


def _to_2(sql: sqlite3.Connection) -> None:
    """Documents store their number of passages, and of pages of each kind; files to delete are recorded."""
    if "kinds" not in _columns(sql, "documents"):  # the last databases of format 1 have them already
        sql.execute("ALTER TABLE documents ADD COLUMN pages INTEGER NOT NULL DEFAULT 0")
        sql.execute("ALTER TABLE documents ADD COLUMN passages INTEGER NOT NULL DEFAULT 0")
        sql.execute("ALTER TABLE documents ADD COLUMN kinds TEXT NOT NULL DEFAULT '{}'")
        sql.execute(
            "UPDATE documents SET (pages, kinds) = (SELECT COALESCE(SUM(n), 0), json_group_object(kind, n) FROM"
            " (SELECT kind, COUNT(*) AS n FROM pages WHERE document = documents.key GROUP BY kind))"
        )
        sql.execute("UPDATE documents SET passages = (SELECT COUNT(*) FROM passages WHERE document = documents.key)")
    sql.execute("CREATE TABLE IF NOT EXISTS doomed (document_id TEXT PRIMARY KEY) WITHOUT ROWID")
    # The command line's name of the embedder is needed to suggest it; the first databases only had its full name.
    for row in sql.execute("SELECT value FROM meta WHERE key = 'embedder'").fetchall():
        embedder = json.loads(row[0])
        embedder.setdefault("option", embedder["name"])
        sql.execute("UPDATE meta SET value = ? WHERE key = 'embedder'", (json.dumps(embedder),))


def _to_3(sql: sqlite3.Connection) -> None:
    """Passages are embedded with the headings above them: those with headings lose their vector and get a new one."""
    sql.create_function("embedded_digest", 2, _embedded_digest, deterministic=True)
    sql.execute("UPDATE passages SET digest = embedded_digest(heading, text) WHERE heading != '[]'")
    sql.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)")


def _embedded_digest(heading: str, text: str) -> bytes:
    above = " · ".join(title for title in json.loads(heading)[-2:] if title not in text)[:160]
    embedded = f"{above}\n{text}" if above else text
    return hashlib.sha256(embedded.encode("utf-8", "surrogatepass")).digest()[:16]


def _to_4(sql: sqlite3.Connection) -> None:
    """Pages store where they start; notes and messages become JSON; unused columns go; evaluation tables are added."""
    sql.execute("ALTER TABLE pages RENAME TO old_pages")
    sql.execute(
        "CREATE TABLE pages (document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,"
        " number INTEGER NOT NULL, label TEXT NOT NULL, kind TEXT NOT NULL, start INTEGER NOT NULL,"
        " text TEXT NOT NULL, words BLOB NOT NULL, note TEXT NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID"
    )
    for (document,) in sql.execute("SELECT key FROM documents").fetchall():
        sql.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _pages_with_start(sql, document))
        sql.execute("DELETE FROM old_pages WHERE document = ?", (document,))  # the next document uses its space
    sql.execute("DROP TABLE old_pages")
    for key, message in sql.execute("SELECT id, message FROM jobs WHERE message != ''").fetchall():
        sql.execute("UPDATE jobs SET message = ? WHERE id = ?", (json.dumps(message), key))
    sql.execute("ALTER TABLE doomed RENAME TO orphaned_files")
    for statement in (
        "CREATE TABLE IF NOT EXISTS kept_questions (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL,"
        " text TEXT NOT NULL, UNIQUE (owner, text))",
        "CREATE TABLE IF NOT EXISTS right_pages (question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE,"
        " document_id TEXT NOT NULL, page INTEGER NOT NULL, PRIMARY KEY (question, document_id, page)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL,"
        " about TEXT NOT NULL, results TEXT NOT NULL)",
        "CREATE INDEX IF NOT EXISTS runs_of_owner ON runs (owner)",
    ):
        sql.execute(statement)


def _pages_with_start(sql: sqlite3.Connection, document: int) -> Iterator[tuple[object, ...]]:
    """Rows of the new table of pages."""
    start = 0
    for number, label, kind, text, words, note in sql.execute(
        "SELECT number, label, kind, text, words, note FROM old_pages WHERE document = ? ORDER BY number", (document,)
    ):
        is_json = note == "" or note.startswith('{"template"')  # the last databases of format 3 hold it already
        yield document, number, label, kind, start, text, words, note if is_json else json.dumps(note)
        start += len(text)


def _to_5(sql: sqlite3.Connection) -> None:
    """Conversations with their exchanges."""
    for statement in (
        "CREATE TABLE conversations (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,"
        " title TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL, deleted REAL, data TEXT NOT NULL)",
        "CREATE INDEX conversations_of_owner ON conversations (owner, changed)",
        "CREATE TABLE exchanges (key INTEGER PRIMARY KEY,"
        " conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE, number INTEGER NOT NULL,"
        " bytes INTEGER NOT NULL, question TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (conversation, number))",
    ):
        sql.execute(statement)


def _to_6(sql: sqlite3.Connection) -> None:
    """Ratings of answers."""
    sql.execute(
        "CREATE TABLE ratings (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL,"
        " question TEXT NOT NULL, reader TEXT NOT NULL, helpful INTEGER NOT NULL, reason TEXT NOT NULL,"
        " UNIQUE (owner, question, reader))"
    )


def _to_7(sql: sqlite3.Connection) -> None:
    """Scanned and garbled pages await OCR, with 30,000 characters of the document's text reserved for each."""
    sql.execute(
        "CREATE TABLE pages_awaiting_ocr (document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,"
        " number INTEGER NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID"
    )
    sql.execute(
        "INSERT INTO pages_awaiting_ocr SELECT document, number FROM pages WHERE kind IN ('scanned', 'garbled')"
    )
    waiting = (
        "SELECT COUNT(*) FROM pages_awaiting_ocr w WHERE w.document = {table}.document AND w.number < {table}.{page}"
    )
    some = "WHERE document IN (SELECT document FROM pages_awaiting_ocr)"
    moved = f"30000 * ({waiting.format(table='pages', page='number')})"
    sql.execute(f"UPDATE pages SET start = start + {moved} {some}")
    moved = f"30000 * ({waiting.format(table='passages', page='first_page')})"
    sql.execute(f"UPDATE passages SET start = start + {moved}, stop = stop + {moved} {some}")


def _to_8(sql: sqlite3.Connection) -> None:
    """Tags and introductions, which document replaced which, and which document a new file replaces."""
    for statement in (
        "CREATE TABLE tags (owner TEXT NOT NULL, document_id TEXT NOT NULL, tag TEXT NOT NULL,"
        " PRIMARY KEY (owner, document_id, tag)) WITHOUT ROWID",
        "CREATE TABLE replacements (owner TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,"
        " PRIMARY KEY (owner, old)) WITHOUT ROWID",
        "CREATE TABLE introductions (document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,"
        " data TEXT NOT NULL)",
        "ALTER TABLE jobs ADD COLUMN replaces TEXT NOT NULL DEFAULT ''",
    ):
        sql.execute(statement)


def _to_9(sql: sqlite3.Connection) -> None:
    """People's preferences."""
    sql.execute("CREATE TABLE preferences (owner TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID")


def _to_10(sql: sqlite3.Connection) -> None:
    """Expected answers of saved questions, and the answers given in a run."""
    for statement in (
        "ALTER TABLE kept_questions ADD COLUMN answer TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE given_answers (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,"
        " question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, text TEXT NOT NULL,"
        " PRIMARY KEY (run, question)) WITHOUT ROWID",
    ):
        sql.execute(statement)


def _to_11(sql: sqlite3.Connection) -> None:
    """Removals that have begun; checksums of pages and vectors."""
    sql.create_function("crc32", 2, lambda first, second: zlib.crc32(second, zlib.crc32(first)), deterministic=True)
    for statement in (
        "CREATE TABLE removals (owner TEXT NOT NULL, document_id TEXT NOT NULL,"
        " PRIMARY KEY (owner, document_id)) WITHOUT ROWID",
        "ALTER TABLE pages ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE vectors ADD COLUMN crc INTEGER NOT NULL DEFAULT 0",
        "UPDATE pages SET crc = crc32(CAST(text AS BLOB), words)",
        "UPDATE vectors SET crc = crc32(vector, x'')",
    ):
        sql.execute(statement)


def _to_12(sql: sqlite3.Connection) -> None:
    """Experiments: two variants of the settings compared on the saved questions."""
    for statement in (
        "CREATE TABLE experiments (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL,"
        " data TEXT NOT NULL)",
        "CREATE INDEX experiments_of_owner ON experiments (owner)",
        "CREATE TABLE experiment_results (experiment INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,"
        " question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, data TEXT NOT NULL,"
        " PRIMARY KEY (experiment, question)) WITHOUT ROWID",
    ):
        sql.execute(statement)


def _to_13(sql: sqlite3.Connection) -> None:
    """Collections and access to them; who added a file; an owner's vectors get digests of their own."""
    for statement in (
        "CREATE TABLE collections (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
        " made_by TEXT NOT NULL, created REAL NOT NULL)",
        "CREATE TABLE grants (person TEXT NOT NULL,"
        " collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE, editor INTEGER NOT NULL,"
        " PRIMARY KEY (person, collection)) WITHOUT ROWID",
        "ALTER TABLE jobs ADD COLUMN added_by TEXT NOT NULL DEFAULT ''",
    ):
        sql.execute(statement)
    sql.create_function("owners_digest", 3, _owners_digest, deterministic=True)
    private = (
        "SELECT p.id, p.digest AS old, owners_digest(d.owner, p.heading, p.text) AS new"
        " FROM passages p JOIN documents d ON p.document = d.key WHERE d.owner != ''"
    )
    sql.execute(
        "INSERT OR IGNORE INTO vectors (digest, vector, crc)"
        f" SELECT m.new, v.vector, v.crc FROM ({private}) m JOIN vectors v ON v.digest = m.old"
    )
    sql.execute(f"UPDATE passages SET digest = m.new FROM ({private}) m WHERE passages.id = m.id")
    sql.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)")


def _owners_digest(owner: str, heading: str, text: str) -> bytes:
    own = _embedded_digest(heading, text)
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass") + b"\0" + own).digest()[:16]


def _to_14(sql: sqlite3.Connection) -> None:
    """Vectors of the sentences of pages."""
    sql.execute(
        "CREATE TABLE sentence_vectors (document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,"
        " page INTEGER NOT NULL, digests BLOB NOT NULL, vectors BLOB NOT NULL, crc INTEGER NOT NULL,"
        " PRIMARY KEY (document, page))"
    )


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    2: _to_2, 3: _to_3, 4: _to_4, 5: _to_5, 6: _to_6, 7: _to_7, 8: _to_8, 9: _to_9, 10: _to_10,
    11: _to_11, 12: _to_12, 13: _to_13, 14: _to_14,
}  # fmt: skip

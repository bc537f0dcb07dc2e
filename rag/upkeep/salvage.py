"""Reads whatever can still be read from a damaged database, and writes it to a new one.

SQLite fails where a search meets a damaged page. So each table is read from both ends up to the damage, and the rows in
between one by one, trying every key that they can have.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from rag.store.connection import FIRST_PAGE_SUFFIX, HEADER_BYTES
from rag.store.schema import FORMAT, SCHEMA

MAX_PROBED: Final = 1_000_000  # rows of one table that are tried one by one

_CREATES = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
Row = tuple[Any, ...]


def salvage(damaged: Path, new: Path) -> list[str]:
    """Copy what can be read of `damaged` to a new database; returns the names of tables that lost rows.

    Both files are in folders of their own. `damaged` may be changed so that it can be opened.
    """
    lost = []
    with closing(_open_damaged(damaged)) as old, closing(sqlite3.connect(new, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode=WAL")
        for statement in _schema(old):
            with suppress(sqlite3.Error):
                sql.execute(statement)
        sql.execute(f"PRAGMA user_version={_format(old)}")
        for table in _tables(sql):
            sql.execute("BEGIN")
            if not _copy(old, sql, table):
                lost.append(table)
            sql.execute("COMMIT")
        _delete_rows_of_nothing(sql)
    return lost


def _open_damaged(path: Path) -> sqlite3.Connection:
    """The damaged database; if its first page differs from the copy that was kept, with that copy in its place."""
    with closing(_connect(path)) as sql, suppress(sqlite3.DatabaseError):
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = path.with_suffix(FIRST_PAGE_SUFFIX)
    if copy.exists():
        first = copy.read_bytes()
        with path.open("r+b") as file:
            if file.read(len(first))[HEADER_BYTES:] != first[HEADER_BYTES:] or not _is_readable(path):
                file.seek(0)
                file.write(_with_pages(first, path.stat().st_size))
                for suffix in ("-wal", "-shm"):  # would hide the page that was put in place
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
    return _connect(path)


def _with_pages(first: bytes, size: int) -> bytes:
    """A first page for a file of this size: its number of pages, none of them free (file format, section 1.3)."""
    return first[:28] + (size // len(first)).to_bytes(4, "big") + bytes(8) + first[40:]


def _connect(path: Path) -> sqlite3.Connection:
    sql = sqlite3.connect(path, isolation_level=None)
    sql.text_factory = lambda data: data.decode("utf-8", "replace")
    with suppress(sqlite3.DatabaseError):
        sql.execute("PRAGMA writable_schema=ON")  # opens it even if part of its schema makes no sense
    return sql


def _is_readable(path: Path) -> bool:
    """Whether the header allows the database to be opened."""
    try:
        with closing(sqlite3.connect(path)) as sql:
            return bool(_tables(sql))
    except sqlite3.DatabaseError:
        return False


def _tables(sql: sqlite3.Connection) -> list[str]:
    rows = sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in rows]


def _schema(old: sqlite3.Connection) -> Iterable[str]:
    """The statements that create its tables and indexes; those of the current format if they cannot be read."""
    with suppress(sqlite3.DatabaseError):
        rows = old.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'index'").fetchall()
        if _format(old) != FORMAT:
            return [statement for (statement,) in rows if not statement.startswith("CREATE TABLE sqlite_")]
    return SCHEMA


def _format(old: sqlite3.Connection) -> int:
    with suppress(sqlite3.DatabaseError):
        (version,) = old.execute("PRAGMA user_version").fetchone()
        current = {name for statement in SCHEMA for name in _CREATES.findall(statement)}
        if 0 < version < FORMAT and not current <= set(_tables(old)):
            return int(version)
    return FORMAT


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> bool:
    """Copy the rows of a table that can be read; returns whether those are all."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    keys = [row[1] for row in sorted(new.execute(f"PRAGMA table_info({table})"), key=lambda row: row[5]) if row[5]]
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    selected, whole = ", ".join(columns), True

    def keep(rows: Iterable[Row]) -> bool:
        """Keep rows until the damage; returns whether there was none."""
        try:
            for row in rows:
                with suppress(sqlite3.Error):  # a value that the table does not accept
                    new.execute(statement, row)
        except sqlite3.DatabaseError:
            return False
        return True

    for order in ("ASC", "DESC"):
        ordered = ", ".join(f"{key} {order}" for key in keys) or f"rowid {order}"
        whole = keep(_query(old, f"SELECT {selected} FROM {table} NOT INDEXED ORDER BY {ordered}"))
        if whole:
            return True
    for where, values in _possible_keys(new, table, keys):
        keep(_query(old, f"SELECT {selected} FROM {table} NOT INDEXED WHERE {where}", values))
    return False


def _query(sql: sqlite3.Connection, query: str, values: Row = ()) -> Iterator[Row]:
    yield from sql.execute(query, values)


def _possible_keys(new: sqlite3.Connection, table: str, keys: list[str]) -> Iterator[tuple[str, Row]]:
    """Conditions that each select one row that may lie between the damaged places."""
    if table == "pages":
        for document, count in new.execute("SELECT key, pages FROM documents").fetchall():
            yield from (("document = ? AND number = ?", (document, number)) for number in range(count))
    elif table == "vectors":
        for (digest,) in new.execute("SELECT DISTINCT digest FROM passages").fetchall():
            yield "digest = ?", (digest,)
    elif len(keys) == 1:
        yield from _gap(new, table, keys[0])


def _gap(new: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[str, Row]]:
    """The numbers between the lowest and the highest key read for which there is no row."""
    least, most = new.execute(f"SELECT MIN({key}), MAX({key}) FROM {table}").fetchone()
    if not (isinstance(least, int) and isinstance(most, int)):
        least, most = 0, 10_000  # nothing was read: the table has few rows, or starts at 1
    known = {number for (number,) in new.execute(f"SELECT {key} FROM {table}")}
    for number in range(least, min(most, least + MAX_PROBED)):
        if number not in known:
            yield f"{key} = ?", (number,)


def _delete_rows_of_nothing(sql: sqlite3.Connection) -> None:
    """Delete rows whose document, conversation or other parent was lost."""
    for table in _tables(sql):
        for _, _, parent, column, to, *_ in sql.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            key = to or _primary_key(sql, parent)
            sql.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {parent})")


def _primary_key(sql: sqlite3.Connection, table: str) -> str:
    return next(str(row[1]) for row in sql.execute(f"PRAGMA table_info({table})") if row[5])


def copy_database(database: Path, folder: Path) -> Path:
    """Copy a database with its write-ahead log and first page to a folder; returns the copy's path."""
    for path in database.parent.glob(f"{database.stem}.*"):
        shutil.copy2(path, folder / path.name)
    return folder / database.name

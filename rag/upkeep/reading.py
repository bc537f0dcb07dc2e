"""The database of a data folder, opened for reading only, even while the program runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from rag.errors import StoreDamaged, StoreError
from rag.store.connection import is_locked, uri_of


class ReadOnlyDatabase:
    """Answers queries and never writes. Damaged text is read with replacement characters."""

    def __init__(self, database: Path) -> None:
        """Raises StoreError if there is no database."""
        if not database.is_file():
            raise StoreError("There is no library in {folder}: name its folder with --data-dir.",
                             folder=str(database.parent))  # fmt: skip
        self.in_use = is_locked(database.parent)  # by a running program
        self.sql = _connect(database, "mode=ro")
        if not self.in_use:  # on a read-only medium, this is the only way to read a write-ahead log
            with suppress(sqlite3.DatabaseError):
                self.sql.execute("SELECT 1 FROM sqlite_schema").fetchall()
                return
            self.sql.close()
            self.sql = _connect(database, "immutable=1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sql.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query. Raises StoreDamaged if the database cannot be read."""
        try:
            return self.sql.execute(query, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise StoreDamaged(
                "The database is damaged ({reason}): stop the program, and start it once with --repair.",
                reason=str(exc),
            ) from exc


def _connect(database: Path, how: str) -> sqlite3.Connection:
    sql = sqlite3.connect(uri_of(database, how), uri=True, isolation_level=None)
    sql.text_factory = lambda data: data.decode("utf-8", "replace")
    sql.row_factory = sqlite3.Row
    return sql

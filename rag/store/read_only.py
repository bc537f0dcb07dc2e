"""The database of a data folder as seen by a process that does not own it: it can be read at any time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.store.connection import BUSY_SECONDS, READ_ONLY, sqlite_errors_mapped, uri_of
from rag.store.database import Store


class ReadOnlyStore(Store):
    """Reads what has been committed. Each thread has its own connection, so none waits for another."""

    def __init__(self, database: Path) -> None:
        """Does not open anything yet."""
        self.path, self._own = database, threading.local()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query. Raises StoreError, also for a query that writes."""
        with sqlite_errors_mapped():
            if not hasattr(self._own, "sql"):
                address = uri_of(self.path, READ_ONLY)
                self._own.sql = sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
                self._own.sql.row_factory = sqlite3.Row
            rows: list[sqlite3.Row] = self._own.sql.execute(query, values).fetchall()
            return rows

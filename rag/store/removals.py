"""Removals in progress: recorded when somebody removes a document, until it is gone or the removal is undone.

Therefore a crash in between does not bring the document back: the next start completes its removal. If a new version
replaces a document, the transaction that adds the new version records the removal of the old one.
"""

from __future__ import annotations

import sqlite3

from rag.store.connection import Connection


class StoredRemovals:
    """The removals in progress in one data folder. Thread-safe."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def all(self) -> list[tuple[str, str]]:
        """Owner and id of each such document."""
        return [(row["owner"], row["document_id"]) for row in self._store.rows("SELECT * FROM removals")]

    def begin(self, owner: str, document_id: str) -> None:
        """Record a removal. Raises StoreError if the data folder cannot be written."""
        with self._store.transaction() as sql:
            begin_removal(sql, owner, document_id)

    def cancel(self, owner: str, document_id: str) -> None:
        """Forget a removal; the document stays."""
        with self._store.transaction() as sql:
            end_removal(sql, owner, document_id)


def begin_removal(sql: sqlite3.Connection, owner: str, document_id: str) -> None:
    """Record that a document of `owner` is to be removed, if it exists."""
    sql.execute(
        "INSERT OR IGNORE INTO removals SELECT owner, id FROM documents WHERE owner = ? AND id = ?",
        (owner, document_id),
    )


def end_removal(sql: sqlite3.Connection, owner: str, document_id: str) -> None:
    """Forget that a document was to be removed."""
    sql.execute("DELETE FROM removals WHERE owner = ? AND document_id = ?", (owner, document_id))

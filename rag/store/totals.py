"""How much is stored: by everybody together for monitoring, by one owner for their quota."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rag.store.access import COLLECTION
from rag.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Totals:
    """What a data folder holds."""

    documents: int
    pages: int
    passages: int
    bytes: int  # of the PDFs
    files: Mapping[str, int]  # files in the queue, by state


class StoredTotals:
    """Sums over documents and jobs. Thread-safe."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def all(self) -> Totals:
        """Of all owners. Raises StoreError."""
        (row,) = self._store.rows(
            "SELECT COUNT(*), COALESCE(SUM(pages), 0), COALESCE(SUM(passages), 0), COALESCE(SUM(bytes), 0)"
            " FROM documents"
        )
        files = self._store.rows("SELECT state, COUNT(*) FROM jobs GROUP BY state")
        documents, pages, passages, size = row
        return Totals(documents, pages, passages, size, dict(map(tuple, files)))

    def sizes_of(self, owner: str) -> dict[str, int]:
        """Bytes of each document that counts for an owner, by id: their own, and those in their collections.

        Raises StoreError.
        """
        return {row[0]: row[1] for row in self._store.rows(_COUNTED, (owner,))}


_COUNTED = (
    "SELECT id, bytes FROM documents WHERE owner = ?1 OR owner IN"
    f" (SELECT char({ord(COLLECTION)}) || number FROM collections WHERE made_by = ?1 AND ?1 != '')"
)

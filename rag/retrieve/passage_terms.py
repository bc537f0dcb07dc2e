"""The terms of passages, for which a hundred passages are split for each question; those used last are kept."""

from __future__ import annotations

import sys
from typing import Final

from rag.index.tokenize import terms
from rag.kept import Kept
from rag.records import DocumentKey
from rag.store.rows import StoredPassage

KEPT_PASSAGES: Final = 5_000  # about 3 KB each


class PassageTerms:
    """The terms of stored passages. Thread-safe."""

    def __init__(self, most: int = KEPT_PASSAGES) -> None:
        """`most`: passages whose terms are kept."""
        self._kept: Kept[tuple[str, ...]] = Kept(most)

    def of(self, row: StoredPassage) -> tuple[str, ...]:
        """The terms of a passage with its headings, in order, repeats included."""
        document, moment = (row.owner, row.document_id), self._kept.moment
        found = self._kept.get(document, row.id)
        if found is None:
            found = tuple(map(sys.intern, terms(row.passage.searchable)))  # passages share most of their words
            self._kept.keep(document, row.id, found, moment)
        return found

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)

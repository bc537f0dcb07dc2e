"""Vectors of the sentences on pages: one row per page, in half precision; removed with their document."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rag.records import DocumentKey, Vectors
from rag.store.database import Store
from rag.store.indexed import batches
from rag.store.rows import blobs_crc

DIGEST_BYTES: Final = 16  # of a sentence, see `rag.records.text_digest`

_UNMADE: Final = (
    "FROM documents d JOIN pages p ON p.document = d.key WHERE NOT EXISTS"
    " (SELECT 1 FROM sentence_vectors s WHERE s.document = p.document AND s.page = p.number)"
)

PageOf = tuple[DocumentKey, int]  # identifies a page of a document
HALF: Final = np.dtype("<f2")


@dataclass(frozen=True, slots=True)
class UnmadePage:
    """A page whose sentences have no vectors yet."""

    document: int  # key in the database
    owner: str
    document_id: str
    number: int
    text: str
    crc: int  # checksum of its content


class StoredSentences:
    """The sentence vectors of one data folder. Each document has its own: owners share none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, pages: Collection[PageOf]) -> dict[tuple[DocumentKey, bytes], Vectors]:
        """The vectors (d,) float16 of all sentences on these pages, by document and digest; none for unmade pages."""
        found: dict[tuple[DocumentKey, bytes], Vectors] = {}
        for part in batches(list(pages)):
            places = ",".join("(?,?,?)" for _ in part)
            rows = self._store.rows(
                "SELECT d.owner, d.id, s.digests, s.vectors FROM sentence_vectors s JOIN documents d"
                f" ON s.document = d.key JOIN (VALUES {places}) AS wanted"
                " ON d.owner = wanted.column1 AND d.id = wanted.column2 AND s.page = wanted.column3",
                [value for (owner, document_id), page in part for value in (owner, document_id, page)],
            )
            for row in rows:
                document = (row["owner"], row["id"])
                found.update(((document, digest), vector) for digest, vector in _vectors_in(row))
        return found

    def unmade(self, limit: int) -> list[UnmadePage]:
        """At most `limit` such pages of the oldest document that has any; none while files are being added or read."""
        rows = self._store.rows(
            f"SELECT d.key, d.owner, d.id, p.number, p.text, p.crc {_UNMADE}"
            # Counting is quick, but lost pages make the count wrong.
            " AND d.key = (SELECT key FROM documents o WHERE o.pages >"
            " (SELECT COUNT(*) FROM sentence_vectors s WHERE s.document = o.key)"
            f" AND EXISTS (SELECT 1 {_UNMADE} AND d.key = o.key) ORDER BY key LIMIT 1)"
            " AND NOT EXISTS (SELECT 1 FROM jobs WHERE state NOT IN ('failed', 'locked')) ORDER BY p.number LIMIT ?",
            (limit,),
        )
        return [UnmadePage(*row) for row in rows]

    def add(self, page: UnmadePage, digests: Sequence[bytes], vectors: Vectors) -> None:
        """Store the vectors (n, d) of a page's sentences, unless the page has changed or gone in the meantime."""
        blob, joined = vectors.astype(HALF).tobytes(), b"".join(digests)
        with self._store.transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO sentence_vectors (document, page, digests, vectors, crc)"
                " SELECT document, number, ?, ?, ? FROM pages WHERE document = ? AND number = ? AND crc = ?",
                (joined, blob, blobs_crc(joined, blob), page.document, page.number, page.crc),
            )


def _vectors_in(row: sqlite3.Row) -> Iterator[tuple[bytes, Vectors]]:
    """The sentences of a page: digest and vector (d,) float16 of each."""
    joined: bytes = row["digests"]
    digests = [joined[start : start + DIGEST_BYTES] for start in range(0, len(joined), DIGEST_BYTES)]
    if digests:
        yield from zip(digests, np.frombuffer(row["vectors"], HALF).reshape(len(digests), -1), strict=True)

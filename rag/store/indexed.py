"""Stored passages with their vectors, in the order that the indexes need."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from rag.records import Vectors
from rag.store.rows import StoredPassage

Rows = Callable[[str, Sequence[Any]], list[sqlite3.Row]]  # answers a query
Value = TypeVar("Value")

MAX_VARIABLES: Final = 500  # values in one SQL statement
BATCH: Final = 2_000  # passages
PASSAGES: Final = (
    "SELECT p.*, d.id AS document_id, d.owner, d.name, g.label FROM passages p JOIN documents d ON p.document = d.key"
    " JOIN pages g ON g.document = p.document AND g.number = p.first_page"
)


def indexed_passages(rows: Rows) -> Iterator[tuple[list[StoredPassage], Vectors]]:
    """All passages with a vector, and their vectors (n, d) float32, in batches ordered by id."""
    last = 0
    while found := rows(f"{PASSAGES} WHERE p.id > ? ORDER BY p.id LIMIT ?", (last, BATCH)):
        last = found[-1]["id"]
        vectors = vectors_by_digest(rows, [row["digest"] for row in found])
        kept = [row for row in found if row["digest"] in vectors]
        matrix = [np.frombuffer(vectors[row["digest"]], "<f4") for row in kept]
        yield [StoredPassage(row) for row in kept], np.array(matrix, dtype=np.float32).reshape(len(kept), -1)


def vectors_by_digest(rows: Rows, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """The stored vectors for these digests, as bytes; digests without one are left out."""
    found: dict[bytes, bytes] = {}
    for part in batches(digests):
        some = rows(f"SELECT digest, vector FROM vectors WHERE digest IN ({marks(part)})", part)
        found.update((row["digest"], row["vector"]) for row in some)
    return found


def batches(values: Sequence[Value]) -> Iterator[list[Value]]:
    """Lists of at most MAX_VARIABLES values."""
    for start in range(0, len(values), MAX_VARIABLES):
        yield list(values[start : start + MAX_VARIABLES])


def marks(values: Sequence[object]) -> str:
    """Placeholders for the values of an SQL list."""
    return ",".join("?" * len(values))

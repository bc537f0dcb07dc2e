"""What an index of vectors and an index of terms must offer, and the filter of a search.

The embedded ones are `FaissIndex` and `BM25Index`; a server such as Milvus, Qdrant, pgvector or Elasticsearch fits
behind the same protocols, with a scope as a filter on two fields of each passage: owner and document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.records import Vectors

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
DocumentKey = tuple[str, str]  # owner ("" for shared) and document id


@dataclass(frozen=True, slots=True)
class Scope:
    """Filter of a search: documents of `owner` and shared ones (owner ""), and of these only `documents`.

    Expression for a vector database: `owner IN ('', :owner) AND document_id IN (:documents)`.
    """

    owner: str
    documents: frozenset[str] | None = None  # ids; None for all that the owner can see

    def allows(self, document: DocumentKey) -> bool:
        """Whether a document's passages may be found."""
        owner, document_id = document
        return owner in ("", self.owner) and (self.documents is None or document_id in self.documents)


class VectorIndex(Protocol):
    """Passages by the cosine of their unit vectors. Thread-safe."""

    def __len__(self) -> int:
        """Number of passages."""
        ...

    def add(self, ids: Ids, vectors: Vectors, documents: Sequence[DocumentKey]) -> None:
        """Add passages: ids (n,) not in the index yet, unit vectors (n, d), and the document of each (n)."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove passages; unknown ids are ignored."""
        ...

    def search(self, vector: Vectors, k: int, scope: Scope | None = None) -> tuple[Ids, Scores]:
        """The k passages in `scope` nearest to `vector` (d,), best first: ids and cosines. None: no filter."""
        ...


class TextIndex(Protocol):
    """Passages by the terms they contain, scored by BM25 or the like. Thread-safe."""

    def __len__(self) -> int:
        """Number of passages."""
        ...

    def add(self, ids: Sequence[int], texts: Sequence[str], documents: Sequence[DocumentKey]) -> None:
        """Add passages with their searchable text and the document of each; a known id is replaced."""
        ...

    def remove(self, ids: Sequence[int]) -> None:
        """Remove passages; unknown ids are ignored."""
        ...

    def search(self, query: str | Mapping[str, float], k: int, scope: Scope | None = None) -> tuple[Ids, Scores]:
        """The k passages in `scope` with the highest scores above 0, best first: ids and scores. None: no filter.

        `query`: a text, or terms with a weight each.
        """
        ...

    def idf(self, term: str) -> float:
        """Inverse document frequency of a term over all passages."""
        ...

    def passages_with(self, term: str) -> Ids:
        """Ids of the passages that contain a term."""
        ...

"""What an index of vectors and an index of terms must offer, and the filter of a search.

The embedded ones are `FaissIndex` and `BM25Index`; a server such as Milvus, Qdrant, pgvector or Elasticsearch fits
behind the same protocols, with a scope as a filter on two fields of each passage: owner and document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from rag.index.counted import CountedTerms
from rag.records import DocumentKey, Vectors

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
TermWeight = Callable[[str], float]  # IDF of a term in the library that is asked


@dataclass(frozen=True, slots=True)
class Scope:
    """Filter of a search: documents of `owner`, of collections `granted`, shared ones (""); of these, `documents`.

    Expression for a vector database: `owner IN (:owners) AND document_id IN (:documents)`.
    """

    owner: str
    documents: frozenset[str] | None = None  # ids; None for all that the owner can see
    granted: tuple[str, ...] = ()  # owner ids of the collections that the owner sees

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose documents are visible, each owner once: the library over which statistics are taken."""
        return ("", self.owner, *self.granted) if self.owner else ("",)

    def allows(self, document: DocumentKey) -> bool:
        """Whether a document's passages may be found."""
        owner, document_id = document
        return owner in self.owners and (self.documents is None or document_id in self.documents)


SHARED: Final = Scope("")  # what everybody sees


class VectorIndex(Protocol):
    """Passages by the cosine of their unit vectors. Thread-safe.

    Nothing that it returns may depend on passages of owners out of scope: an approximate index is trained for each
    owner on their own, or on texts that are nobody's.
    """

    def __len__(self) -> int:
        """Number of passages."""
        ...

    def add(self, ids: Ids, vectors: Vectors, documents: Sequence[DocumentKey]) -> None:
        """Add passages: ids (n,) not in the index yet, unit vectors (n, d), and the document of each (n)."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove passages; unknown ids are ignored."""
        ...

    def search(self, vector: Vectors, k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        """The k passages in `scope` nearest to `vector` (d,), best first: ids and cosines."""
        ...


class TextIndex(Protocol):
    """Passages by the terms they contain, scored by BM25 or the like. Thread-safe.

    Nothing that it returns may depend on passages of owners out of scope, their statistics included.
    """

    def __len__(self) -> int:
        """Number of passages."""
        ...

    def add(self, ids: Sequence[int], texts: CountedTerms, documents: Sequence[DocumentKey]) -> None:
        """Add passages with the terms of their searchable texts and the document of each; a known id is replaced."""
        ...

    def remove(self, ids: Sequence[int]) -> None:
        """Remove passages; unknown ids are ignored."""
        ...

    def search(self, query: str | Mapping[str, float], k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        """The k passages in `scope` with the highest scores above 0, best first: ids and scores.

        `query`: a text, or terms with a weight each.
        """
        ...

    def idf(self, term: str, scope: Scope = SHARED) -> float:
        """Inverse document frequency of a term over all passages of the owners in scope, chosen or not."""
        ...

    def passages_with(self, term: str, scope: Scope = SHARED) -> Ids:
        """Ids of the passages that contain a term, of the owners in scope, chosen or not."""
        ...

"""Vectors and terms -> searchable: FAISS for vectors, BM25 (bm25s) for words.

Both hold passage ids only, live in memory and are rebuilt from the store; losing them loses nothing. Thread-safe.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Sequence

import bm25s
import faiss
import numpy as np
import numpy.typing as npt

from rag.terms import terms

log = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

PROBES = 64  # lists of the inverted file that a search of everything looks into; one within a scope looks into all


class VectorIndex:
    """Passages by the cosine of their unit vectors: exact up to a size, an inverted file above.

    Exact search of 200,000 vectors of 384 numbers takes 40 ms on two cores; twice as many would take twice as long.
    """

    def __init__(self, dimension: int, exact_up_to: int) -> None:
        self.dimension, self.exact_up_to = dimension, exact_up_to
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._exact = True
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def exact(self) -> bool:
        """Whether a search looks at every vector."""
        return self._exact

    def add(self, ids: Ids, vectors: Scores) -> None:
        """Add passages: ids (n,) int64, vectors (n, d) float32 with unit rows."""
        with self._lock:
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))
            if self._exact and self._index.ntotal > self.exact_up_to:
                self._to_inverted_file()

    def remove(self, ids: Ids) -> None:
        """Take passages out; unknown ids are ignored."""
        with self._lock:
            self._index.remove_ids(np.ascontiguousarray(ids, np.int64))

    def search(self, vector: Scores, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """The k passages nearest to `vector` (d,), best first: ids and cosines; only `allowed` ones where given."""
        with self._lock:
            selector = faiss.IDSelectorBatch(np.ascontiguousarray(allowed, np.int64)) if allowed is not None else None
            if self._exact:
                parameters = faiss.SearchParameters(sel=selector) if selector else None
            else:
                parameters = faiss.SearchParametersIVF(sel=selector, nprobe=self._index.nlist if selector else PROBES)
            scores, ids = self._index.search(vector[None].astype(np.float32), k, params=parameters)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]

    def _to_inverted_file(self) -> None:
        count = int(self._index.ntotal)
        vectors = self._index.index.reconstruct_n(0, count)  # (n, d)
        ids = faiss.vector_to_array(self._index.id_map)
        lists = max(int(4 * count**0.5), 1)
        log.info("%d passages: from exact search to an inverted file of %d lists", count, lists)
        inverted = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(self.dimension), self.dimension, lists, faiss.METRIC_INNER_PRODUCT
        )
        inverted.train(vectors)
        inverted.add_with_ids(vectors, ids)
        self._index, self._exact = inverted, False


class WordIndex:
    """Passages by BM25 (Robertson's, as Lucene computes it: k1 1.5, b 0.75) over `rag.terms`.

    bm25s computes every score beforehand, so its matrix is made anew after a change, at the next search or `refresh`
    (0.7 s for 20,000 passages of 200 terms).
    """

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._passages: dict[int, list[int]] = {}  # passage id -> its terms' numbers
        self._frequency: Counter[int] = Counter()  # term's number -> passages that hold it
        self._ids: Ids = np.zeros(0, np.int64)  # passage id of each row of the matrix
        self._matrix: bm25s.BM25 | None = None
        self._stale = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._passages)

    def add(self, ids: Sequence[int], texts: Sequence[str]) -> None:
        """Add passages; texts are what they can be found by, headings included."""
        rows = [terms(text) for text in texts]
        with self._lock:
            numbers = self._vocabulary
            for passage, row in zip(ids, rows, strict=True):
                self._passages[int(passage)] = kept = [numbers.setdefault(term, len(numbers)) for term in row]
                self._frequency.update(set(kept))
            self._stale = True

    def remove(self, ids: Sequence[int]) -> None:
        """Take passages out; unknown ids are ignored."""
        with self._lock:
            for passage in ids:
                self._frequency.subtract(set(self._passages.pop(int(passage), ())))
            self._stale = True

    def weight(self, term: str) -> float:
        """How much a term tells: its inverse document frequency, as BM25 has it; the rarer the more."""
        found = self._frequency[self._vocabulary[term]] if term in self._vocabulary else 0
        return math.log(1 + (len(self._passages) - found + 0.5) / (found + 0.5))

    def refresh(self) -> None:
        """Bring the matrix up to date now, so that the next question need not wait for it."""
        with self._lock:
            self._refresh()

    def search(self, text: str, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """The k passages with the highest scores above 0, best first: ids and BM25 scores."""
        with self._lock:
            self._refresh()
            numbers = [self._vocabulary[term] for term in dict.fromkeys(terms(text)) if term in self._vocabulary]
            if self._matrix is None or not numbers:
                return np.zeros(0, np.int64), np.zeros(0, np.float32)
            scores = self._matrix.get_scores_from_ids(numbers)  # (passages,)
            ids = self._ids
        if allowed is not None:
            scores = np.where(np.isin(ids, allowed, assume_unique=True), scores, 0)
        best = np.argsort(-scores, kind="stable")[:k]
        best = best[scores[best] > 0]
        return ids[best], scores[best].astype(np.float32)

    def _refresh(self) -> None:
        if not self._stale:
            return
        self._ids = np.fromiter(self._passages, np.int64, len(self._passages))
        self._matrix = None
        if any(self._passages.values()):
            self._matrix = bm25s.BM25()
            self._matrix.index((list(self._passages.values()), self._vocabulary), show_progress=False)
        self._stale = False

"""Vectors -> searchable, with FAISS.

Holds passage ids only, lives in memory and is rebuilt from the store; losing it loses nothing. Thread-safe.
"""

from __future__ import annotations

import logging
import threading

import faiss
import numpy as np
import numpy.typing as npt

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

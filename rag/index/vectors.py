"""Vector index with FAISS: exhaustive search over all vectors, in half precision above a size.

Holds passage ids only, lives in memory and is rebuilt from the store.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faiss
import numpy as np

from rag.index.protocols import DocumentKey, Ids, Scope, Scores
from rag.index.scopes import PassageScopes
from rag.records import Vectors

log = logging.getLogger(__name__)

BLOCK_SIZE = 65_536  # most passages of a block: what a removal moves, and what one core searches at a time


class FaissIndex:
    """The embedded `VectorIndex`: every search compares the query with all vectors in scope. Thread-safe.

    Up to `exact_index_size` passages vectors are float32, above float16: a million passages of 384 dimensions take
    0.8 GB, and cosines change by less than 0.0001. An inverted file would be faster but loses too much: queries lie
    apart from passages, so that a query's neighbours are spread over half of its lists (`benchmarks/LOG.md`).
    """

    def __init__(self, dimension: int, exact_index_size: int) -> None:
        self.dimension, self.exact_index_size = dimension, exact_index_size
        self._blocks: list[Any] = []  # faiss.IndexIDMap each
        self._exact = True
        self._scopes = PassageScopes()
        self._lock = threading.Lock()
        self._cores = ThreadPoolExecutor(os.cpu_count(), "vectors", _use_one_core)

    def __len__(self) -> int:
        return sum(block.ntotal for block in self._blocks)

    @property
    def exact(self) -> bool:
        """Whether vectors are kept in full precision."""
        return self._exact

    def add(self, ids: Ids, vectors: Vectors, documents: Sequence[DocumentKey]) -> None:
        """Add passages: ids (n,) not in the index yet, unit vectors (n, d), and the document of each (n)."""
        ids = np.ascontiguousarray(ids, np.int64)
        with self._lock:
            self._scopes.add(ids, documents)
            self._add(ids, np.ascontiguousarray(vectors, np.float32))
            if self._exact and len(self) > self.exact_index_size:
                self._to_half_precision()

    def remove(self, ids: Ids) -> None:
        """Remove passages; unknown ids are ignored."""
        ids = np.ascontiguousarray(ids, np.int64)
        selector = faiss.IDSelectorBatch(ids)
        with self._lock:
            for block in self._blocks:
                block.remove_ids(selector)
            self._blocks = [block for block in self._blocks if block.ntotal]
            self._scopes.remove(ids)

    def search(self, vector: Vectors, k: int, scope: Scope | None = None) -> tuple[Ids, Scores]:
        """The k passages in `scope` nearest to `vector` (d,), best first: ids and cosines. None: no filter."""
        query = vector[None].astype(np.float32)
        with self._lock:
            # Search the blocks in parallel.
            allowed = self._scopes.resolve(scope)
            selector = None if allowed is None else _selector(allowed)

            def nearest_in(block: Any) -> tuple[Scores, Ids]:
                # Parameters of its own for each block: IndexIDMap changes them while it searches.
                found: tuple[Scores, Ids] = block.search(query, k, params=faiss.SearchParameters(sel=selector))
                return found

            parts = list(self._cores.map(nearest_in, self._blocks))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        # Merge their results; FAISS fills short lists up with id -1.
        scores, ids = (np.concatenate(each, axis=1)[0] for each in zip(*parts, strict=True))
        order = np.argsort(-scores, kind="stable")
        order = order[ids[order] >= 0][:k]
        return ids[order], scores[order]

    def _add(self, ids: Ids, vectors: Vectors) -> None:
        for start in range(0, len(ids), BLOCK_SIZE):
            part = slice(start, start + BLOCK_SIZE)
            self._block_with_room(len(ids[part])).add_with_ids(vectors[part], ids[part])

    def _block_with_room(self, count: int) -> Any:
        """The newest block with room for `count` more passages, or a new one."""
        for block in reversed(self._blocks):
            if block.ntotal + count <= BLOCK_SIZE:
                return block
        vectors = faiss.IndexFlatIP(self.dimension) if self._exact else _half_precision(self.dimension)
        self._blocks.append(faiss.IndexIDMap(vectors))
        return self._blocks[-1]

    def _to_half_precision(self) -> None:
        """Copy all vectors into blocks of half precision, block by block to save memory."""
        log.info("%d passages: vectors are kept in half precision from now on", len(self))
        old, self._blocks, self._exact = self._blocks, [], False
        while old:
            block = old.pop(0)
            self._add(faiss.vector_to_array(block.id_map), block.index.reconstruct_n(0, block.ntotal))


def _half_precision(dimension: int) -> Any:
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _use_one_core() -> None:
    """Keep FAISS to the calling thread: blocks are searched in parallel already."""
    faiss.omp_set_num_threads(1)


def _selector(ids: Ids) -> Any:
    """A FAISS filter for these ids: a bitmap up to the largest."""
    chosen = np.zeros(int(ids.max(initial=0)) + 1, bool)
    chosen[ids] = True
    return faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))

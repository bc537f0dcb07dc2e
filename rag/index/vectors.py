"""Vector index with FAISS: exhaustive search over all visible vectors, in half precision above a size.

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

from rag.index.protocols import SHARED, Ids, Scope, Scores
from rag.index.scopes import PassageScopes
from rag.records import DocumentKey, Vectors

log = logging.getLogger(__name__)

BLOCK_SIZE = 65_536  # most passages of a block: what a removal moves, and what one core searches at a time


class FaissIndex:
    """The embedded `VectorIndex`: every search compares the query with all vectors in scope. Thread-safe.

    Each owner's vectors are a partition of their own, and nothing is trained: what a search returns does not depend on
    what others hold. Up to `exact_index_size` passages of an owner vectors are float32, above float16: a million
    passages of 384 dimensions take 0.8 GB, and cosines change by less than 0.0001. An inverted file would be faster but
    loses too much: queries lie apart from passages, so that a query's neighbours are spread over half of its lists
    (`benchmarks/LOG.md`).
    """

    def __init__(self, dimension: int, exact_index_size: int) -> None:
        self.dimension, self.exact_index_size = dimension, exact_index_size
        self._partitions: dict[str, _Partition] = {}  # by owner
        self._scopes = PassageScopes()
        self._changing = threading.Lock()  # held during an addition or removal: one at a time
        self._cores = ThreadPoolExecutor(os.cpu_count(), "vectors", _use_one_core)

    def __len__(self) -> int:
        return sum(len(partition) for partition in list(self._partitions.values()))

    def add(self, ids: Ids, vectors: Vectors, documents: Sequence[DocumentKey]) -> None:
        """Add passages: ids (n,) not in the index yet, unit vectors (n, d), and the document of each (n)."""
        ids, vectors = np.ascontiguousarray(ids, np.int64), np.ascontiguousarray(vectors, np.float32)
        owners = np.array([owner for owner, _ in documents], dtype=object)
        with self._changing:
            self._scopes.add(ids, documents)
            for owner in dict.fromkeys(owners.tolist()):
                new = _Partition(self.dimension, self.exact_index_size, self._cores)
                self._partitions.setdefault(owner, new).add(ids[owners == owner], vectors[owners == owner])

    def remove(self, ids: Ids) -> None:
        """Remove passages; unknown ids are ignored."""
        ids = np.ascontiguousarray(ids, np.int64)
        with self._changing:
            for owner, gone in self._scopes.by_owner(ids).items():
                self._partitions[owner].remove(gone)
                if not len(self._partitions[owner]):
                    del self._partitions[owner]
            self._scopes.remove(ids)

    def search(self, vector: Vectors, k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        """The k passages in `scope` nearest to `vector` (d,), best first, the lower id first: ids and cosines."""
        query = vector[None].astype(np.float32)
        partitions = {owner: self._partitions.get(owner) for owner in scope.owners}
        ids, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for owner, allowed in self._scopes.resolve(scope).items():
            if (partition := partitions[owner]) is not None:
                for found in partition.search(query, k, None if allowed is None else _selector(allowed)):
                    ids.append(found[0])
                    scores.append(found[1])
        every, cosines = np.concatenate(ids), np.concatenate(scores)
        order = np.lexsort((every, -cosines))[:k]
        return every[order], cosines[order]


class _Partition:
    """One owner's vectors, in blocks. Thread-safe."""

    def __init__(self, dimension: int, exact_size: int, cores: ThreadPoolExecutor) -> None:
        self.blocks: list[Any] = []  # faiss.IndexIDMap each
        self.exact = True  # whether vectors are kept in full precision
        self._dimension, self._exact_size, self._cores = dimension, exact_size, cores
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(block.ntotal for block in self.blocks)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add passages: ids (n,) and vectors (n, d)."""
        with self._lock:
            self._add(ids, vectors)
            if self.exact and len(self) > self._exact_size:
                self._to_half_precision()

    def remove(self, ids: Ids) -> None:
        """Remove passages."""
        selector = faiss.IDSelectorBatch(ids)
        with self._lock:
            for block in self.blocks:
                block.remove_ids(selector)
            self.blocks = [block for block in self.blocks if block.ntotal]

    def search(self, query: Vectors, k: int, selector: Any) -> list[tuple[Ids, Scores]]:
        """The k nearest passages of each block to the query (1, d), of those that the selector, if any, lets pass."""

        def nearest_in(block: Any) -> tuple[Ids, Scores]:
            # Parameters of its own for each block: IndexIDMap changes them while it searches.
            scores, ids = block.search(query, k, params=faiss.SearchParameters(sel=selector))
            return ids[0][ids[0] >= 0], scores[0][ids[0] >= 0]  # FAISS fills short lists up with id -1

        with self._lock:
            return list(self._cores.map(nearest_in, self.blocks))

    def _add(self, ids: Ids, vectors: Vectors) -> None:
        """Fill the blocks to the brim: what each holds does not depend on how the passages came in."""
        start = 0
        while start < len(ids):
            block = self._block_with_room()
            part = slice(start, start + BLOCK_SIZE - block.ntotal)
            block.add_with_ids(vectors[part], ids[part])
            start = part.stop

    def _block_with_room(self) -> Any:
        """The newest block with room for more passages, or a new one."""
        for block in reversed(self.blocks):
            if block.ntotal < BLOCK_SIZE:
                return block
        vectors = faiss.IndexFlatIP(self._dimension) if self.exact else _half_precision(self._dimension)
        self.blocks.append(faiss.IndexIDMap(vectors))
        return self.blocks[-1]

    def _to_half_precision(self) -> None:
        """Copy all vectors into blocks of half precision, block by block to save memory."""
        log.info("%d passages of one owner: their vectors are kept in half precision from now on", len(self))
        old, self.blocks, self.exact = self.blocks, [], False
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

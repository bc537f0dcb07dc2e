from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

import rag.index.vectors
from rag.index.protocols import Scope
from rag.index.vectors import FaissIndex

DOCUMENT = ("", "manual")


def put(index: FaissIndex, ids: np.ndarray, vectors: np.ndarray) -> None:
    index.add(ids, vectors, [DOCUMENT] * len(ids))


def unit(count: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def filled(count: int, exact_index_size: int = 10_000) -> tuple[FaissIndex, np.ndarray, np.ndarray]:
    index, ids, vectors = FaissIndex(32, exact_index_size), np.arange(count, dtype=np.int64) * 7 + 3, unit(count)
    put(index, ids, vectors)
    return index, ids, vectors


def test_exact_search_agrees_with_sorting_all_cosines():
    index, ids, vectors = filled(500)
    for query in unit(20, seed=1):
        found, scores = index.search(query, 10)
        cosines = vectors @ query
        assert found.tolist() == ids[np.argsort(-cosines)[:10]].tolist()
        assert scores == pytest.approx(np.sort(cosines)[::-1][:10], abs=1e-5)


def test_removed_passages_are_never_found():
    index, ids, vectors = filled(300)
    index.remove(ids[:150])
    index.remove(np.array([10**9], np.int64))
    assert len(index) == 150
    found, _ = index.search(vectors[0], 300)
    assert set(found.tolist()) == set(ids[150:].tolist())


def test_an_empty_index_finds_nothing():
    found, scores = FaissIndex(32, 10).search(unit(1)[0], 5)
    assert len(found) == len(scores) == 0


def clustered(count: int) -> np.ndarray:
    """Unit vectors close to a common direction, as embeddings of texts are."""
    vectors = unit(1)[0] + unit(40)[np.random.default_rng(3).integers(0, 40, count)] * 0.5 + 0.2 * unit(count, seed=4)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_half_precision_finds_what_exact_search_finds(monkeypatch):
    """Passages added in parts of many sizes, over several blocks: recall@10 at least 0.97, cosines to 0.001."""
    monkeypatch.setattr(rag.index.vectors, "BLOCK_SIZE", 700)
    vectors, ids = clustered(3000), np.random.default_rng(1).permutation(10_000)[:3000]
    exact, half = FaissIndex(32, 10_000), FaissIndex(32, 1_000)
    cuts = [0, 1, 2, 600, 1000, 1001, 2900, 3000]
    for start, end in itertools.pairwise(cuts):
        put(exact, ids[start:end], vectors[start:end])
        put(half, ids[start:end], vectors[start:end])
        assert half._partitions[""].exact == (end <= 1000)
    assert exact._partitions[""].exact
    assert len(half) == len(exact) == 3000
    assert max(block.ntotal for block in half._partitions[""].blocks) <= 700
    shared = 0
    for query in vectors[::60]:
        (wanted, cosines), (found, scores) = exact.search(query, 10), half.search(query, 10)
        shared += len(np.intersect1d(wanted, found))
        assert scores == pytest.approx(cosines, abs=1e-3)
    assert shared / (10 * len(vectors[::60])) >= 0.97


@pytest.mark.parametrize("exact_index_size", [10_000, 100])
def test_scope_and_removal_across_blocks(monkeypatch, exact_index_size):
    monkeypatch.setattr(rag.index.vectors, "BLOCK_SIZE", 700)
    vectors, ids = clustered(3000), np.arange(3000)
    index = FaissIndex(32, exact_index_size)
    index.add(ids, vectors, [("", "all") if place < 600 else ("ann", str(place // 300)) for place in range(3000)])
    assert set(index.search(vectors[50], 500, Scope("ann", frozenset("2")))[0].tolist()) == set(range(600, 900))
    assert index.search(vectors[0], 5, Scope("ann", frozenset("none")))[0].tolist() == []
    assert set(index.search(vectors[0], 3000, Scope("ben"))[0].tolist()) == set(range(600))
    index.remove(ids[500:2500])
    assert len(index) == 1000
    assert set(index.search(vectors[50], 3000, Scope("ann"))[0].tolist()) == {*range(500), *range(2500, 3000)}
    put(index, ids[1000:1200], vectors[1000:1200])
    assert index.search(vectors[1100], 1, Scope("", frozenset(["manual"])))[0].tolist() == [1100]
    index.remove(ids)
    assert len(index) == 0
    assert index.search(vectors[0], 5)[0].tolist() == []


def test_an_addition_leaves_full_blocks_alone(monkeypatch):
    monkeypatch.setattr(rag.index.vectors, "BLOCK_SIZE", 100)
    index, vectors = FaissIndex(32, 200), unit(1000)
    put(index, np.arange(950), vectors[:950])
    full = index._partitions[""].blocks[:-1]
    put(index, np.arange(950, 1000), vectors[950:])
    assert all(one is other for one, other in zip(full, index._partitions[""].blocks[:-1], strict=True))


def test_a_passage_is_found_throughout_while_others_are_added_and_removed():
    index, vectors, done = FaissIndex(32, 500), unit(1000), threading.Event()
    put(index, np.arange(1), vectors[:1])

    def change() -> None:
        for first in range(1, 1000, 9):
            put(index, np.arange(first, first + 9), vectors[first : first + 9])
            index.remove(np.arange(first, first + 4))
        done.set()

    other = threading.Thread(target=change)
    other.start()
    while not done.is_set():
        assert index.search(vectors[0], 3)[0][0] == 0
    other.join()
    assert len(index) == 1 + 111 * 5

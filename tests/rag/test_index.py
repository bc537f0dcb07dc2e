from __future__ import annotations

import numpy as np
import pytest

from rag.index import VectorIndex


def unit(count: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def filled(count: int, exact_up_to: int = 10_000) -> tuple[VectorIndex, np.ndarray, np.ndarray]:
    index, ids, vectors = VectorIndex(32, exact_up_to), np.arange(count, dtype=np.int64) * 7 + 3, unit(count)
    index.add(ids, vectors)
    return index, ids, vectors


def test_exact_search_agrees_with_sorting_all_cosines():
    index, ids, vectors = filled(500)
    for query in unit(20, seed=1):
        found, scores = index.search(query, 10)
        cosines = vectors @ query
        assert found.tolist() == ids[np.argsort(-cosines)[:10]].tolist()
        assert scores == pytest.approx(np.sort(cosines)[::-1][:10], abs=1e-5)


def test_only_allowed_passages_are_found():
    index, ids, vectors = filled(500)
    allowed = ids[::5]
    found, _ = index.search(vectors[1], 200, allowed)
    assert set(found.tolist()) == set(allowed.tolist())


def test_removed_passages_are_never_found():
    index, ids, vectors = filled(300)
    index.remove(ids[:150])
    index.remove(np.array([10**9], np.int64))
    assert len(index) == 150
    found, _ = index.search(vectors[0], 300)
    assert set(found.tolist()) == set(ids[150:].tolist())


def test_an_empty_index_finds_nothing():
    found, scores = VectorIndex(32, 10).search(unit(1)[0], 5)
    assert len(found) == len(scores) == 0


def test_inverted_file_finds_nearly_all_that_exact_search_finds():
    """Clustered vectors, as texts have: recall@10 of at least 0.95, with removal and a filter still exact in kind."""
    rng = np.random.default_rng(3)
    vectors = unit(40)[rng.integers(0, 40, 3000)] + 0.5 * unit(3000, seed=4)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ids = np.arange(3000, dtype=np.int64)
    exact, inverted = VectorIndex(32, 10_000), VectorIndex(32, 1_000)
    exact.add(ids, vectors)
    inverted.add(ids[:2000], vectors[:2000])
    inverted.add(ids[2000:], vectors[2000:])
    assert exact.exact
    assert not inverted.exact
    shared = sum(
        len(np.intersect1d(exact.search(query, 10)[0], inverted.search(query, 10)[0])) for query in vectors[::60]
    )
    assert shared / (10 * len(vectors[::60])) >= 0.95
    inverted.remove(ids[:100])
    found, _ = inverted.search(vectors[50], 50, ids[:200])
    assert set(found.tolist()) <= set(range(100, 200))

from __future__ import annotations

import math

import numpy as np
import pytest

from rag.index import VectorIndex, WordIndex


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


def test_bm25_by_hand():
    """Three passages; 'pump' is in two of them, once in five terms and twice in four; mean length 4.

    idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)); tf part = f / (f + 1.5 * (0.25 + 0.75 * length / 4)).
    """
    index = WordIndex()
    index.add([1, 2, 3], ["pump red blue green grey", "pump pump valve seal", "oil gas coal"])
    idf = math.log(1 + 1.5 / 2.5)
    expected = {
        2: idf * 2 / (2 + 1.5 * (0.25 + 0.75 * 4 / 4)),
        1: idf * 1 / (1 + 1.5 * (0.25 + 0.75 * 5 / 4)),
    }
    found, scores = index.search("the pump", 10)
    assert found.tolist() == [2, 1]
    assert scores.tolist() == pytest.approx([expected[2], expected[1]], rel=1e-5)
    assert index.weight("pump") == pytest.approx(idf)


def test_words_find_chinese_and_codes():
    index = WordIndex()
    index.add([1, 2, 3], ["合同编号第十二条", "the X200-B pump", "other things"])
    assert index.search("编号是多少？", 5)[0].tolist() == [1]
    assert index.search("x200-b", 5)[0].tolist() == [2]
    assert index.search("nothing of this", 5)[0].tolist() == []


def test_words_removed_are_gone_and_weigh_no_more():
    index = WordIndex()
    index.add([1, 2], ["red pump", "blue pump"])
    before = index.weight("red")
    index.remove([1, 99])
    assert index.search("red", 5)[0].tolist() == []
    assert index.search("pump", 5)[0].tolist() == [2]
    assert len(index) == 1
    assert index.weight("red") > before * 0.5
    index.remove([2])
    assert index.search("pump", 5)[0].tolist() == []


def test_words_only_of_allowed_passages():
    index = WordIndex()
    index.add([1, 2, 3], ["pump one", "pump two", "pump three"])
    assert set(index.search("pump", 5, np.array([1, 3]))[0].tolist()) == {1, 3}
    assert index.search("pump", 5, np.array([], np.int64))[0].tolist() == []


def test_a_passage_without_terms_is_no_trouble():
    index = WordIndex()
    index.add([1], ["…"])
    assert index.search("pump", 5)[0].tolist() == []
    index.add([2], ["pump"])
    assert index.search("pump", 5)[0].tolist() == [2]

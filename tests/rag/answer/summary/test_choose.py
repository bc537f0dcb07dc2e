from __future__ import annotations

import numpy as np

from rag.answer.summary.summary import choose_representative


def groups(*sizes: int) -> np.ndarray:
    """Unit vectors (n, d) in groups around different directions."""
    rng = np.random.default_rng(7)
    rows = [np.eye(16)[group] + rng.normal(0, 0.05, 16) for group, size in enumerate(sizes) for _ in range(size)]
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_chosen_ones_stand_for_the_largest_groups_first():
    vectors = groups(20, 10, 5, 1)
    chosen = choose_representative(vectors, np.ones(36), np.ones(36), 3, 100, 0.0)
    assert [int(np.searchsorted([20, 30, 35], n, side="right")) for n in chosen] == [0, 1, 2]


def test_rows_of_no_weight_are_never_chosen_and_unimportant_ones_stood_for_by_nobody():
    vectors = groups(20, 10)
    weights = np.array([0.0] * 20 + [1.0] * 10)
    assert min(choose_representative(vectors, weights, np.ones(30), 3, 100, 0.0)) >= 20
    importance = np.array([0.0] * 20 + [1.0] * 10)
    assert choose_representative(vectors, np.ones(30), importance, 1, 100, 0.0)[0] >= 20
    assert choose_representative(vectors, np.zeros(30), np.ones(30), 3, 100, 0.0) == []


def test_it_ends_where_one_more_adds_little():
    vectors = groups(20, 20, 1)
    assert len(choose_representative(vectors, np.ones(41), np.ones(41), 10, 100, 0.5)) == 2


def test_many_rows_are_sampled():
    vectors = groups(*[300] * 8)
    chosen = choose_representative(vectors, np.ones(2_400), np.ones(2_400), 8, 200, 0.0)
    assert len(chosen) == 8

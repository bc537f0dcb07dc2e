from __future__ import annotations

from types import SimpleNamespace

import pytest

from rag.evaluation.metrics import covers, first_right, latency, mrr, recall, within

RANKS = [1, 3, None, 2]


def spans(first, last):
    return SimpleNamespace(first_page=first, last_page=last)


def test_recall_by_hand():
    """Of four questions one is right at the first place, two among two, three among three."""
    assert [recall(RANKS, k) for k in (1, 2, 3, 20)] == [0.25, 0.5, 0.75, 0.75]
    assert recall([], 1) == 0.0


def test_mrr_by_hand():
    assert mrr(RANKS) == pytest.approx((1 + 1 / 3 + 1 / 2) / 4)
    assert mrr([]) == 0.0


def test_a_rank_that_is_none_is_within_nothing():
    assert not within(None, 100)
    assert within(2, 2)
    assert not within(3, 2)


def test_latency_by_hand():
    took = latency([0.004, 0.001, 0.002])
    assert (took.median, took.p95) == (2.0, 4.0)
    took = latency([n / 1000 for n in range(1, 101)])
    assert (took.median, took.p95) == (50.5, 95.0)
    assert [latency([n / 1000 for n in range(1, most + 1)]).p95 for most in (1, 19, 20, 21)] == [1, 19, 19, 20]
    assert latency([]).median == 0.0


def test_a_source_covers_the_pages_it_runs_over():
    assert covers(spans(2, 4), {3})
    assert covers(spans(2, 4), [4, 9])
    assert not covers(spans(2, 4), {1, 5})
    assert not covers(spans(2, 4), ())


def test_the_first_right_source_counts():
    sources = [spans(0, 0), spans(5, 5), spans(7, 7)]
    assert first_right(sources, lambda source: source.first_page > 4) == 2
    assert first_right(sources, lambda source: source.first_page > 40) is None

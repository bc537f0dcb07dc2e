"""Short answers are scored by TAT-QA's metric: numbers after scale, spans by their words."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from rag.evaluation.short_answers import Scores, best_pairing, short_answer_scores


@pytest.mark.parametrize(
    ("given", "scale", "wanted", "wanted_scale"),
    [
        pytest.param(["$ 1,496.5"], "million", ["$1,496.5"], "million", id="as printed"),
        pytest.param(["1,496,500"], "thousand", ["$1,496.5"], "million", id="another scale"),
        pytest.param(["(12.6)"], "million", ["-12.6"], "million", id="parentheses are a minus"),
        pytest.param(["(1,012)"], "", ["-1012"], "", id="parentheses with a comma"),
        pytest.param(["-22.22"], "percent", ["-22.22"], "percent", id="percent"),
        pytest.param(["4.1%"], "percent", ["4.1%"], "", id="a percent sign is a scale of its own"),
        pytest.param(["4.1"], "percent", ["4.1%"], "", id="percent in words or as a sign"),
        pytest.param(["0.2342"], "", ["0.2342"], "", id="a ratio"),
        pytest.param(["417"], "million", ["$417 million"], "", id="a scale in the text"),
        pytest.param(["33.333"], "", ["33.33"], "", id="two decimals count"),
        pytest.param(["2019", "2018"], "", ["2018", "2019"], "", id="the order of a list is free"),
        pytest.param(["Total (loan)", "total value"], "", ["Total (value)", "Total (loan)"], "", id="punctuation"),
        pytest.param(["the Company’s plan"], "", ["Company’s plan"], "", id="articles"),
        pytest.param(["Billed", "Unbilled"], "", ["Billed", "Unbilled", ""], "", id="an empty span is none"),
    ],
)
def test_equal_answers(given, scale, wanted, wanted_scale):
    assert short_answer_scores(given, scale, wanted, wanted_scale) == Scores(1.0, 1.0)


@pytest.mark.parametrize(
    ("given", "scale", "wanted", "wanted_scale"),
    [
        pytest.param(["1,496.5"], "thousand", ["1,496.5"], "million", id="wrong scale"),
        pytest.param(["1,496.5"], "", ["1,496.5"], "million", id="no scale"),
        pytest.param(["12.6"], "million", ["-12.6"], "million", id="wrong sign"),
        pytest.param(["22.3"], "percent", ["22.22"], "percent", id="rounded"),
        pytest.param([], "", ["2019"], "", id="nothing given"),
        pytest.param(["2019"], "", [""], "", id="nothing wanted"),
    ],
)
def test_wrong_numbers_score_nothing(given, scale, wanted, wanted_scale):
    assert short_answer_scores(given, scale, wanted, wanted_scale) == Scores(0.0, 0.0)


def test_f1_of_a_span_by_hand():
    """Two of two words given, two of four wanted: precision 1, recall 1/2."""
    got = short_answer_scores(["cash flows"], "", ["net cash flows provided"], "")
    assert (got.exact, got.f1) == (0.0, pytest.approx(2 / 3))


def test_f1_pairs_the_spans_of_a_list():
    """ "raw materials" and "finished goods" are right, "work" is half of "work in process"; the order is free."""
    wanted = ["Finished goods", "Raw materials", "Work in process"]
    got = short_answer_scores(["raw materials", "work", "finished goods"], "", wanted, "")
    assert (got.exact, got.f1) == (0.0, pytest.approx((1 + 1 + 0.5) / 3))
    fewer = short_answer_scores(["raw materials"], "", wanted, "")
    assert fewer.f1 == pytest.approx(1 / 3)
    assert short_answer_scores(["2019", "2017"], "", ["2019", "2018"], "").f1 == 0.5


@pytest.mark.parametrize("kind", ["arithmetic", "count"])
def test_a_computed_number_is_right_or_wrong(kind):
    assert short_answer_scores(["4", "5"], "", ["4"], "", kind) == Scores(0.0, 0.0)
    assert short_answer_scores(["4"], "", ["4"], "", kind) == Scores(1.0, 1.0)


def test_pairing_agrees_with_trying_every_order():
    chance = random.Random(5)
    for _ in range(300):
        rows = chance.randint(1, 4)
        columns = chance.randint(rows, 5)
        scores = [[chance.choice((0.0, 0.5, chance.random())) for _ in range(columns)] for _ in range(rows)]
        orders = permutations(range(columns), rows)
        best = max(sum(scores[row][column] for row, column in enumerate(order)) for order in orders)
        assert best_pairing(scores) == pytest.approx(best)

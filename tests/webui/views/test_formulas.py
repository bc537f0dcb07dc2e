"""Which numbers of a formula open a cell."""

import pytest

from webui.views.links import Link
from webui.views.short import parts_of_formula


def cell(place):
    return Link(1, place, 1, "d", "a", "", "p. 1", "Open source 1", open=False)


@pytest.mark.parametrize(
    ("formula", "cells", "linked"),
    [
        pytest.param("44,538 − 37,403", ["$ 44,538", "37,403"], [("44,538", 0), ("37,403", 1)], id="difference"),
        pytest.param("31 / (5,022)", ["(31)", "(5,022)"], [("31", 0), ("5,022", 1)], id="in brackets"),
        pytest.param("(9 − 5) / 5", ["9", "5"], [("9", 0), ("5", 1), ("5", 1)], id="one of them twice"),
        pytest.param("2022: 4 / 8 = 50%", ["4", "8"], [("4", 0), ("8", 1)], id="a year and the result"),
        pytest.param("2022: 4 / 8", ["2022"], [], id="a year is no cell"),
        pytest.param("8,738 / 1,000", ["8,738"], [("8,738", 0)], id="a factor"),
        pytest.param("1.5 × 2", ["7"], [], id="other numbers"),
        pytest.param("", ["7"], [], id="no formula"),
    ],
)
def test_numbers_open_the_cells_that_say_them(formula, cells, linked):
    parts = parts_of_formula(formula, [(text, cell(place)) for place, text in enumerate(cells)])
    assert "".join(part.text for part in parts) == formula
    assert [(part.text, part.link.sentence) for part in parts if part.link] == linked

"""Rows matched with questions: by names, by what stands around them, by period."""

from __future__ import annotations

import pytest

from rag.pdf.tables import find_tables
from rag.retrieve.expand import expand_query
from rag.retrieve.table_match import Wanted, item_match, labelled_rows, question_match, wanted_by, years_of
from rag.settings import QuerySettings
from tests.rag.pdf.test_tables import page

YEARS = [(0.5, "2023"), (0.7, "2022")]


def rows_of(*lines):
    return tuple(labelled_rows(find_tables(*page(*lines))))


def row(label, first="12", second="34"):
    return [(0.1, label), (0.5, first), (0.7, second)]


def alike(term):
    """Every term weighs the same."""
    return 1.0


def matches(question, rows, document="report.pdf"):
    wanted = wanted_by(expand_query(question, QuerySettings()), document)
    return question_match(wanted, rows, alike), item_match(wanted, rows, alike)


SALES = rows_of(YEARS, row("Net sales"), row("Cost of sales"), row("Dividends declared per share"))


def test_a_row_that_is_called_as_the_question_matches_best():
    exact, _ = matches("What were net sales in 2023?", SALES)
    other, _ = matches("What were the net sales of pumps in 2023?", SALES)
    none, _ = matches("Who built the bridge?", SALES)
    assert exact == pytest.approx(1)
    assert exact > other > none == 0


def test_a_longer_label_is_another_row():
    short, long = (
        rows_of(YEARS, row("Sales"), row("Interest")),
        rows_of(YEARS, row("Sales of marketable notes"), row("X")),
    )
    assert matches("What were sales in 2023?", short)[0] > 2 * matches("What were sales in 2023?", long)[0]


def test_the_header_above_a_column_counts_where_the_question_names_it():
    plain = rows_of([(0.5, "2023"), (0.7, "2022")], row("Revenue"), row("Costs"))
    headed = rows_of([(0.5, "Europe"), (0.7, "Asia")], [(0.5, "2023"), (0.7, "2023")], row("Revenue"), row("Costs"))
    question = "How high was the revenue in Europe in 2023?"
    assert matches(question, headed)[0] > matches(question, plain)[0]


def test_a_table_of_another_period_matches_less():
    right = matches("What were net sales in FY2022?", SALES)[0]
    undated = matches("What were net sales in FY2022?", rows_of(row("Net sales"), row("Taxes")))[0]
    other = matches("What were net sales in FY2015?", SALES)[0]
    assert right > undated > other > 0
    assert right > matches("What were net sales in FY2022 and FY2015?", SALES)[0] > other


def test_the_line_items_of_a_ratio_are_looked_for():
    sheet = rows_of(YEARS, row("Total current assets"), row("Total current liabilities"))
    own, items = matches("What is the current ratio in 2023?", sheet)
    assert items == pytest.approx(1)
    assert own < items
    half = rows_of(YEARS, row("Total current assets"), row("Interest"))
    assert 0.5 <= matches("What is the current ratio in 2023?", half)[1] < 0.9


def test_chinese_rows_match():
    rows = rows_of(YEARS, row("营业收入"), row("营业成本"))
    assert matches("2023年的营业收入是多少？", rows)[0] > matches("2023年的研发费用是多少？", rows)[0]
    assert matches("2023年的毛利率是多少？", rows)[1] > 0.5


def test_what_names_the_document_or_the_period_names_no_row():
    wanted = wanted_by(expand_query("What is the FY2022 revenue of Northwind?", QuerySettings()), "NORTHWIND_2022.pdf")
    assert wanted.own == {"revenue"}
    assert wanted.years == {2022}


def test_rows_without_a_value_are_left_out():
    assert [found.label for found in rows_of(YEARS, row("Sales"), row("Total cost"), row("Nothing", "—", "—"))] == [
        {"sale"},
        {"total", "cost"},
    ]


def test_a_question_without_words_matches_nothing():
    assert question_match(Wanted(frozenset(), (), frozenset()), SALES, alike) == 0
    assert item_match(Wanted(frozenset(), (), frozenset()), SALES, alike) == 0


@pytest.mark.parametrize(("text", "years"), [("FY19 and 2021", {2019, 2021}), ("2022年", {2022}), ("120221", set())])
def test_years_are_read(text, years):
    assert years_of(text) == years

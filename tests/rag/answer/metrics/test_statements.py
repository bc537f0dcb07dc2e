"""Statements found among the pages of made-up reports."""

from __future__ import annotations

import pytest

from rag.answer.metrics.statements import find_statements, normalized
from rag.retrieve.statements import Statement
from tests.rag.answer.metrics.statements import BALANCE, CASH, INCOME, NORTHWIND, PROSE, pages, 北风


def values(found, kind: Statement, label: str) -> dict[int, str]:
    """The cells of a statement's row by year."""
    (row,) = (row for row in found[kind].rows if row.normalized == label)
    return {year: cell.text for year, cell in row.cells.items()}


def test_the_three_statements_are_found_with_years_scale_and_currency():
    found = find_statements(pages(*NORTHWIND))
    assert {kind: [page.number for page in one.pages] for kind, one in found.items()} == {
        Statement.INCOME: [2],
        Statement.BALANCE: [3],
        Statement.CASH: [4],
    }
    assert {(one.scale, one.currency) for one in found.values()} == {("million", "$")}
    assert values(found, Statement.INCOME, "net sales") == {2023: "$ 1,000", 2022: "$ 800", 2021: "$ 640"}
    assert values(found, Statement.BALANCE, "inventories") == {2023: "130", 2022: "110"}


def test_chinese_statements_are_found():
    found = find_statements(pages(*北风))
    assert set(found) == set(Statement)
    assert values(found, Statement.INCOME, "营业成本") == {2023: "6,000", 2022: "5,000"}
    assert {one.scale for one in found.values()} == {"ten thousand"}


def test_pages_without_statements_give_none():
    assert find_statements(pages(PROSE, PROSE)) == {}


def test_the_parent_companys_own_statements_do_not_count():
    own = INCOME.replace("CONSOLIDATED STATEMENTS OF INCOME", "SCHEDULE I – PARENT COMPANY STATEMENTS OF INCOME")
    found = find_statements(pages(own.replace("1,000", "700"), INCOME))
    assert [page.number for page in found[Statement.INCOME].pages] == [1]


def test_a_statement_that_goes_on_over_the_page_is_one():
    head, line, rest = CASH.partition("Cash flows from financing activities:")
    title = "NORTHWIND TRADERS, INC.\nCONSOLIDATED STATEMENTS OF CASH FLOWS (continued)\n(In millions)\n"
    years = "Year ended December 31, | 2023 | 2022 | 2021\n"
    found = find_statements(pages(PROSE, head, title + years + line + rest))
    assert [page.number for page in found[Statement.CASH].pages] == [1, 2]
    assert values(found, Statement.CASH, "dividends paid")[2022] == "(24)"


@pytest.mark.parametrize(
    ("wording", "year"),
    [("fiscal 2022, which ended January 28, 2023,", 2022), ("fiscal year 2023 ended January 28, 2023", 2023)],
)
def test_a_year_that_ends_in_january_is_called_as_the_report_calls_it(wording, year):
    dated = INCOME.replace(
        "Year ended December 31, | 2023 | 2022 | 2021", "| January 28, 2023 | January 29, 2022 | 2021"
    )
    found = find_statements(pages(f"{PROSE}In {wording} sales grew.", dated))
    assert values(found, Statement.INCOME, "gross profit")[year] == "400"


def test_figures_of_a_quarter_are_not_taken_for_those_of_a_year():
    quarter = INCOME.replace("Year ended December 31,", "Three months ended December 31,").replace("1,000", "300")
    both = find_statements(pages(quarter + INCOME.replace("NORTHWIND TRADERS, INC.", "")))
    assert {row.cells[2023].text for row in both[Statement.INCOME].rows if row.normalized == "net sales"} == {"$ 1,000"}
    assert Statement.INCOME not in find_statements(pages(quarter))


def test_percentages_beside_the_figures_are_left_out():
    head, *rows = BALANCE.strip().splitlines()
    shares = "\n".join(f"{row} | 10.0%" if row.count("|") == 2 and "December" not in row else row for row in rows)
    found = find_statements(pages("\n".join([head, shares.replace("31, 2022", "31, 2022 | % of total")])))
    assert values(found, Statement.BALANCE, "inventories") == {2023: "130", 2022: "110"}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Property, plant and equipment — net", "property plant and equipment net"),
        ("Net (loss) earnings (Note 4)", "net earnings"),
        ("Provision for income taxes (Note 8", "provision for income taxes"),
        ("减：营业成本", "营业成本"),
        ("一、营业总收入", "营业总收入"),
    ],
)
def test_labels_are_compared_without_punctuation_and_notes(label, expected):
    assert normalized(label) == expected


def test_a_balance_sheet_of_a_quarterly_report_has_the_last_year_end_alone():
    interim = BALANCE.replace("December 31, 2023", "June 30, 2024").replace("December 31, 2022", "December 31, 2023")
    found = find_statements(pages(interim))
    assert values(found, Statement.BALANCE, "inventories") == {2023: "110"}


def test_a_page_that_begins_with_a_quarter_has_no_figures_of_a_year():
    quarter = INCOME.replace("(In millions", "For the three months ended March 31\n(In millions").replace(
        "Year ended December 31,", ""
    )
    assert Statement.INCOME not in find_statements(pages(quarter))


def test_a_year_of_52_weeks_that_ends_on_new_year_is_the_year_before():
    dates = "| December 31, 2023 | January 1, 2023 | January 2, 2022"
    found = find_statements(pages(INCOME.replace("Year ended December 31, | 2023 | 2022 | 2021", dates)))
    assert values(found, Statement.INCOME, "gross profit") == {2023: "400", 2022: "300", 2021: "240"}

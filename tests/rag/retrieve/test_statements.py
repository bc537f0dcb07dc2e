"""Primary statements are told from the notes, summaries and lists that name them."""

from __future__ import annotations

import pytest

from rag.retrieve.statements import MIN_ROWS, Statement, statements_on

BALANCE_ROWS = (
    "Cash and cash equivalents",
    "Accounts receivable",
    "Inventories",
    "Total current assets",
    "Total assets",
    "Accounts payable",
    "Total current liabilities",
    "Total liabilities",
    "Retained earnings",
    "Total shareholders' equity",
)
INCOME_ROWS = (
    "Net sales",
    "Cost of sales",
    "Selling expenses",
    "Operating income",
    "Interest",
    "Provision for income taxes",
    "Net income",
    "Diluted earnings per share",
)
CASH_ROWS = (
    "Net income",
    "Depreciation",
    "Net cash provided by operating activities",
    "Purchases of property",
    "Net cash used in investing activities",
    "Dividends",
    "Net cash used in financing activities",
    "Cash at end of year",
)
HAN_ROWS = ("货币资金", "应收账款", "存货", "流动资产合计", "资产总计", "应付账款", "负债合计", "所有者权益合计")


@pytest.mark.parametrize(
    ("title", "rows", "statement"),
    [
        ("Northwind Inc.\nCONSOLIDATED BALANCE SHEETS\n(in millions)", BALANCE_ROWS, Statement.BALANCE),
        ("Consolidated Balance Shee t\nAt December 31", BALANCE_ROWS, Statement.BALANCE),
        ("Consolidated Statements of Financial Position", BALANCE_ROWS, Statement.BALANCE),
        ("合并资产负债表\n单位：元", HAN_ROWS, Statement.BALANCE),
        ("ITEM 8. FINANCIAL STATEMENTS AND SUPPLEMENTARY DATA\nINCOME STATEMENTS", INCOME_ROWS, Statement.INCOME),
        ("Consolidated Statements of Operations and Comprehensive Loss", INCOME_ROWS, Statement.INCOME),
        ("Northwind Inc.\nYears ended December 31, 2022\nStatements of Cash Flows", CASH_ROWS, Statement.CASH),
    ],
)
def test_a_statement_is_known_by_its_title_and_its_rows(title, rows, statement):
    found = statements_on(f"{title}\n" + "\n".join(f"{row} 1 2" for row in rows), rows)
    assert found.keys() == {statement}
    assert found[statement] > 0.8


@pytest.mark.parametrize(
    "title",
    [
        "Note 7. Supplemental Balance Sheet Information",
        "Parent Company\nCondensed Balance Sheets",
        "Condensed Consolidating Balance Sheets",
        "Selected Balance Sheet Data",
        "Index to Financial Statements\nConsolidated Balance Sheets 57",
        "The following amounts are included in the balance sheet " + "and described in the notes " * 5,
        "Liquidity\n" * 8 + "Balance Sheet",
    ],
)
def test_what_only_names_a_statement_is_none(title):
    assert not statements_on(title, BALANCE_ROWS)


def test_a_title_without_the_rows_of_its_statement_is_none():
    assert not statements_on("Consolidated Balance Sheets", CASH_ROWS)
    assert not statements_on("Consolidated Balance Sheets", BALANCE_ROWS[: MIN_ROWS - 1])
    assert not statements_on("", ())

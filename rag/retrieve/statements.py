"""The primary statements of a financial report, and which of them a page is.

A statement is recognised by its title among the first lines of a page, and by the rows that every such statement has. A
note, a summary or a table of contents that only mentions it lacks the title or the rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Statement(StrEnum):
    """A primary statement."""

    BALANCE = "balance sheet"
    INCOME = "income statement"
    CASH = "cash flow statement"


TITLE_LINES: Final = 6  # of a page, from the top, that are searched for a title
TITLE_CHARACTERS: Final = 120  # a longer line is not a title
MIN_ROWS: Final = 8  # rows with a value on a page that is a statement
MIN_KINDS: Final = 3  # of the six kinds of rows that a statement has

# Searched in lines without spaces, because PDFs may contain "Balance Shee t"; case is ignored.
_TITLES: Final = {
    Statement.BALANCE: re.compile(
        r"balancesheets?|statements?of(?:consolidated)?financial(?:position|condition)|资产负债表|資產負債表|财务状况表"
    ),
    Statement.INCOME: re.compile(
        r"statements?of(?:consolidated)?(?:operations?|income|earnings|profit|loss)|incomestatements?|profitandloss"
        r"|利润表|利潤表|损益表"
    ),
    Statement.CASH: re.compile(r"statements?of(?:consolidated)?cashflows?|cashflows?statements?|现金流量表|現金流量表"),
}
# Of other statements than those of the whole group, of notes, and of lists of statements with their page numbers.
_NO_TITLE: Final = re.compile(
    r"consolidating|parent|registrant|guarantor|supplement(?!arydata)|proforma|companyonly|selected|(?<!supplementary)data$|母公司"
    r"|statements?ofcomprehensiveincome|^note|analysisof|reportof|indexto|\d$"
)
_ROWS: Final = {
    Statement.BALANCE: (
        r"total (?:current )?assets|资产总[计额]|资产合计",
        r"total (?:current )?liabilities|负债合计",
        r"equity|retained earnings|deficit|权益",
        r"\bcash\b|货币资金",
        r"receivable|应收",
        r"payable|应付",
    ),
    Statement.INCOME: (
        r"\btax(?:es)?\b|所得税",
        r"\bnet\b.{0,20}(?:income|loss|earnings|profit)|净利润",
        r"per share|basic|diluted|每股",
        r"revenue|sales|营业总?收入",
        r"\bcosts?\b|expenses?\b|营业总?成本|费用",
        r"operating|operations|营业利润",
    ),
    Statement.CASH: (
        r"operating activities|经营活动",
        r"investing activities|投资活动",
        r"financing activities|筹资活动",
        r"depreciation|折旧",
        r"(?:end|beginning) of|期末|期初",
        r"\bnet\b.{0,20}(?:income|loss|earnings|profit)|净利润",
    ),
}
_ROW_PATTERNS: Final = {
    statement: tuple(re.compile(kind, re.IGNORECASE) for kind in kinds) for statement, kinds in _ROWS.items()
}


def statements_on(text: str, labels: Collection[str]) -> dict[Statement, float]:
    """The statements that a page is, each with the share of its usual kinds of rows that the page has, 0.5 to 1.

    `labels`: of the rows with values on the page, each with its section.
    """
    if len(labels) < MIN_ROWS:
        return {}
    found: dict[Statement, float] = {}
    for statement in _titles(text):
        kinds = _ROW_PATTERNS[statement]
        count = sum(any(kind.search(label) for label in labels) for kind in kinds)
        if count >= MIN_KINDS:
            found[statement] = count / len(kinds)
    return found


def _titles(text: str) -> set[Statement]:
    """The statements whose titles are among the first lines of a page."""
    lines = ["".join(line.split()).casefold() for line in text.split("\n", TITLE_LINES)[:TITLE_LINES]]
    if any(_NO_TITLE.search(line) for line in lines[:2] if not line[-1:].isdigit()):
        return set()
    titles = [line for line in lines if len(line) <= TITLE_CHARACTERS and not _NO_TITLE.search(line)]
    return {statement for statement, title in _TITLES.items() if any(title.search(line) for line in titles)}

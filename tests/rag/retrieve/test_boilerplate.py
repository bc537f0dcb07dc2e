"""Pages that name much and say little, and pages that only look like them."""

from __future__ import annotations

import pytest

from rag.retrieve.boilerplate import asks_for_boilerplate, is_boilerplate

AUDIT = "Report of Independent Registered Public Accounting Firm\nTo the shareholders"
AUDIT_GOES_ON = "of the statements. We have audited the inventories.\nThe critical audit matter is described below."
EXHIBITS = "\n".join(
    f"10.{n} Deferred Plan of 20{n}0 (incorporated by reference to Exhibit 10 of Form 8-K)" for n in "1234"
)
CERTIFICATION = "I, Ann Keller, certify that this report\ncomplies with section 302 of the Sarbanes-Oxley Act of 2002."
SIGNATURES = "Pursuant to the requirements of Section 13 of the Act this report has been signed\nAnn Keller"
CONTENTS = "Contents\n" + "\n".join(f"{n}. Chapter about pumps ........ {n * 7}" for n in range(1, 12))


@pytest.mark.parametrize(
    "page", [AUDIT, AUDIT_GOES_ON, EXHIBITS, CERTIFICATION, SIGNATURES, CONTENTS, "审计报告\n正文"]
)
def test_a_page_of_boilerplate_is_recognised(page):
    assert is_boilerplate(page)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "The pump was built in 1961. It is described in Exhibit 4.",
        "Net sales 30\nCost 20\nTaxes 5\nProfit 5\nCash 90\nDebt 12\nEquity 31\nShares 7",  # values, not ascending
        "Our audit committee met four times.",
    ],
)
def test_other_pages_are_not(page):
    assert not is_boilerplate(page)


def test_a_question_about_it_is_recognised():
    assert asks_for_boilerplate("Who audited the report?")
    assert asks_for_boilerplate("审计师是谁？")
    assert not asks_for_boilerplate("What were net sales in 2022?")


def test_a_hostile_page_takes_linear_time():
    assert not is_boilerplate("certifies " * 20_000 + "\n" + "· . " * 20_000 + "\n" + "I, " * 20_000)

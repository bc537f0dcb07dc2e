from __future__ import annotations

import pytest

from rag.pdf.headings import detect_headings, headings_within, looks_like_heading, page_title, shown_headings
from rag.records import Page, PageKind, WordBoxes, page_starts

STATEMENT = (
    "Harbour Tools plc and Subsidiaries\n"
    "Consolidated Balance Sheets\n"
    "(In millions, except share data)\n"
    "Assets\n"
    "Cash and cash equivalents $ 1,204 $ 977\n"
    "Total current assets 5,308 5,853\n"
    "Liabilities\n"
    "Trade payables 2,690 3,073\n"
)


def page(number: int, text: str, *, flows_on: bool = False) -> Page:
    return Page(number, str(number + 1), PageKind.TEXT, text, WordBoxes.none(), 595.0, 842.0, "", flows_on)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("CONSOLIDATED STATEMENTS OF INCOME", id="capitals"),
        pytest.param("Note 15. Segments", id="numbered"),
        pytest.param("Selected Financial Data, 2021", id="ends in a year"),
        pytest.param("第十二条 违约责任", id="chinese"),
        pytest.param("管理层讨论与分析", id="chinese without a number"),
    ],
)
def test_lines_that_look_like_a_heading(line):
    assert looks_like_heading(line)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param("The pump was built in Gdansk.", id="sentence"),
        pytest.param("and the valves of the second row", id="continues a sentence"),
        pytest.param("Management of the", id="unfinished"),
        pytest.param("Total current assets 5,308 5,853", id="figures"),
        pytest.param("Less: amounts representing interest 12", id="one figure"),
        pytest.param("Interest and other 28 %", id="share"),
        pytest.param("Current assets:", id="colon"),
        pytest.param("合同自签字之日起生效。", id="chinese sentence"),
        pytest.param("— — — 7 7", id="no letters"),
        pytest.param("(In millions)", id="unit"),
        pytest.param("Dollars in thousands, except per share data", id="unit without parentheses"),
        pytest.param("（单位：百万元）", id="chinese unit"),
        pytest.param("(Unaudited)", id="all in parentheses"),
        pytest.param("One two three four five six seven eight nine ten eleven twelve thirteen", id="too long"),
    ],
)
def test_lines_that_do_not(line):
    assert not looks_like_heading(line)


def test_the_title_of_a_page_is_what_precedes_its_first_figures():
    assert page_title(STATEMENT) == ("Harbour Tools plc and Subsidiaries Consolidated Balance Sheets")
    assert page_title("of the contract goes on here.\nPayment\nRent is due.") == "Payment"
    assert page_title("Rent 1,200 1,300\nPayment terms\n") == ""
    assert page_title("") == ""


def test_units_in_the_headings_of_documents_added_earlier_are_not_shown():
    path = ("Item 8", "BALANCE SHEETS (In millions, except share data) 2023 2022", "(In millions)", "Note (a) Leases")
    assert shown_headings(path) == ["Item 8", "BALANCE SHEETS", "Note (a) Leases"]


def test_headings_come_with_their_offset():
    assert [STATEMENT[at : at + len(line)] for at, line in headings_within(STATEMENT)] == [
        line for _, line in headings_within(STATEMENT)
    ]
    assert [line for _, line in headings_within(STATEMENT)][-1] == "Liabilities"


def test_the_last_heading_continues_on_one_page_without_a_title_and_no_further():
    pages = [
        page(0, STATEMENT),
        page(1, "Deferred tax 1,204 977\nSee the notes.\n"),
        page(2, "Other matters 3,000 4,000\nSee the notes.\n"),
        page(3, "Legal Proceedings\nWe are party to several suits of no weight.\n", flows_on=True),
        page(4, "which were settled in May for 12,000 in all.\n"),
    ]
    starts = page_starts(pages)
    paths = dict(detect_headings(pages, starts))
    assert paths[starts[1]] == ("Liabilities",)
    assert paths[starts[2]] == ()
    assert paths[starts[3]] == ("Legal Proceedings",)
    assert paths[starts[4]] == ("Legal Proceedings",)
    assert [at for at, _ in detect_headings(pages, starts)] == sorted(at for at, _ in detect_headings(pages, starts))


def test_a_title_continues_on_the_next_page_only_where_the_text_does():
    following = page(1, "Deferred tax 1,204 977\nSee the notes.\n")
    for flows_on, path in ((True, (page_title(STATEMENT), "Liabilities")), (False, ("Liabilities",))):
        pages = [page(0, STATEMENT, flows_on=flows_on), following]
        starts = page_starts(pages)
        assert dict(detect_headings(pages, starts))[starts[1]] == path

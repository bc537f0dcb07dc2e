"""Facts of documents: what is asked, and what pages state."""

from __future__ import annotations

import re

import pytest

from rag.answer.facts.people import find_elected, find_holder_in, find_signers
from rag.answer.facts.question import company_on, is_understood, without_dates
from rag.answer.facts.reasons import find_reason
from rag.answer.facts.risks import find_risks
from rag.answer.facts.search import PageText, find_stated
from rag.answer.facts.short_fact import claimed, is_confirmed
from rag.answer.facts.table import Fact, known_facts
from rag.answer.phrases.offices import asks_for_directors, asks_for_office

COVER = """UNITED STATES
For the fiscal year ended June 30, 2023
Commission File Number 1-0001
HALDEN INSTRUMENTS, INC.
(Exact name of registrant as specified in its charter)
Delaware 12-3456789
(State or other jurisdiction of incorporation or organization) (I.R.S. Employer Identification No.)
40 Harbor Road
Portland, Maine 04101
(Address of principal executive offices) (Zip Code)
Title of each class Trading Symbol(s) Name of each exchange on which registered
Common Stock, par value $0.01 per share HLDN New York Stock Exchange
As of August 4, 2023, there were 61,204,118 shares of common stock outstanding."""


def pages(*texts: str) -> list[PageText]:
    """Pages one after another."""
    starts = [sum(len(text) for text in texts[:n]) for n in range(len(texts))]
    return [PageText(n, str(n + 1), start, text) for n, (start, text) in enumerate(zip(starts, texts, strict=True))]


def fact(name: str) -> Fact:
    """A fact by its name in the table."""
    return next(one for one in known_facts() if one.name == name)


def stated(name: str, *texts: str) -> tuple[str, ...]:
    """What pages state, () for nothing."""
    found = find_stated(fact(name), pages(*texts), {"halden"}, ())
    return found.values if found else ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("headquarters", "40 Harbor Road, Portland, Maine 04101"),
        ("ticker", "HLDN"),
        ("stock exchange", "New York Stock Exchange"),
        ("jurisdiction", "Delaware"),
        ("end of the fiscal year", "June 30"),
        ("shares outstanding", "61,204,118"),
    ],
)
def test_what_stands_on_the_cover_is_found(name: str, value: str) -> None:
    assert stated(name, COVER) == (value,)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("headquarters", "Our corporate headquarters is located in Bergen, Norway. We own it.", "Bergen, Norway"),
        ("headquarters", "Our Marine segment's headquarters is located in Split, Croatia.", ""),
        ("founding", "Halden was founded in 1931 by two watchmakers.", "1931"),
        ("founding", "In 2019 we acquired Oxley, a maker of scales that was founded in 1902.", ""),
        ("incorporation", "Halden Instruments, Inc. was incorporated in Delaware in May 1968.", "May 1968"),
        (
            "auditor",
            "We have audited the balance sheets of Halden.\n/s/ Moreno & Falk LLP\nBoston",
            "Moreno & Falk LLP",
        ),
        (
            "governing law",
            "This Agreement is governed by the laws of the State of Ohio.",
            "the laws of the State of Ohio",
        ),
        ("legal representative", "法定代表人：林海燕\n注册资本：1亿元", "林海燕"),
        ("auditor", "公司聘请德信会计师事务所（特殊普通合伙）为审计机构。", "德信会计师事务所（特殊普通合伙）"),
        (
            "registered office",
            "公司注册地址为山东省烟台市芝罘区海港路18号，主要从事起重机制造。",
            "山东省烟台市芝罘区海港路18号",
        ),
    ],
)
def test_a_sentence_about_the_company_answers_and_one_about_something_else_does_not(
    name: str, text: str, value: str
) -> None:
    assert stated(name, text) == ((value,) if value else ())


def test_employees_may_be_told_of_in_passing() -> None:
    told = "With approximately 117,100 employees on a full-time equivalent basis, we need diverse backgrounds."
    others = "Businesses with 250 employees buy from us. With over 186,000 employees and retirees, our plans cost more."
    assert stated("employees", told) == ("approximately 117,100",)
    assert stated("employees", others) == ()


def test_employees_are_those_of_the_whole_company() -> None:
    texts = (
        "Our Marine segment employs 9,000 employees. About 5,200 employees are represented by a union.",
        "As of June 30, 2023, we had approximately 3,150 employees at our campus in Portland.",
        "In addition, we had approximately 41,000 employees at Halden China.",
        "As of June 30, 2023, Halden employed approximately 21,400 people worldwide, of whom 60% in Europe.",
        "Over 30,000 Halden employees and retirees have used the app since 2015.",
    )
    assert stated("employees", *texts) == ("approximately 21,400",)


def test_a_list_of_segments_has_as_many_items_as_are_announced() -> None:
    wrong = "We have three reportable segments: Marine and Land. "
    right = "We operate in three reportable segments: Halden U.S., Safety and Control, and Air."
    assert stated("segments", wrong) == ()
    assert stated("segments", wrong, right) == ("Halden U.S.", "Safety and Control", "Air")


def test_abbreviations_in_brackets_tell_where_an_item_ends() -> None:
    text = "We have four reportable segments: Home (HOM), Work (WRK), Card Services (CS) and Air and Sea (AAS). More."
    assert stated("segments", text) == ("Home", "Work", "Card Services", "Air and Sea")
    text = "We have two reportable segments: Marine and Control and Land."
    found = find_stated(fact("segments"), pages(text), {"halden"}, ())
    assert found is None or not found.certain


def test_segments_of_a_part_of_the_company_are_not_its_own() -> None:
    text = "We have three segments defined by region: Norway, Canada, and Chile. Rest of World comprises two segments: "
    assert stated("segments", text + "Peru and Mali.") == ("Norway", "Canada", "Chile")
    assert stated("segments", "It sells fish. Rest of World comprises two segments: Peru and Mali.") == ()


def test_segments_are_read_from_the_lines_below() -> None:
    text = "We operate in two reportable segments:\n• Marine (MAR);\n• Land (LND).\nThe Marine segment makes sonars."
    assert stated("segments", text) == ("Marine (MAR)", "Land (LND)")


def test_competitors_are_names() -> None:
    text = "Our principal competitors include Oxley, Inc., lumen, Baird Group and Tano Corporation, among others."
    assert stated("competitors", text) == ("Oxley, Inc.", "lumen", "Baird Group", "Tano Corporation")
    text = "Competitors include other video providers, such as Oxley Cable, Lumen Films and Tano Rentals."
    assert stated("competitors", text)[-3:] == ("Oxley Cable", "Lumen Films", "Tano Rentals")
    assert stated("competitors", "We compete on factors including price, quality and service.") == ()


@pytest.mark.parametrize(
    ("question", "name", "understood"),
    [
        ("Where is Halden headquartered?", "headquarters", True),
        ("How many employees did Halden have at the end of 2023?", "employees", True),
        ("How many employees does Halden have in Norway?", "employees", False),
        ("How many employees in the Marine segment does Halden have?", "employees", False),
        ("Who audits the pension plan of Halden?", "auditor", False),
        ("哈尔登有多少员工？", "employees", True),
        ("哈尔登在挪威有多少员工？", "employees", False),
    ],
)
def test_a_question_with_a_word_left_over_is_not_understood(question: str, name: str, *, understood: bool) -> None:
    wording = fact(name).wording
    assert wording.asks.search(question)
    assert is_understood(question, wording, {"halden"}, "halden 哈尔登仪器股份有限公司") is understood


def test_the_holder_of_an_office_is_not_a_former_one_nor_the_head_of_a_division() -> None:
    texts = (
        "Executive officers of the registrant\n"
        "Ruth A. Vance 58 Executive Chair 2021 Chief Executive Officer 2012-2021\n"
        "Daniel Okoye 51 President and Chief Executive Officer 2021 Chief Operating Officer 2016-2021\n"
        "Petra Lindqvist 47 Executive Vice President, Chief Executive Officer, Halden Marine",
        "/s/ DANIEL OKOYE\nPresident and Chief Executive Officer",
    )
    question = "Who is the CEO of Halden?"
    office = asks_for_office(question)
    assert office is not None
    found = find_holder_in(question, office, pages(*texts))
    assert found is not None
    assert found.values == ("Daniel Okoye",)
    assert found.certain


def test_the_holder_of_an_office_is_the_name_printed_below_the_signature() -> None:
    signed = (
        "Dated: January 28 By: / S / R UTH V ANCE\nRuth Vance\nChief Executive Officer\n(principal executive officer)\n"
    )
    signed += "Dated: January 28 By: / S / D ANIEL O KOYE\nName: Daniel Okoye\nTitle: Chief Financial Officer\n"
    question = "Who is the CFO of Halden?"
    office = asks_for_office(question)
    assert office is not None
    found = find_holder_in(question, office, pages(signed))
    assert found is not None
    assert found.values == ("Daniel Okoye",)
    assert find_holder_in(question, office, pages("/s/ RUTH VANCE\nChief Financial Officer\nHalden Ltd")) is not None


def test_risks_are_the_headings_of_their_section() -> None:
    paragraph = "This is explained at length, in a paragraph that says what could happen and why it matters to us. " * 3
    headings = (
        "We depend on a single supplier of sensors.",
        "Cyber attacks could disrupt our operations.",
        "Changes in exchange rates may reduce our earnings.",
    )
    section = "\n".join(f"{heading}\n{paragraph}" for heading in headings)
    contents = "Item 1A. Risk Factors\nItem 1B. Unresolved Staff Comments\nItem 2. Properties"
    text = f"Item 1A. Risk Factors\nThese risks are explained below.\n{section}\nItem 1B. Unresolved Staff Comments\n"
    found = find_risks(pages(contents, text))
    assert found is not None
    assert found.values == headings
    assert find_risks(pages(contents)) is None


def test_a_reason_is_of_the_figure_the_company_and_the_year_asked_for() -> None:
    texts = (
        COVER,
        "Net sales increased 4% in fiscal 2022, primarily due to the purchase of Oxley."
        " Marine net sales increased 9% in fiscal 2023 due to new sonars."
        " Cost of sales increased in fiscal 2023 due to freight."
        " Net sales increased 6% in fiscal 2023, primarily due to higher prices."
        " Net sales decreased in the first quarter due to a strike.",
    )
    found = find_reason("Why did Halden's net sales rise in fiscal 2023?", pages(*texts), {"halden"})
    assert found is not None
    assert found.values == ("primarily due to higher prices",)
    assert find_reason("Why did Halden's inventories rise in fiscal 2023?", pages(*texts), {"halden"}) is None


def test_patterns_of_the_table_take_linear_time() -> None:
    long = ("the company had 1 2 3 and (a " * 2_000 + ", and competitors include ") * 4
    for one in known_facts():
        for rule in one.rules:
            assert isinstance(rule.compiled(("halden",)), re.Pattern)
        find_stated(one, pages(long), {"halden"}, ())


VOTES = (
    "Proposal 1. With respect to the proposal to elect three nominees to the Board of Directors, the votes were cast:\n"
    "Name Votes For Votes Against Abstentions Broker Non-Votes\n"
    "Ann C. Lindholm 59,657,810 294,935 10,714,238 6,884,223\n"
    "Ulf Payne, Jr. 54,993,396 4,950,917 10,722,670 6,884,223\n"
    "Per Holm 1,993,396 54,950,917 10,722,670 6,884,223\n"
    "Based on the votes set forth above, two of the nominees were elected.\n"
    "Proposal 2. On an advisory basis, the compensation was approved as set forth below:\n"
    "Votes For Votes Against Abstentions Broker Non-Votes\n57,172,731 13,324,080 170,172 6,884,223\n"
)


def test_who_was_elected_is_read_from_the_votes_or_a_sentence_and_is_nobody_with_an_office() -> None:
    voted = find_elected(pages("Halden Instruments, Inc.\n", VOTES))
    assert voted is not None
    assert voted.values == ("Ann C. Lindholm", "Ulf Payne, Jr.")
    assert voted.certain
    told = (
        "In June the Board elected Maria Castro-Neves, a partner of Alm Capital. The Board elected Jan Berg President."
    )
    named = find_elected(pages(f"{told} Directors are elected each year."))
    assert named is not None
    assert named.values == ("Maria Castro-Neves",)
    assert find_elected(pages("The Company elected Hedge Accounting. Ann Lindholm, Director, signed.")) is None


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Who was elected to the board?", True),
        ("Which directors were elected at the annual meeting?", True),
        ("谁当选为公司董事？", True),
        ("Who was elected chairman of the board?", False),
        ("Who is on the board of directors?", False),
    ],
)
def test_questions_for_new_directors_are_told_from_those_for_offices(question: str, asks: bool) -> None:
    assert asks_for_directors(question) == asks


SIGNED = """SIGNATURE
Pursuant to the requirements of the Exchange Act, the registrant has duly caused this report to be signed on its behalf.
HALDEN INSTRUMENTS, INC.
Date: May 20, 2023 By: /s/ Sheila M. Clarke
Name: Sheila M. Clarke
Title: General Counsel and Secretary
This report has been signed below by the following persons on behalf of the registrant.
/s/ Robert Vale
Robert Vale Director"""
AUDIT = "Report of Independent Registered Public Accounting Firm\n/s/ Stone & Partner LLP\nPortland, Maine"


def test_who_signed_is_read_from_the_page_for_signing_and_not_from_the_report_of_the_auditor() -> None:
    found = find_signers("Who signed the 8-K?", pages(COVER, AUDIT, SIGNED))
    assert found is not None
    assert found.values == ("Sheila M. Clarke", "Robert Vale")
    assert "General Counsel and Secretary" in found.evidence[0].text
    on_behalf = find_signers("Who signed the report on behalf of the company?", pages(COVER, SIGNED))
    assert on_behalf is not None
    assert on_behalf.values == ("Sheila M. Clarke",)
    assert find_signers("Who signed the 8-K?", pages(COVER, AUDIT)) is None


@pytest.mark.parametrize(
    ("question", "values", "confirmed"),
    [
        ("Is Stone & Partner the auditor of the company?", ("Stone & Partner LLP",), True),
        ("Is Grant the auditor of Halden?", ("Stone & Partner LLP",), False),
        ("Is Ms. Clarke the chief executive officer?", ("Sheila M. Clarke",), True),
        ("Was Halden audited by Stone & Partner?", ("Stone & Partner LLP",), True),
        ("Is Halden headquartered in Portland?", ("40 Harbor Road, Portland, Maine 04101",), True),
        ("Is Halden headquartered in New England?", ("40 Harbor Road, Portland, Maine 04101",), None),
        ("公司的首席执行官是张三吗？", ("张三",), True),
    ],
)
def test_yes_and_no_follow_from_the_fact_that_is_stated(
    question: str, values: tuple[str, ...], *, confirmed: bool | None
) -> None:
    claim = claimed(question)
    assert claim is not None
    assert is_confirmed(claim, values, certain=True) is confirmed


@pytest.mark.parametrize("question", ["Did sales rise?", "Who is the auditor?", "Is the pump sold in Norway?"])
def test_other_questions_confirm_no_fact(question: str) -> None:
    assert claimed(question) is None


def test_a_day_is_understood_where_the_cover_names_it() -> None:
    question = "Who was elected to the board of directors on May 18, 2022?"
    assert "May" not in without_dates(question, "Date of report: May 20, 2022 (May 18, 2022)")
    assert without_dates(question, "Date of report: August 19, 2022") == question


def test_the_company_on_the_cover_is_known_by_its_name() -> None:
    assert "halden" in {one.removesuffix("s") for one in company_on(COVER)} or "halden" in company_on(COVER)
    assert "portland" not in company_on(COVER)


def test_a_reason_that_is_cut_ends_with_a_phrase_and_not_with_a_joining_word() -> None:
    reason = (
        "a $133.2 million increase in personnel-related costs resulting from an increase in compensation for existing"
        " employees and a 20% growth in average headcount supporting continued improvements in our streaming service"
        " and our international expansion"
    )
    text = f"The increase in technology expenses was primarily due to {reason}."
    found = find_reason("Why did technology expenses increase?", pages(COVER, text), ("halden",))
    assert found is not None
    assert found.values[0].endswith("in our streaming service")


def test_the_reason_of_a_part_is_not_that_of_the_whole() -> None:
    text = "International marketing expenses increased in 2023 mainly due to expenses for new territories."
    assert find_reason("Why did marketing expenses increase?", pages(COVER, text), ("halden",)) is None
    whole = text.replace("International marketing", "Marketing")
    assert find_reason("Why did marketing expenses increase?", pages(COVER, whole), ("halden",)) is not None

"""What a sentence can answer, and what is no answer at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.phrases import fit
from rag.answer.phrases.fit import is_no_answer, is_row, may_be, suits
from rag.answer.phrases.kind import Kind


@pytest.mark.parametrize(
    "text",
    [
        "Item 7. Risk Factors",
        "Operating Segments",
        "第三章 风险因素",
        "The proposals were voted on as set forth below:",
        "主要风险如下：",
        "[12] Smith, J. A., Deep tables, Journal of Data, 2019, pp. 12–34.",
        "/s/ Jane Miller",
        "Page 3 of 12",
        "Revenue recognition ........ 45",
        "This report contains forward-looking statements.",
    ],
)
def test_headings_references_and_furniture_are_no_answers(text: str) -> None:
    assert is_no_answer(text, "What are the main risks?")


@pytest.mark.parametrize(
    "text",
    [
        "Sales fell because of the strike.",
        "Warranty: 24 months",
        "Total 211,915 198,270",
        "押金为两个月租金。",
        "保修期 24个月",
        "《工程新闻记录》(ENR)是建筑行业杂志。",
    ],
)
def test_sentences_and_rows_with_values_may_answer(text: str) -> None:
    assert not is_no_answer(text, "What is the warranty period?")


def test_what_the_question_names_is_no_boilerplate() -> None:
    text = "Forward-looking statements are subject to risks."
    assert not is_no_answer(text, "What are forward-looking statements subject to?")


def test_reasons_suit_why_and_numbers_suit_how_many() -> None:
    assert suits(Kind.WHY, "Sales fell because of the strike.") > suits(Kind.WHY, "Sales fell.")
    assert suits(Kind.NUMBER, "The council has twelve members.") > suits(Kind.NUMBER, "The council has members.")
    assert suits(Kind.WHY, "由于罢工，销售额下降。") > suits(Kind.WHY, "销售额下降。")


@pytest.mark.parametrize(
    "text",
    [
        "FORM 8-K",
        "NETFLIX, INC.",
        "8. Indemnification.",
        "10.2 Employment Agreement, by and between Halden, Inc. and Mary N. Dale, dated August 16, 2022.",
        "(1) Includes 33 mobile stores.",
        "2.1 ASN.1 syntax",
        "3.2 Invoking asn1Coding",
        "threads .",
        "Supported ASN.1 types, list of .",
        "> fit <- lmer(y ~ x, data)",
        "• Why is it free? (https://example.org/why) (in English)",
    ],
)
def test_titles_exhibits_and_footnotes_are_no_answers(text: str) -> None:
    assert is_no_answer(text, "When did Mary Dale become CEO?")


@pytest.mark.parametrize(
    "text",
    ["Mary N. Dale has been appointed President, effective September 1, 2022.", "14 days.", "SALES 12,267 11,866"],
)
def test_a_sentence_that_begins_with_a_name_and_short_values_may_answer(text: str) -> None:
    assert not is_no_answer(text, "When did Mary Dale become CEO?")


@pytest.mark.parametrize(
    ("pattern", "parts", "folded"),
    [
        (fit._FOLLOWS, fit._IN_FOLLOWS, True),
        (fit._BOILERPLATE, fit._IN_BOILERPLATE, True),
        (fit._REFERENCE, fit._IN_REFERENCE, False),
    ],
    ids=["what follows", "boilerplate", "reference"],
)
@given(st.data())
def test_what_a_pattern_finds_has_a_part_that_is_looked_for_first(pattern, parts, folded, data):
    text = data.draw(st.from_regex(pattern, fullmatch=True))
    assert fit._has(text.casefold() if folded else text, parts)


@pytest.mark.parametrize(
    ("kind", "value", "possible"),
    [
        (Kind.NUMBER, "stock price volatility", False),
        (Kind.NUMBER, "fourteen", True),
        (Kind.MONEY, "generally month-to-month", False),
        (Kind.MONEY, "十八万元", True),
        (Kind.PERCENT, "1,106", False),
        (Kind.PERCENT, "two thirds", True),
        (Kind.DATE, "prior to the expiration date", False),
        (Kind.DATE, "the end of World War I", True),
        (Kind.PERSON, "1975", False),
        (Kind.PERSON, "王涛", True),
        (Kind.THING, "anything", True),
    ],
)
def test_a_value_must_be_of_the_kind_that_is_asked_for(kind: Kind, value: str, *, possible: bool) -> None:
    assert may_be(kind, value) is possible


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("In-line stores (including employee-only stores) 46", True),
        ("(Dollars in millions) 2023 2022", True),
        ("Net sales $ 17,626.6 $ (16.2)", True),
        ("The plague reached England in June 1349", False),
        ("It has 46 stores.", False),
        ("It has 46.", False),
    ],
)
def test_a_row_ends_in_values(text: str, *, row: bool) -> None:
    assert is_row(text) is row

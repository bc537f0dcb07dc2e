from __future__ import annotations

import pytest

from rag.answer.claims.check import check_claim
from rag.answer.claims.sources import SourceIndex
from rag.records import ClaimState, Source
from rag.settings import ClaimSettings

REPORT = (
    "Northwind reported revenue of $4.23 billion for fiscal 2023, up 13%. Operating income rose to $512 million, while"
    " net income fell to $287 million. No special dividend was declared. Lisbon overtook Porto as our busiest airport."
)
TABLE = (
    "Income statement (in millions)\n2023 2022 2021\nNet sales 1,496.5 1,202.9 1,107.7\nGross profit 508.3 390.5 347.6"
)
CHINESE = "公司实现营业收入42.3亿元，同比增长13%。未经甲方书面同意，乙方不得转让本合同。王建国接替李慧担任行长。"


def state(sentence: str, *texts: str) -> ClaimState:
    sources = [Source(n, n, "", "", 0, 0, "1", (), text, 0, len(text), 1.0) for n, text in enumerate(texts, 1)]
    return check_claim(sentence, SourceIndex(sources), ClaimSettings()).state


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        pytest.param(
            "Northwind's revenue grew 13 percent to about $4.2 billion in fiscal 2023.", REPORT, id="reworded"
        ),
        pytest.param("Net income declined to $287 million.", REPORT, id="synonym"),
        pytest.param("The company did not declare a special dividend.", REPORT, id="negation reworded"),
        pytest.param("Porto was overtaken by Lisbon as the busiest airport.", REPORT, id="passive"),
        pytest.param("Net sales were $1.5 billion in 2023.", TABLE, id="cell, rounded, in another scale"),
        pytest.param("公司营业收入为42.3亿元，增长百分之十三。", CHINESE, id="Chinese reworded"),
        pytest.param("乙方转让本合同须经甲方书面同意。", CHINESE, id="double negation"),
        pytest.param("Revenue was RMB 4.23 billion, up 13%.", CHINESE, id="across languages"),
        pytest.param("As noted, revenue was $4.23 billion.", REPORT, id="note is not a negation"),
        pytest.param("The company issued bonds.", "The company issued notes and bonds.", id="notes are no negation"),
    ],
)
def test_what_a_source_says_in_other_words_is_supported(sentence, source):
    assert state(sentence, source) is ClaimState.SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        pytest.param("Revenue grew 15% to $4.23 billion.", REPORT, id="number"),
        pytest.param("Northwind reported revenue of $4.23 million for fiscal 2023.", REPORT, id="scale"),
        pytest.param("Net income was $512 million.", REPORT, id="number of something else"),
        pytest.param("Net income rose to $287 million.", REPORT, id="direction"),
        pytest.param("A special dividend was declared.", REPORT, id="negation dropped"),
        pytest.param("Porto overtook Lisbon as our busiest airport.", REPORT, id="names exchanged"),
        pytest.param("Southwind reported revenue of $4.23 billion for fiscal 2023.", REPORT, id="another name"),
        pytest.param("In 2021, gross profit was $390.5 million.", TABLE, id="another column"),
        pytest.param("Net sales were $1,496.5 billion in 2023.", TABLE, id="scale of the table"),
        pytest.param("公司实现营业收入42.3万元，同比增长13%。", CHINESE, id="Chinese scale"),
        pytest.param("公司实现营业收入42.3亿元，同比下降13%。", CHINESE, id="Chinese direction"),
        pytest.param("未经甲方书面同意，乙方可以转让本合同。", CHINESE, id="Chinese negation"),
        pytest.param("李慧接替王建国担任行长。", CHINESE, id="Chinese names exchanged"),
        pytest.param("Revenue was RMB 4.23 million, up 13%.", CHINESE, id="scale across languages"),
    ],
)
def test_one_thing_altered_is_not_supported(sentence, source):
    assert state(sentence, source) is not ClaimState.SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("12.3 + 4.5 = 16.8", ClaimState.SUPPORTED),
        ("12.3 + 4.5 = 16.9", ClaimState.CONTRADICTED),
        ("The sum of 12.3 and 4.5 is 16.8.", ClaimState.SUPPORTED),
        ("The sum of 12.3 and 4.5 is 17.8.", ClaimState.CONTRADICTED),
        ("(12.3 − 4.5) / 4.5 = 173%", ClaimState.SUPPORTED),
        ("(12.3 − 4.5) / 4.5 = 137%", ClaimState.CONTRADICTED),
        ("12.3与4.5之和为16.8。", ClaimState.SUPPORTED),
        ("12.3与4.5之和为17.8。", ClaimState.CONTRADICTED),
        ("12.3 + 9.9 = 22.2", ClaimState.NOT_FOUND),  # the source has no 9.9
    ],
)
def test_calculations_are_worked_out_again(sentence, expected):
    assert state(sentence, "Services earned 12.3 million and products 4.5 million.") is expected


def test_a_rise_from_more_to_less_is_contradicted_by_its_own_numbers():
    assert state("Gross profit fell from 390.5 in 2022 to 508.3 in 2023.", TABLE) is ClaimState.CONTRADICTED


def test_a_claim_may_rest_on_sentences_of_two_sources():
    sentence = "The pump was built in 1931 and the valve was replaced in 2004 by the owner."
    assert state(sentence, "The pump was built in 1931.", "The valve was replaced in 2004 by the owner.") is (
        ClaimState.SUPPORTED
    )


@pytest.mark.parametrize(
    "text", ["1 " * 3_000, "(" * 3_000, "one hundred " * 1_000, "一" * 3_000, "$ " * 3_000, "A" * 9_000]
)
def test_hostile_text_is_checked_like_any_other(text):
    assert state(text + " x", "The pump is red.") is not ClaimState.SUPPORTED
    assert state("The pump is blue.", text) is not ClaimState.SUPPORTED

from __future__ import annotations

import time

import pytest

from rag.answer.summary.profile import is_statement, statements


@pytest.mark.parametrize(
    "sentence",
    [
        "We are a global security and aerospace company principally engaged in the design of advanced systems.",
        "This agreement is governed by the law of the Federal Republic of Germany.",
        "Amber glasses shortened sleep onset by 11.4 minutes on average and lengthened total sleep by 23 minutes.",
        "月租金为人民币7800元，乙方应当在每月5日之前通过银行转账支付。",
        "水泵由不锈钢泵体、单相电机和压力开关组成，适用于水温不超过60摄氏度的清水。",
    ],
)
def test_sentences_that_say_something_by_themselves_are_statements(sentence):
    assert is_statement(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("It was therefore decided to stop the trial at the end of the year.", id="refers back"),
        pytest.param("These results differ from those of the study before in some respects.", id="these"),
        pytest.param(
            "Actual results may differ materially from the forward-looking statements in this report.", id="notice"
        ),
        pytest.param("See Note 12 to the consolidated financial statements for the details of the debt.", id="see"),
        pytest.param("1. Introduction ............................ 3 and the rest of it is here.", id="contents"),
        pytest.param(
            "Total current assets 5,839,774 4,821,892 and 3,111,524 and 2,111,100 for 2020 and 2019.", id="row"
        ),
        pytest.param("Smith, J. and Berg, T. (2012) showed it is so, as was shown by others [3].", id="reference"),
        pytest.param("The board approved the plan that is set out as follows:", id="breaks off"),
        pytest.param("All rights reserved in all of the countries of the world and of the others.", id="copyright"),
        pytest.param("The company grew.", id="short"),
        pytest.param("本公司及全体董事保证本报告内容不存在虚假记载、误导性陈述或重大遗漏。", id="zh notice"),
        pytest.param("其主要产品的销售收入在报告期内有所增长，占比约为三成。", id="zh refers back"),
    ],
)
def test_other_sentences_are_none(sentence):
    assert not is_statement(sentence)


@pytest.mark.parametrize(
    "text", ["A " * 4_000, "for a " * 1_500, "is 1 " * 1_500, "摘要" * 3_000, "the of. " * 1_000, "1. A" * 2_000]
)
def test_hostile_text_takes_no_long_time(text):
    began = time.process_time()
    statements(text)
    is_statement(text)
    assert time.process_time() - began < 2

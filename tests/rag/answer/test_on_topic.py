"""Quotes that speak of something else than what is asked."""

from __future__ import annotations

import pytest

from rag.answer.on_topic import on_topic, without_headings
from rag.reader import Evidence


def quotes(*texts: str) -> list[Evidence]:
    """Sentences of the first source."""
    return [Evidence(1, text, 1.0) for text in texts]


@pytest.mark.parametrize(
    ("question", "quote", "told"),
    [
        ("Does Netflix pay a dividend?", "Amortization of DVD content assets 79,380 71,491", False),
        ("Does Netflix pay a dividend?", "We have never declared or paid any cash dividends.", True),
        ("Who was elected to the board?", "The Board of Directors is not classified.", False),
        ("Who was elected to the board?", "The Board elected Dona D. Young.", True),
        ("Who bought the station?", "The station was named after Mary N. Dale.", False),
        ("Who bought the station?", "Mary N. Dale acquired the station in 2019.", True),
        ("How many votes did each nominee get?", "Each of the ten nominees was elected.", False),
        ("Why did gross margin fall?", "Operating income fell due to marketing costs.", False),
        ("Why is the river called Rhine?", "Revenue grew because of new stores.", False),
        ("Which segment had the largest sales?", "Sales grew in three business segments.", False),
        ("What is the price of the library?", "GNU Libtasn1 is a library.", False),
        ("How long is the notice period?", "It is three months.", True),
        ("最多可以有几名成员？", "欢迎参与。", False),
        ("Which languages does Mira speak?", "Structural engineer in Rotterdam, mira@example.org.", False),
        ("Which languages does Mira speak?", "Languages: Polish and Dutch.", True),
        ("What is the purpose of the bridge?", "It carries trains.", True),
        ("Where is the bridge?", "Revenue grew because of new stores.", True),
        ("公司派发股息吗？", "公司的总部在上海。", True),
        ("蓝桥公司的股票代码是什么？", "蓝桥公司的总部在上海。", False),
        ("交易所停止运营的原因是什么？", "战争使它在1939年关闭。", True),
        ("蓝桥公司的总部在哪里？", "蓝桥公司总部设于上海。", True),
        ("Who is the CEO of Larkspur?", "Larkspur Desktop has Release Notes by Mary Dale.", False),
        ("How long is the warranty of the chair?", "Office chair 12 £89.50", False),
        ("How long is the bridge?", "The bridge is 74 metres long.", True),
    ],
)
def test_quotes_that_lack_what_is_asked_are_told(question: str, quote: str, *, told: bool) -> None:
    assert on_topic(question, quotes(quote), {"netflix"})[0] is told


def test_quotes_that_share_little_beside_the_best_one_are_left_out() -> None:
    good, other = "The compensation of executives was approved by shareholders.", "She serves on the audit committee."
    assert on_topic("Did shareholders approve the executive compensation?", quotes(good, other))[1] == tuple(
        quotes(good)
    )


def test_headings_are_quoted_only_where_there_is_nothing_else() -> None:
    heading, sentence = quotes("FORM 8-K", "The report was filed on May 20.")
    assert without_headings("When was it filed?", [heading, sentence]) == [sentence]
    assert without_headings("When was it filed?", [heading]) == [heading]

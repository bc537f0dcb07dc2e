"""Who holds an office."""

from __future__ import annotations

import pytest

from rag.answer.phrases.offices import asks_for_head, find_holder
from rag.reader import Evidence


@pytest.mark.parametrize(
    ("question", "sentence", "expected"),
    [
        (
            "Who is the CEO of Valley Union?",
            "Also here: Grace Lim, chief executive officer; Tom Vega, chief financial officer.",
            "Grace Lim",
        ),
        (
            "Who is the CFO?",
            "Also here: Grace Lim, chief executive officer; Tom Vega, chief financial officer.",
            "Tom Vega",
        ),
        ("Who is the CEO?", "Neil Foster, former chief executive officer, retired in 2019.", None),
        ("Who is the CEO?", "Prior to Acme, Ann Bell served as Chief Executive Officer of Novex, LLC.", None),
        ("Who is the CEO of Acme?", "Steve Hill 57 Chief Executive Officer, Acme Foods North America", None),
        (
            "Who is the CEO of Acme?",
            "Ramon L. Garza 59 Chairman of the Board of Directors and Chief Executive Officer",
            "Ramon L. Garza",
        ),
        ("Who is the president?", "Ann Bell, Executive Vice President, joined in 2012.", None),
        ("Who is the CEO?", "Our Standards of Business Conduct cover the Chief Executive Officer.", None),
        ("财务总监是谁？", "公司现任财务总监为孙立，前任财务总监郑国栋于2020年辞职。", "孙立"),
        ("总经理是谁？", "公司副总经理为王平，总经理为林海燕。", "林海燕"),
        ("Who succeeds Ann Bell as CEO?", "Ann Bell, chief executive officer, spoke.", None),
        ("Who was the CEO in 2019?", "Ann Bell, chief executive officer, spoke.", None),
    ],
)
def test_a_holder_stands_beside_the_office(question: str, sentence: str, expected: str | None) -> None:
    found = find_holder(question, [Evidence(1, sentence, 1.0)])
    assert (found and found[0].text[found[1] : found[2]]) == expected


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Who runs Valley Union?", True),
        ("Who's in charge of Valley Union now?", True),
        ("who is currently leading Valley Union", True),
        ("Who is the boss of Valley Union?", True),
        ("谷联的老板是谁？", True),
        ("Who ran the marathon?", False),
        ("What runs on the server?", False),
        ("Who is the head chef?", False),
    ],
)
def test_who_runs_a_company_asks_for_its_chief_executive(question: str, asks: bool) -> None:
    head = asks_for_head(question)
    assert (head is not None) is asks
    assert head is None or head.search("our Chief Executive Officer")

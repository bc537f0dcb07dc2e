"""What a question asks for."""

from __future__ import annotations

import pytest

from rag.answer.phrases.kind import Kind, kind_of


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Was the merger approved?", Kind.YES_NO),
        ("Does the policy cover floods?", Kind.YES_NO),
        ("本保险是否承保洪水？", Kind.YES_NO),
        ("可以携带宠物吗？", Kind.YES_NO),
        ("哪项法令规定了是否需要登记？", Kind.THING),
        ("Is the pump red or blue?", Kind.THING),
        ("What are the three segments of the company?", Kind.LIST),
        ("Which products are covered by the warranty?", Kind.LIST),
        ("主要风险有哪些？", Kind.LIST),
        ("Why did sales fall?", Kind.WHY),
        ("What caused the delay?", Kind.WHY),
        ("销售额为什么下降？", Kind.WHY),
        ("这家公司更名为什么？", Kind.THING),
        ("How is the filter cleaned?", Kind.HOW),
        ("如何清洗滤网？", Kind.HOW),
        ("How long is the notice period?", Kind.DURATION),
        ("保修期多久？", Kind.DURATION),
        ("How many members does the council have?", Kind.NUMBER),
        ("委员会有几名成员？", Kind.NUMBER),
        ("How much does the repair cost?", Kind.MONEY),
        ("押金是多少钱？", Kind.MONEY),
        ("What were Northwind's revenues in 2028?", Kind.MONEY),
        ("What were its main expenses in 2028?", Kind.LIST),
        ("What percentage of the votes is needed?", Kind.PERCENT),
        ("When does the contract end?", Kind.DATE),
        ("合同什么时候到期？", Kind.DATE),
        ("Who signed the letter?", Kind.PERSON),
        ("What is its net debt? Answer as an analyst who can only use the balance sheet.", Kind.THING),
        ("谁签署了这封信？", Kind.PERSON),
        ("Where is the head office?", Kind.PLACE),
        ("总部在哪里？", Kind.PLACE),
        ("What is the name of the valve?", Kind.THING),
    ],
)
def test_words_of_a_question_tell_what_it_asks_for(question: str, kind: Kind) -> None:
    assert kind_of(question) is kind


def test_a_very_long_question_is_looked_at_in_part() -> None:
    assert kind_of("x " * 100_000 + "why?") is Kind.THING

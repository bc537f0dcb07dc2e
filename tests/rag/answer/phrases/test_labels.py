"""Lines that name what they give."""

from __future__ import annotations

import pytest

from rag.answer.phrases.labels import find_labelled
from rag.reader import Evidence

LINES = [
    "甲方联系人：钱小波",
    "甲方（采购方）：南京恒泽科技有限公司",
    "Contract number: CG-7",
    "We sell: pumps; valves",
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("甲方是谁？", "南京恒泽科技有限公司"),
        ("What is the contract number?", "CG-7"),
        ("甲方的电话是多少？", None),
        ("What do we sell?", None),
    ],
)
def test_a_label_must_say_just_what_is_asked_for(question: str, expected: str | None) -> None:
    found = find_labelled(question, [Evidence(1, line, 1.0) for line in LINES])
    assert (found and found[0].text[found[1] : found[2]]) == expected


def test_a_value_that_the_label_holds_too_is_marked_where_it_stands_as_the_value() -> None:
    found = find_labelled("What is the number of model 7?", [Evidence(1, "Number of model 7: 7", 1.0)])
    assert found is not None
    assert found[1:] == (19, 20)

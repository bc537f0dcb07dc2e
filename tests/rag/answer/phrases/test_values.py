"""Values within spans."""

from __future__ import annotations

import pytest

from rag.answer.phrases.kind import Kind
from rag.answer.phrases.values import cut_to_value


@pytest.mark.parametrize(
    ("kind", "question", "text", "span", "expected"),
    [
        (
            Kind.MONEY,
            "What would a roof cost?",
            "It would cost 1.9 million crowns.",
            "1.9 million",
            "1.9 million crowns",
        ),
        (Kind.MONEY, "收购花了多少钱？", "以1.8亿元收购了桂香公司80%的股权", "1.8亿元收购了桂香公司80%", "1.8亿元"),
        (
            Kind.DURATION,
            "How long is the warranty for the pump?",
            "It is 24 months from purchase; for the pump it is five years.",
            "24 months from purchase; for the pump it is five years",
            "five years",
        ),
        (
            Kind.DURATION,
            "How long?",
            "until the end of the term",
            "until the end of the term",
            "until the end of the term",
        ),
        (Kind.DURATION, "会议持续多久？", "会议预计持续一个半小时。", "半小时", "一个半小时"),
        (Kind.DURATION, "租期多长？", "租期为一年半。", "年半", "一年半"),
        (Kind.THING, "What is it?", "a pump; and a valve", "a pump; and a valve", "a pump; and a valve"),
    ],
)
def test_a_value_is_cut_out_and_keeps_its_unit(kind: Kind, question: str, text: str, span: str, expected: str) -> None:
    start = text.index(span)
    start, end = cut_to_value(kind, question, text, start, start + len(span))
    assert text[start:end] == expected

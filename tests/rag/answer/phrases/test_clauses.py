"""The number of the clause that a question is about."""

from __future__ import annotations

import pytest

from rag.answer.phrases.values import in_asked_clause

FRAME = "The frame is guaranteed for ten years, the battery for two years, whichever comes first."
LIFT = "5号楼加装电梯的议案，同意187户，反对142户，弃权23户。"
BASIN = (
    "This basin encompasses 7,000,000 square kilometres (2,700,000 sq mi), of which 5,500,000 square kilometres"
    " (2,100,000 sq mi) are covered by the rainforest."
)


@pytest.mark.parametrize(
    ("question", "text", "span", "expected"),
    [
        ("How long is the battery guaranteed?", FRAME, "ten years", "two years"),
        ("How long is the frame guaranteed?", FRAME, "ten years", "ten years"),
        ("加装电梯的议案有多少户反对？", LIFT, "187户", "142户"),
        ("加装电梯的议案有多少户同意？", LIFT, "187户", "187户"),
        ("How many square kilometers of rainforest is covered in the basin?", BASIN, "7,000,000", "5,500,000"),
        ("How many square kilometers does the basin encompass?", BASIN, "7,000,000", "7,000,000"),
    ],
)
def test_of_several_numbers_the_one_in_the_clause_asked_about(
    question: str, text: str, span: str, expected: str
) -> None:
    start, end = in_asked_clause(question, text, text.index(span), text.index(span) + len(span))
    assert text[start:end] == expected


def test_a_span_without_a_number_stays() -> None:
    assert in_asked_clause("How long is the battery guaranteed?", FRAME, 4, 9) == (4, 9)

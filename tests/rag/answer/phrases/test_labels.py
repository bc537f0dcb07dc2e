"""Lines that name what they give."""

from __future__ import annotations

import pytest

from rag.answer.phrases.labels import find_expansion, find_numbered
from rag.reader import Evidence


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("ITP 是什么意思", "则可以提交一份 ITP (Intent To Package，打包意向) 报告。", "Intent To Package，打包意向"),
        (
            "What does FHS stand for?",
            "The Filesystem Hierarchy Standard (FHS) is a standard.",
            "Filesystem Hierarchy Standard",
        ),
        ("What does FHS stand for?", "The FHS is a standard.", None),
        ("What is FHS?", "The Filesystem Hierarchy Standard (FHS) is a standard.", None),
    ],
)
def test_an_abbreviation_is_given_in_full(question: str, text: str, expected: str | None) -> None:
    found = find_expansion(question, [Evidence(1, text, 1.0)])
    assert (found and text[found[1] : found[2]]) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the account number?", "5530 1198"),
        ("What is the sort code of the bank?", "20-45-77"),
        ("What is the order number?", None),
        ("What is the telephone number?", None),
    ],
)
def test_a_number_stands_behind_its_name(question: str, expected: str | None) -> None:
    lines = ["Accounts: 0117 496 0022.", "Please pay to Severn Bank, sort code 20-45-77, account 5530 1198."]
    found = find_numbered(question, [Evidence(1, line, 1.0) for line in lines])
    assert (found and found[0].text[found[1] : found[2]]) == expected

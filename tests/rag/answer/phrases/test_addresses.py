"""Addresses that a question asks for."""

from __future__ import annotations

import pytest

from rag.answer.phrases.labels import asked_address, find_address
from rag.reader import Evidence

SENTENCES = [
    "The element is named mime-info and its namespace URI is http://www.freedesktop.org/standards/shared-mime-info.",
    "In 2018 the company sold 3,600 units (2017: 3,200) for $1,234,567.89.",
    "Report bugs to: help-libtasn1@gnu.org, or see <https://www.gnu.org/software/libtasn1/>.",
    "Our telephone number is (612) 291-1000; 联系电话：010-6275 1234，网址：https://example.com.cn/报告。",
]


def test_a_telephone_number_is_given_with_its_country() -> None:
    written = asked_address("What is her phone number?")
    assert written is not None
    text = "mira@example.org, +31 6 5550 1284"
    found = find_address(written, [Evidence(1, text, 1.0)])
    assert found is not None
    assert text[found[1] : found[2]] == "+31 6 5550 1284"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the namespace URI of the source files?", "http://www.freedesktop.org/standards/shared-mime-info"),
        ("What is the e-mail address for bug reports?", "help-libtasn1@gnu.org"),
        ("What is the company's phone number?", "(612) 291-1000"),
        ("联系电话是多少？", "(612) 291-1000"),
        ("公司的网址是什么？", "http://www.freedesktop.org/standards/shared-mime-info"),
    ],
)
def test_an_address_is_found_by_how_it_is_written(question: str, expected: str) -> None:
    written = asked_address(question)
    assert written is not None
    found = find_address(written, [Evidence(1, sentence, 1.0) for sentence in SENTENCES])
    assert found is not None
    assert found[0].text[found[1] : found[2]] == expected


@pytest.mark.parametrize(
    "question",
    [
        "Which website was launched in 2008?",
        "What was sold by phone in 2018?",
        "What links the two companies?",
        "How many units were sold?",
        "Who is called the father of e-mail?",
        "谁发明了电话？",
    ],
)
def test_other_questions_ask_for_no_address(question: str) -> None:
    assert asked_address(question) is None


def test_amounts_and_years_are_no_telephone_numbers() -> None:
    written = asked_address("What is the phone number?")
    assert written is not None
    assert find_address(written, [Evidence(1, SENTENCES[1], 1.0)]) is None

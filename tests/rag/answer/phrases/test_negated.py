"""Questions for what is not so."""

from __future__ import annotations

import pytest

from rag.answer.phrases.negated import count_denials, denies, is_negated


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which types does the parser not handle?", True),
        ("What doesn’t the warranty cover?", True),
        ("Where is corporal punishment no longer practised?", True),
        ("哪些费用不能报销？", True),
        ("Which senior notes were issued?", False),
        ("Is it portable or not?", False),
        ("Who has no husband?", False),
        ("What is not only cheap but fast?", False),
        ("合同有没有期限？", False),
    ],
)
def test_a_question_is_negated_where_its_verb_is_denied(question: str, expected: bool) -> None:
    assert is_negated(question) is expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("This version doesn’t handle the REAL type.", True),
        ("Damage by water is excluded.", True),
        ("The fee is non-refundable.", True),
        ("餐费不予报销。", True),
        ("The main type used in it is asn1_node.", False),
        ("The notes were issued in 2018.", False),
    ],
)
def test_a_sentence_denies_by_its_words(sentence: str, expected: bool) -> None:
    assert denies(sentence) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The company did not fail to pay.", 2),
        ("Smoking is prohibited.", 1),
        ("Students who failed to attend are exempt.", 2),
        ("员工不得将房屋转租。", 1),
        ("公司拒绝赔偿，不过会道歉。", 1),
        ("Only members may vote.", 0),
    ],
)
def test_denials_are_counted_once_each(text: str, expected: int) -> None:
    assert count_denials(text) == expected

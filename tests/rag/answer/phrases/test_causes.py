"""Which sentences give the cause of what is asked."""

import pytest

from rag.answer.phrases.causes import gives_cause

QUESTION = "Why did Halden's net sales decline in 2023?"


@pytest.mark.parametrize(
    ("sentence", "gives"),
    [
        ("Net sales decreased 5% in 2023, due to lower volumes.", True),
        ("Net income decreased by $66 million, due to lower demand.", False),
        ("Net sales increased 5% in 2023, due to higher prices.", False),
        ("Net sales decreased 5% in 2023 to $66 million.", False),
    ],
)
def test_the_cause_of_a_fall_is_of_the_same_thing_and_of_a_fall(sentence: str, gives: bool) -> None:
    assert gives_cause(QUESTION, sentence, max(sentence.find("due to"), 0)) == gives


def test_what_does_not_move_needs_the_sign_of_a_cause_alone() -> None:
    question = "Why was the plant closed?"
    assert gives_cause(question, "It was closed because the lease had ended.", 14)
    assert not gives_cause(question, "We are confident in the new plant.", 7)

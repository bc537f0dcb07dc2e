"""Answers beside the ones expected: numbers are equal after scale, and a text answer need only hold what is wanted."""

from __future__ import annotations

import pytest

from rag.evaluation.expected import given_text, score_answer, supported_claims
from rag.records import Answer, AnswerState, ClaimState, Sentence, ShortAnswer


def short(*values: str, scale: str = "") -> Answer:
    return Answer((), "quotes", short=ShortAnswer(values, scale, (), "", ()))


def written(*sentences: str) -> Answer:
    return Answer(tuple(Sentence(text, ()) for text in sentences), "model")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (short("$1,577", scale="million"), "1577 million"),
        (short("$1,577", scale="million"), "$1,577,000 thousand"),
        (short("$1,577", scale="million"), "1,577"),  # nobody types the scale of a column
        (short("4,218", scale="million"), "4,218 million euros"),
        (short("12.5", scale="hundred million"), "12.5亿元"),
        (short("3,200", scale="ten thousand"), "3200 万"),
        (short("7.1", scale="percent"), "7.1%"),
        (short("0.07"), "7 %"),
        (short("(45)"), "-45"),
        (short("Ann Lee", "Bo Chen"), "bo chen; Ann Lee."),
        (short("大坝高三十米"), "大坝高三十米。"),
        (written("It was 4,218 million euros in 2023.", "Costs fell."), "4218 million"),
        (written("It was 4,218 million euros in 2023."), "4,218"),
        (written("收入为12.5亿元。"), "12.5亿"),
        (written("The pump weighs 12 kg and is red."), "12 kg; red"),
        (written("大坝高三十米，建于一九三一年。"), "三十米"),
    ],
)
def test_it_is_right(answer, expected):
    assert score_answer(answer, expected).exact == 1.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (short("$1,577", scale="million"), "1,577 billion"),
        (short("$1,577", scale="million"), "1,578"),
        (short("1,577"), "-1,577"),
        (short("Ann Lee"), "Ann Lee; Bo Chen"),
        (written("It was 4,218 million euros."), "4,218 billion"),
        (written("It was 14,218 million euros."), "4,218"),
        (written("A recant of what was said."), "cant"),
        (written("Nothing."), " ; "),
        (short("?"), "!"),
        (Answer((Sentence("It is 12 kg.", ()),), "quotes", AnswerState.NONE), "12 kg"),
    ],
)
def test_it_is_wrong(answer, expected):
    assert score_answer(answer, expected).exact == 0.0


def test_a_part_of_what_is_expected_counts_in_f1():
    assert 0 < score_answer(short("Ann Lee"), "Ann Lee; Bo Chen").f1 < 1
    assert 0 < score_answer(written("The pump is red."), "a red valve").f1 < 1


def test_what_was_given_is_one_short_line():
    assert given_text(short("$1,577", scale="million")) == "$1,577 million"
    assert given_text(written("One\nline.")) == "One line."
    assert len(given_text(written("word " * 100))) == 200
    assert given_text(Answer((), "quotes", AnswerState.NONE)) == ""


def test_only_sentences_that_claim_something_count():
    states = (ClaimState.SUPPORTED, ClaimState.NOT_FOUND, ClaimState.CONTRADICTED, None)
    assert supported_claims(Answer(tuple(Sentence("x", (), claim=one) for one in states), "model")) == (1, 3)

from __future__ import annotations

import time

import pytest

from rag.reader import Turn
from rag.retrieve.follow_up import MAX_CHARACTERS, complete_question
from tests.rag.retrieve.follow_up_set import follow_ups, is_understood, words

CASES = list(follow_ups())
REVENUE = Turn("What was Ulta's revenue in 2021?", "$8,630.9 million")


@pytest.mark.parametrize(("held_out", "level"), [(False, 0.97), (True, 0.95)])
def test_follow_ups_are_understood_and_complete_questions_left_alone(held_out, level):
    cases = [case for case in CASES if case["held_out"] == held_out]
    assert sum(map(is_understood, cases)) >= level * len(cases)
    for language in ("en", "zh"):
        own = [case for case in cases if case["language"] == language]
        complete = [case for case in own if case["accepted"] == [case["question"]]]
        assert len(own) >= 35
        assert len(own) * 0.4 <= len(complete) <= len(own) * 0.6
        assert sum(map(is_understood, complete)) >= 0.92 * len(complete)


def test_the_comparison_wants_all_words_and_no_others():
    assert words("What was Ulta's revenue in 2020?") == words("what is the revenue of Ulta, 2020")
    assert words("What was Ulta's revenue in 2020?") != words("What was Ulta's revenue in 2021?")
    assert words("贵州茅台2020年的营业收入是多少？") != words("贵州茅台2020年的净利润是多少？")


@pytest.mark.parametrize(
    ("question", "completed"),
    [
        ("and in 2020?", "What was Ulta's revenue in 2020?"),
        ("And Best Buy?", "What was Best Buy's revenue in 2021?"),
        ("What about operating income?", "What was Ulta's operating income in 2021?"),
        ("Who is the CEO?", "Who is the CEO?"),
        ("What about 比亚迪?", "What was 比亚迪's revenue in 2021?"),
    ],
)
def test_what_changed_is_replaced(question, completed):
    assert complete_question(question, [REVENUE]) == completed
    assert complete_question(question, []) == question


def test_a_chain_goes_on_from_the_question_as_it_was_completed():
    chain = [REVENUE, Turn("And Best Buy?", "$51.8 billion"), Turn("What about net income?", "$2.4 billion")]
    assert complete_question("and in 2019?", chain) == "What was Best Buy's net income in 2019?"


def test_the_question_as_the_person_corrected_it_is_what_a_follow_up_starts_from():
    chain = [REVENUE, Turn("And Best Buy?", "…", "What was Best Buy's profit in 2018?")]
    assert complete_question("and in 2019?", chain) == "What was Best Buy's profit in 2019?"


def test_a_follow_up_that_fits_nothing_is_searched_with_the_question_before():
    assert complete_question("Which ones?", [REVENUE]) == "What was Ulta's revenue in 2021? Which ones?"


def test_a_long_question_says_itself_what_it_is_about():
    question = "it " * MAX_CHARACTERS
    assert complete_question(question, [REVENUE]) == question


@pytest.mark.parametrize(
    "text",
    [
        "what about " * 25,
        "it's " * 58,
        "the the " * 37,
        "in in 2020 2021 " * 18,
        "的的" * 140 + "呢",
        "那" * 290,
        "20" * 148,
        "?" * 290,
    ],
)
def test_hostile_text_takes_no_long_time(text):
    began = time.process_time()
    complete_question(text[:MAX_CHARACTERS], [Turn(text * 20, text * 100)] * 6)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("before", ["???", "and and and", ".", "。。"])
def test_a_question_before_that_holds_nothing_is_no_obstacle(before):
    assert complete_question("and in 2020?", [Turn(before, "There is nothing.")])


def test_a_name_twice_in_the_question_before_is_no_obstacle():
    assert complete_question("who founded it?", [Turn("July 和 July", "July 和 July" * 5)] * 6)

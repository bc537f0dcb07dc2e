"""What a number in a sentence counts, and of which year it is."""

from __future__ import annotations

import pytest

from rag.answer.phrases.counted import (
    counts_condition,
    counts_others,
    holds_count,
    is_of_other_deed,
    is_of_other_years,
    names_count,
)


@pytest.mark.parametrize(
    ("question", "sentence", "number", "others"),
    [
        ("How many votes did she get?", "Each of the ten nominees was elected.", "ten", True),
        ("How many broker non-votes were there?", "3 Years Abstentions Broker Non-Votes", "3", True),
        ("How many nominees were there?", "Each of the ten nominees was elected.", "ten", False),
        ("How many stores did it operate?", "We operated 925 stores.", "925", False),
        ("How many people live there?", "The population was 494,665 in 2010.", "494,665", False),
        ("How many balls did he intercept?", "He had four interceptions.", "four", False),
        ("How many people work there?", "It has 6,400 employees.", "6,400", False),
        ("How many items are on show?", "It shows over 14,000 outfits.", "14,000", False),
        ("How many employees are there?", "We had 1,853 full-time employees.", "1,853", False),
    ],
)
def test_a_number_counts_what_stands_behind_it(question: str, sentence: str, number: str, *, others: bool) -> None:
    assert counts_others(question, sentence, sentence.index(number)) is others


def test_a_sentence_about_other_years_is_told() -> None:
    question = "How many stores were there at the end of fiscal 2023?"
    assert is_of_other_years(question, "In fiscal 2024 we expect to close 20 to 30 stores.")
    assert not is_of_other_years(question, "In fiscal 2023 and 2024 we closed 30 stores.")
    assert not is_of_other_years(question, "We closed 30 stores.")
    assert not is_of_other_years(question, "There were 30 stores, compared to 28 in 2022.")


def test_a_year_and_numbers_of_other_things_are_no_count() -> None:
    question = "How many votes did each nominee get?"
    assert not holds_count(question, "Each of the ten nominees was elected on May 18, 2028.")
    assert holds_count(question, "She got 54,993,396 votes.")


@pytest.mark.parametrize(("span", "says"), [("Macau", False), ("16", True), ("about twenty", True), ("none", True)])
def test_how_many_is_answered_by_a_number(span: str, *, says: bool) -> None:
    assert names_count(span) is says


def test_what_was_ordered_is_not_yet_delivered() -> None:
    question = "How many aircraft did Northwind deliver in 2028?"
    assert is_of_other_deed(question, "It was awarded the production of 16 aircraft in 2028.")
    assert not is_of_other_deed(question, "Of 30 aircraft ordered, 16 were delivered in 2028.")
    assert is_of_other_deed(question, "There were 16 aircraft in 2028.")  # nothing says that they were delivered


@pytest.mark.parametrize(
    ("question", "text", "number", "repeats"),
    [
        (
            "How much memory does it need for the default block size?",
            "With a 900k block size it is slow.",
            "900k",
            True,
        ),
        ("How many days off does one get after 10 years of service?", "After 10 years of service.", "10", True),
        ("How many years of service are needed?", "After 10 years of service.", "10", False),
        ("How many people speak Dutch?", "About 25 million people speak Dutch.", "25 million", False),
        ("How many people live in Delft?", "About 100,000 live in Delft.", "100,000", False),
    ],
)
def test_a_number_of_the_condition_is_no_answer(question: str, text: str, number: str, *, repeats: bool) -> None:
    assert counts_condition(question, text, text.index(number) + len(number)) is repeats

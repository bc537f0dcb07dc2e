"""Spans made fit to be stated."""

from __future__ import annotations

import pytest

from rag.answer.phrases.kind import Kind
from rag.answer.phrases.refine import (
    answers_nothing,
    completed,
    is_clause,
    is_no_choice,
    is_of_condition,
    refined,
)

TERM = "The tenancy begins on 1 April 2021 and continues for eighteen months, ending on 30 September 2022."
VOTES = "Of 65 members present, 25 votes for and 40 against were counted."
RANGE = "$2.2 billion and $3 billion"
FEE = "The board lowered the fee from $28 to $19 with effect from 1 January."


@pytest.mark.parametrize(
    ("kind", "question", "text", "span", "expected"),
    [
        (Kind.DATE, "When does the tenancy end?", TERM, "2021", "30 September 2022"),
        (Kind.DATE, "When does the tenancy begin?", TERM, "2021", "1 April 2021"),
        (Kind.DATE, "When is the meeting?", "It is held on 16 November 2022.", "16 November", "16 November 2022"),
        (
            Kind.DATE,
            "When was it founded?",
            "Founded on May 2, 1997 and opened its first shop in 1998.",
            "1997 and opened its first shop in 1998",
            "May 2, 1997",
        ),
        (Kind.DATE, "When did he join?", "He has been a director since February 1991.", "1991", "February 1991"),
        (Kind.DATE, "In what year did he join?", "He has been a director since February 1991.", "1991", "1991"),
        (Kind.MONEY, "How much is planned?", "It plans between $2.2 billion and $3 billion.", "$3 billion", RANGE),
        (Kind.NUMBER, "How many members voted against it?", VOTES, "25 votes for and 40", "40"),
        (Kind.NUMBER, "How many votes were cast in favour?", VOTES, "25 votes for and 40", "25"),
        (Kind.NUMBER, "How many people came to the vote?", VOTES, "65", "65"),
        (Kind.MONEY, "What is the new fee?", FEE, "$28", "$19"),
        (Kind.MONEY, "What was the fee?", FEE, "$28", "$28"),
        (Kind.MONEY, "新的费用是多少？", "费用从28元下调至19元。", "28元", "19元"),
    ],
)
def test_a_span_becomes_what_is_asked_for(kind: Kind, question: str, text: str, span: str, expected: str) -> None:
    start = text.index(span)
    start, end = refined(kind, question, text, start, start + len(span))
    assert text[start:end] == expected


@pytest.mark.parametrize(
    ("question", "text", "span", "nothing"),
    [
        ("Who audited Acme in 2021?", "We have audited Acme Inc. and others.", "Acme Inc", True),
        ("额定功率是多少？", "额定功率 650瓦 860瓦", "650瓦 860瓦", True),
        ("How tall is he?", "He is 6 feet 2 inches tall.", "6 feet 2 inches", False),
        ("Which is larger, Acme or Novex?", "Acme is larger.", "Acme", False),
        ("What is Acme's business?", "Acme (the Company) is a public company.", "the Company", True),
        ("Who owns the rest of Acme?", "Acme Holdings, LLC manages it.", "Acme Holdings", True),
        ("这家企业做什么？", "本集团主营水泵。", "集团", True),
        ("What is the limit?", "Baggage £1,500 £75", "£1,500 £75", True),
        ("What is the limit?", "Baggage £1,500 £75", "£1,500", False),
        ("How much rain do they hold?", "They hold twice as much as gravel.", "twice", True),
        ("Which years were wet?", "It rained in 2019 and 2020.", "2019 and 2020", False),
        ("Which years were wet?", "In 2020 and 2019 it rained.", "2020 and 2019", True),
        ("How often is it cleaned?", "It is cleaned twice.", "twice", False),
    ],
)
def test_what_says_nothing_is_not_stated(question: str, text: str, span: str, *, nothing: bool) -> None:
    start = text.index(span)
    assert answers_nothing(question, text, start, start + len(span)) is nothing


@pytest.mark.parametrize(
    ("kind", "question", "text", "span", "whole"),
    [
        (Kind.PERSON, "签字注册会计师是谁？", "签字注册会计师为王涛、李静。", "王涛", "王涛、李静"),
        (
            Kind.THING,
            "Who made the oven?",
            "Service: Varmora Household GmbH, Linz.",
            "Household GmbH",
            "Varmora Household GmbH",
        ),
        (
            Kind.NUMBER,
            "How often is it run?",
            "Run it at 240 °C for one hour once a month.",
            "one hour",
            "once a month",
        ),
        (Kind.PERSON, "Who wrote it?", "It was written by Ann Lee in 1999.", "Ann Lee", "Ann Lee"),
    ],
)
def test_a_span_takes_along_what_belongs_to_it(kind: Kind, question: str, text: str, span: str, whole: str) -> None:
    start = text.index(span)
    first, last = completed(kind, question, text, start, start + len(span))
    assert text[first:last] == whole


def test_of_two_things_to_choose_from_no_third_is_taken() -> None:
    assert is_no_choice("Which has the higher power, EX-60 or EX-75?", "Varmora")
    assert not is_no_choice("Which has the higher power, EX-60 or EX-75?", "EX-75")
    assert not is_no_choice("Which oven is it?", "Varmora")


@pytest.mark.parametrize("span", ["the Form 8-K filing is intended to satisfy the obligation", "a " * 14])
def test_a_clause_names_nobody(span: str) -> None:
    assert is_clause(span)


@pytest.mark.parametrize("span", ["Anna Keller", "the International Business Machines Corporation of New York"])
def test_a_name_is_no_clause(span: str) -> None:
    assert not is_clause(span)


def test_a_span_that_points_elsewhere_or_gives_two_numbers_answers_nothing() -> None:
    for span in ("following persons", "the undersigned", "100 and 110"):
        assert answers_nothing("How many were there?", f"There were {span}.", 11, 11 + len(span))


def test_a_condition_that_the_question_repeats_answers_nothing() -> None:
    text = "If the two differ, the policy applies."
    assert is_of_condition("What happens if they differ?", text, 3, 17)
    assert not is_of_condition("What happens if they differ?", text, 19, 37)
    assert not is_of_condition("What differs?", text, 3, 10)
    text = "When it began it used the Astra satellite, which was new."
    assert not is_of_condition("What was used when it began?", text, 26, 31)

"""Bounds and superlatives."""

from __future__ import annotations

import pytest

from rag.answer.phrases.limits import (
    bound_asked_for,
    is_of_other_noun,
    is_part,
    lacks_extreme,
    lacks_order,
    lacks_verb,
)


@pytest.mark.parametrize(
    ("question", "text", "span", "expected"),
    [
        ("How many members can it have?", "It consists of up to 8 people, and should have at least 4.", "4", "8"),
        ("How many members must it have?", "It consists of up to 8 people, and should have at least 4.", "8", "4"),
        ("委员会最多有几名成员？", "委员会至少4名、最多8名成员。", "4", "8"),
        ("How many members can it have?", "It has more than 8 members.", "8", "8"),
        ("How many members does it have?", "It has at least 4 members, up to 8.", "4", "4"),
    ],
)
def test_the_bound_asked_for_is_given(question: str, text: str, span: str, expected: str) -> None:
    start = text.index(span)
    start, end = bound_asked_for(question, text, start, start + len(span))
    assert text[start:end] == expected


def test_who_it_works_with_is_not_who_it_competes_with() -> None:
    question = "who does the business compete with?"
    assert lacks_verb(question, "The business works with researchers.")
    assert not lacks_verb(question, "Its competitors include Acme.")


def test_a_sentence_without_the_deed_is_told() -> None:
    assert lacks_verb("Who bought the station?", "The station was named after Mary N. Dale.")
    assert not lacks_verb("Who bought the station?", "Mary N. Dale acquired the station in 2019.")
    assert not lacks_verb("Who wrote the manual?", "The manual was written by Mary N. Dale.")
    assert not lacks_verb("Who founded the station?", "Mary N. Dale set it up in 1931.")
    assert not lacks_verb("Who resigned?", "Mary N. Dale will step down on 30 June.")
    assert lacks_verb("Who founded the station?", "Mary N. Dale will step down on 30 June.")
    assert not lacks_verb("Who is the mayor?", "The station was named after Mary N. Dale.")


def test_an_amount_that_is_called_something_else_is_told() -> None:
    question = "What was the impairment of Prozone in 2019?"
    value, impairment = (
        "The carrying value pre-impairment of £41.5 million.",
        "An impairment of £7.4 million was booked.",
    )
    assert is_of_other_noun(question, value, value.index("£"), [value, impairment])
    assert not is_of_other_noun(question, value, value.index("£"), [value])  # nothing else is called so
    assert not is_of_other_noun(question, impairment, impairment.index("£"), [value, impairment])


def test_who_came_before_another_stands_where_an_order_is_told() -> None:
    question = "Who was the treasurer before Helen Okafor?"
    assert lacks_order(question, "Helen Okafor was elected treasurer; Simon Baird received 12 votes.")
    assert not lacks_order(question, "Walter Prosser stepped down as treasurer.")
    assert not lacks_order("Who is the treasurer?", "Helen Okafor was elected treasurer.")


def test_what_is_the_most_is_told_by_a_text_that_compares() -> None:
    question = "Which game brings it most of its revenue?"
    assert lacks_extreme(question, "Revenue fell, primarily due to lower revenue from the game Destiny.")
    assert not lacks_extreme(question, "Candy Crush is our largest source of revenue.")
    assert not lacks_extreme("Which game brings it revenue?", "The game Destiny brings revenue.")


def test_a_number_after_including_is_of_a_part_unless_the_question_asks_for_it() -> None:
    text = "We have recycled 2.7 billion pounds of electronics, including 183 million pounds in Canada."
    part, whole = text.index("183"), text.index("2.7")
    assert is_part("How many pounds of electronics has it recycled?", text, part)
    assert not is_part("How many pounds has it recycled in Canada?", text, part)
    assert not is_part("How many pounds of electronics has it recycled?", text, whole)

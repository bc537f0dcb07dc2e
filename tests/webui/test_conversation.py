"""A conversation as data: what the engine is told of it, and that it can be stored."""

import json
from dataclasses import replace

import pytest

from rag.messages import Message
from rag.reader import Turn
from rag.records import (
    Answer,
    AnswerState,
    Citation,
    ClaimState,
    Conflict,
    Found,
    Sentence,
    ShortAnswer,
    Signal,
    TableExcerpt,
)
from tests.webui.fake_engine import document, source
from webui.conversation import HISTORY_TURNS, UNREADABLE, Conversation, Exchange, stored_exchange

SOURCE = source(1, document("报告.pdf"), signals=(Signal("vectors", 0.5, 1),), passage_span=(3, 9))
ANSWER = Answer((Sentence("Sales rose.", (Citation(1, 0, 5),)), Sentence("Costs fell.", (), " ")), "GLM")
SHORT = ShortAnswer(("$197",), "million", ("Total revenue", "2022"), "", (Citation(1, 40, 44), Citation(1, 50, 54)))
TABLE = TableExcerpt("In millions", ("2022", "2021"), (("Total revenue", "$197", ""),), ((0, 0),))
CONTRADICTED = Sentence("It rose.", (Citation(1, 0, 3),), "", ClaimState.CONTRADICTED, (Conflict(0, 2, 1, 3, 7),))
FAILED = Message("{name}: {reason}", {"name": "a", "reason": Message("It has {n} pages.", {"n": 3})})
EXCHANGES = [
    pytest.param(Exchange(1, "q", "GLM", Found((SOURCE,), "q2", ("a", "b"), False), "t", ANSWER), id="answered"),
    pytest.param(Exchange(5, "q", found=Found((SOURCE,), "q"), answer=replace(ANSWER, short=SHORT)), id="a figure"),
    pytest.param(
        Exchange(
            6,
            "q",
            found=Found((SOURCE,), "q"),
            answer=replace(ANSWER, short=replace(SHORT, table=TABLE, confidence=0.7)),
        ),
        id="a figure with its rows",
    ),
    pytest.param(Exchange(7, "q", answer=replace(ANSWER, sentences=(CONTRADICTED,))), id="a contradicted claim"),
    pytest.param(Exchange(10, "q", text="It rose. A", stopped=True, checked=(CONTRADICTED,)), id="checked in part"),
    pytest.param(Exchange(8, "hello", answer=Answer((), "", reply=Message("Hello {who}", {"who": "you"}))), id="reply"),
    pytest.param(Exchange(9, "q", answer=replace(ANSWER, state=AnswerState.CLOSEST, missing=("2015",))), id="closest"),
    pytest.param(
        Exchange(2, "大坝？", found=Found((), "q"), answer=replace(ANSWER, state=AnswerState.NONE)), id="refused"
    ),
    pytest.param(Exchange(3, "q", error=FAILED, documents=()), id="failed"),
    pytest.param(Exchange(4, "q", text="Half", stopped=True, documents=("x", "y")), id="stopped"),
]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchange_is_the_same_after_it_was_stored(exchange):
    assert Exchange.from_json(exchange.to_json()) == exchange


def test_an_answer_that_was_running_when_stored_counts_as_stopped():
    exchange = Exchange.from_json(Exchange(1, "q", text="Half").to_json())
    assert exchange.stopped
    assert not exchange.running


def test_fields_that_came_later_get_their_defaults_and_unknown_ones_are_passed_over():
    data = json.loads(Exchange(1, "q", found=Found((SOURCE,), "q"), answer=replace(ANSWER, short=SHORT)).to_json())
    for later in ("parent", "options", "only", "helpful", "reason", "checked"):
        del data[later]
    del data["found"]["sources"][0]["passage_span"]
    data["of_a_later_version"] = data["answer"]["of_a_later_version"] = 1
    data["answer"]["short"]["citations"][0]["support"] = 1.0  # as earlier versions stored it
    read = Exchange.from_json(json.dumps(data))
    assert read.source(1).document == "报告.pdf"
    assert read.answer is not None
    assert read.answer.short == SHORT


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": 1}', '{"id": 3, "question": "q", "found": 7}', "nonsense"])
def test_what_cannot_be_read_says_so_in_its_place(text):
    exchange = stored_exchange(3, text)
    assert (exchange.id, exchange.error) == (3, UNREADABLE)


def test_failed_exchanges_are_not_in_the_history_even_if_words_had_come():
    half = "Sales rose by"
    failed, stopped = Exchange(1, "failed", text=half, error=FAILED), Exchange(2, "stopped", text=half, stopped=True)
    answered = Exchange(3, "answered", text="x", answer=ANSWER)
    broken = Exchange(4, "broken", answer=ANSWER, error=FAILED)
    history = Conversation([failed, stopped, answered, broken, Exchange(5, "nothing yet")]).history()
    assert history == [Turn("stopped", half), Turn("answered", "Sales rose. Costs fell.")]


def test_a_short_answer_is_in_the_history():
    exchange = Exchange(1, "q", answer=replace(ANSWER, short=SHORT))
    (turn,) = Conversation([exchange]).history()
    assert turn.answer == "Total revenue · 2022: $197 million\nSales rose. Costs fell."


def test_a_percentage_says_so_once_in_the_history():
    exchange = Exchange(1, "q", answer=replace(ANSWER, short=replace(SHORT, values=("7.1%", "8"), scale="percent")))
    (turn,) = Conversation([exchange]).history()
    assert turn.answer.startswith("Total revenue · 2022: 7.1%, 8%\n")


@pytest.mark.parametrize(
    ("sentence", "citation"),
    [(0, ANSWER.sentences[0].citations[0]), (-1, None), (-2, SHORT.citations[0]), (-3, SHORT.citations[1])]
    + [(-4, None), (9, None), (1, None)],
)
def test_a_citation_is_found_by_who_cites_it(sentence, citation):
    exchange = Exchange(1, "q", answer=replace(ANSWER, short=SHORT))
    assert exchange.citation(sentence, 1) == citation
    assert exchange.citation(sentence, 7) is None


def test_the_history_ends_with_the_last_questions_and_has_no_citation_marks():
    exchanges = [Exchange(n, f"question {n}", text="It rose [1], fell【2】.") for n in range(1, HISTORY_TURNS + 4)]
    history = Conversation(exchanges).history()
    assert [turn.question for turn in history] == [f"question {n}" for n in range(4, HISTORY_TURNS + 4)]
    assert {turn.answer for turn in history} == {"It rose, fell."}

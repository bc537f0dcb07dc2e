"""Answers belong to their conversation: they go on without the page that asked, but not for people who have left."""

import json
import threading
import time
from types import SimpleNamespace

import pytest

from tests.waiting import until
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from webui.actions.conversations import change_conversations
from webui.answering import Answers
from webui.own_conversations import OwnConversations
from webui.server.visitors import COOKIE
from webui.session import Asking, Session

WORDS = 40


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data", step=0.01)
    engine.library = [document("annual.pdf")]
    engine.answer = [("Sales rose.", (1,))]
    engine.pieces = ["word "] * WORDS
    yield engine
    engine.close()


@pytest.fixture
def own(engine):
    return OwnConversations(engine.conversations, "ann")


@pytest.fixture
def answering(engine):
    """A function that makes Answers, which are closed with the test."""
    made = []

    def make(**limits):
        made.append(Answers(engine, raise_errors=True, **limits))
        return made[-1]

    yield make
    for answers in made:
        answers.close()


def left(asked, steps=3):
    """A page asks, shows the first words, and is closed."""
    for _ in range(steps):
        next(asked)
    asked.close()


def test_an_answer_goes_on_when_its_page_is_closed_and_is_stored(engine, own, answering):
    session = Session("", "en", own)
    left(answering().ask(session, Asking("How much?")))
    assert session.conversation.running
    until(lambda: not session.conversation.running)
    kept = OwnConversations(engine.conversations, "ann").open(session.conversation.id)
    assert kept.exchanges[0].text == "word " * WORDS
    assert kept.exchanges[0].answer is not None
    assert not kept.exchanges[0].stopped


def test_another_page_sees_it_grow_and_stops_it(engine, own, answering):
    session, other = Session("", "en", own), Session("", "en", own)
    left(answering().ask(session, Asking("How much?")))
    assert other.resume(session.conversation.id)
    seen = len(other.conversation.exchanges[0].text)
    until(lambda: len(other.conversation.exchanges[0].text) > seen)
    other.stop()
    assert engine.stops[0].is_set()
    (exchange,) = session.conversation.exchanges
    assert (exchange.stopped, exchange.left) == (True, False)


def test_the_answer_of_a_person_who_has_left_is_stopped_and_says_so(engine, own, answering):
    session = Session("", "en", own)
    engine.step = 0.05
    left(answering(left_seconds=0.3).ask(session, Asking("How much?")))
    until(engine.stops[0].is_set)
    until(lambda: not session.conversation.running)
    assert session.conversation.exchanges[0].left
    until(lambda: OwnConversations(engine.conversations, "ann").open(session.conversation.id).exchanges[0].left)


def test_it_is_not_stopped_while_any_page_of_the_person_is_open(engine, own, answering):
    session, other = Session("", "en", own), Session("", "en", own)
    engine.step = 3 / WORDS
    left(answering(left_seconds=2.0).ask(session, Asking("How much?")))
    while session.conversation.running:
        other.heard()
        time.sleep(0.02)
    assert not session.conversation.exchanges[0].stopped


def test_a_question_that_waits_gives_up_its_place_when_its_page_is_closed_but_not_when_it_is_reloaded(
    engine, own, answering
):
    engine.places = [2] * 20
    engine.step = 0.1
    closed, reloaded, other = (Session("", "en", own) for _ in range(3))
    answers = answering(closed_seconds=0.6)
    left(answers.ask(closed, Asking("one")), steps=2)
    left(answers.ask(reloaded, Asking("two")), steps=2)
    assert other.resume(reloaded.conversation.id)
    while closed.conversation.running or reloaded.conversation.waiting:
        other.heard()
        time.sleep(0.02)
    assert closed.conversation.exchanges[0].left
    assert not closed.conversation.exchanges[0].text
    assert reloaded.conversation.running


def test_an_answer_that_nobody_waits_for_makes_room_for_a_new_question(engine, own, answering):
    engine.step = 0.05
    alone, waiting, asking = (Session("", "en", own) for _ in range(3))
    answers = answering(most=2)
    left(answers.ask(alone, Asking("one")))
    steps = answers.ask(waiting, Asking("two"))
    next(steps)
    next(answers.ask(asking, Asking("three")))
    assert alone.conversation.exchanges[0].left
    assert waiting.conversation.running
    assert asking.conversation.running


def test_as_many_as_may_are_answered_at_a_time(engine, own, answering):
    answers, sessions = answering(most=2), [Session("", "en", own) for _ in range(5)]
    most = 0

    def ask(session):
        nonlocal most
        for _ in answers.ask(session, Asking("How much?")):
            most = max(most, sum(one.conversation.running for one in sessions))

    threads = [threading.Thread(target=ask, args=[session]) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert [session.conversation.exchanges[0].answer is not None for session in sessions] == [True] * 5


def test_sentences_that_come_at_once_are_drawn_together(engine, own, answering):
    engine.step, engine.pieces = 0, []
    engine.answer = [(f"Sentence {n}.", (1,)) for n in range(30)]
    session, drawn = Session("", "en", own), []
    for _ in answering().ask(session, Asking("How much?")):
        (exchange,) = session.conversation.exchanges
        drawn.append(exchange.answer)
    assert drawn[-1] is not None
    assert len(drawn) < 10


def test_the_request_that_asked_ends_soon_after_a_stop_though_the_reader_goes_on(engine, own, answering):
    session = Session("", "en", own)
    engine.reader_stalls.set()
    engine.step, engine.pieces = 0.05, ["word "] * 200
    steps = answering().ask(session, Asking("How much?"))
    for _ in range(3):
        next(steps)
    session.stop()
    began = time.monotonic()
    for _ in steps:
        pass
    assert time.monotonic() - began < 200 * engine.step / 2
    assert session.conversation.exchanges[0].answer is None
    engine.reader_stalls.clear()


def test_deleting_a_conversation_stops_its_answer(engine, own, answering):
    session, other = Session("", "en", own), Session("", "en", own)
    left(answering().ask(session, Asking("How much?")))
    change_conversations(other, {"do": "delete", "conversation": session.conversation.id})
    assert engine.stops[0].is_set()


def test_a_page_that_draws_nothing_itself_polls_more_often_until_the_answer_is_complete(engine):
    handlers, cookies = handling.handlers(engine), {COOKIE: "a" * 43}
    asking, reloaded = (SimpleNamespace(**{**vars(handling.REQUEST), "cookies": cookies, "session_hash": name})
                        for name in "ab")  # fmt: skip
    steps = handlers.ask("How much?", asking)
    next(steps)
    assert "timer" not in handlers.poll(asking), "it is drawn by the request that asked"
    steps.close()
    handlers.load(json.dumps({"conversation": handlers.session(asking).conversation.id}), reloaded)
    often = handlers.poll(reloaded)["timer"]["value"]
    session = handlers.session(reloaded)
    until(lambda: not session.conversation.running)
    last = handlers.poll(reloaded)
    assert last["timer"]["value"] > often
    assert "Sales rose." in last["conversation"]


def test_a_page_that_draws_its_answer_keeps_that_question_when_another_page_asks_meanwhile(engine):
    handlers, cookies = handling.handlers(engine), {COOKIE: "a" * 43}
    slow, quick = (SimpleNamespace(**{**vars(handling.REQUEST), "cookies": cookies, "session_hash": name})
                   for name in "ab")  # fmt: skip
    steps = handlers.ask("Asked first", slow)
    shown = next(steps)
    handlers.load(json.dumps({"conversation": handlers.session(slow).conversation.id}), quick)
    for _ in handlers.ask("Asked second", quick):
        pass
    for updates in steps:
        shown |= updates
    assert "Asked second" in shown["conversation"]
    assert "Asked first" in (shown | handlers.poll(slow))["earlier"]


def test_the_end_of_the_program_stops_and_stores_what_is_there(engine, own, answering):
    session, answers = Session("", "en", own), answering()
    left(answers.ask(session, Asking("How much?")))
    answers.close()
    kept = OwnConversations(engine.conversations, "ann").open(session.conversation.id).exchanges[0]
    assert kept.stopped
    assert kept.text.startswith("word")

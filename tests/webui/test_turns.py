"""Asking again: what is asked, with what history, and how one goes back to what was asked before."""

import pytest

from rag.errors import QuestionRefused
from rag.records import AskOptions
from tests.webui.fake_engine import FakeEngine, document
from webui.actions.turns import asked_again, change_turn
from webui.session import Asking, Session


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf"), document("b.pdf")]
    engine.answer = [("Sales rose.", (1,))]
    yield engine
    engine.close()


@pytest.fixture
def session(engine):
    """A conversation of three questions, with ids 1 to 3."""
    session = Session("", "en")
    for question in ("one", "two", "three"):
        ask(session, engine, Asking(question))
    return session


def ask(session, engine, asking):
    for _ in session.ask(engine, asking):
        pass


def again(session, engine, do, exchange=2, **data):
    ask(session, engine, asked_again(engine, session, {"do": do, "exchange": exchange, **data}))


def shown(session):
    return [exchange.question for exchange in session.conversation.branch]


def test_an_edited_question_begins_a_branch_and_the_old_one_can_be_shown_again(session, engine):
    again(session, engine, "edit", question=" two, edited ")
    assert shown(session) == ["one", "two, edited"]
    assert [turn.question for turn in engine.asked[-1][3]] == ["one"]
    ask(session, engine, Asking("four"))
    assert shown(session) == ["one", "two, edited", "four"]
    conversation = session.conversation
    assert conversation.variants(2) == [2, 4]
    change_turn(engine, session, {"do": "variant", "exchange": 2})
    assert shown(session) == ["one", "two", "three"]
    change_turn(engine, session, {"do": "variant", "exchange": 4})
    assert shown(session) == ["one", "two, edited", "four"]


def test_the_next_question_follows_the_branch_that_is_shown(session, engine):
    again(session, engine, "retry")
    change_turn(engine, session, {"do": "variant", "exchange": 2})
    ask(session, engine, Asking("five"))
    assert shown(session) == ["one", "two", "three", "five"]
    assert [turn.question for turn in engine.asked[-1][3]] == ["one", "two", "three"]


def test_the_first_question_can_be_edited_too(session, engine):
    again(session, engine, "edit", exchange=1, question="other")
    assert shown(session) == ["other"]
    assert engine.asked[-1][3] == ()
    assert session.conversation.variants(1) == [1, 4]


def test_a_question_is_asked_again_as_it_was_meant(engine):
    session = Session("", "en")
    engine.query = "What was revenue in 2023?"
    ask(session, engine, Asking("and in 2023?"))
    first = engine.library[0].id

    def asked(do, **data):
        asking = asked_again(engine, session, {"do": do, "exchange": 1, **data})
        return asking and (asking.question, asking.options, asking.only)

    assert asked("retry") == ("and in 2023?", AskOptions(), "")
    assert asked("quotes") == ("and in 2023?", AskOptions(quotes=True), "")
    assert asked("anyway") == ("What was revenue in 2023?", AskOptions(complete=False, anyway=True), "")
    assert asked("typed") == ("and in 2023?", AskOptions(complete=False), "")
    assert asked("understood", question=" Costs? ") == ("Costs?", AskOptions(complete=False), "")
    assert asked("edit", question=" Costs? ") == ("Costs?", AskOptions(), "")
    assert asked("only", document=first) == ("and in 2023?", AskOptions(), first)
    for wrong in (
        {"do": "understood", "question": "  "},
        {"do": "edit", "question": ["x"]},
        {"do": "other"},
        {"do": "retry", "exchange": 9},
        {"do": "only", "document": engine.library[1].id},  # not among the sources
        {"do": "only", "document": [first]},
    ):
        assert asked(**{"do": "retry", **wrong}) is None, wrong


def test_only_one_document_is_asked_whatever_is_ticked_and_a_retry_keeps_to_it(session, engine):
    first = engine.library[0].id
    session.conversation.left_out = {first}
    again(session, engine, "only", document=first)
    assert engine.asked[-1][2] == (first,)
    again(session, engine, "retry", exchange=4)
    assert engine.asked[-1][2] == (first,)
    ask(session, engine, Asking("next"))
    assert engine.asked[-1][2] == (engine.library[1].id,)


def test_a_document_that_was_removed_cannot_be_asked_alone(session, engine):
    first = engine.library.pop(0).id
    assert asked_again(engine, session, {"do": "only", "exchange": 1, "document": first}) is None


def test_a_retry_after_quotes_asks_the_model_again(session, engine):
    again(session, engine, "quotes")
    assert engine.options == AskOptions(quotes=True)
    again(session, engine, "retry", exchange=4)
    assert engine.options == AskOptions()


def test_variants_stay_while_an_answer_is_made(session, engine):
    again(session, engine, "retry")
    steps = session.ask(engine, Asking("four"))
    next(steps)
    change_turn(engine, session, {"do": "variant", "exchange": 2})
    assert shown(session)[-1] == "four"
    steps.close()


def rated(engine):
    return [(one.question, one.reader, one.helpful, one.reason) for one in engine.ratings.all("")]


def test_a_rating_and_its_reason_are_kept_with_the_question_as_it_was_understood(session, engine):
    engine.query = "What were sales in 2023?"
    ask(session, engine, Asking("and in 2023?"))
    change_turn(engine, session, {"do": "rate", "exchange": 4, "helpful": False})
    change_turn(engine, session, {"do": "reason", "exchange": 4, "reason": " wrong year " + "x" * 2000})
    ((question, reader, helpful, reason),) = rated(engine)
    assert (question, reader, helpful) == ("What were sales in 2023?", "Quote reader", False)
    assert reason.startswith("wrong year x")
    assert len(reason) == 1000
    change_turn(engine, session, {"do": "rate", "exchange": 4, "helpful": None})
    assert rated(engine) == []
    assert session.conversation.exchange(4).reason == ""


def test_what_cannot_be_rated_is_not(session, engine):
    change_turn(engine, session, {"do": "reason", "exchange": 1, "reason": "x"})  # not rated before
    change_turn(engine, session, {"do": "rate", "exchange": 9, "helpful": True})
    engine.error = QuestionRefused("Ask something else.")
    ask(session, engine, Asking("four"))
    change_turn(engine, session, {"do": "rate", "exchange": 4, "helpful": True})
    assert rated(engine) == []

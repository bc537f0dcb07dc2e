"""Conversations between memory and store: what comes back, what several pages share, what cannot be stored."""

import json
from types import SimpleNamespace

import pytest

from rag.store import conversations as stored_conversations
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.handling import sent
from tests.webui.safe import NASTY, look
from webui.actions.conversations import MAX_SEARCH_CHARACTERS, NOT_THERE, TOO_LATE, arrive, change_conversations
from webui.actions.turns import asked_again, change_turn
from webui.own_conversations import LOADED_TURNS, TITLE_COLUMNS, OwnConversations, title_of
from webui.server.visitors import COOKIE, browser_cookie, conversation_owner
from webui.session import Asking, Session
from webui.views.drawer import drawer_html, note_html

SECRET = "s" * 43


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf"), document("b.pdf")]
    engine.answer = [("Sales rose.", (1,))]
    yield engine
    engine.close()


def opened(engine, owner="browser:x", conversation=""):
    """A page of `owner`, as after a restart: nothing is in memory."""
    session = Session("", "en", OwnConversations(engine.conversations, owner))
    arrive(session, json.dumps({"conversation": conversation}))
    return session


def ask(engine, session, *questions):
    for question in questions:
        for _ in session.ask(engine, Asking(question)):
            pass


def test_turns_branches_ticks_the_open_page_and_the_draft_come_back(engine):
    session = opened(engine)
    ask(engine, session, "one", "two", "three")
    for _ in session.ask(engine, asked_again(engine, session, {"do": "retry", "exchange": 2})):
        pass
    change_turn(engine, session, {"do": "variant", "exchange": 2})
    session.conversation.left_out.add(engine.library[0].id)
    session.open_source(2, 1, 0)
    change_conversations(session, {"do": "draft", "conversation": session.conversation.id, "text": "half"})
    again = opened(engine, conversation=session.conversation.id)
    assert [exchange.question for exchange in again.shown] == ["one", "two", "three"]
    assert again.conversation.loaded([1, 2, 3, 4]) == session.conversation.loaded([1, 2, 3, 4])
    assert again.conversation == session.conversation
    assert again.conversation.variants(2) == [2, 4]
    assert again.opened == session.opened
    assert (again.conversation.draft, again.conversation.title) == ("half", "one")


def test_a_rating_comes_back(engine):
    session = opened(engine)
    ask(engine, session, "one")
    change_turn(engine, session, {"do": "rate", "exchange": 1, "helpful": False})
    assert opened(engine, conversation=session.conversation.id).conversation.exchange(1).helpful is False


def test_an_answer_that_was_cut_off_counts_as_stopped_and_can_be_asked_again(engine):
    session = opened(engine)
    next(session.ask(engine, Asking("one")))
    again = opened(engine, conversation=session.conversation.id)
    assert again.shown[0].stopped
    assert asked_again(engine, again, {"do": "retry", "exchange": 1}).question == "one"


def test_a_new_conversation_is_stored_once_there_is_something_to_keep(engine):
    session = opened(engine)
    session.keep()
    assert session.conversation.id == ""
    session.conversation.left_out.add(engine.library[0].id)
    session.keep()
    again = opened(engine, conversation=session.conversation.id)
    assert again.conversation.left_out == session.conversation.left_out
    assert engine.conversations.listed("browser:x") == []


def test_pages_of_one_person_share_a_conversation_and_those_of_another_get_none(engine):
    own = OwnConversations(engine.conversations, "browser:x")
    first, second = Session("", "en", own), Session("", "en", own)
    arrive(first, "")
    ask(engine, first, "one")
    arrive(second, json.dumps({"conversation": first.conversation.id}))
    assert second.conversation is first.conversation
    ask(engine, second, "two")
    assert [exchange.question for exchange in first.shown] == ["one", "two"]
    stranger = opened(engine, "browser:y", first.conversation.id)
    assert stranger.conversation.exchanges == []
    assert stranger.notice == NOT_THERE
    arrive(stranger, "{}")  # the page's script was faster, and has put its own address in place of that one
    assert stranger.notice == NOT_THERE


def test_a_long_conversation_is_in_memory_in_part_alone(engine):
    session = opened(engine)
    ask(engine, session, *map(str, range(1, LOADED_TURNS + 31)))
    assert len(session.conversation.exchanges) == LOADED_TURNS
    again = opened(engine, conversation=session.conversation.id)
    assert len(again.shown) == 20
    assert len(again.conversation.exchanges) == 20
    for _ in range(5):
        again.show_earlier()
    assert [exchange.question for exchange in again.shown] == list(map(str, range(1, LOADED_TURNS + 31)))


def test_what_cannot_be_stored_goes_on_in_memory_and_is_stored_when_there_is_room(engine, monkeypatch):
    session = opened(engine)
    ask(engine, session, "one")
    monkeypatch.setattr(stored_conversations, "MAX_BYTES", 0)
    ask(engine, session, "two")
    assert [exchange.answer is not None for exchange in session.shown] == [True, True]
    assert "not saved" in note_html(session)
    session.keep()
    assert session.conversation.problem
    monkeypatch.undo()
    ask(engine, session, "three")
    assert session.conversation.problem is None
    again = opened(engine, conversation=session.conversation.id)
    assert [exchange.question for exchange in again.shown] == ["one", "two", "three"]


def test_deleting_shows_a_new_conversation_and_restoring_the_old_one(engine):
    session = opened(engine)
    ask(engine, session, "one")
    deleted = session.conversation.id
    assert change_conversations(session, {"do": "delete", "conversation": deleted})
    assert session.shown == []
    assert change_conversations(session, {"do": "restore"})
    assert session.conversation.id == deleted
    assert [exchange.question for exchange in session.shown] == ["one"]
    change_conversations(session, {"do": "delete", "conversation": deleted})
    engine.conversations.close()  # erases it
    assert not change_conversations(session, {"do": "restore"})
    assert session.notice == TOO_LATE


WRONG = [None, 7, ["x"], {"x": 1}, "x" * 100_000, "../..", "\ud800", ""]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_whatever_a_browser_sends_changes_nothing_of_others(engine, wrong):
    ask(engine, opened(engine), "mine")
    handlers = handling.handlers(engine)
    request = SimpleNamespace(**{**vars(handling.REQUEST), "cookies": {COOKIE: SECRET}})
    named = json.dumps({"conversation": wrong, "offset": wrong, "draft": wrong})
    for place in (named, "[" * 100_000, "[1]", "nonsense"):
        handlers.load(place, request)
    for do in ("visit", "rename", "delete", "draft", "search", "list", "older", "restore", wrong):
        handlers.in_drawer(sent(do=do, conversation=wrong, title=wrong, text=wrong, open=wrong), request)
    assert [one.title for one in engine.conversations.listed("browser:x")] == ["mine"]
    assert len(handlers.session(request).drawer.search) <= MAX_SEARCH_CHARACTERS


@pytest.mark.parametrize("text", NASTY)
def test_hostile_titles_stay_text(engine, text):
    session = opened(engine)
    ask(engine, session, "one")
    change_conversations(session, {"do": "rename", "conversation": session.conversation.id, "title": text})
    session.drawer.open = True
    session.drawer.deleted = ("x", text, 1e18)
    looked = look(drawer_html(session))
    assert not {"script", "img", "iframe", "svg"} & {tag for tag, _ in looked.elements}


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How  much\nwas it?", "How much was it?"),
        ("word " * 40, "word " * 11 + "word…"),
        ("水" * 40, "水" * 30 + "…"),
        ("x" * 500, "x" * 60 + "…"),
        ("", ""),
    ],
)
def test_a_title_is_the_beginning_of_the_first_question_cut_at_a_word(question, title):
    assert title_of(question) == title
    assert len(title) <= TITLE_COLUMNS + 1


def test_conversations_belong_to_a_login_or_to_a_browser_by_its_whole_cookie():
    assert conversation_owner("ann", {COOKIE: SECRET}) == "login:ann"
    owner = conversation_owner("", {COOKIE: SECRET})
    assert owner.startswith("browser:")
    assert SECRET not in owner
    for other in (
        {},
        {COOKIE: ""},
        {COOKIE: "s" * 42},
        {COOKIE: "s" * 44},
        {COOKIE: "s" * 42 + "\n"},
        {COOKIE: "é" * 43},
    ):
        assert conversation_owner("", other) == ""


def test_the_cookie_is_kept_where_there_is_one_and_protected():
    assert browser_cookie({COOKIE: SECRET}, secure=False, embedded=False).startswith(f"{COOKIE}={SECRET};")
    made = browser_cookie({COOKIE: "forged"}, secure=True, embedded=False)
    assert conversation_owner("", {COOKIE: made.split(";")[0].split("=")[1]})
    assert all(part in made for part in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"))
    assert "Secure" not in browser_cookie({}, secure=False, embedded=True)
    assert browser_cookie({}, secure=True, embedded=True).endswith("; Partitioned")

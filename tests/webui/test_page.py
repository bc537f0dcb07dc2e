"""What the page's handlers make of what they are sent."""

import re
from collections import Counter
from pathlib import Path

import pytest

from rag.records import AskOptions, Job, JobState
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.handling import REQUEST, sent
from webui import page as page_parts
from webui.session import NOTHING_TO_ASK
from webui.strings import say_message

STATIC = Path(page_parts.__file__).with_name("static")
ODD = "lone \ud800"


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf")]
    return engine


@pytest.fixture
def page(engine):
    """The handlers of a page over an engine, what somebody sends them, and that person's session."""
    handlers = handling.handlers(engine)

    def send(**data):
        handlers.in_library(sent(**data), REQUEST)

    return send, handlers.session(REQUEST)


def test_only_documents_that_are_there_can_be_left_out(engine, page):
    send, session = page
    known = engine.library[0].id
    for document_id in (known, "x" * 1000, ODD, None, 7):
        send(do="choose", document=document_id, chosen=False)
    assert session.conversation.left_out == {known}
    send(do="choose", document=known, chosen=True)
    assert session.conversation.left_out == set()
    send(do="choose-none")
    engine.library = []
    send(do="refresh")
    assert session.conversation.left_out == set()


def test_details_open_and_close_for_documents_that_are_there(engine, page):
    send, session = page
    known = engine.library[0].id
    for document_id in (known, ODD, None, ["x"]):
        send(do="details", document=document_id)
    assert session.listing.detailed == {known}
    send(do="details", document=known)
    assert session.listing.detailed == set()


def test_the_engine_is_asked_for_what_is_there_only(engine, page, monkeypatch):
    send, _ = page
    asked = []
    monkeypatch.setattr(engine.removals, "begin", lambda owner, *what: asked.append(what))
    for name in ("cancel", "unlock"):
        monkeypatch.setattr(engine, name, lambda owner, *what: asked.append(what))
    engine.running = [Job(1, "", "", "job.pdf", JobState.LOCKED)]
    for document_id, job in ((ODD, 2), (None, 10**30), (engine.library[0].id, 1)):
        send(do="remove", document=document_id)
        send(do="cancel", job=job)
        send(do="unlock", job=job, password=ODD)
    assert asked == [(engine.library[0].id,), (1,), (1, "lone ?")]


def test_a_handler_returns_the_parts_it_changes(engine):
    handlers = handling.handlers(engine)
    assert set(handlers.load("", REQUEST)) == set(vars(handling.PARTS)) - {"evaluation", "timer"}
    assert set(handlers.in_library(sent(do="choose-none"), REQUEST)) == {"library", "documents", "welcome", "drawer"}
    assert set(handlers.in_conversation(sent(), REQUEST)) == {"earlier", "conversation", "viewer"}
    assert set(handlers.in_head(sent(), REQUEST)) == {"head"}
    assert "evaluation" in handlers.in_viewer(sent(do="evaluate"), REQUEST)
    engine.answer = [("Sales rose.", (1,))]
    first, *later = [set(updates) for updates in handlers.ask("How much?", REQUEST)]
    assert first == {"earlier", "conversation", "note", "question", "ask", "stop", "new", "drawer"}
    assert all(updates == first - {"earlier", "drawer"} for updates in later), "it stays as it is while words stream in"


def test_an_error_is_shown_in_the_language_of_the_page_even_when_that_is_switched_later(engine, page):
    handlers = handling.handlers(engine)
    engine.library = []
    *_, shown = handlers.ask("How much?", REQUEST)
    assert str(NOTHING_TO_ASK) in shown["conversation"]
    shown = handlers.in_head(sent(do="language", language="zh"), REQUEST)
    assert say_message("zh", NOTHING_TO_ASK) in shown["conversation"]
    assert str(NOTHING_TO_ASK) not in shown["conversation"]


def test_a_refused_question_can_be_asked_again_without_emptying_the_box(engine):
    handlers = handling.handlers(engine)
    list(handlers.ask("How much?", REQUEST))
    first, *_ = handlers.again(sent(do="anyway", exchange=1), REQUEST)
    assert "value" not in first["question"]
    assert engine.options == AskOptions(complete=False, anyway=True)
    assert [asked[1] for asked in engine.asked] == ["How much?", "How much?"]


@pytest.mark.parametrize(
    "data", [{}, {"do": "anyway", "exchange": 7}, {"do": "understood", "exchange": 1, "question": 3}]
)
def test_asking_again_what_was_never_asked_does_nothing(engine, data):
    handlers = handling.handlers(engine)
    list(handlers.ask("How much?", REQUEST))
    assert list(handlers.again(sent(**data), REQUEST)) == []
    assert len(engine.asked) == 1


def test_each_drawing_begins_with_the_time_it_began(engine):
    updates = handling.handlers(engine).load("", REQUEST)
    drawn = [value for part, value in updates.items() if isinstance(value, str) and value.startswith(("<!--", "&lt;"))]
    assert len(drawn) > 5
    assert all(re.match(r"<!--\d+-->", value) for value in drawn)


def test_no_two_scripts_define_the_same_action():
    """All scripts fill one table of actions, so that a second definition would silently replace the first."""
    tables = [re.findall(r"Object\.assign\(actions, \{(.*?)\n\}\);", path.read_text("utf-8"), re.DOTALL)
              for path in STATIC.glob("*.js")]  # fmt: skip
    names = [
        name
        for found in tables
        for table in found
        for name in re.findall(r"^  '?([a-z][\w-]*)'?\(", table, re.MULTILINE)
    ]
    assert len(names) > 50
    assert [name for name, count in Counter(names).items() if count > 1] == []

"""What the page's handlers make of what they are sent."""

from types import SimpleNamespace

import pytest

from rag.records import Job, JobState
from tests.webui.fake_engine import FakeEngine, document
from webui.page import Handlers

ODD = "lone \ud800"


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf")]
    return engine


@pytest.fixture
def page(engine):
    """The handlers of a page over an engine, what somebody sends them, and that person's conversation."""
    handlers = Handlers(engine, raise_errors=True)
    request = SimpleNamespace(cookies={}, headers={}, username=None, session_hash="s")

    def send(**data):
        handlers.in_library(SimpleNamespace(_data=data), request)

    return send, handlers.conversation(request)


def test_only_documents_that_are_there_can_be_left_out(engine, page):
    send, conversation = page
    known = engine.library[0].id
    for document_id in (known, "x" * 1000, ODD, None, 7):
        send(do="choose", document=document_id, chosen=False)
    assert conversation.left_out == {known}
    send(do="choose", document=known, chosen=True)
    assert conversation.left_out == set()
    send(do="choose-none")
    engine.library = []
    send(do="refresh")
    assert conversation.left_out == set()


def test_the_engine_is_asked_for_what_is_there_only(engine, page, monkeypatch):
    send, _ = page
    asked = []
    for name in ("remove", "cancel", "unlock"):
        monkeypatch.setattr(engine, name, lambda owner, *what: asked.append(what))
    engine.running = [Job(1, "", "", "job.pdf", JobState.LOCKED)]
    for document_id, job in ((ODD, 2), (None, 10**30), (engine.library[0].id, 1)):
        send(do="remove", document=document_id)
        send(do="cancel", job=job)
        send(do="unlock", job=job, password=ODD)
    assert asked == [(engine.library[0].id,), (1,), (1, "lone ?")]

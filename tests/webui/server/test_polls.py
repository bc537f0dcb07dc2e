"""Polls that find nothing changed are answered ahead of Gradio, and no page can tell."""

from functools import wraps

import pytest

from tests.webui.client import call, client_of, log_in
from tests.webui.fake_engine import FakeEngine, document
from webui.handlers import Handlers
from webui.server.polls import Polls

TIMES = ("duration", "average_duration")


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("report.pdf")]
    return engine


@pytest.fixture
def polled(monkeypatch):
    """The sessions whose poll came to the page's handler."""
    seen, poll = [], Handlers.poll

    @wraps(poll)
    def counted(self, request):
        seen.append(request.session_hash)
        return poll(self, request)

    monkeypatch.setattr(Handlers, "poll", counted)
    return seen


def without_times(answer):
    return {name: value for name, value in answer.json().items() if name not in TIMES}


def test_a_page_that_shows_everything_is_told_so_as_gradio_would(engine, served, polled, monkeypatch):
    client = client_of(served(engine))
    call(client, "load", data=["/"])
    call(client, "poll")
    polled.clear()
    quick = call(client, "poll")
    assert polled == []
    monkeypatch.setattr(Polls, "_is_for_nothing", lambda *_: False)
    slow = call(client, "poll")
    assert polled == ["s"]
    assert without_times(quick) == without_times(slow)
    assert quick.headers["content-type"] == slow.headers["content-type"]
    assert quick.headers["content-security-policy"] == slow.headers["content-security-policy"]


def test_a_change_is_sent_with_the_next_poll(engine, served, polled):
    client = client_of(served(engine))
    call(client, "load", data=["/"])
    call(client, "poll")
    call(client, "poll")
    engine.library.append(document("newer.pdf"))
    engine.change()
    assert "newer.pdf" in call(client, "poll").text
    assert "newer.pdf" not in call(client, "poll").text


def test_a_page_that_is_not_known_is_drawn(engine, served, polled):
    client = client_of(served(engine))
    assert "report.pdf" in call(client, "poll", session="new").text
    assert polled == ["new"]


def test_nobody_polls_for_somebody_else(engine, served, polled):
    url = served(engine, logins={"ann": "a", "ben": "b"})
    ann, _ = log_in(url, "ann", "a")
    call(ann, "load", session="anns", data=["/"])
    call(ann, "poll", session="anns")
    polled.clear()
    ben, _ = log_in(url, "ben", "b")
    assert call(ben, "poll", session="anns").status_code == 403
    assert call(client_of(url), "poll", session="anns").status_code == 401
    assert polled == []

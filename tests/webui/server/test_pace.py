"""Pages are sent what has changed for everybody at once while they are few, and in turn where they are many."""

import pytest

from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from webui.server import polls
from webui.server.polls import Pace


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(polls, "time", clock)
    return clock


def drawings(clock, pages, seconds=30, poll=1.0):
    """How often each of so many pages, for which something changes all the time, is drawn in each second."""
    made, drawn_at, drawn = Pace(lambda _: pages, poll), [0.0] * pages, [0] * pages
    for _ in range(int(seconds / poll)):
        for page in range(pages):
            clock.now += poll / pages
            if made.is_due(drawn_at[page]):
                drawn_at[page], drawn[page] = clock.now, drawn[page] + 1
    return [count / seconds for count in drawn]


def test_few_pages_are_drawn_with_every_poll(clock):
    assert min(drawings(clock, 10)) == 1


@pytest.mark.parametrize("pages", [30, 50, 200])
def test_many_pages_are_drawn_in_turn_and_none_is_forgotten(clock, pages):
    rates = drawings(clock, pages, seconds=120)
    assert sum(rates) <= 1.3 * polls.DRAWINGS
    assert min(rates) > 0.5 * max(rates)


def test_a_page_that_is_not_due_is_sent_its_conversation_and_later_the_rest(tmp_path, monkeypatch):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    handlers = handling.handlers(engine)
    due = True
    monkeypatch.setattr(handlers.pace, "is_due", lambda drawn_at: due)
    handlers.load("", handling.REQUEST)
    session = handlers.session(handling.REQUEST)
    due = False
    engine.library = [*engine.library, document("new.pdf")]
    engine.choose(engine.choices()[0])
    assert "documents" not in handlers.poll(handling.REQUEST)
    session.conversation.changed()
    assert set(handlers.poll(handling.REQUEST)) >= {"conversation"}
    due = True
    assert "new.pdf" in handlers.poll(handling.REQUEST)["documents"]
    engine.close()

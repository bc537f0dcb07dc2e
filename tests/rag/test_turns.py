from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rag.errors import TooManyWaiting
from rag.records import Event, Piece, Waiting
from rag.settings import Limits
from rag.turns import Turns


class Asked:
    """Questions whose answers take until they are let go; `begun` are those that were begun, in order."""

    def __init__(self, at_once: int = 1, place_seconds: float = 0, **limits: int) -> None:
        self.turns = Turns(lambda: at_once, Limits(**limits), place_seconds=place_seconds)
        self.begun: list[str] = []
        self.got: dict[str, list[Event]] = {}
        self.errors: dict[str, Exception] = {}
        self.stops: dict[str, threading.Event] = {}
        self._release: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def ask(self, name: str) -> None:
        """Ask as the person that the name begins with, and wait until it is being answered, waits or was refused."""
        self._release[name], self.stops[name] = threading.Event(), threading.Event()
        self._threads[name] = threading.Thread(target=self._take, args=(name,), daemon=True)
        self._threads[name].start()
        self.until(lambda: name in self.begun or self.got.get(name) or not self._threads[name].is_alive())

    def finish(self, name: str) -> None:
        """Let an answer end."""
        self.until(lambda: name in self.begun)
        self._release[name].set()
        self._threads[name].join(5)

    def join(self, name: str) -> None:
        self._threads[name].join(5)
        assert not self._threads[name].is_alive()

    def until(self, holds: object) -> None:
        pause = threading.Event()
        for _ in range(2_000):
            if holds():
                return
            pause.wait(0.005)
        raise AssertionError(self.begun)

    def _take(self, name: str) -> None:
        try:
            for event in self.turns.events(name[0], lambda: self._work(name), self.stops[name]):
                self.got.setdefault(name, []).append(event)
        except (TooManyWaiting, ValueError) as error:
            self.errors[name] = error

    def _work(self, name: str) -> Iterator[Event]:
        self.begun.append(name)
        assert self._release[name].wait(10)
        if "bad" in name:
            raise ValueError(name)
        yield Piece(name)


def test_it_tells_when_nobody_asks_and_whether_somebody_did():
    asked = Asked()
    before = asked.turns.quiet_since()
    assert asked.turns.quiet_since() == before
    asked.ask("ann")
    assert asked.turns.quiet_since() is None
    asked.finish("ann")
    asked.until(lambda: asked.turns.quiet_since() is not None)
    assert asked.turns.quiet_since() != before


def test_a_question_alone_does_not_wait():
    asked = Asked()
    asked.ask("a1")
    asked.finish("a1")
    assert asked.got["a1"] == [Piece("a1")]


def test_people_take_turns_however_much_one_of_them_asks():
    asked = Asked()
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        asked.ask(name)
    for name in ("a1", "a2", "b1", "c1", "a3", "b2"):
        asked.finish(name)
    assert asked.begun == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_those_who_wait_are_told_their_place_whenever_it_changes():
    asked = Asked()
    for name in ("a1", "a2", "a3", "b1"):
        asked.ask(name)
    asked.until(lambda: len(asked.got["a3"]) == 2)
    assert asked.got["a3"] == [Waiting(2), Waiting(3)]  # the first question of b comes before the third of a
    for name in ("a1", "a2", "b1", "a3"):
        asked.finish(name)
    assert asked.got["a3"] == [Waiting(2), Waiting(3), Waiting(2), Waiting(1), Piece("a3")]
    assert asked.got["b1"] == [Waiting(2), Waiting(1), Piece("b1")]


def test_of_places_that_change_quickly_only_the_newest_is_told():
    asked = Asked(place_seconds=0.7)
    for name in ("a1", "b1", "c1", "d1", "e1"):
        asked.ask(name)
    for name in ("a1", "b1", "c1"):
        asked.finish(name)
    asked.until(lambda: len(asked.got["e1"]) > 1)
    asked.finish("d1")
    asked.finish("e1")
    assert asked.got["e1"][:2] == [Waiting(4), Waiting(1)]
    assert asked.got["e1"][-1] == Piece("e1")


def test_a_question_is_dropped_soon_after_a_stop_however_often_its_place_changes():
    asked, others = Asked(), [chr(ord("a") + n) for n in range(20)]
    for name in (*others, "z"):
        asked.ask(name)
    asked.stops["z"].set()
    dropped = threading.Event()

    def answer_others() -> None:
        for name in others:
            asked.finish(name)
            dropped.wait(0.05)

    answering = threading.Thread(target=answer_others)
    answering.start()
    asked.join("z")
    waiting = asked.turns.counts[1]
    dropped.set()
    answering.join()
    assert waiting > 0


def test_one_person_leaves_a_thread_for_others():
    asked = Asked(at_once=3)
    for name in ("a1", "a2", "a3", "b1"):
        asked.ask(name)
    assert asked.begun == ["a1", "a2", "b1"]
    for name in ("a1", "a2", "b1", "a3"):
        asked.finish(name)


def test_a_question_that_is_stopped_while_it_waits_is_never_begun():
    asked = Asked()
    for name in ("a1", "b1", "c1"):
        asked.ask(name)
    asked.stops["b1"].set()
    asked.join("b1")
    asked.until(lambda: asked.got["c1"][-1] == Waiting(1))
    asked.finish("a1")
    asked.finish("c1")
    assert asked.begun == ["a1", "c1"]


def test_whoever_has_too_many_waiting_is_refused_and_others_are_not():
    asked = Asked(own_waiting_questions=1)
    for name in ("a1", "a2", "a3", "b1"):
        asked.ask(name)
    assert "1 of your questions are already waiting" in str(asked.errors["a3"])
    for name in ("a1", "a2", "b1"):
        asked.finish(name)
    assert asked.begun == ["a1", "a2", "b1"]


def test_a_full_queue_says_so():
    asked = Asked(waiting_questions=2)
    for name in ("a1", "b1", "c1", "d1"):
        asked.ask(name)
    assert "2 questions are waiting" in str(asked.errors["d1"])
    for name in ("a1", "b1", "c1"):
        asked.finish(name)


def test_an_error_reaches_whoever_asked_and_the_next_question_is_answered():
    asked = Asked()
    for name in ("a-bad", "b1"):
        asked.ask(name)
    asked.finish("a-bad")
    asked.finish("b1")
    assert isinstance(asked.errors["a-bad"], ValueError)
    assert asked.got["b1"][-1] == Piece("b1")


def test_closing_the_iterator_stops_the_answer():
    stop, stopped = threading.Event(), threading.Event()

    def work() -> Iterator[Event]:
        yield Piece("first")
        if stop.wait(5):
            stopped.set()

    events = Turns(lambda: 1, Limits()).events("a", work, stop)
    assert next(events) == Piece("first")
    events.close()
    assert stopped.wait(5)


def test_closing_the_queue_stops_answers_and_refuses_questions():
    asked = Asked()
    asked.ask("a1")
    asked.ask("b1")
    asked._release["a1"].set()
    asked.turns.close()
    assert asked.begun == ["a1"]
    with pytest.raises(TooManyWaiting):
        next(asked.turns.events("c", lambda: iter(()), threading.Event()))


def test_there_is_spare_time_until_somebody_asks():
    asked = Asked(at_once=2)
    asked.ask("a1")
    stop = threading.Event()
    with asked.turns.spare_time(stop) as may_go_on:
        assert may_go_on()
        with asked.turns.spare_time(stop) as another_may:
            assert not another_may()
        assert may_go_on()
        asked.ask("b1")
        assert not may_go_on()
    with asked.turns.spare_time(stop) as may_go_on:
        assert not may_go_on()
    asked.finish("a1")
    asked.finish("b1")
    with asked.turns.spare_time(stop) as may_go_on:
        assert may_go_on()
        stop.set()
        assert not may_go_on()

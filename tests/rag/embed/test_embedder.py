from __future__ import annotations

import threading
import time

from rag.embed.embedder import _Turns, text_digest


def test_questions_go_before_waiting_passages():
    turns, order = _Turns(), []
    inside, release = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.low():
            inside.set()
            release.wait(5)

    def take(kind: str) -> None:
        with getattr(turns, kind)():
            order.append(kind)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    inside.wait(5)
    for kind in ("low", "low", "high"):
        threads.append(threading.Thread(target=take, args=(kind,)))
        threads[-1].start()
        time.sleep(0.05)  # all three wait, the question last
    release.set()
    for thread in threads:
        thread.join(5)
    assert order == ["high", "low", "low"]


def test_a_turn_that_fails_lets_the_next_one_in():
    turns = _Turns()
    for kind in (turns.low, turns.high, turns.low):
        try:
            with kind():
                raise RuntimeError
        except RuntimeError:
            pass


def test_digests_tell_texts_apart_even_odd_ones():
    assert len({text_digest(text) for text in ("a", "b", "", "\ud800", "a ")}) == 5
    assert len(text_digest("a")) == 16

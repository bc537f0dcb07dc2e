from __future__ import annotations

import threading
import time

from rag.embed.priority import PriorityLock


def test_high_priority_goes_before_those_who_wait_with_low():
    lock, order = PriorityLock(), []
    inside, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.low():
            inside.set()
            release.wait(5)

    def take(kind: str) -> None:
        with getattr(lock, kind)():
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


def test_the_lock_is_released_after_a_failure():
    lock = PriorityLock()
    for acquire in (lock.low, lock.high, lock.low):
        try:
            with acquire():
                raise RuntimeError
        except RuntimeError:
            pass

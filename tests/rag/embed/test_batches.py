from __future__ import annotations

import threading

import numpy as np
import pytest

from rag.embed.batches import Batches, Urgency
from rag.errors import Stopped


class Encoder:
    """Vectors that hold the length of each text; the first batch waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.inside, self.release = threading.Event(), threading.Event()

    def __call__(self, texts: list[str], urgency: Urgency) -> np.ndarray:
        self.batches.append(texts)
        if len(self.batches) == 1:
            self.inside.set()
            assert self.release.wait(5)
        return np.array([[len(text)] for text in texts], np.float32)


def while_busy(encode: Encoder, batches: Batches, *requests: tuple[list[str], Urgency]) -> list[threading.Thread]:
    """Requests that arrive in this order while a first batch is being made."""
    threads = [threading.Thread(target=batches.embed, args=(["first"], Urgency.ADDING))]
    threads[0].start()
    assert encode.inside.wait(5)
    for waiting, (texts, urgency) in enumerate(requests, 2):
        threads.append(threading.Thread(target=batches.embed, args=(texts, urgency)))
        threads[-1].start()
        while len(batches._waiting) < waiting:
            pass
    return threads


def finish(encode: Encoder, threads: list[threading.Thread]) -> list[list[str]]:
    encode.release.set()
    for thread in threads:
        thread.join(5)
    return encode.batches[1:]


def test_vectors_come_in_the_order_of_the_texts():
    encode = Encoder()
    encode.release.set()
    texts = ["a" * length for length in (3, 9, 1, 5, 7)]
    assert Batches(encode, 2, 1).embed(texts, Urgency.ADDING)[:, 0].tolist() == [3, 9, 1, 5, 7]


def test_a_question_goes_before_sentences_and_those_before_passages():
    encode = Encoder()
    batches = Batches(encode, 2, 1)
    threads = while_busy(
        encode, batches, (["passage"], Urgency.ADDING), (["sentence"], Urgency.EVIDENCE), (["query"], Urgency.QUESTION)
    )
    assert finish(encode, threads) == [["query"], ["sentence"], ["passage"]]


def test_questions_that_wait_together_are_one_batch():
    encode = Encoder()
    threads = while_busy(encode, Batches(encode, 2, 1), *[([f"query {n}"], Urgency.QUESTION) for n in range(4)])
    assert finish(encode, threads) == [["query 0", "query 1"], ["query 2", "query 3"]]


def test_requests_of_one_urgency_take_turns():
    encode = Encoder()
    long, short = [f"long {n}" for n in range(6)], ["short"]
    threads = while_busy(encode, Batches(encode, 2, 1), (long, Urgency.EVIDENCE), (short, Urgency.EVIDENCE))
    made = finish(encode, threads)
    assert "short" in made[1]
    assert sorted(text for batch in made for text in batch) == sorted(long + short)


def test_what_was_stopped_is_dropped():
    encode = Encoder()
    batches, stop = Batches(encode, 2, 1), threading.Event()
    threads = while_busy(encode, batches)
    dropped: list[bool] = []

    def ask() -> None:
        with pytest.raises(Stopped):
            batches.embed(["nobody waits for this"] * 9, Urgency.EVIDENCE, stop)
        dropped.append(True)

    threads.append(threading.Thread(target=ask))
    threads[-1].start()
    while len(batches._waiting) < 2:
        pass
    stop.set()
    assert finish(encode, threads) == []
    assert dropped == [True]


def test_an_error_reaches_whoever_asked_and_nobody_else():
    def encode(texts: list[str], urgency: Urgency) -> np.ndarray:
        if "bad" in texts:
            raise ValueError(texts)
        return np.zeros((len(texts), 1), np.float32)

    batches = Batches(encode, 1, 1)
    with pytest.raises(ValueError, match="bad"):
        batches.embed(["bad", "good"], Urgency.QUESTION)
    assert batches.embed(["good"], Urgency.QUESTION).shape == (1, 1)
    assert batches.embed([], Urgency.QUESTION).shape == (0, 1)

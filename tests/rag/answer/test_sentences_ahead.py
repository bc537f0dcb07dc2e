from __future__ import annotations

import threading

import numpy as np
import pytest

from rag.answer import sentence_vectors
from rag.answer.sentence_vectors import Place, SentencesAhead, SentenceVectors
from rag.errors import Stopped
from rag.store.database import Store
from rag.store.sentences import StoredSentences
from tests.rag.store.test_database import add
from tests.waiting import until

REPORT = "a" * 64
LONG = " ".join(f"Sentence {n} is here." for n in range(20))


class Embedder:
    """Vectors of a text's length; `before` is called before each batch, `made` is set after one."""

    def __init__(self, before=lambda: None) -> None:
        self.asked: list[str] = []
        self.before = before

    def passages(self, texts, *, urgent=False, stop=None):
        if texts:
            self.before()
        if stop is not None and stop.is_set():
            raise Stopped
        self.asked += texts
        return np.array([[len(text)] for text in texts], np.float32).reshape(len(texts), 1)


class People:
    """Who asks: `moment` as `Turns.quiet_since` gives it."""

    def __init__(self) -> None:
        self.moment: int | None = 0
        self.version = 0


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(sentence_vectors, "QUIET_SECONDS", 0.001)
    with Store(tmp_path / "library.sqlite") as store:
        yield StoredSentences(store)


def started(stored, embedder, people):
    vectors = SentenceVectors(embedder, stored)
    return SentencesAhead(stored, vectors, 500, quiet_since=lambda: people.moment, version=lambda: people.version)


def test_every_page_is_made_once_and_then_a_question_embeds_no_sentence(stored):
    add(stored._store, LONG, "", "A second page. With two sentences.")
    embedder = Embedder()
    ahead = started(stored, embedder, People())
    until(lambda: not stored.unmade(1))
    ahead.close()
    assert len(embedder.asked) == 22
    SentenceVectors(embedder, stored).of([Place(("", REPORT), 2, 2)] * 2, ["A second page.", "With two sentences."])
    assert len(embedder.asked) == 22


def test_nothing_is_made_while_somebody_asks(stored):
    add(stored._store, LONG)
    people = People()
    people.moment = None
    ahead = started(stored, Embedder(lambda: pytest.fail("made")), people)
    threading.Event().wait(0.05)
    ahead.close()
    assert len(stored.unmade(100)) == 1


def test_a_question_interrupts_it_after_a_few_sentences_and_it_goes_on_later(stored):
    add(stored._store, LONG)
    people = People()
    asked = threading.Event()

    def ask():
        if not asked.is_set():
            people.moment = None
            asked.set()

    embedder = Embedder(ask)
    ahead = started(stored, embedder, people)
    asked.wait(10)
    threading.Event().wait(0.05)
    assert len(embedder.asked) == sentence_vectors.SENTENCES
    people.moment = 1
    until(lambda: not stored.unmade(1))
    ahead.close()
    assert len(embedder.asked) == 20


def test_it_goes_on_after_a_restart(stored, monkeypatch):
    monkeypatch.setattr(sentence_vectors, "PAGES", 2)
    monkeypatch.setattr(sentence_vectors, "SENTENCES", 1)
    add(stored._store, "One.", "Two.", "Three.")
    embedder = Embedder(lambda: len(embedder.asked) == 2 and ahead._stop.set())
    ahead = started(stored, embedder, People())
    until(ahead._stop.is_set)
    ahead.close()
    assert embedder.asked == ["One.", "Two."]
    embedder = Embedder()
    ahead = started(stored, embedder, People())
    until(lambda: not stored.unmade(1))
    ahead.close()
    assert embedder.asked == ["Three."]


def test_pages_that_come_later_are_made_too(stored):
    people = People()
    ahead = started(stored, Embedder(), people)
    until(lambda: ahead._complete == 0)
    add(stored._store, LONG)
    people.version += 1
    until(lambda: not stored.unmade(1))
    ahead.close()

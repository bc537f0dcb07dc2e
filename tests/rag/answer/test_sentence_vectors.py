from __future__ import annotations

import threading

import numpy as np
import pytest

from rag.answer.sentence_vectors import Place, SentenceVectors
from rag.records import text_digest
from rag.store.database import Store
from rag.store.sentences import StoredSentences
from tests.rag.store.test_database import add

REPORT = "a" * 64
ANN, BEN = Place(("ann", "report"), 0, 0), Place(("ben", "report"), 0, 0)


class Counting:
    """Vectors of a text's length; `asked` are the texts that were embedded."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.urgent: list[bool] = []

    def passages(self, texts, *, urgent=False, stop=None):
        self.asked += texts
        self.urgent.append(urgent)
        return np.array([[len(text), 1 / 3] for text in texts], np.float32).reshape(len(texts), 2)


@pytest.fixture
def stored(tmp_path):
    with Store(tmp_path / "library.sqlite") as store:
        yield StoredSentences(store)


def made(stored, embedder):
    """Store the vectors of whatever page lacks them, each page being one sentence."""
    vectors = SentenceVectors(embedder, stored)
    for page in stored.unmade(100):
        of_page = vectors.make((page.owner, page.document_id), [page.text], threading.Event())
        stored.add(page, [text_digest(page.text)], of_page)


def test_a_sentence_of_a_document_is_embedded_once_and_vectors_keep_their_order():
    embedder = Counting()
    vectors = SentenceVectors(embedder)
    assert vectors.of([ANN, ANN], ["a", "bbb"])[:, 0].tolist() == [1, 3]
    assert vectors.of([ANN, ANN, ANN], ["cc", "bbb", "a"])[:, 0].tolist() == [2, 3, 1]
    assert embedder.asked == ["a", "bbb", "cc"]
    assert all(embedder.urgent)


def test_owners_share_no_vectors():
    embedder = Counting()
    vectors = SentenceVectors(embedder)
    vectors.of([ANN, BEN], ["same", "same"])
    assert embedder.asked == ["same", "same"]


def test_nothing_is_kept_of_a_document_that_was_removed():
    embedder = Counting()
    vectors = SentenceVectors(embedder)
    vectors.of([ANN, BEN], ["own", "other"])
    vectors.forget(ANN.document)
    vectors.of([ANN, BEN], ["own", "other"])
    assert embedder.asked == ["own", "other", "own"]


def test_stored_vectors_are_read_and_are_the_same_as_those_made_for_a_question(stored):
    add(stored._store, "The pump is blue.", "It was built in 1970.", owner="ann")
    place = Place(("ann", REPORT), 0, 1)
    sentences = ["It was built in 1970.", "The pump is blue."]
    for_a_question = SentenceVectors(Counting()).of([place, place], sentences)
    made(stored, Counting())
    embedder = Counting()
    read = SentenceVectors(embedder, stored).of([place, place], sentences)
    assert embedder.asked == []
    assert (read == for_a_question).all()


def test_vectors_that_were_stored_for_somebody_else_are_not_read(stored):
    add(stored._store, "The pump is blue.", owner="ann")
    made(stored, Counting())
    add(stored._store, "The pump is blue.", owner="ben")
    embedder = Counting()
    SentenceVectors(embedder, stored).of([Place(("ben", REPORT), 0, 0)], ["The pump is blue."])
    assert embedder.asked == ["The pump is blue."]


def test_a_sentence_that_no_page_has_as_a_whole_is_embedded(stored):
    add(stored._store, "The pump is", "blue.", owner="ann")
    made(stored, Counting())
    embedder = Counting()
    SentenceVectors(embedder, stored).of([Place(("ann", REPORT), 0, 1)], ["The pump is blue."])
    assert embedder.asked == ["The pump is blue."]

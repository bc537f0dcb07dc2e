from __future__ import annotations

import numpy as np

from rag.answer.sentence_vectors import SentenceVectors

ANN, BEN = ("ann", "report"), ("ben", "report")


class Counting:
    """Vectors of a text's length; `asked` are the texts that were embedded."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def passages(self, texts, *, urgent=False, stop=None):
        assert urgent
        self.asked += texts
        return np.array([[len(text)] for text in texts], np.float32).reshape(len(texts), 1)


def test_a_sentence_of_a_document_is_embedded_once_and_vectors_keep_their_order():
    embedder = Counting()
    vectors = SentenceVectors(embedder, 100)
    assert vectors.of([ANN, ANN], ["a", "bbb"])[:, 0].tolist() == [1, 3]
    assert vectors.of([ANN, ANN, ANN], ["cc", "bbb", "a"])[:, 0].tolist() == [2, 3, 1]
    assert embedder.asked == ["a", "bbb", "cc"]


def test_owners_share_no_vectors():
    embedder = Counting()
    vectors = SentenceVectors(embedder, 100)
    vectors.of([ANN, BEN], ["same", "same"])
    assert embedder.asked == ["same", "same"]


def test_nothing_is_kept_of_a_document_that_was_removed():
    embedder = Counting()
    vectors = SentenceVectors(embedder, 100)
    vectors.of([ANN, BEN], ["own", "other"])
    vectors.forget(ANN)
    vectors.of([ANN, BEN], ["own", "other"])
    assert embedder.asked == ["own", "other", "own"]

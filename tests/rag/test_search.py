from __future__ import annotations

import numpy as np
import pytest

from rag.index import VectorIndex
from rag.records import Signal
from rag.search import Searcher, fuse
from rag.settings import Searching
from rag.words import WordIndex
from tests.fakes import ExactEmbedder


def listed(*pairs):
    ids, scores = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(ids, np.int64), np.array(scores, np.float32)


def test_fusion_by_hand():
    """Cosines 0.9, 0.8, 0.7 scale to 1, 0.5, 0; BM25 6, 2 to 1, 0; weights 0.6 and 0.4."""
    hits = fuse(listed((1, 0.9), (2, 0.8), (3, 0.7)), listed((3, 6.0), (4, 2.0)), 0.6)
    assert [(hit.passage_id, hit.score) for hit in hits] == [
        (1, pytest.approx(0.6)),
        (3, pytest.approx(0.4)),
        (2, pytest.approx(0.3)),
        (4, pytest.approx(0.0)),
    ]
    assert hits[1].signals == (Signal("vectors", pytest.approx(0.7), 3), Signal("words", pytest.approx(6.0), 1))


def test_fusion_of_one_list_or_none():
    assert fuse(listed(), listed(), 0.6) == []
    (only,) = fuse(listed(), listed((5, 1.0)), 0.6)
    assert (only.passage_id, only.score) == (5, pytest.approx(0.4))


def test_search_finds_by_meaning_and_by_word_within_the_scope():
    texts = ["the red pump leaks oil", "a blue valve", "合同编号第十二条规定", "pump pump pump"]
    embedder, vectors, words = ExactEmbedder(), VectorIndex(512, 100), WordIndex()
    vectors.add(np.arange(4), embedder.queries(texts))
    words.add(range(4), texts)
    searcher = Searcher(vectors, words, Searching())

    def found(question, *options):
        return searcher.search(question, embedder.queries([question])[0], *options)

    assert found("which red pump leaks?", 1)[0].passage_id == 0
    assert found("合同编号", 1)[0].passage_id == 2
    assert [hit.passage_id for hit in found("red pump", 5, np.array([1]))] == [1]
    assert found("red pump", 5, np.array([], np.int64)) == []

from __future__ import annotations

import numpy as np
import pytest

from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.protocols import Scope
from rag.index.vectors import FaissIndex
from rag.records import Signal
from rag.retrieve.expand import expand_query
from rag.retrieve.hybrid import Hit, HybridSearch, fuse, interleave
from rag.retrieve.routing import DocumentRouter
from rag.settings import QuerySettings, RetrievalSettings, RoutingSettings
from tests.fakes import ExactEmbedder

ALL = Scope("")


def listed(*pairs):
    ids, scores = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(ids, np.int64), np.array(scores, np.float32)


def test_fusion_by_hand():
    """Cosines 0.9, 0.8, 0.7 scale to 1, 0.5, 0; BM25 6, 3 to 1, 0.5; weights 0.6 and 0.4."""
    hits = fuse(listed((1, 0.9), (2, 0.8), (3, 0.7)), listed((3, 6.0), (4, 3.0)), 0.6, 3)
    assert [(hit.passage_id, hit.score) for hit in hits] == [
        (1, pytest.approx(0.6)),
        (3, pytest.approx(0.4)),
        (2, pytest.approx(0.3)),
        (4, pytest.approx(0.2)),
    ]
    assert hits[1].signals == (Signal("vectors", pytest.approx(0.7), 3), Signal("words", pytest.approx(6.0), 1))


def test_fusion_of_one_list_or_none():
    assert fuse(listed(), listed(), 0.6, 3) == []
    (only,) = fuse(listed(), listed((5, 1.0)), 0.6, 3)
    assert (only.passage_id, only.score) == (5, pytest.approx(0.4))


def hits(*ids: int) -> list[Hit]:
    return [Hit(passage, 1 - n / 10) for n, passage in enumerate(ids)]


def test_interleaved_lists_take_turns_and_a_passage_comes_once():
    assert [hit.passage_id for hit in interleave([hits(1, 2, 3), hits(2, 4), hits(5)])] == [1, 2, 5, 4, 3]
    assert interleave([hits(3, 1)]) == hits(3, 1)
    assert interleave([[], hits(7)]) == hits(7)
    assert interleave([]) == []


def test_cosines_beyond_the_depth_score_0():
    hits = fuse(listed((1, 0.9), (2, 0.8), (3, 0.7), (4, 0.1)), listed(), 0.6, 3)
    assert [hit.score for hit in hits] == [pytest.approx(0.6), pytest.approx(0.3), 0, 0]


@pytest.fixture
def library():
    """A searcher over two documents of two passages each, and a way to ask it."""
    texts = ["the red pump leaks oil", "a blue valve", "合同编号第十二条规定", "the pump of the year"]
    embedder, vectors, words = ExactEmbedder(), FaissIndex(512, 100), BM25Index()
    documents = [("", "a"), ("", "a"), ("", "b"), ("", "b")]
    vectors.add(np.arange(4), embedder.queries(texts), documents)
    words.add(range(4), CountedTerms.of(texts), documents)
    router = DocumentRouter(words)
    router.add(("", "a"), "Northwind_2021.pdf", "", np.array([0, 1]))
    router.add(("", "b"), "Meridian_2022.pdf", "", np.array([2, 3]))

    def found(question, scope=ALL, document_scores=None, *, candidates=100, **routing):
        settings = RetrievalSettings(candidates=candidates, routing=RoutingSettings(**routing))
        searcher = HybridSearch(vectors, words, router, settings)
        return searcher.search(
            expand_query(question, QuerySettings()), embedder.queries([question])[0], scope, document_scores
        )

    return found


def test_search_finds_by_meaning_and_by_word_within_the_scope(library):
    assert library("which red pump leaks?")[0].passage_id == 0
    assert library("合同编号")[0].passage_id == 2
    assert {hit.passage_id for hit in library("red pump", Scope("", frozenset("b")))} == {2, 3}
    assert library("red pump", Scope("", frozenset())) == []


def test_a_named_document_comes_first_and_the_others_stay(library):
    hits = library("the pump in Meridian 2022")
    assert hits[0].passage_id == 3
    assert {hit.passage_id for hit in hits} == {0, 1, 2, 3}
    document = next(signal for signal in hits[0].signals if signal.name == "document")
    assert document.rank == 1
    without = {hit.passage_id: hit.score for hit in library("the pump in Meridian 2022", routing_weight=0.0)}
    assert hits[0].score == pytest.approx(without[3] + RoutingSettings().routing_weight * document.score)


def test_a_document_added_after_routing_is_found_all_the_same(library):
    """The indexes may hold it before the router does."""
    hits = library("which red pump leaks?", document_scores=np.zeros(1))
    assert {hit.passage_id for hit in hits} == {0, 1, 2, 3}
    assert not any(signal.name == "document" for hit in hits for signal in hit.signals)


def test_a_named_document_is_searched_on_its_own_though_others_fill_the_lists(library):
    """With room for one candidate the other document's passage takes it; the named one's comes in all the same."""
    question = "the red pump of Meridian 2022"
    assert {hit.passage_id for hit in library(question, candidates=1, routed_documents=0)} == {0}
    assert library(question, candidates=1, routed_documents=1, routing_weight=1.0)[0].passage_id in (2, 3)

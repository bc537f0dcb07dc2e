"""What is searched for, and how several searches become one list. Whole searches are in `test_engine.py`."""

from __future__ import annotations

import numpy as np
import pytest

from rag.index.bm25 import BM25Index
from rag.retrieve.hybrid import Hit
from rag.retrieve.query import Query
from rag.retrieve.retriever import Retriever, in_turn
from rag.retrieve.routing import DocumentRouter
from rag.settings import QuerySettings, RetrievalSettings
from tests.fakes import ExactEmbedder


def hits(*ids: int) -> list[Hit]:
    return [Hit(passage, 1 - n / 10) for n, passage in enumerate(ids)]


def test_lists_take_turns_and_a_passage_comes_once():
    assert [hit.passage_id for hit in in_turn([hits(1, 2, 3), hits(2, 4), hits(5)])] == [1, 2, 5, 4, 3]
    assert in_turn([hits(3, 1)]) == hits(3, 1)
    assert in_turn([[], hits(7)]) == hits(7)
    assert in_turn([]) == []


def test_what_all_questions_share_is_taken_out_by_their_script():
    usual = {False: np.array([1.0, 0.0], np.float32), True: np.array([0.0, 1.0], np.float32)}
    finder = Retriever(*[None] * 5, RetrievalSettings(query=QuerySettings(mean_query_share=0.5)), usual)
    vector = np.array([0.6, 0.8], np.float32)
    assert finder._own("How high is the bridge?", vector) == pytest.approx([0.1, 0.8])
    assert finder._own("桥有多高？", vector) == pytest.approx([0.6, 0.3])


def test_a_document_named_in_one_part_counts_a_quarter_in_another():
    words, embedder = BM25Index(), ExactEmbedder()
    catalog = DocumentRouter(words)
    for slot, name in enumerate(["alphadyne 2021.pdf", "betatron 2022.pdf", "gammacorp.pdf"]):
        words.add([slot], ["some text"])
        catalog.add(("", name), name, "", np.array([slot]))
    none = {script: np.zeros(512, np.float32) for script in (False, True)}
    finder = Retriever(None, embedder, None, words, catalog, RetrievalSettings(), none)
    parts = ("What does Alphadyne sell in 2021?", "How heavy is the blue valve?", "Who owns Betatron?")
    vectors, searches = finder._searches(Query("", " ".join(parts), parts), None)
    assert len(vectors) == len(searches) == 4
    whole, first, second, third = (search.fits for search in searches)
    assert first[0] == whole[0] > 0
    assert second == pytest.approx(0.25 * whole)
    assert third == pytest.approx([0.25 * whole[0], whole[1], 0])

from __future__ import annotations

import pytest

from rag.records import Signal
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.hybrid import Hit
from rag.retrieve.overlap import score_overlap
from rag.settings import RetrievalSettings

SETTINGS = RetrievalSettings(term_overlap_weight=0.5, bigram_overlap_weight=0.25)
QUERY = ExpandedQuery(("red pump",), {"red": 1.0, "pump": 1.0}, frozenset({("red", "pump")}))


def idf(term: str) -> float:
    return {"red": 1.0, "pump": 3.0}[term]


def test_overlap_shares_by_hand():
    """Of weights 1 + 3 the first holds 3, the second all and the pair, the third nothing."""
    hits = [Hit(1, 0.6), Hit(2, 0.2, (Signal("words", 7.0, 1),)), Hit(3, 0.4)]
    terms = {1: ["pump", "blue"], 2: ["red", "pump"], 3: ["nothing"]}
    looked = score_overlap(QUERY, hits, terms, idf, SETTINGS)
    assert [(hit.passage_id, hit.score) for hit in looked] == [
        (1, pytest.approx(0.6 + 0.5 * 0.75)),
        (2, pytest.approx(0.2 + 0.5 + 0.25)),
        (3, pytest.approx(0.4)),
    ]
    assert looked[1].signals == (Signal("words", 7.0, 1), Signal("overlap", pytest.approx(0.75), 1))


def test_a_removed_passage_is_dropped_and_a_question_without_terms_changes_nothing():
    hits = [Hit(1, 0.6), Hit(2, 0.2)]
    assert [hit.passage_id for hit in score_overlap(QUERY, hits, {2: ["red"]}, idf, SETTINGS)] == [2]
    looked = score_overlap(ExpandedQuery(("?",), {}, frozenset()), hits, {1: ["a"], 2: ["b"]}, idf, SETTINGS)
    assert [(hit.passage_id, hit.score) for hit in looked] == [(1, 0.6), (2, 0.2)]

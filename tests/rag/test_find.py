"""From passages to sources: pages first, neighbours joined, copies folded."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from rag.find import Finder, by_page
from rag.rows import StoredPassage
from rag.search import Hit
from rag.settings import Searching


@pytest.fixture
def kept():
    """Passages by id, as (document, page, start, text)."""
    sql = sqlite3.connect(":memory:")
    sql.row_factory = sqlite3.Row
    columns = "? AS id, ? AS document_id, ? AS first_page, ? AS last_page, ? AS start, ? AS stop, ? AS text"
    query = f"SELECT {columns}, '' AS owner, 'x.pdf' AS name, '7' AS label, '[]' AS heading"

    def made(rows: dict[int, tuple[str, int, int, str]]) -> dict[int, StoredPassage]:
        return {
            n: StoredPassage(sql.execute(query, (n, document, page, page, at, at + len(text), text)).fetchone())
            for n, (document, page, at, text) in rows.items()
        }

    return made


def hits(*ids: int) -> list[Hit]:
    return [Hit(passage, 1 - n / 10) for n, passage in enumerate(ids)]


def test_the_best_of_each_page_comes_before_the_rest_of_any(kept):
    rows = {1: ("a", 0, 0, "one "), 2: ("a", 0, 50, "two "), 3: ("a", 1, 90, "three "), 4: ("b", 0, 0, "four ")}
    found = by_page(hits(1, 2, 3, 4), kept(rows), 1000)
    assert [source.text for source in found] == ["one ", "three ", "four ", "two "]
    assert [source.number for source in found] == [1, 2, 3, 4]


def test_neighbours_on_a_page_become_one_source_that_spans_them_all(kept):
    rows = {1: ("a", 0, 4, "BBBB"), 2: ("a", 0, 8, "CCCC"), 3: ("a", 0, 0, "AAAA"), 4: ("a", 0, 99, "far ")}
    first, other = by_page(hits(1, 4, 2, 3), kept(rows), 1000)
    assert (first.text, first.start, first.end, first.passage_id) == ("AAAABBBBCCCC", 0, 12, 1)
    assert first.narrowest == "BBBB"
    assert (other.text, other.narrowest) == ("far ", "far ")
    assert (first.score, other.score) == (1.0, 0.9)


def test_a_source_grows_to_its_limit_and_no_further(kept):
    rows = {1: ("a", 0, 0, "A" * 60), 2: ("a", 0, 60, "B" * 60)}
    assert [len(source.text) for source in by_page(hits(1, 2), kept(rows), 119)] == [60, 60]
    assert [len(source.text) for source in by_page(hits(1, 2), kept(rows), 120)] == [120]


def test_copies_are_folded_into_the_best(kept):
    rows = {1: ("a", 0, 0, "The rent is due.\n"), 2: ("b", 3, 7, "The  rent is due. "), 3: ("b", 4, 70, "Other.")}
    assert [source.passage_id for source in by_page(hits(2, 1, 3), kept(rows), 1000)] == [2, 3]


def test_neighbours_of_other_pages_and_documents_stay_apart(kept):
    rows = {1: ("a", 0, 0, "AAAA"), 2: ("a", 1, 4, "BBBB"), 3: ("b", 0, 4, "CCCC")}
    assert [source.text for source in by_page(hits(1, 2, 3), kept(rows), 1000)] == ["AAAA", "BBBB", "CCCC"]


def test_what_all_questions_share_is_taken_out_by_their_script():
    usual = {False: np.array([1.0, 0.0], np.float32), True: np.array([0.0, 1.0], np.float32)}
    finder = Finder(*[None] * 5, Searching(usual_share=0.5), usual)
    vector = np.array([0.6, 0.8], np.float32)
    assert finder._own("How high is the bridge?", vector) == pytest.approx([0.1, 0.8])
    assert finder._own("桥有多高？", vector) == pytest.approx([0.6, 0.3])


def test_nothing_found_is_no_source(kept):
    assert by_page([], kept({}), 1000) == []

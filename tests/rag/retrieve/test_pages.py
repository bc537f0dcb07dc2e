"""From passages to sources: pages first, neighbours joined, copies folded, the first ones with all of their page."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import pytest

from rag.retrieve.hybrid import Hit
from rag.retrieve.pages import extend_to_page, merge_by_page
from rag.settings import RetrievalSettings
from rag.store.rows import StoredPassage


@pytest.fixture
def kept():
    """Passages by id, as (document, page, start, text)."""
    sql = sqlite3.connect(":memory:")
    sql.row_factory = sqlite3.Row
    columns = "? AS id, ? AS document_id, ? AS first_page, ? AS last_page, ? AS start, ? AS stop, ? AS text"
    query = f"SELECT {columns}, '' AS owner, x'00' AS digest, 'x.pdf' AS name, '7' AS label, '[]' AS heading"

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
    found = merge_by_page(hits(1, 2, 3, 4), kept(rows), 1000)
    assert [source.text for source in found] == ["one ", "three ", "four ", "two "]
    assert [source.number for source in found] == [1, 2, 3, 4]


def test_adjoining_hits_on_a_page_are_merged_into_one_source(kept):
    rows = {1: ("a", 0, 4, "BBBB"), 2: ("a", 0, 8, "CCCC"), 3: ("a", 0, 0, "AAAA"), 4: ("a", 0, 99, "far ")}
    first, other = merge_by_page(hits(1, 4, 2, 3), kept(rows), 1000)
    assert (first.text, first.start, first.end, first.passage_id) == ("AAAABBBBCCCC", 0, 12, 1)
    assert first.passage_text == "BBBB"
    assert (other.text, other.passage_text) == ("far ", "far ")
    assert (first.score, other.score) == (1.0, 0.9)


def test_a_merged_source_stays_within_its_limit(kept):
    rows = {1: ("a", 0, 0, "A" * 60), 2: ("a", 0, 60, "B" * 60)}
    assert [len(source.text) for source in merge_by_page(hits(1, 2), kept(rows), 119)] == [60, 60]
    assert [len(source.text) for source in merge_by_page(hits(1, 2), kept(rows), 120)] == [120]


def test_of_copies_of_a_text_only_the_best_is_kept(kept):
    rows = {1: ("a", 0, 0, "The rent is due.\n"), 2: ("b", 3, 7, "The  rent is due. "), 3: ("b", 4, 70, "Other.")}
    assert [source.passage_id for source in merge_by_page(hits(2, 1, 3), kept(rows), 1000)] == [2, 3]


def test_compared_documents_each_keep_a_text_that_both_contain(kept):
    rows = {
        1: ("a", 0, 0, "The rent is due.\n"),
        2: ("b", 3, 7, "The  rent is due. "),
        3: ("b", 5, 90, "The rent is due."),
    }
    assert [source.passage_id for source in merge_by_page(hits(2, 1, 3), kept(rows), 1000, keep_copies=True)] == [2, 1]


def test_hits_on_other_pages_and_in_other_documents_are_not_merged(kept):
    rows = {1: ("a", 0, 0, "AAAA"), 2: ("a", 1, 4, "BBBB"), 3: ("b", 0, 4, "CCCC")}
    assert [source.text for source in merge_by_page(hits(1, 2, 3), kept(rows), 1000)] == ["AAAA", "BBBB", "CCCC"]


def test_no_hits_give_no_sources(kept):
    assert merge_by_page([], kept({}), 1000) == []


PAGE = "HEAD in millions\n" + "AAAA" + "BBBB" + "CCCC\n" + "foot " * 10  # begins at character 100 of its document
BEGIN = 100


def wide(found, **settings):
    owners = dict.fromkeys([source.passage_id for source in found], "ann")

    def page_text(owner: str, document: str, page: int) -> tuple[int, str]:
        assert owner == "ann"
        return (BEGIN, PAGE) if (document, page) == ("a", 0) else (0, f"text of page {page} of {document}")

    return extend_to_page(found, owners, page_text, RetrievalSettings(**settings))


def test_the_first_source_is_extended_to_its_page_and_still_knows_what_was_found(kept):
    rows = {1: ("a", 0, BEGIN + 21, "BBBB"), 2: ("b", 0, 0, "text of page 0 of b")}
    first, second = wide(merge_by_page(hits(1, 2), kept(rows), 4000), full_page_sources=1)
    assert (first.text, first.start, first.end) == (PAGE, BEGIN, BEGIN + len(PAGE))
    assert first.passage_text == "BBBB"
    assert (second.number, second.text, second.passage_span) == (2, "text of page 0 of b", None)


def test_a_source_without_room_for_its_page_gets_the_text_above_first(kept):
    rows = {1: ("a", 0, BEGIN + 21, "BBBB")}
    (only,) = wide(merge_by_page(hits(1), kept(rows), 4000), source_characters=27)
    assert only.text == PAGE[:27]
    (only,) = wide(merge_by_page(hits(1), kept(rows), 4000), source_characters=8)
    assert (only.text, only.start) == ("AAAABBBB"[:4] + "BBBB", BEGIN + 17)
    (only,) = wide(merge_by_page(hits(1), kept(rows), 4000), source_characters=2)
    assert only.text == "BBBB"


def test_extended_sources_of_one_page_never_overlap(kept):
    text = "".join(f"sentence number {n:03} of the page\n" for n in range(200))
    spans = {1: (0, 30), 2: (3000, 3030), 3: (1500, 1530), 4: (6000, 6030)}
    rows = {n: ("a", 0, start, text[start:end]) for n, (start, end) in spans.items()}
    found = merge_by_page(hits(1, 2, 3, 4), kept(rows), 4000)
    got = extend_to_page(
        found, dict.fromkeys(spans, ""), lambda *_: (0, text), RetrievalSettings(source_characters=2000)
    )
    assert all(source.text == text[source.start : source.end] for source in got)
    assert [source.number for source in got] == list(range(1, len(got) + 1))
    ends = sorted((source.start, source.end) for source in got)
    assert all(before[1] <= after[0] for before, after in pairwise(ends))
    assert {source.passage_id for source in got} == {1, 2, 4}  # the third stands in the first


def test_an_extended_source_ends_where_the_next_source_begins(kept):
    """The second was found, and joined with neighbours, across the end of what the first took in."""
    text = "".join(f"sentence number {n:03} of the page\n" for n in range(260))
    rows = {1: ("a", 0, 0, text[:1000]), 2: ("a", 0, 3500, text[3500:4500])}
    first, second = extend_to_page(
        merge_by_page(hits(1, 2), kept(rows), 900), {1: "", 2: ""}, lambda *_: (0, text), RetrievalSettings()
    )
    assert (first.start, first.end) == (0, 4000)
    assert (second.start, second.end) == (3500, 7500)
    assert second.text == text[3500:7500]


def test_a_source_within_an_extended_one_is_dropped(kept):
    rows = {1: ("a", 0, BEGIN + 17, "AAAA"), 2: ("b", 0, 0, "other"), 3: ("a", 0, BEGIN + 25, "CCCC")}
    found = merge_by_page(hits(1, 2, 3), kept(rows), 4)
    assert [source.passage_id for source in found] == [1, 2, 3]
    assert [(source.number, source.passage_id) for source in wide(found, full_page_sources=1)] == [(1, 1), (2, 2)]
    assert [source.passage_id for source in wide(found, full_page_sources=0)] == [1, 2, 3]


def test_a_passage_that_runs_on_to_the_next_page_keeps_its_end(kept):
    end = BEGIN + len(PAGE)
    rows = {1: ("a", 0, end - 5, "foot and the next page")}
    (only,) = wide(merge_by_page(hits(1), kept(rows), 4000))
    assert only.text == PAGE + "and the next page"
    assert (only.start, only.end) == (BEGIN, end - 5 + len("foot and the next page"))

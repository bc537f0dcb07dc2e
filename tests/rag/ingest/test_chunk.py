from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.ingest.chunk import chunk_document, document_text
from rag.records import Heading, LoadedDocument, Page, PageKind, WordBoxes
from rag.settings import ChunkSettings
from tests.fakes import ExactEmbedder

count = ExactEmbedder().count_tokens


def document(*texts: str, outline=(), flows=()) -> LoadedDocument:
    pages = [
        Page(n, str(n + 1), PageKind.TEXT, text, WordBoxes.none(), 595, 842, flows_on=n in flows)
        for n, text in enumerate(texts)
    ]
    return LoadedDocument(tuple(pages), outline=tuple(outline))


words = st.text(alphabet="abc 。，.\n汉字\u3000", max_size=300)


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=4), st.sets(st.integers(0, 3)), st.integers(5, 40))
@example(["\u3000。", "\n \n\u3000。"], {0}, 5)
@example(["。\n \n\n。 。"], set(), 5)
def test_joined_passages_give_the_text_back(texts, flows, size):
    loaded = document(*texts, flows=flows)
    passages = chunk_document(loaded, count, ChunkSettings(max_passage_tokens=size, min_passage_tokens=3))
    text = document_text(loaded.pages)
    assert "".join(passage.text for passage in passages) == text
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert count(passage.text.rstrip()) <= size  # white space at the end is appended without being counted
        assert 0 <= passage.first_page <= passage.last_page < len(texts)


def test_a_passage_stays_on_its_page_unless_the_page_ends_inside_a_sentence():
    texts = ("Page one goes on\n", "to page two. More text.\n", "Third.\n")
    settled = chunk_document(document(*texts), count, ChunkSettings(max_passage_tokens=50))
    assert [(p.first_page, p.last_page) for p in settled] == [(0, 0), (1, 1), (2, 2)]
    flowing = chunk_document(document(*texts, flows={0}), count, ChunkSettings(max_passage_tokens=50))
    assert [(p.first_page, p.last_page) for p in flowing] == [(0, 1), (2, 2)]


def test_chinese_is_split_at_the_end_of_its_sentences():
    text = "第一句话在这里结束。第二句话也在这里结束。第三句。\n"
    passages = chunk_document(document(text), count, ChunkSettings(max_passage_tokens=13, min_passage_tokens=1))
    assert [p.text for p in passages] == ["第一句话在这里结束。", "第二句话也在这里结束。", "第三句。\n"]


def test_an_outline_heading_begins_a_passage_and_applies_to_those_below_it():
    text = "Before.\nResults\nSales rose.\nBy region\nAsia grew most.\nOutlook\nGood.\n"
    outline = [Heading("Results", 1, 0), Heading("By region", 2, 0), Heading("Outlook", 1, 0), Heading("Gone", 1, 7)]
    passages = chunk_document(document(text, outline=outline), count, ChunkSettings(min_passage_tokens=0))
    assert [(p.text, p.heading) for p in passages] == [
        ("Before.\n", ()),
        ("Results\nSales rose.\n", ("Results",)),
        ("By region\nAsia grew most.\n", ("Results", "By region")),
        ("Outlook\nGood.\n", ("Outlook",)),
    ]


def test_pages_within_a_chapter_of_the_outline_keep_their_detected_titles():
    texts = (
        "Chapter One\nIt begins here with a longer sentence.\n",
        "Balance Sheets\nCash 1,204 977\nDebt 2,690 3,073\n",
        "Chapter Two\nIt has nothing to do with the balance sheets of before.\n",
    )
    outline = [Heading("Chapter One", 1, 0), Heading("Chapter Two", 1, 2)]
    passages = chunk_document(document(*texts, outline=outline), count, ChunkSettings(min_passage_tokens=0))
    assert [p.heading for p in passages] == [("Chapter One",), ("Chapter One", "Balance Sheets"), ("Chapter Two",)]


def test_text_above_the_first_outline_entry_of_a_page_belongs_to_the_chapter_before():
    texts = ("Part\nOf one.\n", "Balance Sheets\nCash 1,204\n", "Rest of it, and more.\nNotes\nAll of them.\n")
    outline = [Heading("Part", 1, 0), Heading("Notes", 2, 2)]
    passages = chunk_document(document(*texts, outline=outline), count, ChunkSettings(min_passage_tokens=0))
    assert [p.heading for p in passages] == [("Part",), ("Part", "Balance Sheets"), ("Part",), ("Part", "Notes")]


@pytest.mark.parametrize("title", ["Risk", "In"])
def test_a_heading_is_not_found_inside_a_sentence_or_a_word(title):
    text = "We see a Risk in it. Interest rose.\nMore.\n"
    (passage,) = chunk_document(document(text, outline=[Heading(title, 1, 0)]), count, ChunkSettings())
    assert passage.heading == (title,)


@pytest.mark.parametrize("word", ["x" * 500, "字" * 500], ids=["one long word", "Chinese without an end"])
def test_text_without_any_boundary_is_split_all_the_same(word):
    passages = chunk_document(document(word), len, ChunkSettings(max_passage_tokens=100))
    assert len(passages) >= 5
    assert max(len(p.text) for p in passages) <= 100


def test_small_pieces_are_appended_to_the_passage_before():
    text = "one two three four five six seven eight nine ten eleven twelve\nEnd.\n"
    apart = chunk_document(document(text), count, ChunkSettings(max_passage_tokens=10, min_passage_tokens=0))
    assert [count(p.text) for p in apart] == [10, 2, 1]
    joined = chunk_document(document(text), count, ChunkSettings(max_passage_tokens=10, min_passage_tokens=3))
    assert [count(p.text) for p in joined] == [10, 3]


def test_a_document_without_text_has_no_passages():
    assert chunk_document(document("", ""), count, ChunkSettings()) == []


@pytest.mark.parametrize("character", ["\u1ab0", "\U00013000", ".", " ", "人", "a"])
def test_text_that_is_a_single_token_of_any_length_is_split_in_linear_work(character):
    def work(length: int) -> int:
        counted = 0

        def one_token(text: str) -> int:
            nonlocal counted
            counted += len(text)
            return 1

        passages = chunk_document(document(character * length), one_token, ChunkSettings())
        assert sum(len(passage.text) for passage in passages) == length
        return counted

    assert work(60_000) < 2.2 * work(30_000)


def test_the_line_that_is_a_title_is_preferred_to_one_that_begins_with_it():
    text = "Results of last year.\nResults\nResultsmith.\n"
    passages = chunk_document(
        document(text, outline=[Heading("Results", 1, 0)]), count, ChunkSettings(min_passage_tokens=0)
    )
    assert [(p.text, p.heading) for p in passages] == [
        ("Results of last year.\n", ()),
        ("Results\nResultsmith.\n", ("Results",)),
    ]

"""Question sets as files: what is written can be read, and what cannot be read is told with its line."""

from __future__ import annotations

import json

import pytest

from rag.errors import QuestionRefused
from rag.evaluation import question_sets
from rag.evaluation.question_sets import QuestionRow, as_csv, as_lines, read_question_set
from rag.evaluation.runs import RightPage, SavedQuestion

SAVED = [
    SavedQuestion(1, "How heavy, “exactly”,\nis it?", (RightPage("a", 4, "a, b.pdf", "5"),), "12 kg; 13 kg"),
    SavedQuestion(
        2, "大坝有多高？", (RightPage("b", 0, "年报.pdf", "1"), RightPage("b", 6, "年报.pdf", "7")), "三十米"
    ),
    SavedQuestion(3, "=HYPERLINK(1)", (), "-12%"),
    SavedQuestion(4, "Gone?", (RightPage("c", 0, "", ""),), "no"),
]
ROWS = [
    ("How heavy, “exactly”,\nis it?", "a, b.pdf", (4,), "12 kg; 13 kg"),
    ("大坝有多高？", "年报.pdf", (0, 6), "三十米"),
    ("=HYPERLINK(1)", "", (), "-12%"),
]


def fields(rows):
    return [(row.question, row.document, row.pages, row.answer) for row in rows]


@pytest.mark.parametrize("written", [as_lines, as_csv])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_what_is_written_is_read_again_with_a_byte_order_mark_or_without(written, start):
    rows, refused = read_question_set(start + written(SAVED).encode())
    assert fields(rows) == ROWS
    assert refused == []


def test_a_spreadsheet_finds_no_formula():
    text = as_csv([SavedQuestion(1, text, (), "x") for text in ("=1+1", "+1", "@SUM(A1)", "-2+3", "-2.5%")])
    assert [line.partition(",")[0] for line in text.splitlines()[1:]] == ["'=1+1", "'+1", "'@SUM(A1)", "'-2+3", "-2.5%"]


def test_columns_come_in_any_order_with_any_separator_in_either_language():
    for text in (
        "Page;Question;Document\r\n3;What?;a.pdf\r\n\r\n",
        "page\tquestion\tdocument\textra\n3.0\tWhat?\ta.pdf\tx\n",
        "问题,文档,页码\nWhat?,a.pdf,3",
    ):
        rows, refused = read_question_set(text.encode())
        assert (fields(rows), refused) == ([("What?", "a.pdf", (2,), "")], [])


def test_pages_of_json_lines_are_counted_from_0_and_a_single_page_from_1():
    lines = [{"question": "One?", "document": "a", "pages": [0, 3]}, {"question": "Two?", "document": "a", "page": 4}]
    rows, _ = read_question_set("\n".join(map(json.dumps, [*lines, {"question": "3?", "answer": ["x", "y"]}])).encode())
    assert fields(rows) == [("One?", "a", (0, 3), ""), ("Two?", "a", (3,), ""), ("3?", "", (), "x; y")]


def test_lines_that_cannot_be_read_are_told_with_their_number():
    lines = ['"Two\nlines?",,', ",a.pdf,1", "Page?,a.pdf,x", "From 0?,a.pdf,0", "No page?,a.pdf,", "No document?,,3"]
    rows, refused = read_question_set("\n".join(["question,document,page", *lines]).encode())
    assert [row.line for row in rows] == [2]
    assert [(one.line, str(one.reason)) for one in refused] == [
        (4, "It has no question."),
        (5, "Its page “x” is not a whole number from 1."),
        (6, "Its page “0” is not a whole number from 1."),
        (7, "It has a document, but no page."),
        (8, "It has a page, but no document."),
    ]
    lines = [
        '{"question": "One?"}',
        "{",
        "[1]",
        "[" * 100_000,
        '{"question": {}}',
        '{"question": "x", "document": "a", "pages": [true]}',
    ]
    rows, refused = read_question_set("\n".join(lines).encode())
    assert [row.line for row in rows] == [1]
    assert [one.line for one in refused] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("问题".encode("gb18030"), "not UTF-8"),
        (b"", "columns"),
        (b"name,place\na,b\n", "columns"),
        (b"x" * 2_000_001, "2.0 MB, the limit is 2 MB"),
    ],
)
def test_a_file_that_is_no_question_set_is_refused(data, said):
    with pytest.raises(QuestionRefused, match=said):
        read_question_set(data)


def test_no_more_lines_are_read_than_the_limit(monkeypatch):
    monkeypatch.setattr(question_sets, "MAX_ROWS", 2)
    rows, refused = read_question_set(b"question\n1?\n2?\n3?\n4?\n")
    assert rows == [QuestionRow(2, "1?"), QuestionRow(3, "2?")]
    assert [(one.line, str(one.reason)) for one in refused] == [(4, "Only 2 lines are read: split the file.")]

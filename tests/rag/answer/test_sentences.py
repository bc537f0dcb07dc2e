from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.sentences import sentence_spans, split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="English"),
        pytest.param("他来了。她走了！为什么？", ["他来了。", "她走了！", "为什么？"], id="Chinese"),
        pytest.param("他说：“好。”她笑了。", ["他说：“好。”", "她笑了。"], id="closing quotes belong to the sentence"),
        pytest.param("Mr. Li paid $1.5 million. Done.", ["Mr. Li paid $1.5 million.", "Done."], id="points inside"),
        pytest.param("J. K. Rowling wrote it.", ["J. K. Rowling wrote it."], id="initials"),
        pytest.param("See ibid. for more. Done.", ["See ibid. for more.", "Done."], id="a small letter goes on"),
        pytest.param("The U.S. market grew. It did.", ["The U.S. market grew.", "It did."], id="U.S."),
        pytest.param("Rose 5 percent\nFell 3 percent", ["Rose 5 percent", "Fell 3 percent"], id="rows of a table"),
        pytest.param("It ended.[1] Then more.", ["It ended.", "[1] Then more."], id="a mark right behind the point"),
        pytest.param("", [], id="empty"),
        pytest.param(" \n ", [], id="white space"),
        pytest.param("no end", ["no end"], id="no end mark"),
    ],
)
def test_split(text, expected):
    assert split_sentences(text) == expected


@given(st.text(alphabet="ab .!?。！\n”1A[]", max_size=80))
def test_spans_are_in_order_and_lose_only_white_space(text):
    found = sentence_spans(text)
    assert all(start < end for start, end in found)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    covered = {n for start, end in found for n in range(start, end)}
    assert all(text[n].isspace() for n in range(len(text)) if n not in covered)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "We lease our headquarters in the city of Los Gatos in California. In the third\nquarter we leased more.",
            [
                "We lease our headquarters in the city of Los Gatos in California.",
                "In the third\nquarter we leased more.",
            ],
            id="prose goes on after a line break",
        ),
        pytest.param(
            "Net income attributable to the owners of the parent company and others 1,234\nper share 2.10",
            ["Net income attributable to the owners of the parent company and others 1,234", "per share 2.10"],
            id="rows end in values",
        ),
        pytest.param("Short line of\nwords", ["Short line of", "words"], id="a short line"),
    ],
)
def test_a_line_of_prose_goes_on_in_the_next_one(text, expected):
    assert split_sentences(text) == expected

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.marks import (
    CitationMark,
    cut_unfinished_mark,
    extract_citation_marks,
    remove_citation_marks,
    replace_citation_marks,
)

ANSWER = "Built in 1931 [1]. Blue【2†source】, red [1, 2] or [1][2]; 十二公斤【3†L4-L7】【12】。"
TEXT = "Built in 1931. Blue, red or; 十二公斤。"
MARKS = ["[", "]", "【", "】", "†", "1", "23", "456", "7890", ",", "，", "、", " ", "\n", "x", "source", "."]


@pytest.mark.parametrize(
    ("text", "kept", "numbers"),
    [
        pytest.param("A [1] b.", "A b.", [(1,)], id="one"),
        pytest.param("A [1, 2，3、4].", "A.", [(1, 2, 3, 4)], id="several in one"),
        pytest.param("A[1][2]", "A", [(1,), (2,)], id="one behind the other"),
        pytest.param("A 【4†a】。", "A。", [(4,)], id="with a note"),
        pytest.param("A [ 1 ].", "A.", [(1,)], id="with spaces"),
        pytest.param("A.\n\n[1] B.", "A.\n\n B.", [(1,)], id="paragraphs are kept apart"),
        pytest.param("In [2023] [x] [] [1x] 1]", "In [2023] [x] [] [1x] 1]", [], id="other brackets are text"),
    ],
)
def test_marks_are_extracted(text, kept, numbers):
    assert extract_citation_marks(text)[0] == kept
    assert [mark.numbers for mark in extract_citation_marks(text)[1]] == numbers


def test_a_mark_knows_its_place_in_the_text_without_marks():
    assert extract_citation_marks("One [1]. Two[2].") == ("One. Two.", [CitationMark(3, (1,)), CitationMark(8, (2,))])


def test_marks_are_replaced():
    assert replace_citation_marks(ANSWER, lambda numbers: f"<{numbers}>").count("<(1, 2)>") == 1
    assert remove_citation_marks(ANSWER) == TEXT


def test_an_answer_cut_at_any_position_never_shows_half_a_mark():
    for end in range(len(ANSWER) + 1):
        shown = remove_citation_marks(ANSWER[:end])
        assert TEXT.startswith(shown.rstrip()), ANSWER[:end]


@given(st.lists(st.sampled_from(MARKS), max_size=20).map("".join), st.integers(0, 60))
def test_a_complete_mark_is_hidden_at_every_moment_before_it_is_complete(before, cut):
    text = before[:cut].replace("[", "").replace("【", "") + "[1, 23]"
    begun = text.rindex("[")
    for end in range(begun + 1, len(text)):
        assert "[" not in cut_unfinished_mark(text[:end])


@given(st.lists(st.sampled_from(MARKS), max_size=30).map("".join))
def test_only_the_end_of_a_text_is_ever_held_back(text):
    kept = cut_unfinished_mark(text)
    assert text.startswith(kept)
    assert not text[len(kept) :].strip() or text[len(kept) :].lstrip()[0] in "[【"


def test_long_runs_of_spaces_and_brackets_do_not_hang():
    for piece in (" ", "[", "[1,", "【1†", "1, "):
        remove_citation_marks(piece * 50_000)

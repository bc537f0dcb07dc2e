"""Which script a character or a text is written in, and runs of combining marks."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.language import (
    MAX_MARKS,
    has_chinese_without_kana,
    is_cjk,
    is_han,
    joins_without_space,
    limit_marks,
    mainly_chinese,
)

RUN = "\u1ab0\u1ab5" * 120_000  # two marks of different classes in turn: the worst order for normalisation
CPU_SECONDS = 10  # a quadratic pass over RUN takes four times as long, a linear one a hundredth of a second


@pytest.mark.parametrize(
    ("predicate", "members", "others"),
    [
        pytest.param(is_cjk, "汉㐀豈𠀀あア한", "aé1。（ㄅ⻄Ａ ", id="cut into bigrams by BM25"),
        pytest.param(is_han, "汉㐀豈", "あア한𠀀。a", id="Chinese characters"),
        pytest.param(joins_without_space, "汉㐀豈𠀀あアㄅ⻄。（Ａ！", "aé1한 ", id="joined at a line end: no Hangul"),
    ],
)
def test_which_characters_a_predicate_holds_for(predicate, members, others):
    assert all(map(predicate, members))
    assert not any(map(predicate, others))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("纯中文", True),
        ("English only", False),
        ("泵 X200 的重量", True),
        ("The 泵 is here in the hall", False),
        ("", False),
        ("2018", False),
    ],
)
def test_one_chinese_character_counts_as_a_short_word(text, expected):
    assert mainly_chinese(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("什么是 GLM-4?", True), ("What is 智谱?", True), ("What?", False), ("これは何の資料ですか", False), ("", False)],
)
def test_a_question_with_kana_is_not_chinese(text, expected):
    assert has_chinese_without_kana(text) is expected


def test_a_run_of_marks_is_cut_to_the_limit():
    assert limit_marks(f"a{RUN}b") == "a" + RUN[:MAX_MARKS] + "b"


@pytest.mark.parametrize("text", ["", "plain", "é" * 100, "ka\u0302\u0323t", "नमस्ते", "e\u0301" * 100, "が゙が゙"])
def test_ordinary_text_is_unchanged(text):
    assert limit_marks(text) == text


@given(st.text(alphabet="aé\u0301\u0323\uff9e\u0f73\u0344 ", max_size=200))
def test_runs_stay_bounded_after_normalisation(text):
    run = longest = 0
    for character in unicodedata.normalize("NFKD", limit_marks(text)):
        run = run + 1 if unicodedata.combining(character) else 0
        longest = max(longest, run)
    assert longest <= 2 * MAX_MARKS + 1  # a mark decomposes to two at most; a letter before them brings one


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("from rag.index.tokenize import terms as f", id="tokenizer"),
        pytest.param("from rag.pdf.normalize import clean_line; f = lambda text: clean_line(text, 10**6)", id="title"),
    ],
)
def test_a_quarter_of_a_million_marks_take_linear_time(call):
    """In a process of its own, which a limit on processor time kills."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))\n"
        f"{call}\nprint(len(f('a' + '\\u1ab0\\u1ab5' * 120_000)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

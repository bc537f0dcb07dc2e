"""Runs of combining marks, whatever the text."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.language import MAX_MARKS, limit_marks

RUN = "\u1ab0\u1ab5" * 120_000  # two marks of different classes in turn: the worst order for normalisation
CPU_SECONDS = 10  # a quadratic pass over RUN takes four times as long, a linear one a hundredth of a second


def test_a_run_of_marks_is_cut_to_the_limit():
    assert limit_marks(f"a{RUN}b") == "a" + RUN[:MAX_MARKS] + "b"


@pytest.mark.parametrize("text", ["", "plain", "é" * 100, "ka\u0302\u0323t", "नमस्ते", "e\u0301" * 100, "が゙が゙"])
def test_text_that_people_write_stays(text):
    assert limit_marks(text) == text


@given(st.text(alphabet="aé\u0301\u0323\uff9e\u0f73\u0344 ", max_size=200))
def test_no_run_is_long_after_normalisation(text):
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
def test_a_quarter_of_a_million_marks_take_no_time(call):
    """Run under a limit of processor time, which kills the process."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))\n"
        f"{call}\nprint(len(f('a' + '\\u1ab0\\u1ab5' * 120_000)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

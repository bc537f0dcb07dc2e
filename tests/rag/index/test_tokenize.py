from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.tokenize import MAX_TERM, STOP_WORDS, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("The X200-B pump", ["x200-b", "x200", "b", "pump"], id="a code stays whole beside its parts"),
        pytest.param("$1,577 and 1577", ["1577", "1577"], id="thousands separators fall away"),
        pytest.param("1,57 items", ["1,57", "1", "57", "item"], id="a comma that separates no thousands"),
        pytest.param("3.5% of 12,345.67", ["3.5", "12345.67"], id="decimals"),
        pytest.param("合同编号", ["合同", "同编", "编号"], id="Chinese in pairs"),
        pytest.param("第12条", ["第", "12", "条"], id="Chinese around a number"),
        pytest.param("ＡＢＣ１２３", ["abc123"], id="full width is folded"),
        pytest.param("companies, company's, boxes", ["company", "company", "boxe"], id="plurals"),
        pytest.param("this is it", [], id="nothing but stop words"),
        pytest.param("…—（）", [], id="punctuation"),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@given(st.text(max_size=200))
def test_terms_of_any_text_are_lower_case_and_no_stop_words(text):
    assert not STOP_WORDS & set(terms(text))
    assert all(term == term.casefold() for term in terms(text))


@pytest.mark.parametrize("word", ["a" * 5_000, "1" * 5_000, "a-b" * 2_000, "a" + "\u0301" * 5_000])
def test_no_term_is_longer_than_the_limit(word):
    assert max(map(len, terms(word))) <= MAX_TERM


def test_a_word_beyond_the_limit_is_found_by_its_parts():
    assert terms("-".join(["alpha"] * 30)) == ["alpha"] * 30
    assert terms("x" * 250) == ["x" * 100, "x" * 100, "x" * 50]

"""Finding a text on a page: what counts as the same, and where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.view import Folding, find_spans, fold, wanted


def found(text: str, query: str) -> list[str]:
    folding = Folding()
    return [text[start:end] for start, end in find_spans(text, wanted(query, folding), folding)]


@pytest.mark.parametrize(
    ("text", "query", "hits"),
    [
        pytest.param("Sales, SALES, net\nsales", "sales", ["Sales", "SALES", "sales"], id="case"),
        pytest.param("Net\nsales", "net sales", ["Net\nsales"], id="lines"),
        pytest.param("ＡＢＣ１２３ and abc123", "abc123", ["ＡＢＣ１２３", "abc123"], id="width"),
        pytest.param("资产负债\n表和资 产负债表", "资产负债表", ["资产负债\n表", "资 产负债表"], id="chinese lines"),
        pytest.param("Management’s “view”", "management's \"view\"", ["Management’s “view”"], id="quotes"),
        pytest.param("2019–2020", "2019-2020", ["2019–2020"], id="dash"),
        pytest.param("die Straße", "STRASSE", ["Straße"], id="one character that is two"),
        pytest.param("income", "in come", [], id="a space that is not there"),
        pytest.param("aaaa", "aa", ["aa", "aa"], id="not overlapping"),
        pytest.param("anything", " \n ", [], id="nothing to find"),
        pytest.param("a" * 300, "a" * 201, ["a" * 200], id="cut"),
    ],
)  # fmt: skip
def test_what_is_found(text, query, hits):
    assert found(text, query) == hits


@given(st.text(alphabet="aAｂ中文 \n\tß’ﬁ\u00ad"), st.text(alphabet="aAb中文 ß'fi", min_size=1, max_size=3))
def test_as_many_places_are_marked_as_are_counted(text, query):
    folding = Folding()
    needle = wanted(query, folding)
    spans = find_spans(text, needle, folding)
    assert len(spans) == (fold(text, folding).count(needle) if needle else 0)
    for start, end in spans:
        assert needle.strip() in fold(text[start:end], folding)

"""Evidence for comparisons."""

from __future__ import annotations

from rag.answer.phrases.turns import compared, take_turns
from rag.reader import Evidence
from rag.records import Source


def source(number: int, document: str) -> Source:
    return Source(number, number, document, f"{document}.pdf", 0, 0, "1", (), "text", 0, 4, 1.0)


SOURCES = [source(1, "a"), source(2, "a"), source(3, "b"), source(4, "c")]
A, B = frozenset({"acme"}), frozenset({"bolt"})


def test_two_named_documents_take_turns_and_others_come_last() -> None:
    documents = compared(SOURCES, {"a": A, "b": B})
    evidence = [Evidence(number, f"s{n}", 1.0) for n, number in enumerate((4, 1, 2, 1, 3))]
    assert [found.text for found in take_turns(evidence, SOURCES, documents)] == ["s1", "s4", "s2", "s3", "s0"]


def test_one_name_compares_nothing() -> None:
    assert compared(SOURCES, {"a": A}) == {}
    assert compared(SOURCES, {"a": A, "c": A}) == {}
    assert compared(SOURCES, {"a": A, "b": A | {"2022"}}) == {}
    assert compared(SOURCES, {}) == {}

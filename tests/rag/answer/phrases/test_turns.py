"""Evidence for comparisons."""

from __future__ import annotations

from rag.answer.evidence import take_turns
from rag.reader import Evidence
from rag.records import Source


def source(number: int, document: str) -> Source:
    return Source(number, number, document, f"{document}.pdf", 0, 0, "1", (), "text", 0, 4, 1.0)


SOURCES = [source(1, "a"), source(2, "a"), source(3, "b"), source(4, "c")]
EVIDENCE = [Evidence(number, f"s{n}", 1.0) for n, number in enumerate((4, 1, 2, 1, 3))]


def test_two_compared_documents_take_turns_and_others_come_last() -> None:
    found = take_turns(EVIDENCE, SOURCES, [["a"], ["b"]])
    assert [one.text for one in found] == ["s1", "s4", "s2", "s3", "s0"]


def test_without_a_comparison_the_order_stays() -> None:
    assert take_turns(EVIDENCE, SOURCES, []) == EVIDENCE

"""Whose document may answer: one that mentions who or what is asked about."""

from __future__ import annotations

from rag.answer.evidence import of_documents_that_mention
from rag.reader import Evidence
from rag.records import Source

TEXTS = {"notes": "Larkspur is a program.", "club": "Its CEO is Mary Dale.", "chinese": "百灵是一个程序。"}
SOURCES = [
    Source(n, n, name, f"{name}.pdf", 0, 0, "1", (), text, 0, len(text), 1.0)
    for n, (name, text) in enumerate(TEXTS.items(), 1)
]
EVIDENCE = [Evidence(source.number, source.text, 1.0) for source in reversed(SOURCES)]


def coverage(term: str) -> dict[str, float]:
    return {name: 1.0 for name, text in TEXTS.items() if term in text.lower()}


def kept(question: str, *named: str) -> list[int]:
    return [one.number for one in of_documents_that_mention(question, EVIDENCE, SOURCES, named, coverage)]


def test_a_document_that_never_mentions_the_one_asked_about_says_nothing_of_it() -> None:
    assert kept("Who is the CEO of Larkspur?") == [3, 1]  # the Chinese one may call it otherwise


def test_a_document_that_the_question_names_stays() -> None:
    assert kept("Who is the CEO of Larkspur?", "club") == [3, 2, 1]


def test_all_stays_where_no_document_has_the_name_and_where_none_is_named() -> None:
    assert kept("Who is the CEO of Blackbird?") == kept("Who is the boss?") == [3, 2, 1]

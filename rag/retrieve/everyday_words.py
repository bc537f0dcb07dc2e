"""Puts a question into the words of the documents: 出租方 for 房东 where a contract has no 房东.

The words of an everyday question and of a formal document often differ, and the embedding model does not always know
that they mean the same. Only what no document says is replaced, and only by what one says; the page shows what was
understood.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rag.index.tokenize import terms
from rag.retrieve.query import Query

Says = Callable[[str], bool]  # a word -> whether a document that is asked says it


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line of `everyday_words.txt`."""

    pattern: re.Pattern[str]
    words: tuple[str, ...]  # of documents, in the order of preference
    template: str  # with "{}" for the word


def in_words_of_documents(query: Query, says: Says) -> Query:
    """The query, with everyday words that the documents do not use replaced by theirs."""
    completed, *parts = (_replaced(text, says) for text in query.texts)
    if (completed, *parts) == query.texts:
        return query
    return replace(query, completed=completed, parts=tuple(parts))


def _replaced(text: str, says: Says) -> str:
    for rule in _rules():
        match = rule.pattern.search(text)
        if match is None or says(match.group()):
            continue
        word = next((word for word in rule.words if word not in text and says(word)), None)
        if word is not None:
            text = text[: match.start()] + rule.template.format(word) + text[match.end() :]
    return text


def says_in(coverage: Callable[[str], Mapping[str, float]]) -> Says:
    """Tells whether one document has passages with all terms of a word; `coverage`: of a term, by document."""

    @functools.cache
    def holding(term: str) -> frozenset[str]:
        return frozenset(document for document, share in coverage(term).items() if share > 0)

    def says(word: str) -> bool:
        found = [holding(term) for term in terms(word)]
        return bool(found) and bool(frozenset[str].intersection(*found))

    return says


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    lines = (Path(__file__).parent / "everyday_words.txt").read_text("utf-8").splitlines()
    return tuple(_rule(line) for line in lines if line and not line.startswith("#"))


def _rule(line: str) -> _Rule:
    pattern, words, *template = line.split(" | ")
    latin = pattern.isascii()
    return _Rule(
        re.compile(rf"\b(?:{pattern})\b" if latin else pattern, re.IGNORECASE),
        tuple(words.strip().split(" / ")),
        template[0].strip() if template else "{}",
    )

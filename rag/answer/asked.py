"""A question as asked, what was retrieved for it, and what was found in the sources. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rag.answer.phrases.kind import Kind, kind_of
from rag.answer.source_tables import SourceTables
from rag.index.protocols import Scope
from rag.reader import Evidence, Turn
from rag.records import DEFAULT_OPTIONS, AskOptions, ShortAnswer, Source, Vectors


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the circumstances in which it was asked."""

    question: str  # validated
    scope: Scope
    history: tuple[Turn, ...] = ()  # earlier turns, oldest first
    options: AskOptions = DEFAULT_OPTIONS
    person: str = ""  # who asks; "" if not known


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was searched, and what was found."""

    queries: tuple[str, ...]  # the whole question, then its parts
    searched: tuple[str, ...]  # the same, as they were searched in the documents that they name
    vectors: Vectors  # (queries, d)
    sources: tuple[Source, ...]
    named: Mapping[str, frozenset[str]]  # the documents that the question names: id -> its terms that name them
    tables: SourceTables  # on the sources' pages

    @property
    def asks_why(self) -> bool:
        """Whether a reason is asked for, which no figure gives."""
        return kind_of(self.queries[0]) is Kind.WHY

    @property
    def asks_who(self) -> bool:
        """Whether a person is asked for, which no figure of accounts gives: a CFO is not a cash flow."""
        return kind_of(self.queries[0]) is Kind.PERSON


class Findings(NamedTuple):
    """What was found in the sources."""

    short: ShortAnswer | None
    evidence: list[Evidence]  # best first
    odds: float | None = None  # logarithm of the odds that a span answers; None if not known

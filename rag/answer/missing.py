"""Which years, names and codes of a question its sources lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.held_terms import HeldTerms
from rag.answer.named_things import Kind, NamedThing, things_named
from rag.records import Source
from rag.settings import DoubtSettings

_WORDS_OF_NAME = re.compile(r"[\W_]+|\.pdf$", re.IGNORECASE)


@dataclass(frozen=True)
class KnownLibrary:
    """What is known of the documents in scope beside the sources' texts."""

    named: Mapping[str, frozenset[str]]  # document id -> terms of the question that name it
    term_weight: Callable[[str], float]  # IDF of a term over all passages
    coverage: Callable[[str], Mapping[str, float]]  # of a term: share of each document's passages with it, by id
    first_page: Callable[[Source], str]  # text of the first page of a source's document


@dataclass(frozen=True)
class Comparison:
    """A question's named things beside its sources."""

    question: str
    sources: Sequence[Source]
    library: KnownLibrary
    settings: DoubtSettings

    @cached_property
    def things(self) -> list[NamedThing]:
        """What the question names."""
        return things_named(self.question)

    @cached_property
    def relevant(self) -> list[Source]:
        """The sources of the documents that the question names; all, where it names none."""
        return [source for source in self.sources if source.document_id in self.library.named] or list(self.sources)

    @cached_property
    def held(self) -> list[HeldTerms]:
        """What each of the relevant sources holds, with its headings and the name of its document."""
        return [
            HeldTerms.of(source.text, *source.heading, " ".join(_WORDS_OF_NAME.split(source.document)))
            for source in self.relevant
        ]

    @cached_property
    def missing(self) -> list[NamedThing]:
        """The things that no relevant source holds, of those that can be compared."""
        return [thing for thing in self.things if self._comparable(thing) and not self._holds(thing)]

    def _comparable(self, thing: NamedThing) -> bool:
        """Whether a thing would be found by spelling: a Chinese name only in a Chinese text."""
        if thing.kind is not Kind.NAME:
            return True
        chinese = [held.chinese for held in self.held]
        return any(chinese) if thing.chinese else not all(chinese)

    def _holds(self, thing: NamedThing) -> bool:
        weight = self.library.term_weight
        if any(held.holds(thing, weight) for held in self.held):
            return True
        if thing.kind is Kind.YEAR:
            return False
        return self._names_a_document(thing) or self._is_a_subject(thing) or self._on_a_first_page(thing)

    def _names_a_document(self, thing: NamedThing) -> bool:
        return any(not terms.isdisjoint(thing.terms) for terms in self.library.named.values())

    def _is_a_subject(self, thing: NamedThing) -> bool:
        """Whether a document with sources uses the thing's rarest term all through."""
        rarest = max(thing.terms, key=self.library.term_weight, default="")
        coverage = self.library.coverage(rarest)
        return any(coverage.get(source.document_id, 0.0) >= self.settings.subject_coverage for source in self.relevant)

    def _on_a_first_page(self, thing: NamedThing) -> bool:
        """Whether the first page of a document with sources has the thing: its title or the company that reports."""
        first = {source.document_id: source for source in self.relevant}
        return any(
            HeldTerms.of(self.library.first_page(source)).holds(thing, self.library.term_weight)
            for source in first.values()
        )

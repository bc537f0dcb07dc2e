"""Which years, names and codes of a question its sources lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rag.answer.held_terms import HeldTerms
from rag.answer.named_things import Kind, NamedThing, things_named
from rag.answer.other_script import is_transliterated, sounds_like_one_of, translations
from rag.answer.phrases.kind import Kind as Asked
from rag.answer.phrases.kind import kind_of
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.records import Source
from rag.retrieve.expand import INSTRUCTION_TERMS
from rag.settings import DoubtSettings

MAX_SHARING_SOURCES = 5  # sources, from the first, that the question's terms are looked for in
FIGURES = frozenset({Asked.NUMBER, Asked.MONEY, Asked.PERCENT})
IN_EVIDENCE = 0.6  # presence of a year that only the evidence has
IN_SOURCE = 0.5  # presence of a name that only the first sources have
YEARS_NEAR = 8  # years before and after one that it is compared with
_CAPITALISED = re.compile(r"\b[A-Z][^\W\d_]+", re.ASCII)
_WORDS_OF_NAME = re.compile(r"[\W_]+|\.pdf$", re.IGNORECASE)


@dataclass(frozen=True)
class KnownLibrary:
    """What is known of the documents in scope beside the sources' texts."""

    named: Mapping[str, frozenset[str]]  # document id -> terms of the question that name it
    term_weight: Callable[[str], float]  # IDF of a term over all passages of the library
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
    def asks(self) -> bool:
        """Whether the question has words at all, and not only ones that no document of its script has."""
        asked = terms(self.question)
        unheld = self.library.term_weight("")  # nothing is rarer
        known = any(self.library.term_weight(term) < unheld for term in asked)
        scripts = {mainly_chinese(source.text) for source in self.sources}
        return bool(asked) and (known or mainly_chinese(self.question) not in scripts)

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

    @cached_property
    def unverified(self) -> bool:
        """Whether a figure is asked of a name that no source can be compared with, and of several documents.

        The Chinese name of a company is not found in English reports, and each of those has, say, a revenue.
        """
        strangers = any(thing.chinese and not self._in_same_script(thing) for thing in self.things)
        return strangers and kind_of(self.question) in FIGURES and len(self._documents) > 1

    @property
    def asks_for_figure_of_document(self) -> bool:
        """Whether a figure is asked for of a document that is named, which has many."""
        return bool(self.library.named) and kind_of(self.question) in FIGURES

    @cached_property
    def share(self) -> float:
        """The largest share of the question's terms, by IDF, that one of the first relevant sources holds, 0..1."""
        asked = [term for term in dict.fromkeys(terms(self.question)) if term not in INSTRUCTION_TERMS]
        weights = {term: self.library.term_weight(term) for term in asked}
        total = sum(weights.values())
        held = [sum(weights[term] for term in asked if term in one.terms) for one in self.held[:MAX_SHARING_SOURCES]]
        return max(held, default=0.0) / total if total else 0.0

    def presence(self, thing: NamedThing, evidence: Sequence[HeldTerms]) -> float:
        """How far the evidence, or the documents with sources, are about a thing that some source holds, 0..1."""
        if thing.kind is Kind.YEAR:
            reported = max((self._reported(thing.terms[0], source) for source in self._documents), default=0.0)
            return max(reported, IN_EVIDENCE if self._any_holds(evidence, thing) else 0.0)
        if not self._comparable(thing) or self.only_by_sound(thing):
            return 1.0
        return max(self._name_presence(form, evidence) for form in _forms(thing))

    def _name_presence(self, thing: NamedThing, evidence: Sequence[HeldTerms]) -> float:
        if self._names_a_document(thing) or self._any_holds(evidence, thing) or self._is_a_subject(thing):
            return 1.0
        return IN_SOURCE if self._any_holds(self.held[:2], thing) else 0.0

    @cached_property
    def _documents(self) -> list[Source]:
        """One source of each document that has any."""
        return list({source.document_id: source for source in self.relevant}.values())

    def _reported(self, year: str, source: Source) -> float:
        """How many passages of a document have a year, as a share of those that have its most frequent one near it."""
        if year in source.document:
            return 1.0
        near = [str(other) for other in range(int(year) - YEARS_NEAR, int(year) + YEARS_NEAR + 1)]
        counts = {other: self._coverage(other).get(source.document_id, 0.0) for other in near}
        return counts[year] / max(counts.values()) if counts[year] else 0.0

    def _coverage(self, term: str) -> Mapping[str, float]:
        if term not in self._coverages:
            self._coverages[term] = self.library.coverage(term)
        return self._coverages[term]

    @cached_property
    def _coverages(self) -> dict[str, Mapping[str, float]]:
        return {}

    def _any_holds(self, texts: Sequence[HeldTerms], thing: NamedThing) -> bool:
        return any(text.holds(thing, self.library.term_weight) for text in texts)

    def _comparable(self, thing: NamedThing) -> bool:
        """Whether a thing would be found by spelling: a Chinese name only in a Chinese text."""
        if thing.kind is not Kind.NAME:
            return True
        return self._in_same_script(thing) or bool(translations(thing.text)) or self.only_by_sound(thing)

    def _in_same_script(self, thing: NamedThing) -> bool:
        return any(self._chinese) if thing.chinese else not all(self._chinese)

    @cached_property
    def _chinese(self) -> list[bool]:
        """Whether Chinese names can be found in each of the relevant sources."""
        return [held.chinese for held in self.held]

    def only_by_sound(self, thing: NamedThing) -> bool:
        """Whether a foreign name in Chinese can be found in the sources only by its sound."""
        unlisted = thing.chinese and is_transliterated(thing.text) and not translations(thing.text)
        return unlisted and not any(self._chinese)

    def _holds(self, thing: NamedThing) -> bool:
        if thing.kind is Kind.YEAR:
            return self._any_holds(self.held, thing)
        if any(self._holds_name(form) for form in _forms(thing)):
            return True
        return self.only_by_sound(thing) and sounds_like_one_of(thing.text, self._latin_words)

    def _holds_name(self, thing: NamedThing) -> bool:
        return (
            self._any_holds(self.held, thing)
            or self._names_a_document(thing)
            or self._is_a_subject(thing)
            or self._on_a_first_page(thing)
        )

    @cached_property
    def _latin_words(self) -> frozenset[str]:
        """The capitalised words of the sources, their headings and the names of their documents."""
        return frozenset(word for held in self.held for word in _CAPITALISED.findall(held.text))

    def _names_a_document(self, thing: NamedThing) -> bool:
        return any(not terms.isdisjoint(thing.terms) for terms in self.library.named.values())

    def _is_a_subject(self, thing: NamedThing) -> bool:
        """Whether a document with sources uses the thing's rarest term all through."""
        rarest = max(thing.terms, key=self.library.term_weight, default="")
        coverage = self._coverage(rarest)
        return any(coverage.get(one.document_id, 0.0) >= self.settings.subject_coverage for one in self._documents)

    def _on_a_first_page(self, thing: NamedThing) -> bool:
        """Whether the first page of a document with sources has the thing: its title or the company that reports."""
        return self._any_holds([HeldTerms.of(self.library.first_page(one)) for one in self._documents], thing)


def _forms(thing: NamedThing) -> list[NamedThing]:
    """A name as it is and as it is called in the other script."""
    others = translations(thing.text) if thing.kind is Kind.NAME else ()
    return [thing, *(replace(thing, text=other, terms=tuple(dict.fromkeys(terms(other)))) for other in others)]

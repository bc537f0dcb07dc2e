"""Which years, names and codes in a question its sources lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from rag.answer.named_things import Kind, NamedThing, arabic, things_named, years_in
from rag.answer.other_script import is_transliterated, sounds_like_one_of, translations
from rag.answer.phrases.kind import Kind as Asked
from rag.answer.phrases.kind import kind_of
from rag.index.tokenize import terms
from rag.language import find_han, mainly_chinese
from rag.records import Source
from rag.retrieve.expand import INSTRUCTION_TERMS
from rag.settings import DoubtSettings

MIN_NAME_SHARE = 0.6  # share of the IDF of a name's terms that a text must contain in rare ones
MIN_RARITY = 0.6  # share of the IDF of a term in no text, from which on a term is rare
MIN_HAN = 8  # Chinese characters from which on a text is compared with Chinese names
MIN_STEM = 4  # letters of a name that another form of it must share
_HAN_NUMBER = re.compile(r"第([零〇一二三四五六七八九十百千]{1,7})")
_SAME = (  # names of countries and their people that are not formed by an ending
    frozenset({"france", "french"}),
    frozenset({"britain", "british", "uk", "england", "english"}),
    frozenset({"netherlands", "dutch", "netherland", "holland"}),
    frozenset({"spain", "spanish", "spaniard"}),
    frozenset({"poland", "polish", "pole"}),
    frozenset({"china", "chinese"}),
    frozenset({"wales", "welsh"}),
    frozenset({"ireland", "irish"}),
    frozenset({"greece", "greek"}),
    frozenset({"norway", "norwegian"}),
    frozenset({"denmark", "danish", "dane"}),
    frozenset({"sweden", "swedish"}),
    frozenset({"turkey", "turkish"}),
    frozenset({"switzerland", "swiss"}),
    frozenset({"scotland", "scottish", "scot"}),
    frozenset({"america", "american"}),
    frozenset({"jew", "jewish"}),
    frozenset({"turk", "turkish"}),
    frozenset({"finn", "finnish", "finland"}),
)
_ENDINGS = frozenset("s es n an ian ean ese ish ic al i y ite er ers ans ians 's".split())
MAX_SHARING_SOURCES = 5  # first sources that are searched for the question's terms
FIGURES = frozenset({Asked.NUMBER, Asked.MONEY, Asked.PERCENT})
IN_EVIDENCE = 0.6  # presence of a year that only the evidence has
IN_SOURCE = 0.5  # presence of a name that only the first sources have
YEARS_NEAR = 8  # years before and after one that it is compared with
_CAPITALISED = re.compile(r"\b[A-Z][^\W\d_]+", re.ASCII)
_WORDS_OF_NAME = re.compile(r"[\W_]+|\.pdf$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """What a text contains, for comparison with the things in a question."""

    terms: frozenset[str]
    pairs: frozenset[tuple[str, str]]  # neighbouring terms
    years: frozenset[int]
    text: str

    @classmethod
    def of(cls, *texts: str) -> HeldTerms:
        """For several texts together, such as a passage, its headings and the name of its document."""
        text = "\n".join(texts)
        own = terms(text)
        return cls(frozenset(own), frozenset(pairwise(own)), years_in(text), text)

    @property
    def chinese(self) -> bool:
        """Whether Chinese names can be found in it."""
        return len(find_han(self.text)) >= MIN_HAN

    def holds(self, thing: NamedThing, weight: Callable[[str], float]) -> bool:
        """Whether the text contains a thing; `weight`: the IDF of a term.

        A name with several terms is contained if the text has two of them next to each other, the last one if that is
        rare (a surname), most of its rare ones, or its initials.
        """
        if thing.kind is Kind.YEAR:
            return int(thing.terms[0]) in self.years
        if thing.kind is Kind.CODE:
            return self.terms.issuperset(thing.terms) or self._holds_number(thing)
        spelt = thing.text in self.text and (len(thing.text) >= MIN_STEM or not thing.text.isascii())
        if spelt or self._holds_initials(thing):
            return True
        if len(thing.terms) == 1 or not thing.certain:
            return any(map(self._holds_term, thing.terms))
        if not self.pairs.isdisjoint(pairwise(thing.terms)):
            return True
        weights = {term: weight(term) for term in thing.terms}
        least = MIN_RARITY * weight("")  # nothing is rarer than what no text holds
        rare = {term: weights[term] for term in weights if weights[term] >= least and self._holds_term(term)}
        return thing.terms[-1] in rare or sum(rare.values()) >= MIN_NAME_SHARE * sum(weights.values())

    def _holds_term(self, term: str) -> bool:
        """Whether the text has a term, or another form of it ("Germany", "German")."""
        if term in self.terms:
            return True
        if len(term) < MIN_STEM or not term.isascii():
            return False
        alike = next((same for same in _SAME if term in same), frozenset[str]())
        stems = {term.removesuffix(ending) for ending in _ENDINGS} - {term}
        return (
            not alike.isdisjoint(self.terms)
            or any(term + ending in self.terms for ending in _ENDINGS)
            or any(stem in self.terms for stem in stems if len(stem) >= MIN_STEM)
        )

    def _holds_number(self, thing: NamedThing) -> bool:
        """A section's number in Chinese numerals."""
        return any(arabic(found) == thing.terms[0] for found in _HAN_NUMBER.findall(self.text))

    def _holds_initials(self, thing: NamedThing) -> bool:
        """A name given by its initials ("WHO"), where the text writes it out."""
        if not (thing.text.isascii() and thing.text.isupper() and 3 <= len(thing.text) <= 6 and thing.text.isalpha()):
            return False
        between = r"\w{1,30}[\s-]{1,3}(?:(?:of|the|for|and|on|de)\s{1,3}){0,2}"
        return re.search(r"\b" + between.join(thing.text) + r"\w+", self.text) is not None


@dataclass(frozen=True)
class KnownLibrary:
    """What is known about the documents in scope besides the sources' texts."""

    named: Mapping[str, frozenset[str]]  # document id -> terms of the question that name it
    term_weight: Callable[[str], float]  # IDF of a term over all passages of the library
    coverage: Callable[[str], Mapping[str, float]]  # of a term: share of each document's passages with it, by id
    first_page: Callable[[Source], str]  # text of the first page of a source's document


@dataclass(frozen=True)
class Comparison:
    """A question's named things, compared with its sources."""

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
        """The sources from documents that the question names; all, if it names none."""
        return [source for source in self.sources if source.document_id in self.library.named] or list(self.sources)

    @cached_property
    def held(self) -> list[HeldTerms]:
        """What each of the relevant sources contains, including its headings and the name of its document."""
        return [
            HeldTerms.of(source.text, *source.heading, " ".join(_WORDS_OF_NAME.split(source.document)))
            for source in self.relevant
        ]

    @cached_property
    def missing(self) -> list[NamedThing]:
        """The things that no relevant source contains, among those that can be compared."""
        return [thing for thing in self.things if self._comparable(thing) and not self._holds(thing)]

    @cached_property
    def unverified(self) -> bool:
        """Whether a figure is asked about a name that no source can be compared with, of several documents.

        English reports do not contain a company's Chinese name, but each of them has, say, a revenue.
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
        """How far the evidence, or the documents with sources, are about a thing that some source contains, 0..1."""
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
        """Whether spelling can find a thing: a Chinese name only in a Chinese text."""
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
        """Whether a foreign name in Chinese can only be found in the sources by its sound."""
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
        """Whether a document with sources uses the thing's rarest term throughout."""
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

"""The short answer to a question for a fact about a document: where its company is based, who audits it, its employees.

Such facts are on the cover, among signatures or in one sentence of a long report, where a search by meaning seldom
finds them. They are looked up on all pages of the document that the question means. There is no answer if a word of the
question is not understood, the document is about another year, or no rule of `facts.toml` matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.document_answer import MAX_SOURCE_CHARACTERS, DocumentAnswer, cited_first, page_source
from rag.answer.facts.people import (
    ASKS_FOR_SIGNERS,
    ELECTION_WORDS,
    SIGNER_WORDS,
    find_elected,
    find_holder_in,
    find_signers,
)
from rag.answer.facts.question import Wording, company_on, is_understood, without_dates, years_of
from rag.answer.facts.reasons import asks_for_reason, find_reason
from rag.answer.facts.risks import ASKS as ASKS_FOR_RISKS
from rag.answer.facts.risks import WORDS as RISK_WORDS
from rag.answer.facts.risks import find_risks
from rag.answer.facts.search import PageText, Place, Stated, find_stated
from rag.answer.facts.table import Fact, known_facts
from rag.answer.phrases.kind import Kind, kind_of
from rag.answer.phrases.offices import ASKS as ASKS_FOR_DIRECTORS
from rag.answer.phrases.offices import asks_for_directors, asks_for_head, asks_for_office, asks_of_another_time
from rag.answer.phrases.yes_no import yes_or_no
from rag.index.protocols import Scope
from rag.index.tokenize import terms
from rag.kept import Kept
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, Document, DocumentKey, ShortAnswer, Source
from rag.store.database import Store

AGREEING_SOURCES: Final = 3  # first sources that must be from one document if the question names none
MAX_DOCUMENTS: Final = 3  # that are searched
MAX_PAGES: Final = 1_000  # of a document
MAX_QUESTION: Final = 300  # characters
KEPT_FACTS: Final = 500  # at most about 10 KB each
COVER_PAGES: Final = 2
COVER_CHARACTERS: Final = 3_000
SURE_CONFIDENCE, POSSIBLE_CONFIDENCE = 0.9, 0.39
_NO_VALUE: Final = frozenset({Kind.YES_NO, Kind.WHY, Kind.HOW, Kind.PERCENT, Kind.DURATION, Kind.CHANGE})
_OFFICE_WORDS: Final = (
    "who office officer holds held holder position serves serve head heads heading runs run running leads lead leading"
    " boss leader charge ceo cfo coo cto 谁 现任 担任 领导 掌管 老板 一把手"
)

Find = Callable[[Sequence[PageText], Collection[str]], Stated | None]  # pages, names of the company


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Something that a question may ask for."""

    wording: Wording | None  # None: the finder checks the words of the question itself
    find: Find
    kept_as: tuple[str, ...] = ()  # results are kept under this name; () if they are not kept


class FactFinder:
    """Finds facts in the documents of one library; the most recent ones are kept. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: Kept[tuple[Stated | None]] = Kept(KEPT_FACTS)

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)

    def find(
        self, question: str, scope: Scope, named: Mapping[str, Collection[str]], sources: Sequence[Source]
    ) -> DocumentAnswer | None:
        """The fact that a question asks for; None if it asks for none, or nothing is certain.

        `named`: the terms of the question that name each document, by its id.
        """
        if (claim := claimed(question)) is not None:
            return self._confirmed(question, claim, scope, named, sources)
        wanted = _wanted(question)
        if not wanted:
            return None
        for document in self._documents(scope, named, sources)[:MAX_DOCUMENTS]:
            moment, names = self._kept.moment, _company_terms(named.get(document.id, ()))
            pages = [PageText(*row) for row in self._store.labelled_page_texts(document.owner, document.id, MAX_PAGES)]
            cover = " ".join([document.name, document.title, *(page.text for page in pages[:COVER_PAGES])])[
                :COVER_CHARACTERS
            ]
            names |= company_on(cover) & frozenset(terms(question))
            for one in wanted:
                asked = without_dates(question, cover)
                understood = one.wording is None or is_understood(asked, one.wording, names, cover)
                if (
                    understood
                    and _is_of_years(question, cover)
                    and (stated := self._stated(one, document, pages, names, moment))
                ):
                    return _answer(stated, document, sources)
        return None

    def _stated(
        self, wanted: _Wanted, document: Document, pages: Sequence[PageText], names: frozenset[str], moment: int
    ) -> Stated | None:
        """What a document states; `moment`: of what is kept, before its pages were read."""
        if not wanted.kept_as:
            return wanted.find(pages, names)
        key, name = (document.owner, document.id), (wanted.kept_as, names)
        found = self._kept.get(key, name)
        if found is None:
            found = (wanted.find(pages, names),)
            self._kept.keep(key, name, found, moment)
        return found[0]

    def _confirmed(
        self,
        question: str,
        claim: Claimed,
        scope: Scope,
        named: Mapping[str, Collection[str]],
        sources: Sequence[Source],
    ) -> DocumentAnswer | None:
        """Yes or no; None if no fact decides it."""
        found = self.find(claim.question, scope, named, sources)
        if found is None:
            return None
        confirmed = is_confirmed(claim, found.short.values, certain=found.short.sure)
        if confirmed is None:
            return None
        return replace(found, short=replace(found.short, values=(yes_or_no(question, yes=confirmed),)))

    def _documents(
        self, scope: Scope, named: Mapping[str, Collection[str]], sources: Sequence[Source]
    ) -> list[Document]:
        """The documents that the question names best, those of better sources first.

        If it names none: the only one in scope, or the one that the first sources are from.
        """
        in_scope = [one for one in self._store.documents(scope.owner) if scope.allows((one.owner, one.id))]
        if len(in_scope) == 1:
            return in_scope
        if named:
            most = max(len(words) for words in named.values())
            best = [one for one in in_scope if len(named.get(one.id, ())) == most]
            order = [source.document_id for source in sources]
            return sorted(best, key=lambda one: order.index(one.id) if one.id in order else len(order))
        first = {source.document_id for source in sources[:AGREEING_SOURCES]}
        return [one for one in in_scope if first == {one.id}]


def _wanted(question: str) -> list[_Wanted]:
    """What a question may ask for, judging only by its wording."""
    if len(question) > MAX_QUESTION:
        return []
    if asks_for_reason(question):
        return [_Wanted(None, lambda pages, names: find_reason(question, pages, names))]
    if kind_of(question) in _NO_VALUE:
        return []
    years = years_of(question)
    found = [
        _Wanted(fact.wording, _fact_finder(fact, years), (fact.name, *years))
        for fact in known_facts()
        if fact.wording.asks.search(question)
    ]
    office = asks_for_office(question) or asks_for_head(question)
    if office is not None and kind_of(question) is Kind.PERSON and not asks_of_another_time(question):
        find = _holder_finder(question, office)
        called = office.search(question)
        words = f"{_OFFICE_WORDS} {called.group() if called else ''}"
        found.append(_Wanted(Wording.of(office, words), find))
    if asks_for_directors(question):
        wording = Wording.of(ASKS_FOR_DIRECTORS, ELECTION_WORDS)
        found.append(_Wanted(wording, lambda pages, _: find_elected(pages)))
    if ASKS_FOR_SIGNERS.search(question):
        wording = Wording.of(ASKS_FOR_SIGNERS, SIGNER_WORDS)
        found.append(_Wanted(wording, lambda pages, _: find_signers(question, pages)))
    if ASKS_FOR_RISKS.search(question):
        found.append(_Wanted(Wording.of(ASKS_FOR_RISKS, RISK_WORDS), lambda pages, _: find_risks(pages)))
    return found


def _fact_finder(fact: Fact, years: Sequence[str]) -> Find:
    return lambda pages, names: find_stated(fact, pages, names, years)


def _holder_finder(question: str, office: re.Pattern[str]) -> Find:
    return lambda pages, _: find_holder_in(question, office, pages)


def _company_terms(named: Collection[str]) -> frozenset[str]:
    """The terms that name a document, without numbers: they name its company."""
    return frozenset(term for term in named if not term.isdigit())


def _is_of_years(question: str, cover: str) -> bool:
    """Whether the document's cover or name gives the years in the question."""
    return all(year in cover for year in years_of(question))


# ---- the answer with its citations


def _answer(stated: Stated, document: Document, sources: Sequence[Source]) -> DocumentAnswer:
    ordered = cited_first(
        [*stated.places, *stated.evidence],
        sources,
        lambda source, place: _holds(source, place, document),
        lambda place: _page_source(place, document),
    )
    cited = tuple(_citation(place, document, ordered) for place in stated.places)
    rows = [Evidence(_citation(one, document, ordered).number, one.text, ANSWERABLE) for one in stated.evidence]
    confidence = SURE_CONFIDENCE if stated.certain else POSSIBLE_CONFIDENCE
    short = ShortAnswer(
        stated.values, citations=cited, confidence=confidence, sure=stated.certain, quoted=stated.quoted
    )
    return DocumentAnswer(short, rows, tuple(ordered))


def _holds(source: Source, place: Place, document: Document) -> bool:
    start, end = place.page.start + place.start, place.page.start + place.end
    return source.document_id == document.id and source.start <= start and end <= source.end


def _page_source(place: Place, document: Document) -> Source:
    """The part of a page that holds a place, as a source."""
    start = 0 if place.end <= MAX_SOURCE_CHARACTERS else max(place.start - MAX_SOURCE_CHARACTERS // 2, 0)
    return page_source(document, place.page, start, max(start + MAX_SOURCE_CHARACTERS, place.end))


def _citation(place: Place, document: Document, sources: Sequence[Source]) -> Citation:
    source = next(source for source in sources if _holds(source, place, document))
    moved = place.page.start - source.start
    return Citation(source.number, moved + place.start, moved + place.end)


# ---- yes or no to "Is KPMG the auditor?", using the fact that the document states
# The question is turned into one for the fact, "Who is the auditor?", and the result is compared with the name.


_HOLDS: Final = re.compile(
    r"^\W*(?i:is|was|are|were) (?P<thing>[A-Z0-9][^?]{1,60}?),? (?P<what>(?:the|an?|its|their|our) [^?]{3,120}?)\W*$"
)
_STANDS: Final = re.compile(
    r"^\W*(?:is|was|are|were) (?P<of>[^?]{1,80}?) (?P<how>headquartered|based|incorporated|listed|traded|audited)"
    r" (?:in|on|at|by|near|under the laws of) (?P<thing>[^?]{2,80}?)\W*$",
    re.IGNORECASE,
)
_QUESTIONS: Final = {
    "headquartered": "Where is {of} headquartered?",
    "based": "Where is {of} based?",
    "incorporated": "In which state is {of} incorporated?",
    "listed": "On which stock exchange is {of} listed?",
    "traded": "On which stock exchange is {of} traded?",
    "audited": "Who audited {of}?",
}
_HAN: Final = re.compile(r"^(?P<what>[^？?是]{2,30})是(?P<thing>[^？?谁什哪]{2,20})吗[？?\s]*$")
_FORMS: Final = frozenset(
    term
    for word in "inc corp corporation company co ltd plc llc llp lp the of state city mr ms mrs dr".split()
    for term in terms(word)
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a question wants confirmed."""

    question: str  # for the fact
    thing: str  # what the fact is said to be
    decides: bool  # whether another value is a no: there is one auditor, but a place may have many names


def claimed(question: str) -> Claimed | None:
    """What the question wants confirmed; None if it asks for something else."""
    text = " ".join(question.split())
    if match := _HAN.match(text):
        return Claimed(f"{match['what']}是谁？", match["thing"], decides=True)
    if match := _STANDS.match(text):
        how = match["how"].lower()
        return Claimed(_QUESTIONS[how].format(of=match["of"]), match["thing"], decides=how == "audited")
    if match := _HOLDS.match(text):
        return Claimed(f"Who is {match['what']}?", match["thing"], decides=True)
    return None


def is_confirmed(claim: Claimed, values: tuple[str, ...], *, certain: bool) -> bool | None:
    """Whether a document states what the question says; None if that cannot be told."""
    said = set(terms(claim.thing)) - _FORMS
    if not said or len(values) != 1:
        return None
    stated = set(terms(values[0])) - _FORMS
    if said <= stated:
        return True
    return False if claim.decides and certain and said.isdisjoint(stated) else None

"""Whether a text holds a year, a name or a code of a question, also in another form: FY22 for 2022, German for Germany.

Words of different scripts do not compare: only years, codes and names in Latin letters are found in any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from rag.answer.named_things import Kind, NamedThing, arabic, years_in
from rag.index.tokenize import terms
from rag.language import find_han

MIN_NAME_SHARE = 0.6  # of the IDF of a name's terms that a text must hold in rare ones
MIN_RARITY = 0.6  # of the IDF of a term that no text holds, from which a term is rare
MIN_HAN = 8  # Chinese characters from which a text is compared with Chinese names
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


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """What of a text is compared with the things of a question."""

    terms: frozenset[str]
    pairs: frozenset[tuple[str, str]]  # neighbouring terms
    years: frozenset[int]
    text: str

    @classmethod
    def of(cls, *texts: str) -> HeldTerms:
        """Of several texts together, such as a passage, its headings and the name of its document."""
        text = "\n".join(texts)
        own = terms(text)
        return cls(frozenset(own), frozenset(pairwise(own)), years_in(text), text)

    @property
    def chinese(self) -> bool:
        """Whether Chinese names can be found in it."""
        return len(find_han(self.text)) >= MIN_HAN

    def holds(self, thing: NamedThing, weight: Callable[[str], float]) -> bool:
        """Whether the text holds a thing; `weight`: the IDF of a term.

        A name of several terms is held by two that stand together, by its last one if that is rare (a surname), by most
        of its rare ones, or by its initials.
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

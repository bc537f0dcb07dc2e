"""What an English question was about: what "it", "there" or "more" may refer to in the next one."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from rag.index.tokenize import terms
from rag.retrieve.dialogue.clause import AUXILIARIES, PERIOD, PREPOSITIONS, WH, Clause, Phrase, word_lists

ANSWER_CHARACTERS: Final = 300  # of an answer, that are searched for a name
NAME_WORDS: Final = 5  # in the longest name taken from an answer
_NAME = re.compile(r"[A-Z0-9][\w.&'’-]*(?:\s+(?:(?:of|de|von|van|der|the|and|&)\s+){0,2}[A-Z0-9][\w.&'’-]*){0,4}")
_BE: Final = frozenset(("is", "are", "was", "were"))
VAGUE_NOUNS: Final = frozenset(("end", "beginning", "start", "number", "amount", "total", "part"))
_OF_WHAT: Final = frozenset(("of", "in", "for", "on", "to", "behind", "about", "around", "with"))
_ON_WHAT: Final = frozenset(("role", "impact", "effect", "influence"))  # of one thing in another: the latter is meant


@dataclass(frozen=True, slots=True)
class Before:
    """The question before, completed, and its answer."""

    clause: Clause
    answer: str

    @property
    def asks_for_name(self) -> bool:
        """Whether its answer is a person, a place or a thing rather than a figure."""
        asked = self.clause.asked.casefold().split()
        if not asked:
            return False
        if asked[0] in ("who", "where", "which", "whom") or (asked[0] == "what" and len(asked) > 1):
            return asked[-1] not in word_lists()["attributes"]
        heads = {phrase.head for phrase in self.clause.phrases[:1]}
        return asked[0] == "what" and bool(heads & (word_lists()["roles"] | word_lists()["places"]))

    def name_in_answer(self) -> str:
        """The first name in the answer that the question lacks; "" for none."""
        known = set(terms(self.clause.text))
        for match in _NAME.finditer(self.answer[:ANSWER_CHARACTERS]):
            name = re.sub(r"^(?:The|A|An|In|On|At|It|He|She|They|By)\s+(?=\S)", "", match.group()).rstrip(".")
            own = terms(name)
            if own and not known.issuperset(own) and not name[0].isdigit() and len(name.split()) <= NAME_WORDS:
                return name
        return ""


def asks_for_figure(before: Before) -> bool:
    """Whether the answer is an amount or a date."""
    return before.clause.asked.casefold().startswith(("how", "when"))


def entities(clause: Clause, *, plural: bool = False) -> list[str]:
    """What "it" or, with `plural`, "they" may stand for, most likely first.

    An owner, what an aspect belongs to ("the types of X"), the subject, then anything else.
    """
    own = [phrase for phrase in clause.phrases if not PERIOD.fullmatch(phrase.text) and phrase.head not in VAGUE_NOUNS]
    complements: list[str] = []
    wholes: list[str] = []
    on_what = False
    for first, phrase in itertools.pairwise(own):
        on_what |= first.head in _ON_WHAT
        if on_what and phrase.preposition in ("in", "on"):
            complements = [*_named(phrase, plural=plural), *complements]
        elif _is_aspect(first) and phrase.preposition in _OF_WHAT and not _is_charge(first, phrase):
            complements += _named(phrase, plural=plural)
        elif phrase.preposition == "of" and clause.text[first.end : phrase.start].split()[:1] == ["of"]:
            wholes.append(clause.text[first.start : phrase.end])
    owned = [name for phrase in own if phrase.owner for name in _named(phrase, plural=plural)]
    subjects = [
        _with_complement(clause, phrase)
        for phrase in own
        if not phrase.preposition and not phrase.owner and not phrase.asked
    ]
    aspects = [text for text in subjects if any(_is_aspect(phrase) and phrase.text == text for phrase in own)]
    asked = [f"the {phrase.text}" for phrase in own if phrase.asked]
    others = [phrase.text for phrase in own if phrase.preposition]
    others.sort(key=lambda text: any(phrase.text == text and phrase.preposition == "of" for phrase in own))
    subjects = [next((whole for whole in wholes if whole.startswith(text)), text) for text in subjects]
    things = [*subjects, *asked, *others]
    things.sort(key=lambda text: not text.endswith("s") if plural else _is_plural(text))
    if aspects and complements:
        return [*owned, *complements, *things]
    return [*owned, *things, *complements] if plural and not owned else [*owned, *complements, *things]


def _named(phrase: Phrase, *, plural: bool) -> list[str]:
    """The owner and the whole of a possessive ("Darwin" and "Darwin's theory"), the likelier one first."""
    if not phrase.owner:
        return [phrase.text]
    same_number = _is_plural(phrase.text) == plural
    whole_first = same_number and not _is_aspect(phrase) and not (plural and phrase.owner.endswith("s"))
    return [phrase.text, phrase.owner] if whole_first else [phrase.owner, phrase.text]


def _is_aspect(phrase: Phrase) -> bool:
    """Whether a phrase names something about something else: "the weight", "the types"."""
    lists = word_lists()
    heads = {phrase.head, phrase.head.removesuffix("s")}
    return bool(heads & (lists["attributes"] | lists["roles"] | lists["aspects"]))


def _is_plural(text: str) -> bool:
    """Whether the last word is a plural; a name that ends in s may be none."""
    last = text.split()[-1]
    return last.islower() and last.endswith("s") and not last.endswith(("ss", "us", "is"))


def _is_charge(first: Phrase, second: Phrase) -> bool:
    """Whether "for" joins a phrase to the next one, and the first is meant: "the penalty for late delivery"."""
    return second.preposition == "for" and not {first.head, first.head.removesuffix("s")} & word_lists()["aspects"]


def _with_complement(clause: Clause, phrase: Phrase) -> str:
    """A phrase and what follows it with "for": "the penalty for late delivery"."""
    following = next((other for other in clause.phrases if other.start > phrase.end), None)
    if following and following.preposition == "for" and following.start - phrase.end <= len(" for "):
        return clause.text[phrase.start : following.end]
    return phrase.text


def item_of(clause: Clause) -> str:
    """What was asked for, with its owner and period: "the effective tax rate of Corning in 2021"."""
    if clause.asked.casefold() == "what" and clause.remainder.split()[:1] and clause.remainder.split()[0] in _BE:
        return clause.remainder.partition(" ")[2]
    return next((phrase.text for phrase in clause.phrases if not phrase.preposition), "")


def topic_of(clause: Clause) -> str:
    """What a question was about, in its own words."""
    return item_of(clause) or clause.text


def capitalised(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def uncapitalised(text: str) -> str:
    """With a small first letter, unless the first word is a name."""
    first = text.split(" ", 1)[0]
    small = first.casefold() in AUXILIARIES | WH | PREPOSITIONS | {"the", "a", "an", "if", "when", "unless"}
    return text[:1].lower() + text[1:] if small else text

"""What an English question was about: what "it", "there" or "more" may refer to in the next one."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from rag.index.tokenize import terms
from rag.retrieve.dialogue.clause import AUXILIARIES, PERIOD, PREPOSITIONS, WH, Clause, Phrase, word_lists

ANSWER_CHARACTERS: Final = 300  # of an answer that are looked at for a name


NAME_WORDS: Final = 5  # in the longest name taken from an answer


_NAME = re.compile(r"[A-Z0-9][\w.&'’-]*(?:\s+(?:(?:of|de|von|van|der|the|and|&)\s+){0,2}[A-Z0-9][\w.&'’-]*){0,4}")


VAGUE_NOUNS: Final = frozenset(("end", "beginning", "start", "number", "amount", "total"))


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
    """What "it" may stand for, most likely first: an owner, what something is of, the subject, other things."""
    own = [phrase for phrase in clause.phrases if not PERIOD.fullmatch(phrase.text) and phrase.head not in VAGUE_NOUNS]
    owners = [phrase.owner for phrase in own if phrase.owner]
    of = [
        phrase.text
        for first, phrase in itertools.pairwise(own)
        if phrase.preposition == "of" and phrase.start - first.end <= len(" of ")
    ]
    subjects = [
        _with_complement(clause, phrase)
        for phrase in own
        if not phrase.preposition and not phrase.owner and not phrase.asked
    ]
    asked = [f"the {phrase.text}" for phrase in own if phrase.asked]
    others = [phrase.text for phrase in own if phrase.preposition and phrase.preposition != "of"]
    found = [*owners, *of, *subjects, *asked, *others]
    if plural:
        found.sort(key=lambda text: not (text.endswith("s") and text.split()[-1].islower()))
    return found


def _with_complement(clause: Clause, phrase: Phrase) -> str:
    """A phrase and what follows it with "for": "the penalty for late delivery"."""
    following = next((other for other in clause.phrases if other.start > phrase.end), None)
    if following and following.preposition == "for" and following.start - phrase.end <= len(" for "):
        return clause.text[phrase.start : following.end]
    return phrase.text


def item_of(clause: Clause) -> str:
    """What was asked for, with its owner and period: "the effective tax rate of Corning in 2021"."""
    if clause.asked.casefold() == "what" and clause.inverted:
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

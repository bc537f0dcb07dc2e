"""Which parts of a question a text contains: as a label, a header or a title.

Knows words for properties: heavy is weight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from rag.answer.claims.lexicon import are_synonyms, stem, stems_of_deeds
from rag.answer.nouns import is_noun
from rag.answer.phrases.kind import content
from rag.language import CJK

_HAN_WEIGHT: Final = 0.5  # of a Chinese character; an English word has 1
_OTHER_SCRIPT: Final = 0.5  # share of its weight, for a word that a text in the other script lacks
_STEM, _ENDING = 6, 4  # letters that forms of a word share at least, and that one has in addition at most
_TOKEN: Final = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:[.:/'’-][^\W_{CJK}]+)*")
_HAN: Final = re.compile(f"[{CJK}]")
_NAMED_BY_NUMBER: Final = re.compile(r"\d")  # "T6", "10:30"
# Words that say neither which thing nor which of its properties is meant.
_SAYS_LITTLE: Final = frozenset(
    stem(word)
    for word in (
        "a an the of for in on at to from by with and or is are was were be been do does did has have had can could may"
        " must should will would what which who whose when where how much many there it its my i me you your we our get"
        " gets take takes took give gives need needs keep use uses come comes go goes long value type kind one per each"
        " any that this these those if as about than find out show tell please mean means model version"
    ).split()
)
_ASKING_HAN: Final = re.compile(
    rf"叫(?:什么)?(?:名字)?(?![{CJK}])|[谁他她它的了吗呢是有和与在为被把能会要请问个]|多少|什么|怎么|哪[家个]公司|哪[个些种款家位]?|每|可以|需要|一个|现在"
)
_HOW_GREAT: Final = "多大"  # asks for a size, but with another property for that one: 功率多大, 多大年纪


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a question: a word, a property in words that stand for it, or a character of a Chinese run."""

    words: frozenset[str]  # stems, or pairs of Chinese characters, one of which a text must contain
    weight: float
    exact: bool = False  # named by a number or a letter
    noun: bool = False
    fixed: bool = False  # no other words can stand for it

    @property
    def han(self) -> bool:
        """Whether it is Chinese."""
        return any(map(_HAN.match, self.words))


@dataclass(frozen=True, slots=True)
class Wording:
    """The parts of a question."""

    parts: tuple[_Part, ...]

    @property
    def numbered(self) -> frozenset[int]:
        """The parts that are named by a number."""
        return frozenset(n for n, part in enumerate(self.parts) if part.exact)

    def held(self, text: str) -> frozenset[int]:
        """The parts that a text contains."""
        words = _words_of(text)
        return frozenset(n for n, part in enumerate(self.parts) if _has(words, part))

    def unasked(self, text: str) -> float:
        """Total weight of a text's words that are in no part of the question."""
        known = frozenset[str]().union(*(part.words for part in self.parts))
        own = [word for word in _words_of(text) if word not in _SAYS_LITTLE and (len(word) > 1 or word.isascii())]
        return sum(
            _HAN_WEIGHT if _HAN.match(word) else 1.0
            for word in own
            if word not in known and not any(are_synonyms(word, other) for other in known if other.isascii())
        )

    def share(self, parts: frozenset[int], *, chinese: bool) -> float:
        """Share of the question that these parts make up; a word in another script than the text's counts half."""
        missing = [part for n, part in enumerate(self.parts) if n not in parts]
        lost = sum(part.weight * (1.0 if part.han is chinese or part.exact else _OTHER_SCRIPT) for part in missing)
        held = self.weight_of(parts)
        return held / (held + lost) if held else 0.0

    def lacks_noun(self, parts: frozenset[int]) -> bool:
        """Whether an ordinary noun of the question is not among some parts."""
        return any(part.noun for n, part in enumerate(self.parts) if n not in parts)

    def weight_of(self, parts: frozenset[int]) -> float:
        """Total weight of these parts."""
        return sum(self.parts[n].weight for n in parts)


def wording_of(question: str) -> Wording:
    """The parts of a question that say what is asked for."""
    text, parts = content(question.rstrip("?？ ")), list[_Part]()
    asked = [(match, stands) for asking, stands in _attributes() if (match := asking.search(question))]
    # The longest first, so that nothing is left of 多大年纪 once it is understood.
    for match, stands in sorted(asked, key=lambda one: -len(one[0].group())):
        text = text.replace(match.group(), " ")
        others = (other for other, _ in asked if other is not match)
        if match.group() != _HOW_GREAT or not any(one.start() <= match.start() <= one.end() for one in others):
            parts.append(_Part(stands, 1.0, fixed=True))
    for match in _TOKEN.finditer(text := _ASKING_HAN.sub(" ", text)):
        token = match.group()
        if _HAN.match(token):
            pairs = [token[n : n + 2] for n in range(len(token) - 1)]
            for n in range(len(token)):
                parts.append(_Part(frozenset(pairs[max(n - 1, 0) : n + 1]) or frozenset({token}), _HAN_WEIGHT))
        elif _NAMED_BY_NUMBER.search(token) or _is_letter(token, text[match.end() : match.end() + 1]):
            parts.append(_Part(frozenset({token.casefold()}), 1.0, exact=True))
        elif (word := stem(token)) not in _SAYS_LITTLE:
            parts.append(_Part(frozenset({word}), 1.0, noun=is_noun(token.lower())))
    return Wording(tuple(parts))


def _is_letter(token: str, after: str) -> bool:
    """Whether a token is a capital letter that names a grade, class or part, not an article: "A级", "class B"."""
    return len(token) == 1 and token.isupper() and (token not in "AI" or bool(_HAN.match(after)))


def _has(words: frozenset[str], part: _Part) -> bool:
    if not words.isdisjoint(part.words):
        return True
    if part.exact or part.fixed:
        return False
    own = [word for word in part.words if word.isascii()]
    return any(are_synonyms(word, one) or _is_form(word, one) for one in own for word in words)


def _is_form(one: str, other: str) -> bool:
    """Whether two words are forms of one: member, membership."""
    short, long = sorted((one, other), key=len)
    return len(short) >= _STEM and len(long) - len(short) <= _ENDING and long.startswith(short)


@lru_cache(maxsize=5_000)
def _words_of(text: str) -> frozenset[str]:
    """The stems of a text's words, its tokens with numbers as they are, and its pairs of Chinese characters."""
    found = stems_of_deeds(text)
    for token in _TOKEN.findall(text):
        if _HAN.match(token):
            found |= {a + b for a, b in pairwise(token)} | set(token)
        else:
            found.add(token.casefold() if _NAMED_BY_NUMBER.search(token) else stem(token))
    return frozenset(found)


@cache
def _attributes() -> tuple[tuple[re.Pattern[str], frozenset[str]], ...]:
    """How each property is asked for, and the words that tables have for it."""
    return tuple(_read_attributes())


def _read_attributes() -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    for line in Path(__file__).with_name("attributes.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        asked, stands = ([word.strip() for word in side.split(",")] for side in line.split("|"))
        han = sorted((word for word in asked if _HAN.match(word)), key=len, reverse=True)
        latin = [word for word in asked if word not in han]
        pattern = "|".join([rf"\b(?:{'|'.join(latin)})\b", *han])
        words = frozenset[str]().union(*map(_words_of, stands))
        yield re.compile(pattern, re.IGNORECASE), frozenset(one for one in words if len(one) > 1)

"""A text as tokens that can be aligned: words by their stems, single Chinese characters, and whole quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rag.answer.claims.lexicon import stem
from rag.answer.claims.quantities import Quantity, find_quantities
from rag.language import CJK

# Function words: they are aligned, but nothing depends on them.
FUNCTION_WORDS: Final = frozenset(
    stem(word)
    for word in (
        "a an the of in on at to for from by with as and or that which who whom whose this these those it its he she"
        " they them his her their we our us i you your be is are was were been being am have has had do does did will"
        " would shall should may might can could there here such so than then also both each any some into onto upon"
        " over about between among during through per via if when where while what how why because but however"
        " although though very more most own other same s t re ve ll now currently according based respectively total"
        " approximately"
    ).split()
)
_HAN_FUNCTION: Final = frozenset(
    "的了在是和与及为于以其之而也将由从被把对这那该此所并或等就都着地得有中上下个本又还但则使让到"
)
_TOKEN = re.compile(rf"[{CJK}]|[^\W\d_{CJK}]+(?:['’][^\W\d_{CJK}]+)*|[A-Za-z0-9]*\d[A-Za-z0-9]*|[%&]")
# Full-width digits, letters and signs, one character for one; the punctuation of Chinese stays.
_HALF_WIDTH: Final = {
    code: code - 0xFEE0
    for code in range(0xFF01, 0xFF5F)
    if chr(code - 0xFEE0).isalnum() or chr(code - 0xFEE0) in "%$+-."
}
_CONJUNCTIONS: Final = frozenset("while whereas but and although though however 而 但 且 并".split())
_SPLIT_NOT = re.compile(r"(.+)(n['’]t)\Z", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[,;:，；：。、（）()—–]|\s-\s")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a Chinese character or a quantity."""

    start: int  # [start, end) in the analysed text
    end: int
    key: str  # what it is compared by
    text: str
    quantity: int = -1  # index among the text's quantities

    @property
    def is_han(self) -> bool:
        """Whether it is a single Chinese character."""
        return self.quantity < 0 and len(self.text) == 1 and ord(self.text) > 0x2E80

    @property
    def is_content(self) -> bool:
        """Whether the meaning depends on it; quantities are compared separately."""
        return self.quantity < 0 and self.key not in (_HAN_FUNCTION if self.is_han else FUNCTION_WORDS)


@dataclass(frozen=True, slots=True)
class Analysed:
    """A text with its tokens and quantities, in order."""

    text: str
    tokens: tuple[Token, ...]
    quantities: tuple[Quantity, ...]

    def breaks_between(self, start: int, end: int) -> bool:
        """Whether a clause ends between two characters."""
        return _CLAUSE_END.search(self.text, start, end) is not None


def analyse(text: str) -> Analysed:
    """The tokens and quantities of a text."""
    text = text.translate(_HALF_WIDTH)
    quantities = find_quantities(text)
    tokens: list[Token] = []
    end = 0
    for number, quantity in enumerate(quantities):
        tokens += _words(text, end, quantity.start)
        tokens.append(Token(quantity.start, quantity.end, "", text[quantity.start : quantity.end], number))
        end = quantity.end
    tokens += _words(text, end, len(text))
    return Analysed(text, tuple(tokens), tuple(quantities))


def _words(text: str, start: int, end: int) -> list[Token]:
    """The words and Chinese characters of text[start:end]."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text, start, end):
        word = match[0]
        if negated := _SPLIT_NOT.match(word):
            middle = match.start() + len(negated[1])
            found.append(Token(match.start(), middle, stem(negated[1]), negated[1]))
            found.append(Token(middle, match.end(), "not", negated[2]))
        else:
            found.append(Token(match.start(), match.end(), stem(word), word))
    return found


def clauses_of(analysed: Analysed, tokens: Sequence[Token]) -> list[int]:
    """The clause that each token belongs to, counted from 0; a conjunction starts a new one."""
    found: list[int] = []
    clause = end = 0
    for n, token in enumerate(tokens):
        if n and (token.text.lower() in _CONJUNCTIONS or analysed.breaks_between(end, token.start)):
            clause += 1
        found.append(clause)
        end = token.end
    return found


def content_keys(tokens: tuple[Token, ...] | list[Token]) -> set[str]:
    """What a text is about: stems of its words, and pairs of neighbouring Chinese characters."""
    keys = {token.key for token in tokens if token.quantity < 0 and not token.is_han and token.is_content}
    for token, following in pairwise(tokens):
        if token.is_han and following.is_han and following.start == token.end:
            keys.add(token.text + following.text)
    return keys

"""What a span model is told about each word besides its vector: its looks, and how close it is to the question.

With a small training set, this tells it at once what a model would otherwise have to learn from many examples: a span
that answers is of the kind asked for, is not in the question, and is close to the words that are (Weissenborn et al.,
Making Neural QA as Simple as Possible but not Simpler, CoNLL 2017, section 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.answer.phrases.kind import Kind, kind_of
from rag.index.tokenize import terms
from rag.language import CJK, is_cjk

Matrix = npt.NDArray[np.float32]

_WORD: Final = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:[-.,'’/&][^\W_{CJK}]+)*|\S")
_SHAPES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\d",
        r"(?:1\d|20)\d\d$",
        r"(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr"
        r"|jun|jul|aug|sept?|oct|nov|dec|(?:mon|tues|wednes|thurs|fri|satur|sun)day|year|month|week|day|century"
        r"|decade|quarter|年|月|日|周|季|世|纪|代)s?$",
        r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred"
        r"|thousand|million|billion|trillion|dozen|half|third|quarter|once|twice|first|second"
        r"|[一二三四五六七八九十百千万亿两零半])s?$",
        r"[$£€¥￥%％元美镑]$|(?:percent|per|dollars?|euros?|pounds?|usd|rmb|cents?)$",
        r"(?:because|due|since|owing|reasons?|caused?|result(?:ed|ing|s)?|attributable|driven|therefore"
        r"|order|thanks|因|由|故|致|为)$",
        r"(?:a|an|the|of|in|on|at|by|to|for|from|with|and|or|as|is|are|was|were|be|been|has|have|had|its|it|this|that"
        r"|which|who|their|his|her|they|he|she|we|our|not|but|also|into|than|then|will|would|can|may|such|these|those"
        r"|的|了|是|在|和|与|及|或|被|把|将|从|对|于|以|而|也|都|并|但|其|该|这|那|之|等)$",
        r"(?:of|in|on|at|by|to|for|from|with|into|under|within|between|在|于|从|由|以|对|向|被)$",
    )
)
_QUOTES: Final = re.compile(r"[“\"「『《‘][^”\"」』》’]{1,80}[”\"」』》’]")
_BRACKETS: Final = re.compile(r"[(（][^)）]{1,120}[)）]")
_REACH: Final = 5.0  # words over which closeness falls to 1/e
_KINDS: Final = tuple(Kind)
_RANKS: Final = 4  # the first sentences are distinguished, the rest are treated alike

WORD_FEATURES: Final = len(_SHAPES) + 11
COUNT: Final = WORD_FEATURES + _RANKS + 2 + len(_KINDS)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a sentence."""

    spans: list[tuple[int, int]]
    features: Matrix  # (words, WORD_FEATURES)
    asked_share: float  # share of the question's terms in the sentence


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, cut up once for all sentences."""

    terms: frozenset[str]
    kind: Kind

    @classmethod
    def of(cls, question: str) -> Asked:
        """From its text."""
        return cls(frozenset(terms(question)), kind_of(question))


def words_of(asked: Asked, sentence: str) -> Words:
    """Cut a sentence into words, with what can be seen of each."""
    spans = [match.span() for match in _WORD.finditer(sentence)]
    texts = [sentence[start:end] for start, end in spans]
    held = np.array([_is_asked(asked.terms, texts, n) for n in range(len(texts))], np.float32)
    quoted, bracketed = (_inside(pattern, sentence, spans) for pattern in (_QUOTES, _BRACKETS))
    columns = [[bool(shape.match(text)) for text in texts] for shape in _SHAPES]
    columns += [
        [n > 0 and text[0].isupper() for n, text in enumerate(texts)],
        [len(text) > 1 and text.isupper() for text in texts],
        [not text[0].isalnum() for text in texts],
        [is_cjk(text[0]) for text in texts],
        [n == 0 for n in range(len(texts))],
        [n == len(texts) - 1 for n in range(len(texts))],
        quoted,
        bracketed,
    ]
    features = np.zeros((len(texts), WORD_FEATURES), np.float32)
    if texts:
        features[:, : len(columns)] = np.array(columns, np.float32).T
        features[:, -3] = held
        features[:, -2] = _nearness(held)
        features[:, -1] = _nearness(held[::-1])[::-1]
    found = asked.terms & set(terms(sentence))
    return Words(spans, features, len(found) / max(len(asked.terms), 1))


def sentence_features(asked: Asked, share: float, answerability: float, rank: int) -> Matrix:
    """What all words of a sentence share, (COUNT - WORD_FEATURES,)."""
    row = np.zeros(COUNT - WORD_FEATURES, np.float32)
    row[min(rank, _RANKS - 1)] = 1.0
    row[_RANKS] = min(max(answerability, -1.0), 3.0)
    row[_RANKS + 1] = share
    row[_RANKS + 2 + _KINDS.index(asked.kind)] = 1.0
    return row


def _is_asked(asked: frozenset[str], texts: Sequence[str], n: int) -> bool:
    """Whether a word is in the question; a character counts where one of its two pairs is."""
    if not is_cjk(texts[n][0]):
        return not asked.isdisjoint(terms(texts[n]))
    before, after = texts[max(n - 1, 0) : n + 1], texts[n : n + 2]
    return "".join(before) in asked or "".join(after) in asked


def _inside(pattern: re.Pattern[str], sentence: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    covered = np.zeros(len(sentence) + 1, bool)
    for match in pattern.finditer(sentence):
        covered[match.start() : match.end()] = True
    return [bool(covered[start]) for start, _ in spans]


def _nearness(held: Matrix) -> Matrix:
    """How near the last word of the question before each word is: 1 for the word itself, falling to 0."""
    found = np.zeros(len(held), np.float32)
    current = 0.0
    for n, one in enumerate(held):
        current = 1.0 if one else current * float(np.exp(-1.0 / _REACH))
        found[n] = current
    return found

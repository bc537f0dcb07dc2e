"""Finds ordinary nouns in a question that the documents never mention: bananas in a report, umbrellas in a manual.

A noun is absent if none of the documents searched contains any form of it, and no word in the best sentences is close
to it in meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from rag.answer.claims.lexicon import stem
from rag.answer.han_words import han_words
from rag.answer.missing import Comparison
from rag.answer.named_things import MAX_QUESTION_CHARACTERS, Kind, NamedThing
from rag.answer.nouns import is_noun
from rag.answer.sentences import without_instructions
from rag.embed.embedder import Embeds
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.reader import Evidence
from rag.records import Vectors
from rag.settings import DoubtSettings

READ_SENTENCES: Final = 4  # best sentences of the evidence whose words are compared
MAX_WORDS: Final = 100  # characters of these sentences
_WORD: Final = re.compile(r"(?<![\w'’-])[^\W\d_]{3,}(?![\w-])")
_ENDINGS: Final = ("s", "es", "d", "ed", "ing", "r", "er", "al", "ly")
# Words from many topics: their mean vector is what all words of a script have in common.
_REFERENCE: Final = {
    False: "table river doctor money winter idea school music engine law bread child color war tree paper".split(),
    True: "桌子 河流 医生 钱 冬天 主意 学校 音乐 发动机 法律 面包 孩子 颜色 战争 树 纸".split(),
}
# Nouns that say what kind of answer is wanted (number, name), not what the question is about.
_ASKING: Final = frozenset(
    "kind sort percentage entity expression nickname synonym aspect thing reason cause meaning summary rationale"
    " explanation decimal million billion thousand average sum ratio growth trend place city country person"
    " 实体 次数 同义词 百分比 用法 期限 奖项 昵称 因素 总和 差额 平均值 比率 百分点 金额 数值 数额 幅度 增幅 降幅"
    " 涨幅 变动".split()
)


@dataclass(frozen=True)
class AbsentNouns:
    """Finds the nouns of a question that its documents lack."""

    embedder: Embeds
    settings: DoubtSettings

    def find(self, comparison: Comparison, evidence: Sequence[Evidence]) -> list[NamedThing]:
        """The nouns of the question that are absent (see above).

        None if question and evidence are in different scripts, whose words cannot be compared.
        """
        chinese = mainly_chinese(comparison.question)
        if not evidence or mainly_chinese(evidence[0].text) is not chinese:
            return []
        absent = [noun for noun in nouns_in(comparison.question) if is_absent(noun, comparison)]
        if not absent:
            return []
        near = self._nearness(absent, _words_of(evidence[:READ_SENTENCES], chinese=chinese), chinese=chinese)
        least = self.settings.near_meaning_han if chinese else self.settings.near_meaning
        return [
            NamedThing(noun, Kind.WORD, tuple(dict.fromkeys(terms(noun))))
            for noun, nearest in zip(absent, near, strict=True)
            if nearest < least
        ]

    def _nearness(self, nouns: Sequence[str], said: Sequence[str], *, chinese: bool) -> list[float]:
        """For each noun, its largest cosine with any of the words `said`, with the script's mean subtracted."""
        if not said:
            return [-1.0] * len(nouns)
        vectors = self.embedder.passages([*nouns, *said], urgent=True) - self._means[chinese]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        cosines = vectors[: len(nouns)] @ vectors[len(nouns) :].T  # (nouns, words said)
        return [float(nearest) for nearest in cosines.max(axis=1)]

    @cached_property
    def _means(self) -> dict[bool, Vectors]:
        """Mean vector (d,) of words, by whether they are Chinese."""
        return {chinese: self.embedder.passages(words).mean(axis=0) for chinese, words in _REFERENCE.items()}


def nouns_in(question: str) -> list[str]:
    """The ordinary nouns in a question as written, each once."""
    question = without_instructions(question[:MAX_QUESTION_CHARACTERS])
    if mainly_chinese(question):
        found = [word.text for word in han_words(question) if word.noun and not word.frequent]
    else:
        found = [word for word in _WORD.findall(question) if word.islower() and is_noun(word)]
    return [word for word in dict.fromkeys(found) if _ASKING.isdisjoint((word, *terms(word)))]


def is_absent(noun: str, comparison: Comparison) -> bool:
    """Whether no form of a noun is in the documents that the question names or, failing that, in any searched."""
    if mainly_chinese(noun):  # its pairs of characters
        return any(not _is_held(term, comparison) for term in terms(noun))
    forms = {noun, *terms(noun), stem(noun)}
    forms |= {base + ending for base in (stem(noun), *terms(noun)) for ending in _ENDINGS}
    if any(_is_held(form, comparison) for form in forms):
        return False
    return not any(stem(noun) == stem(term) for held in comparison.held for term in held.terms)


def _is_held(term: str, comparison: Comparison) -> bool:
    named, holding = comparison.library.named, comparison.library.coverage(term)
    return not named.keys().isdisjoint(holding) if named else bool(holding)


def _words_of(evidence: Sequence[Evidence], *, chinese: bool) -> list[str]:
    """The words in sentences that a noun could be close to, each once."""
    text = "\n".join(found.text for found in evidence)
    if chinese:
        words = [word.text for word in han_words(text) if word.known]
    else:
        words = [word.lower() for word in _WORD.findall(text) if terms(word)]
    return list(dict.fromkeys(words))[:MAX_WORDS]

"""Segments Chinese text into words, using the word frequencies of a dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LONGEST: Final = 4  # characters of a word in the dictionary
_LOG_TOTAL: Final = 26.0  # base-2 logarithm of the number of words that the frequencies were counted in
_FREQUENT: Final = 12.0  # the same of a frequent word
_UNKNOWN: Final = 8.0  # the same of a character on its own


@dataclass(frozen=True, slots=True)
class HanWord:
    """A word of a Chinese text."""

    text: str
    noun: bool
    known: bool  # in the dictionary; single characters are not
    frequent: bool  # so frequent that it says little about a topic: 国家, 公司


@cache
def _dictionary() -> dict[str, tuple[float, bool]]:
    """Word -> logarithm of its frequency, and whether it is a noun."""
    words: dict[str, tuple[float, bool]] = {}
    for line in Path(__file__).with_name("words_han.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            kind, frequency, *listed = line.split()
            words.update((word, (float(frequency), kind == "n")) for word in listed)
    return words


def han_words(text: str) -> list[HanWord]:
    """The likeliest words of a text, as a product of their frequencies (a unigram model, by dynamic programming)."""
    dictionary = _dictionary()
    best: list[tuple[float, int]] = [(0.0, 0)]  # for each position: score of the text before, start of its last word
    for end in range(1, len(text) + 1):
        options = [(best[end - 1][0] + _UNKNOWN - _LOG_TOTAL, end - 1)]
        for start in range(max(0, end - LONGEST), end - 1):
            if found := dictionary.get(text[start:end]):
                options.append((best[start][0] + found[0] - _LOG_TOTAL, start))
        best.append(max(options))
    return list(reversed([*_words_from_end(text, best)]))


def _words_from_end(text: str, best: list[tuple[float, int]]) -> Iterator[HanWord]:
    end = len(text)
    while end:
        start = best[end][1]
        word = text[start:end]
        found = _dictionary().get(word)
        frequency, noun = found or (0.0, False)
        yield HanWord(word, noun, found is not None, frequency >= _FREQUENT)
        end = start

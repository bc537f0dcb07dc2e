"""How much of a claim its evidence holds, word by word: itself, or by a synonym."""

from __future__ import annotations

import functools

from rag.answer.claims.align import Alignment
from rag.answer.claims.lexicon import han_words, opposites, synonyms, tells_change
from rag.answer.claims.sources import SourceIndex
from rag.answer.claims.tokens import Token
from rag.language import mainly_chinese

# Stems of words that tell how a value was worked out.
_OF_COMPUTING = frozenset("sum differ averag plu minu tim divid equal change ratio result amount reach stand".split())


def covered_share(alignment: Alignment, index: SourceIndex, *, computed: bool) -> float:
    """Share of the claim's content that the evidence holds, 0..1; 1 for a claim of quantities alone.

    The verbs that tell a row of a table ("rose", "amounted to"), and words of `computed` results, need not stand there.
    """
    held = _held_keys(alignment, index)
    groups = synonyms()
    known = {group for key in held for group in groups.get(key, ())}
    known |= {
        group for segment in alignment.segments for _, word in han_words(segment.text) for group in groups.get(word, ())
    }
    implied = computed or any(segment.is_row for segment in alignment.segments)
    by_start = _han_groups(alignment)
    total = covered = 0.0
    tokens = alignment.tokens
    for n, token in enumerate(tokens):
        if not token.is_content or (implied and _is_verb(token, by_start)):
            continue
        weight = 0.5 if token.is_han else 1.0  # two characters are about a word
        total += weight
        groups_here = by_start.get(token.start, frozenset()) if token.is_han else groups.get(token.key, frozenset())
        pairs = _pairs(tokens, n) if token.is_han else {token.key}
        covered += weight * (not held.isdisjoint(pairs) or not known.isdisjoint(groups_here))
    return covered / total if total else 1.0


def is_across(alignment: Alignment) -> bool:
    """Whether claim and evidence are in different scripts, so that their words cannot agree."""
    text = "\n".join(segment.text for segment in alignment.segments)
    return mainly_chinese(alignment.claim.text) != mainly_chinese(text)


def _held_keys(alignment: Alignment, index: SourceIndex) -> set[str]:
    """What the evidence is about, the headers above a row included."""
    held: set[str] = set()
    for segment in alignment.segments:
        held |= segment.content
        held |= {key for before in index.around(segment, 1, 0) for key in before.content}  # what "it" stands for
        if segment.is_row:
            held |= {key for header in index.headers(segment) for key in header.content}
    return held


def _pairs(tokens: tuple[Token, ...], n: int) -> set[str]:
    """The pairs of neighbouring Chinese characters that a character is part of."""
    return {
        tokens[first].text + tokens[first + 1].text
        for first in (n - 1, n)
        if first >= 0 and first + 1 < len(tokens) and tokens[first].is_han and tokens[first + 1].is_han
    }


def _han_groups(alignment: Alignment) -> dict[int, frozenset[int]]:
    """Each character's place in the claim -> the synonym groups of the known word it is part of."""
    groups = synonyms()
    return {
        start + n: groups.get(word, frozenset())
        for start, word in han_words(alignment.claim.text)
        for n in range(len(word))
    }


def _is_verb(token: Token, by_start: dict[int, frozenset[int]]) -> bool:
    """Whether a word says how a value changed or stands to others, rather than what it is the value of."""
    if token.is_han:
        return not _of_change().isdisjoint(by_start.get(token.start, frozenset()))
    return tells_change(token.key) or token.key in _OF_COMPUTING


@functools.cache
def _of_change() -> frozenset[int]:
    """The synonym groups of words such as "rose" and "higher"."""
    groups = synonyms()
    return frozenset(group for word in opposites() if tells_change(word) for group in groups.get(word, ()))

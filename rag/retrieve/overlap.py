"""The second look: the passages that came out first, looked at again word by word.

BM25 rewards a rare word said often; the second look asks how much of the question a passage holds at all, word by word
and pair by pair of neighbouring words. What a word tells is how rare it is in the library. Weights: `rag.settings`,
measured in `docs/retrieval.md`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from rag.index.tokenize import terms
from rag.records import Signal
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.hybrid import Hit, ranked
from rag.settings import RetrievalSettings

T = TypeVar("T", bound=Hashable)


def score_overlap(
    needs: ExpandedQuery,
    hits: Sequence[Hit],
    texts: Mapping[int, str],
    weight: Callable[[str], float],
    settings: RetrievalSettings,
) -> list[Hit]:
    """The hits, best first, each with the share of the question's terms and pairs that its text holds added.

    `texts`: what each passage is found by, by its id; a hit without one is dropped. `weight`: how much a term tells.
    """
    singles = {term: count * weight(term) for term, count in needs.terms.items()}
    pairs = {pair: min(map(weight, pair)) for pair in needs.pairs}
    added: dict[int, float] = {}
    for hit in hits:
        if hit.passage_id in texts:
            held = terms(texts[hit.passage_id])
            added[hit.passage_id] = settings.term_overlap_weight * _share(
                singles, set(held)
            ) + settings.bigram_overlap_weight * _share(pairs, set(itertools.pairwise(held)))
    places = {passage: n for n, passage in enumerate(sorted(added, key=lambda one: -added[one]), 1)}
    return ranked(
        Hit(
            hit.passage_id,
            hit.score + added[hit.passage_id],
            (*hit.signals, Signal("second", added[hit.passage_id], places[hit.passage_id])),
        )
        for hit in hits
        if hit.passage_id in added
    )


def _share(wanted: Mapping[T, float], held: set[T]) -> float:
    """Share of what is wanted that is held, by weight; 0 where nothing is wanted."""
    total = sum(wanted.values())
    return sum(wanted[one] for one in held & wanted.keys()) / total if total else 0.0

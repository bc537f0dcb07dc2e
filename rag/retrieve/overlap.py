"""Lexical rescoring: scores the best hits again by how much of the question each passage contains.

BM25 rewards a rare term that occurs often. This step asks instead how many of the question's terms a passage contains
at all, and how many of its bigrams (pairs of neighbouring terms), each weighted by its inverse document frequency.
`docs/retrieval.md` has the measured effect of the weights.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, TypeVar

from rag.index.tokenize import terms
from rag.kept import Kept
from rag.records import DocumentKey, Signal
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.hybrid import Hit, ranked
from rag.settings import RetrievalSettings
from rag.store.rows import StoredPassage

KEPT_PASSAGES: Final = 5_000  # passages whose terms are kept; about 3 KB each

T = TypeVar("T", bound=Hashable)


def score_overlap(
    query: ExpandedQuery,
    hits: Sequence[Hit],
    terms: Mapping[int, Sequence[str]],
    idf: Callable[[str], float],
    settings: RetrievalSettings,
) -> list[Hit]:
    """The hits, best first, with the weighted shares of the query's terms and bigrams that they contain added.

    `terms`: of each passage in order, by its id; a hit without them is dropped. `idf`: of a term.
    """
    term_weights = {term: weight * idf(term) for term, weight in query.terms.items()}
    bigram_weights = {bigram: min(map(idf, bigram)) for bigram in query.bigrams}
    added: dict[int, float] = {}
    for hit in hits:
        if hit.passage_id in terms:
            found = terms[hit.passage_id]
            term_share = _weighted_share(term_weights, set(found))
            bigram_share = _weighted_share(bigram_weights, set(itertools.pairwise(found)))
            added[hit.passage_id] = (
                settings.term_overlap_weight * term_share + settings.bigram_overlap_weight * bigram_share
            )
    places = {passage: n for n, passage in enumerate(sorted(added, key=lambda one: -added[one]), 1)}
    return ranked(
        Hit(
            hit.passage_id,
            hit.score + added[hit.passage_id],
            (*hit.signals, Signal("overlap", added[hit.passage_id], places[hit.passage_id])),
        )
        for hit in hits
        if hit.passage_id in added
    )


def _weighted_share(weights: Mapping[T, float], found: set[T]) -> float:
    """Share of the total weight that was found, 0..1; 0 if there is no weight at all."""
    total = sum(weights.values())
    return sum(weight for one, weight in weights.items() if one in found) / total if total else 0.0


class PassageTerms:
    """The terms of stored passages. Thread-safe."""

    def __init__(self, most: int = KEPT_PASSAGES) -> None:
        """`most`: passages whose terms are kept."""
        self._kept: Kept[tuple[str, ...]] = Kept(most)

    def of(self, row: StoredPassage) -> tuple[str, ...]:
        """The terms of a passage with its headings, in order, repeats included."""
        document, moment = (row.owner, row.document_id), self._kept.moment
        found = self._kept.get(document, row.id)
        if found is None:
            found = tuple(map(sys.intern, terms(row.passage.searchable)))  # passages share most of their words
            self._kept.keep(document, row.id, found, moment)
        return found

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)

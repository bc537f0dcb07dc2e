"""Question + scope -> sources: what is needed, searched part by part, looked at twice, and put together by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from rag.embed.embedder import Embedder, Vectors
from rag.index.bm25 import BM25Index
from rag.index.vectors import Ids, VectorIndex
from rag.language import mainly_chinese
from rag.records import Source
from rag.retrieve.expand import ExpandedQuery, expand_query
from rag.retrieve.hybrid import Hit, HybridSearch
from rag.retrieve.overlap import score_overlap
from rag.retrieve.pages import by_page, widened
from rag.retrieve.query import Query
from rag.retrieve.rerank import Reranker, reranked
from rag.retrieve.routing import DocumentRouter, Fits
from rag.settings import RetrievalSettings
from rag.store.database import Store
from rag.store.rows import StoredPassage

PRIOR = 0.25  # of how well a document fits the whole question, that it fits each part at least


@dataclass(frozen=True, slots=True)
class _Search:
    """One of the searches that a question is worth."""

    needs: ExpandedQuery
    vector: Vectors  # (d,)
    fits: Fits  # of the documents within `allowed`
    allowed: Ids | None


@dataclass(frozen=True, slots=True)
class Retriever:
    """Everything it takes to find sources. Thread-safe as its parts are."""

    store: Store
    embedder: Embedder
    vectors: VectorIndex
    words: BM25Index
    catalog: DocumentRouter
    settings: RetrievalSettings
    usual: Mapping[bool, Vectors]  # mean vector of everyday questions, in Chinese or not
    reranker: Reranker | None = None

    def find(self, asked: Query, owner: str, count: int, allowed: Ids | None) -> tuple[Vectors, list[Source]]:
        """Vectors (1 + parts, d) of the question and its parts, and at most `count` sources, best first.

        Only of `allowed` passages where given; what was removed in the meantime, or is not `owner`'s or shared, is left
        out. The parts of a question, and documents that it asks about side by side, take turns.
        """
        vectors, searches = self._searches(asked, allowed)
        searcher = HybridSearch(self.vectors, self.words, self.catalog, self.settings)
        most = max(self.settings.overlap_candidates, count)
        found = [searcher.search(one.needs, one.vector, one.allowed, one.fits)[:most] for one in searches]
        kept = self.store.passages(list({hit.passage_id for hits in found for hit in hits}))
        kept = {passage_id: stored for passage_id, stored in kept.items() if stored.owner in ("", owner)}
        texts = {passage_id: stored.passage.searchable for passage_id, stored in kept.items()}
        looked_at = [self._looked_at(one.needs, hits, texts) for one, hits in zip(searches, found, strict=True)]
        apart = len(searches) > len(vectors)
        return vectors, self._sources(in_turn(looked_at), kept, apart=apart)[:count]

    def _searches(self, asked: Query, allowed: Ids | None) -> tuple[Vectors, list[_Search]]:
        """Vectors (1 + parts, d), and what to search for: the whole, then its parts or the documents side by side."""
        wanted = [expand_query(text, items=self.settings.query.line_items) for text in asked.texts]
        texts = [text for needs in wanted for text in needs.texts]
        vectors = dict(zip(texts, self.embedder.queries(texts), strict=True))
        own = np.array([vectors[text] for text in asked.texts])
        middles = [self._middle([(text, vectors[text]) for text in needs.texts]) for needs in wanted]
        whole = self.catalog.fits(asked.whole, allowed)
        searches = [_Search(wanted[0], middles[0], whole, allowed)]
        for needs, middle in zip(wanted[1:], middles[1:], strict=True):
            fits = self.catalog.fits(needs.texts[0], allowed)[: len(whole)]  # one may have been added meanwhile
            searches.append(_Search(needs, middle, np.maximum(fits, PRIOR * whole[: len(fits)]), allowed))
        if self.settings.routing.compare_documents and not asked.parts:
            for ids in self.catalog.apart(asked.typed, allowed):
                searches.append(_Search(wanted[0], middles[0], self.catalog.fits(asked.whole, ids), ids))
        return own, searches

    def _middle(self, rows: Sequence[tuple[str, Vectors]]) -> Vectors:
        """The unit vector (d,) in the middle of those of a question and its line items."""
        middle: Vectors = np.mean([self._own(text, vector) for text, vector in rows], axis=0)
        middle /= np.linalg.norm(middle)
        return middle

    def _own(self, text: str, vector: Vectors) -> Vectors:
        """A question's vector (d,) without a share of what it has in common with any question of its language.

        That part is nearer to some passages than to others whatever is asked, above all across languages.
        """
        own: Vectors = vector - self.settings.query.mean_query_share * self.usual[mainly_chinese(text)]
        return own

    def _looked_at(self, needs: ExpandedQuery, hits: Sequence[Hit], texts: Mapping[int, str]) -> list[Hit]:
        """The hits in the order of the second look, and of the reranker's where there is one."""
        looked_at = score_overlap(needs, hits, texts, self.words.weight, self.settings)
        if self.reranker is None:
            return looked_at
        first, rest = looked_at[: self.settings.rerank_candidates], looked_at[self.settings.rerank_candidates :]
        return [*reranked(needs.texts[0], first, texts, self.reranker), *rest]

    def _sources(self, hits: Sequence[Hit], kept: Mapping[int, StoredPassage], *, apart: bool) -> list[Source]:
        """`apart`: of several documents side by side each brings its own, even where they say the same."""
        if not self.settings.merge_pages:
            return [kept[hit.passage_id].as_source(n, hit.score, hit.signals) for n, hit in enumerate(hits, 1)]
        found = by_page(hits, kept, self.settings.source_characters, copies=apart)
        owners = {source.passage_id: kept[source.passage_id].owner for source in found}
        return widened(found, owners, self.store.page_text, self.settings)


def in_turn(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The best of each list, then the second of each, and so on; a passage comes once, where it comes first."""
    rounds: Iterable[Hit | None] = (hit for row in zip_longest(*lists) for hit in row)
    first: dict[int, Hit] = {}
    for hit in rounds:
        if hit is not None:
            first.setdefault(hit.passage_id, hit)
    return list(first.values())

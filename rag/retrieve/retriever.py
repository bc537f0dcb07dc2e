"""Retrieval: a query and a scope in, ranked sources out. Runs the steps of this folder one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from rag.embed.embedder import Embedder
from rag.index.protocols import Scope, TextIndex, VectorIndex
from rag.language import mainly_chinese
from rag.records import DocumentKey, Source, Vectors
from rag.retrieve.expand import ExpandedQuery, expand_query
from rag.retrieve.hybrid import Hit, HybridSearch, interleave
from rag.retrieve.overlap import PassageTerms, score_overlap
from rag.retrieve.page_facts import StoredFacts
from rag.retrieve.page_scores import score_pages
from rag.retrieve.pages import extend_to_page, merge_by_page
from rag.retrieve.query import Query
from rag.retrieve.rerank import Reranker, rerank
from rag.retrieve.routing import DocumentRouter, DocumentScores
from rag.settings import RetrievalSettings
from rag.store.database import Store
from rag.store.rows import StoredPassage


@dataclass(frozen=True, slots=True)
class _Search:
    """One of the searches that a question needs."""

    query: ExpandedQuery
    vector: Vectors  # (d,)
    document_scores: DocumentScores  # of the documents in scope
    scope: Scope


@dataclass(frozen=True, slots=True)
class Retriever:
    """Runs the steps of retrieval. Thread-safe, as its parts are."""

    store: Store
    embedder: Embedder
    vectors: VectorIndex
    words: TextIndex
    router: DocumentRouter
    settings: RetrievalSettings
    mean_query: Mapping[bool, Vectors]  # mean query embedding (d,) of Chinese questions (True) and of others (False)
    facts: StoredFacts
    reranker: Reranker | None = None
    terms: PassageTerms = field(default_factory=PassageTerms)

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self.facts.forget(document)
        self.terms.forget(document)

    def find(
        self, query: Query, scope: Scope, count: int, full_pages: int | None = None
    ) -> tuple[Vectors, list[Source]]:
        """Embeddings (1 + parts, d) of the question and its parts, and at most `count` sources, best first.

        Only passages in scope; those removed meanwhile are left out. `full_pages`: how many sources are extended to
        their whole page, as many as set with None.
        The results for the parts of a question, or for the documents it compares, are interleaved.
        """
        embeddings, searches = self._searches(query, scope)
        # Search both indexes.
        hybrid = HybridSearch(self.vectors, self.words, self.router, self.settings)
        depth = max(self.settings.overlap_candidates, count)
        found = [hybrid.search(one.query, one.vector, one.scope, one.document_scores)[:depth] for one in searches]
        # Read the passages found from the store.
        stored = self.store.passages(list({hit.passage_id for hits in found for hit in hits}))
        stored = {n: row for n, row in stored.items() if scope.allows((row.owner, row.document_id))}
        # Rescore, interleave, and merge by page.
        rescored = [self._rescored(one, hits, stored) for one, hits in zip(searches, found, strict=True)]
        comparing = len(searches) > len(embeddings)
        settings = self.settings
        if full_pages is not None:
            settings = replace(settings, full_page_sources=full_pages)
        return embeddings, self._sources(interleave(rescored), stored, settings, keep_copies=comparing)[:count]

    def _searches(self, query: Query, scope: Scope) -> tuple[Vectors, list[_Search]]:
        """Embeddings (1 + parts, d), and the searches: the whole question, then its parts or the compared documents."""
        expanded = [expand_query(text, self.settings.query) for text in query.searched]
        embeddings = self._embedded(query, [text for one in expanded for text in one.texts])
        vectors = [self._mean_vector([(text, embeddings[text]) for text in one.texts]) for one in expanded]
        # Search the whole question.
        whole = self.router.scores(query.completed, scope)
        searches = [_Search(expanded[0], vectors[0], whole, scope)]
        # Search each part; a document named in the question counts a little in each of its parts.
        for part, one, vector in zip(query.parts, expanded[1:], vectors[1:], strict=True):
            scores = self.router.scores(part, scope)[: len(whole)]  # a document may have been added since
            scores = np.maximum(scores, self.settings.routing.min_part_share * whole[: len(scores)])
            searches.append(_Search(one, vector, scores, scope))
        # Search each compared document on its own.
        if self.settings.routing.compare_documents and not query.parts:
            for one_side in self.router.compared_documents(query.completed, scope):
                scores = self.router.scores(query.completed, one_side)
                searches.append(_Search(expanded[0], vectors[0], scores, one_side))
        return np.array([embeddings[text] for text in query.searched]), searches

    def _embedded(self, query: Query, texts: Sequence[str]) -> dict[str, Vectors]:
        """Unit vectors (d,) of texts to search; of one without its documents' own name, the mean with that with it."""
        every = list(dict.fromkeys([*texts, *query.texts]))
        embeddings: dict[str, Vectors] = dict(zip(every, self.embedder.queries(every), strict=True))
        for unnamed, named in zip(query.searched, query.texts, strict=True):
            if unnamed != named:
                mean = embeddings[unnamed] + embeddings[named]
                embeddings[unnamed] = mean / np.linalg.norm(mean)
        return embeddings

    def _mean_vector(self, rows: Sequence[tuple[str, Vectors]]) -> Vectors:
        """Unit vector (d,) of the mean of a question's and its line items' embeddings, given as (text, embedding)."""
        share = self.settings.query.mean_query_share
        mean: Vectors = np.mean([centred(text, vector, self.mean_query, share) for text, vector in rows], axis=0)
        mean /= np.linalg.norm(mean)
        return mean

    def _rescored(self, search: _Search, hits: Sequence[Hit], stored: Mapping[int, StoredPassage]) -> list[Hit]:
        """The hits rescored by term overlap, by their pages and, if there is a reranker, the first of them by it."""
        query = search.query

        @cache
        def idf(term: str) -> float:
            return self.words.idf(term, search.scope)

        found = {hit.passage_id: self.terms.of(stored[hit.passage_id]) for hit in hits if hit.passage_id in stored}
        hits = score_overlap(query, hits, found, idf, self.settings)
        hits = score_pages(query, hits, stored, self.facts.of, idf, self.settings.pages)
        if self.reranker is None:
            return hits
        texts = {hit.passage_id: stored[hit.passage_id].passage.searchable for hit in hits}
        first, rest = hits[: self.settings.rerank_candidates], hits[self.settings.rerank_candidates :]
        return [*rerank(query.texts[0], first, texts, self.reranker, self.settings.reranker_weight), *rest]

    def _sources(
        self,
        hits: Sequence[Hit],
        stored: Mapping[int, StoredPassage],
        settings: RetrievalSettings,
        *,
        keep_copies: bool,
    ) -> list[Source]:
        """`keep_copies`: each compared document has passages of its own, even if they say the same."""
        if not settings.merge_pages:
            return [stored[hit.passage_id].as_source(n, hit.score, hit.signals) for n, hit in enumerate(hits, 1)]
        sources = merge_by_page(hits, stored, settings.source_characters, keep_copies=keep_copies)
        owners = {source.passage_id: stored[source.passage_id].owner for source in sources}
        return extend_to_page(sources, owners, self.store.page_text, settings)


def centred(text: str, embedding: Vectors, mean_query: Mapping[bool, Vectors], share: float) -> Vectors:
    """A query embedding (d,) minus a share of the mean query embedding of its language.

    What all queries of a language have in common is closer to some passages than to others whatever is asked, above
    all across languages.
    """
    own: Vectors = embedding - share * mean_query[mainly_chinese(text)]
    return own

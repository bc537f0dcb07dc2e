"""Retrieval: from a query and a scope to ranked sources. Runs the steps of this folder one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from rag.index.protocols import Scope
from rag.records import DocumentKey, Source, Vectors
from rag.retrieve.hybrid import Hit, interleave
from rag.retrieve.overlap import PassageTerms, score_overlap
from rag.retrieve.page_facts import StoredFacts
from rag.retrieve.page_scores import score_pages
from rag.retrieve.pages import extend_to_page, merge_by_page
from rag.retrieve.query import Query
from rag.retrieve.rerank import Reranker, rerank
from rag.retrieve.searching import SearchHits, Searching
from rag.settings import RetrievalSettings
from rag.store.database import Store
from rag.store.rows import StoredPassage


@dataclass(frozen=True, slots=True)
class Retriever:
    """Runs the steps of retrieval. Thread-safe, as its parts are."""

    store: Store
    searching: Searching
    settings: RetrievalSettings
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

        Only passages in scope; those removed in the meantime are left out. `full_pages`: how many sources are extended
        to their whole page; None: as configured. The results for the parts of a question, or for the documents it
        compares, are interleaved.
        """
        # Search both indexes.
        searched = self.searching.search(query, scope, max(self.settings.overlap_candidates, count))
        # Read the passages found from the store.
        stored = self.store.passages(list({hit.passage_id for one in searched.found for hit in one.hits}))
        stored = {n: row for n, row in stored.items() if scope.allows((row.owner, row.document_id))}
        # Rescore, interleave, and merge by page.
        rescored = [self._rescored(one, stored) for one in searched.found]
        comparing = len(searched.found) > len(searched.embeddings)
        settings = self.settings
        if full_pages is not None:
            settings = replace(settings, full_page_sources=full_pages)
        sources = self._sources(interleave(rescored), stored, settings, keep_copies=comparing)
        return searched.embeddings, sources[:count]

    def _rescored(self, found: SearchHits, stored: Mapping[int, StoredPassage]) -> list[Hit]:
        """The hits rescored by term overlap, by their pages and, the first of them, by the reranker if there is one."""
        query, hits = found.query, found.hits

        @cache
        def idf(term: str) -> float:
            return self.searching.idf(term, found.scope)

        terms = {hit.passage_id: self.terms.of(stored[hit.passage_id]) for hit in hits if hit.passage_id in stored}
        hits = score_overlap(query, hits, terms, idf, self.settings)
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
        """`keep_copies`: each compared document keeps its own passages, even if they say the same."""
        if not settings.merge_pages:
            return [stored[hit.passage_id].as_source(n, hit.score, hit.signals) for n, hit in enumerate(hits, 1)]
        sources = merge_by_page(hits, stored, settings.source_characters, keep_copies=keep_copies)
        owners = {source.passage_id: stored[source.passage_id].owner for source in sources}
        return extend_to_page(sources, owners, self.store.page_text, settings)

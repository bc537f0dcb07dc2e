"""What a question needs from the embedder and the indexes: matching passages, and how rare its terms are.

Both are in one process. The other steps of an answer use them only through `Searching`, so another process can carry
out those steps (`rag.answer.elsewhere`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rag.embed.embedder import Embedder
from rag.index.protocols import Scope, TextIndex, VectorIndex
from rag.language import mainly_chinese
from rag.records import Vectors
from rag.retrieve.expand import ExpandedQuery, expand_query
from rag.retrieve.hybrid import Hit, HybridSearch
from rag.retrieve.query import Query
from rag.retrieve.routing import DocumentRouter, DocumentScores
from rag.settings import RetrievalSettings


@dataclass(frozen=True, slots=True)
class SearchHits:
    """The hits of one of the searches that a question needs, best first."""

    query: ExpandedQuery
    scope: Scope
    hits: list[Hit]


@dataclass(frozen=True, slots=True)
class Searched:
    """The results of all searches for a question."""

    embeddings: Vectors  # (1 + parts, d) of the question and its parts
    found: list[SearchHits]  # of the whole question, then of its parts or of the documents it compares


class Searching(Protocol):
    """Searches one library. Thread-safe."""

    def search(self, query: Query, scope: Scope, depth: int) -> Searched:
        """At most `depth` hits for each search that a question needs."""
        ...

    def idf(self, term: str, scope: Scope) -> float:
        """The inverse document frequency of a term in the library that a scope belongs to."""
        ...

    def named_documents(self, question: str, scope: Scope) -> Mapping[str, frozenset[str]]:
        """The documents that a question names: id -> its terms that name them."""
        ...

    def compared_documents(self, question: str, scope: Scope) -> list[Scope]:
        """The sides that a question compares, each with its documents; none if it compares nothing."""
        ...

    def coverage(self, term: str, scope: Scope) -> Mapping[str, float]:
        """The share of each document's passages that contain a term."""
        ...


@dataclass(frozen=True, slots=True)
class _Search:
    """One of the searches that a question needs."""

    query: ExpandedQuery
    vector: Vectors  # (d,)
    document_scores: DocumentScores  # of the documents in scope
    scope: Scope


@dataclass(frozen=True, slots=True)
class SearchingHere:
    """Searches with the embedder and the indexes of this process."""

    embedder: Embedder
    vectors: VectorIndex
    words: TextIndex
    router: DocumentRouter
    settings: RetrievalSettings
    mean_query: Mapping[bool, Vectors]  # mean query embedding (d,) of Chinese questions (True) and of others (False)

    def search(self, query: Query, scope: Scope, depth: int) -> Searched:
        """At most `depth` hits for each search that a question needs."""
        embeddings, searches = self._searches(query, scope)
        hybrid = HybridSearch(self.vectors, self.words, self.router, self.settings)
        hits = [hybrid.search(one.query, one.vector, one.scope, one.document_scores)[:depth] for one in searches]
        return Searched(
            embeddings, [SearchHits(one.query, one.scope, own) for one, own in zip(searches, hits, strict=True)]
        )

    def idf(self, term: str, scope: Scope) -> float:
        """The inverse document frequency of a term in the library that a scope belongs to."""
        return self.words.idf(term, scope)

    def named_documents(self, question: str, scope: Scope) -> Mapping[str, frozenset[str]]:
        """The documents that a question names."""
        return self.router.named_documents(question, scope)

    def compared_documents(self, question: str, scope: Scope) -> list[Scope]:
        """The sides that a question compares."""
        return self.router.compared_documents(question, scope)

    def coverage(self, term: str, scope: Scope) -> Mapping[str, float]:
        """The share of each document's passages that contain a term."""
        return self.router.coverage(term, scope)

    def _searches(self, query: Query, scope: Scope) -> tuple[Vectors, list[_Search]]:
        """Embeddings (1 + parts, d), and the searches: the whole question, then its parts or the compared documents."""
        expanded = [expand_query(text, self.settings.query) for text in query.searched]
        searched = [one.texts[0] for one in expanded]
        embeddings = self._embedded(
            [text for one in expanded for text in one.texts], zip(searched, query.texts, strict=True)
        )
        vectors = [self._mean_vector([(text, embeddings[text]) for text in one.texts]) for one in expanded]
        # Search the whole question.
        whole = self.router.scores(query.completed, scope)
        searches = [_Search(expanded[0], vectors[0], whole, scope)]
        # Search each part; a document named in the question counts a little for each of its parts.
        for part, one, vector in zip(query.parts, expanded[1:], vectors[1:], strict=True):
            scores = self.router.scores(part, scope)[: len(whole)]  # a document may have been added since
            scores = np.maximum(scores, self.settings.routing.min_part_share * whole[: len(scores)])
            searches.append(_Search(one, vector, scores, scope))
        # Search each compared document on its own.
        if self.settings.routing.compare_documents and not query.parts:
            for one_side in self.router.compared_documents(query.completed, scope):
                scores = self.router.scores(query.completed, one_side)
                searches.append(_Search(expanded[0], vectors[0], scores, one_side))
        return np.array([embeddings[text] for text in searched]), searches

    def _embedded(self, texts: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, Vectors]:
        """A unit vector (d,) for each text.

        `pairs`: questions without and with the name of their documents. Where they differ, the result is the mean of
        both.
        """
        differing = [(unnamed, named) for unnamed, named in pairs if unnamed != named]
        every = list(dict.fromkeys([*texts, *(named for _, named in differing)]))
        embeddings: dict[str, Vectors] = dict(zip(every, self.embedder.queries(every), strict=True))
        for unnamed, named in differing:
            mean = embeddings[unnamed] + embeddings[named]
            embeddings[unnamed] = mean / np.linalg.norm(mean)
        return embeddings

    def _mean_vector(self, rows: Sequence[tuple[str, Vectors]]) -> Vectors:
        """Unit vector (d,) of the mean of a question's and its line items' embeddings, given as (text, embedding)."""
        share = self.settings.query.mean_query_share
        mean: Vectors = np.mean([centred(text, vector, self.mean_query, share) for text, vector in rows], axis=0)
        mean /= np.linalg.norm(mean)
        return mean


def centred(text: str, embedding: Vectors, mean_query: Mapping[bool, Vectors], share: float) -> Vectors:
    """A query embedding (d,) minus a share of the mean query embedding of its language.

    What all queries of a language have in common is closer to some passages than to others, whatever is asked, and
    especially across languages.
    """
    own: Vectors = embedding - share * mean_query[mainly_chinese(text)]
    return own

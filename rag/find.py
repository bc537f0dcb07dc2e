"""Question + scope -> sources: what is needed, searched part by part, looked at twice, and put together by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from rag.catalog import Catalog
from rag.embed import Embedder, Vectors
from rag.evidence import written_in_han
from rag.index import Ids, VectorIndex
from rag.needs import Needs, needs_of
from rag.pages import by_page, widened
from rag.records import Source
from rag.rerank import Reranker, reranked
from rag.rows import StoredPassage
from rag.search import Hit, Searcher
from rag.second import second_look
from rag.settings import Searching
from rag.store import Store
from rag.words import WordIndex

NAMED = 0.5  # of how well the whole question names a document, that a part must reach to go by its own names


@dataclass(frozen=True, slots=True)
class _Search:
    """One of the searches that a question is worth."""

    needs: Needs
    vector: Vectors  # (d,)
    about: str  # whose names tell the documents
    allowed: Ids | None


@dataclass(frozen=True, slots=True)
class Finder:
    """Everything it takes to find sources. Thread-safe as its parts are."""

    store: Store
    embedder: Embedder
    vectors: VectorIndex
    words: WordIndex
    catalog: Catalog
    settings: Searching
    usual: Mapping[bool, Vectors]  # mean vector of everyday questions, in Chinese or not
    reranker: Reranker | None = None

    def find(
        self, question: str, owner: str, count: int, allowed: Ids | None, parts: Sequence[str] = ()
    ) -> tuple[Vectors, list[Source]]:
        """Vectors (1 + parts, d) of the question and its parts, and at most `count` sources, best first.

        Only of `allowed` passages where given; what was removed in the meantime, or is not `owner`'s or shared, is left
        out. The parts of a question, and documents that it asks about side by side, take turns.
        """
        vectors, searches = self._searches(question, parts, allowed)
        searcher = Searcher(self.vectors, self.words, self.catalog, self.settings)
        most = max(self.settings.looked_at_twice, count)
        found = [searcher.search(one.needs, one.vector, one.allowed, one.about)[:most] for one in searches]
        kept = self.store.passages(list({hit.passage_id for hits in found for hit in hits}))
        kept = {passage_id: stored for passage_id, stored in kept.items() if stored.owner in ("", owner)}
        texts = {passage_id: stored.passage.searchable for passage_id, stored in kept.items()}
        looked_at = [self._looked_at(one.needs, hits, texts) for one, hits in zip(searches, found, strict=True)]
        hits = in_turn([*looked_at[1:], looked_at[0]])  # the whole comes last: its best is the best of a part as a rule
        return vectors, self._sources(hits, kept)[:count]

    def _searches(self, question: str, parts: Sequence[str], allowed: Ids | None) -> tuple[Vectors, list[_Search]]:
        """Vectors (1 + parts, d), and what to search for: the whole, then its parts or the documents side by side."""
        asked = [needs_of(text, items=self.settings.line_items) for text in (question, *parts)]
        texts = [text for needs in asked for text in needs.texts]
        vectors = dict(zip(texts, self.embedder.queries(texts), strict=True))
        own = np.array([vectors[needs.texts[0]] for needs in asked])
        middles = [self._middle([(text, vectors[text]) for text in needs.texts]) for needs in asked]
        searches = [
            _Search(needs, middle, self._about(needs.texts[0], question, allowed), allowed)
            for needs, middle in zip(asked, middles, strict=True)
        ]
        apart = self.catalog.apart(question, allowed) if self.settings.apart and not parts else []
        return own, searches + [_Search(asked[0], middles[0], question, ids) for ids in apart]

    def _about(self, part: str, question: str, allowed: Ids | None) -> str:
        """The part where it names documents about as well as the whole question, else the question."""
        if part == question:
            return question
        own, whole = (self.catalog.fits(text, allowed).max(initial=0) for text in (part, question))
        return part if own >= NAMED * whole else question

    def _middle(self, rows: Sequence[tuple[str, Vectors]]) -> Vectors:
        """The unit vector (d,) in the middle of those of a question and its line items."""
        middle: Vectors = np.mean([self._own(text, vector) for text, vector in rows], axis=0)
        middle /= np.linalg.norm(middle)
        return middle

    def _own(self, text: str, vector: Vectors) -> Vectors:
        """A question's vector (d,) without a share of what it has in common with any question of its language.

        That part is nearer to some passages than to others whatever is asked, above all across languages.
        """
        own: Vectors = vector - self.settings.usual_share * self.usual[written_in_han(text)]
        return own

    def _looked_at(self, needs: Needs, hits: Sequence[Hit], texts: Mapping[int, str]) -> list[Hit]:
        """The hits in the order of the second look, and of the reranker's where there is one."""
        looked_at = second_look(needs, hits, texts, self.words.weight, self.settings)
        if self.reranker is None:
            return looked_at
        return reranked(needs.texts[0], looked_at[: self.settings.reranked], texts, self.reranker)

    def _sources(self, hits: Sequence[Hit], kept: Mapping[int, StoredPassage]) -> list[Source]:
        if not self.settings.pages:
            return [kept[hit.passage_id].as_source(n, hit.score, hit.signals) for n, hit in enumerate(hits, 1)]
        found = by_page(hits, kept, self.settings.source_characters)
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

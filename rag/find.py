"""Question + scope -> sources: what is needed, searched, looked at twice, and put together page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.catalog import Catalog
from rag.embed import Embedder, Vectors
from rag.evidence import written_in_han
from rag.index import Ids, VectorIndex
from rag.needs import needs_of
from rag.records import Source
from rag.rerank import Reranker, reranked
from rag.rows import StoredPassage
from rag.search import Hit, Searcher
from rag.second import second_look
from rag.settings import Searching
from rag.store import Store
from rag.words import WordIndex

Place = tuple[str, str, int]  # owner, document id, page


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

    def find(self, question: str, owner: str, count: int, allowed: Ids | None) -> tuple[Vectors, list[Source]]:
        """The question's own vector (d,) and at most `count` sources, best first; only of `allowed` ids where given.

        What was removed in the meantime, or is not `owner`'s or shared, is left out.
        """
        needs = needs_of(question, items=self.settings.line_items)
        vectors = self.embedder.queries(needs.texts)  # (1 or 2, d): the question's, that of its line items
        middle = np.mean([self._own(text, row) for text, row in zip(needs.texts, vectors, strict=True)], axis=0)
        middle /= np.linalg.norm(middle)
        searcher = Searcher(self.vectors, self.words, self.catalog, self.settings)
        hits = searcher.search(needs, middle, allowed)[: max(self.settings.looked_at_twice, count)]
        kept = self.store.passages([hit.passage_id for hit in hits])
        kept = {passage_id: stored for passage_id, stored in kept.items() if stored.owner in ("", owner)}
        texts = {passage_id: stored.passage.searchable for passage_id, stored in kept.items()}
        hits = second_look(needs, hits, texts, self.words.weight, self.settings)
        if self.reranker is not None:
            hits = reranked(question, hits[: self.settings.reranked], texts, self.reranker)
        if self.settings.pages:
            return vectors[0], by_page(hits, kept, self.settings.source_characters)[:count]
        found = [kept[hit.passage_id].as_source(n, hit.score, hit.signals) for n, hit in enumerate(hits, 1)]
        return vectors[0], found[:count]

    def _own(self, text: str, vector: Vectors) -> Vectors:
        """A question's vector (d,) without a share of what it has in common with any question of its language.

        That part is nearer to some passages than to others whatever is asked, above all across languages.
        """
        own: Vectors = vector - self.settings.usual_share * self.usual[written_in_han(text)]
        return own


def by_page(hits: Sequence[Hit], kept: Mapping[int, StoredPassage], most: int) -> list[Source]:
    """Numbered sources, the best of each page first, then what else was found on those pages.

    A source takes in its neighbours on the page that were found too, up to `most` characters together. Of passages
    with the same text, as copies of a document have them, the best stands for all.
    """
    pages: dict[Place, list[Hit]] = {}
    said: set[str] = set()
    for hit in hits:
        stored = kept[hit.passage_id]
        text = " ".join(stored.passage.text.split())
        if text not in said:
            pages.setdefault((stored.owner, stored.document_id, stored.passage.first_page), []).append(hit)
        said.add(text)
    first: list[Source] = []
    rest: list[Source] = []
    for found in pages.values():
        source, left = _joined(found, kept, most)
        first.append(source)
        rest += [kept[hit.passage_id].as_source(0, hit.score, hit.signals) for hit in left]
    rest.sort(key=lambda source: -source.score)
    return [replace(source, number=number) for number, source in enumerate([*first, *rest], 1)]


def _joined(found: Sequence[Hit], kept: Mapping[int, StoredPassage], most: int) -> tuple[Source, list[Hit]]:
    """The best of one page's hits with the neighbours it takes in, and the others."""
    best, *others = found
    source = kept[best.passage_id].as_source(0, best.score, best.signals)
    while near := next((hit for hit in others if _fits(source, kept[hit.passage_id], most)), None):
        others.remove(near)
        passage = kept[near.passage_id].passage
        before = passage.end == source.start
        first, last = source.best or (0, len(source.text))
        moved = len(passage.text) if before else 0
        source = replace(
            source,
            best=(first + moved, last + moved),
            text=passage.text + source.text if before else source.text + passage.text,
            start=min(source.start, passage.start),
            end=max(source.end, passage.end),
            last_page=max(source.last_page, passage.last_page),
        )
    return source, others


def _fits(source: Source, stored: StoredPassage, most: int) -> bool:
    """Whether a passage stands right before or behind a source, and both together are short enough."""
    passage = stored.passage
    return (passage.end == source.start or passage.start == source.end) and len(source.text) + len(passage.text) <= most

"""The vectors of the sentences of sources: kept in memory, else read from the store, else made when they are needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rag.embed.embedder import Embeds
from rag.kept import Kept
from rag.records import DocumentKey, Vectors, text_digest
from rag.store.sentences import HALF, StoredSentences

KEPT_SENTENCES: Final = 50_000  # about 1 KB each


class Place(NamedTuple):
    """Where a sentence stands."""

    document: DocumentKey
    first_page: int
    last_page: int


class SentenceVectors:
    """Vectors of sentences, in half precision wherever they come from. Thread-safe.

    A question reads those of all its pages in one query.
    """

    def __init__(self, embedder: Embeds, stored: StoredSentences | None = None) -> None:
        self._embedder, self._stored = embedder, stored
        self._kept: Kept[Vectors] = Kept(KEPT_SENTENCES)

    def of(self, places: Sequence[Place], sentences: Sequence[str], stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) of sentences, each at the place of the same row. Raises Stopped."""
        moment, keys = self._kept.moment, [text_digest(sentence) for sentence in sentences]
        found = [self._kept.get(place.document, key) for place, key in zip(places, keys, strict=True)]
        self._read(places, keys, found, moment)
        missing = [row for row, vector in enumerate(found) if vector is None]
        made = self._embedder.passages([sentences[row] for row in missing], urgent=True, stop=stop)
        for row, vector in zip(missing, made, strict=True):
            found[row] = own = vector.astype(HALF)
            self._kept.keep(places[row].document, keys[row], own, moment)
        return np.array(found, np.float32)

    def make(self, document: DocumentKey, sentences: Sequence[str], stop: threading.Event) -> Vectors:
        """Vectors (n, d) of sentences of a document, to be stored: none is kept in memory. Raises Stopped."""
        found = [self._kept.get(document, text_digest(sentence)) for sentence in sentences]
        missing = [row for row, vector in enumerate(found) if vector is None]
        made = self._embedder.passages([sentences[row] for row in missing], stop=stop)
        for row, vector in zip(missing, made, strict=True):
            found[row] = vector
        return np.array(found, np.float32)

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is in memory of a document."""
        self._kept.forget(document)

    def _read(self, places: Sequence[Place], keys: Sequence[bytes], found: list[Vectors | None], moment: int) -> None:
        """Fill the gaps of `found` with stored vectors, and keep all that were read."""
        gaps = [row for row, vector in enumerate(found) if vector is None]
        pages = {
            (places[row].document, page)
            for row in gaps
            for page in range(places[row].first_page, places[row].last_page + 1)
        }
        if self._stored is None or not pages:
            return
        stored = self._stored.of(pages)
        for (document, key), vector in stored.items():
            self._kept.keep(document, key, vector.copy(), moment)  # a view would keep the whole page in memory
        for row in gaps:
            found[row] = stored.get((places[row].document, keys[row]))

"""The vectors of the sentences of sources: each is made when it is first needed, and kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from rag.embed.embedder import Embedder
from rag.kept import Kept
from rag.records import DocumentKey, Vectors, text_digest


class SentenceVectors:
    """Embeds sentences of documents, each once as long as it is kept. Thread-safe."""

    def __init__(self, embedder: Embedder, most: int) -> None:
        """`most`: vectors that are kept; one of 384 numbers takes about 2 KB."""
        self._embedder = embedder
        self._kept: Kept[Vectors] = Kept(most)

    def of(
        self, documents: Sequence[DocumentKey], sentences: Sequence[str], stop: threading.Event | None = None
    ) -> Vectors:
        """Unit vectors (n, d) of sentences, each of the document at the same place. Raises Stopped."""
        moment, keys = self._kept.moment, [text_digest(sentence) for sentence in sentences]
        found = [self._kept.get(document, key) for document, key in zip(documents, keys, strict=True)]
        missing = [row for row, vector in enumerate(found) if vector is None]
        made = self._embedder.passages([sentences[row] for row in missing], urgent=True, stop=stop)
        for row, vector in zip(missing, made, strict=True):
            found[row] = own = vector.copy()  # a view would keep the whole array in memory
            self._kept.keep(documents[row], keys[row], own, moment)
        return np.array(found, np.float32)

    def forget(self, document: DocumentKey) -> None:
        """Keep nothing of a document."""
        self._kept.forget(document)

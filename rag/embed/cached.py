"""An embedder that stores every passage's vector in a file, so that evaluations never embed a text twice."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.embed.embedder import Embedder
from rag.records import Vectors, text_digest


class CachedEmbedder:
    """Wraps an embedder; stores vectors by the digest of their text, in one file per model. Thread-safe."""

    def __init__(self, inner: Embedder, folder: Path) -> None:
        self._inner = inner
        self.name, self.revision, self.dimension = inner.name, inner.revision, inner.dimension
        self.max_tokens, self.device = inner.max_tokens, inner.device
        self.why, self.option, self.folder = inner.why, inner.option, inner.folder
        self.count_tokens, self.tokenizer, self.queries = inner.count_tokens, inner.tokenizer, inner.queries
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / re.sub(r"[^\w.-]", "_", f"vectors-{inner.name}-{inner.revision}.sqlite")
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._sql.execute("CREATE TABLE IF NOT EXISTS vectors (digest BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) as the wrapped embedder makes them, taken from the file if it has them."""
        # Read the vectors that the file has.
        found: list[Vectors | None] = []
        with self._lock:
            for text in texts:
                row = self._sql.execute("SELECT vector FROM vectors WHERE digest = ?", (text_digest(text),)).fetchone()
                found.append(np.frombuffer(row[0], np.float32) if row else None)
        # Embed the other texts.
        missing = [text for text, vector in zip(texts, found, strict=True) if vector is None]
        made = iter(self._inner.passages(missing, urgent=urgent, stop=stop))
        vectors = np.array([next(made) if vector is None else vector for vector in found], np.float32)
        # Store them.
        rows = [(text_digest(text), row.tobytes()) for text, row in zip(texts, vectors, strict=True)]
        with self._lock:
            self._sql.execute("BEGIN")
            self._sql.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
            self._sql.execute("COMMIT")
        return vectors.reshape(len(texts), self.dimension)

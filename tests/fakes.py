"""Fakes that are fast, and equal on every machine: an embedder, a scripted reader, a vector index of plain NumPy."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence

import numpy as np

from rag.index.protocols import SHARED, Ids, Scope, Scores
from rag.index.tokenize import terms
from rag.messages import Message
from rag.reader import Prompt, ReadRequest
from rag.records import DocumentKey


class ExactEmbedder:
    """Hashed bag of words: a text's vector counts its terms, so that a cosine is the share of terms in common."""

    name, revision, dimension, max_tokens, device, why = "exact", "1", 512, 512, "cpu", Message("a test asked for it")
    option, folder = "exact", None

    def __init__(self) -> None:
        self.embedded: list[str] = []  # all passages so far, in order
        self.gate = threading.Event()  # while cleared, passages wait
        self.gate.set()

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + sum(ord(character) > 0x2E80 for character in text)

    def tokenizer(self) -> str:
        raise AssertionError("it has no folder, and so no tokenizer")

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: object = None) -> np.ndarray:
        if not urgent:
            self.gate.wait()
        self.embedded.extend(texts)
        return self.queries(texts)

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row, 0] = 0.1  # so that no vector has length 0
            for term in terms(text):
                vectors[row, 1 + int.from_bytes(hashlib.md5(term.encode()).digest()[:4], "big") % 511] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class ScriptedReader:
    """Gives the answers it was made with, one after another, and keeps the requests."""

    name, context_tokens, quotes_evidence, writes_markdown = "scripted", 10_000, False, True

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.history: list[ReadRequest] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def prompt(self, request: ReadRequest) -> Prompt:
        """Its question, then what is cited, each word a token."""
        parts = [request.manner.english, request.question, *(one.text for one in request.evidence)]
        parts += [part for turn in request.history for part in (turn.question, turn.answer)]
        parts += request.notes
        parts += [f"[{one.number}] {one.document} {one.page} {one.heading}\n{one.text}" for one in request.sources]
        text = "\n".join(parts)
        return Prompt(text, self.count_tokens(text))

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        self.history.append(request)
        for piece in self.answers.pop(0):
            if stop.is_set():
                return
            yield piece


class NumpyIndex:
    """A `VectorIndex` that applies the scope to each passage itself, as a vector database would."""

    def __init__(self) -> None:
        self.passages: dict[int, tuple[DocumentKey, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.passages)

    def add(self, ids: Ids, vectors: np.ndarray, documents: Sequence[DocumentKey]) -> None:
        self.passages |= dict(zip(ids.tolist(), zip(documents, vectors, strict=True), strict=True))

    def remove(self, ids: Ids) -> None:
        for passage_id in ids.tolist():
            self.passages.pop(passage_id, None)

    def search(self, vector: np.ndarray, k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        found = [
            (float(row @ vector), passage_id)
            for passage_id, (document, row) in self.passages.items()
            if scope.allows(document)
        ]
        best = sorted(found, key=lambda pair: -pair[0])[:k]
        return np.array([n for _, n in best], np.int64), np.array([score for score, _ in best], np.float32)


class BegunInMemory:
    """Removals that have begun, kept in memory alone."""

    def __init__(self) -> None:
        self.keys: set[tuple[str, str]] = set()

    def all(self) -> list[tuple[str, str]]:
        return sorted(self.keys)

    def begin(self, owner: str, document_id: str) -> None:
        self.keys.add((owner, document_id))

    def cancel(self, owner: str, document_id: str) -> None:
        self.keys.discard((owner, document_id))

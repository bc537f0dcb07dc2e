"""Which document each passage of an embedded index belongs to, and which passage ids a scope stands for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from rag.index.protocols import DocumentKey, Ids, Scope

CACHED_SCOPES = 16  # resolved to ids since the last change; one of a million passages takes 8 MB


class PassageScopes:
    """Turns a `Scope` into passage ids. Thread-safe.

    An index adds passages here before it makes them searchable, and removes them afterwards; a search takes its
    snapshot of the passages first and resolves the scope then. So no search without a filter meets a passage that is
    unknown here.
    """

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, Ids]] = {}  # owner -> document id -> ids of its passages
        self._keys: list[DocumentKey] = []
        self._numbers: dict[DocumentKey, int] = {}  # document -> its place in _keys
        self._document: npt.NDArray[np.int32] = np.full(1024, -1, np.int32)  # by passage id: place in _keys, or -1
        self._count = 0
        self._resolved: dict[Scope, Ids | None] = {}
        self._lock = threading.Lock()

    def add(self, ids: Ids, documents: Sequence[DocumentKey]) -> None:
        """Passages ids (n,) of `documents` (n); an id that is known moves to its new document."""
        if len(ids) != len(documents):
            raise ValueError(f"{len(ids)} ids for {len(documents)} documents")
        with self._lock:
            self._forget(ids)
            first = 0
            for document, run in groupby(documents):
                last = first + len(list(run))
                self._add(ids[first:last], document)
                first = last

    def remove(self, ids: Ids) -> None:
        """Forget passages; unknown ids are ignored."""
        with self._lock:
            self._forget(ids)

    def resolve(self, scope: Scope | None) -> Ids | None:
        """Ids of the passages in scope, ascending; None where that is every passage there is."""
        if scope is None:
            return None
        with self._lock:
            if scope not in self._resolved:
                if len(self._resolved) >= CACHED_SCOPES:
                    del self._resolved[next(iter(self._resolved))]
                self._resolved[scope] = self._passages_in(scope)
            return self._resolved[scope]

    def _passages_in(self, scope: Scope) -> Ids | None:
        """As `resolve`, without the cache."""
        parts = [np.zeros(0, np.int64)]
        for owner in {"", scope.owner}:
            documents = self._ids.get(owner, {})
            chosen = documents if scope.documents is None else documents.keys() & scope.documents
            parts.extend(documents[document_id] for document_id in chosen)
        ids = np.concatenate(parts)
        return None if len(ids) == self._count else np.sort(ids, kind="stable")

    def _add(self, ids: Ids, document: DocumentKey) -> None:
        owner, document_id = document
        known = self._ids.setdefault(owner, {})
        known[document_id] = np.append(known.get(document_id, ids[:0]), ids)
        # Number the document, and note the number for each passage.
        if document not in self._numbers:
            self._numbers[document] = len(self._keys)
            self._keys.append(document)
        if (largest := int(ids.max())) >= len(self._document):
            self._document = np.append(self._document, np.full(max(largest, len(self._document)), -1, np.int32))
        self._document[ids] = self._numbers[document]
        self._count += len(ids)
        self._resolved.clear()

    def _forget(self, ids: Ids) -> None:
        ids = np.unique(ids[(ids >= 0) & (ids < len(self._document))])
        numbers = self._document[ids]
        # Take the passages out of the lists of their documents.
        for number in np.unique(numbers[numbers >= 0]).tolist():
            owner, document_id = self._keys[number]
            documents = self._ids[owner]
            kept = np.setdiff1d(documents[document_id], ids, assume_unique=True)
            self._count -= len(documents[document_id]) - len(kept)
            if len(kept):
                documents[document_id] = kept
            else:
                del documents[document_id]
            self._resolved.clear()
        self._document[ids] = -1

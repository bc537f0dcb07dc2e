"""Which owner and document each passage of an embedded index belongs to, and which passages a scope stands for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from rag.index.protocols import Ids, Scope
from rag.records import DocumentKey

CACHED_SCOPES = 16  # choices of documents resolved to ids; one of a million passages takes 8 MB


class PassageScopes:
    """Turns a `Scope` into passage ids, owner by owner. Thread-safe.

    An index adds passages here before it makes them searchable, and removes them afterwards; a search takes its
    snapshot of the passages first and resolves the scope then. So no search meets a passage that is unknown here.
    """

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, Ids]] = {}  # owner -> document id -> ids of its passages
        self._counts: Counter[str] = Counter()  # by owner: passages
        self._keys: list[DocumentKey] = []
        self._numbers: dict[DocumentKey, int] = {}  # document -> its place in _keys
        self._document: npt.NDArray[np.int32] = np.full(1024, -1, np.int32)  # by passage id: place in _keys, or -1
        self._resolved: dict[tuple[str, frozenset[str]], Ids | None] = {}  # owner and chosen documents -> as `resolve`
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

    def by_owner(self, ids: Ids) -> dict[str, Ids]:
        """Those of the ids that are known, each once and ascending, by the owner of their document."""
        with self._lock:
            ids, numbers = self._known(ids)
            owners = np.array([self._keys[number][0] for number in numbers.tolist()], dtype=object)
        return {owner: ids[owners == owner] for owner in dict.fromkeys(owners.tolist())}

    def resolve(self, scope: Scope) -> Mapping[str, Ids | None]:
        """By owner: ids of their passages in scope, ascending, or None for all of them; owners without any left out."""
        with self._lock:
            found = {owner: self._resolve(owner, scope.documents) for owner in scope.owners if self._counts[owner]}
        return {owner: ids for owner, ids in found.items() if ids is None or len(ids)}

    def _resolve(self, owner: str, documents: frozenset[str] | None) -> Ids | None:
        if documents is None:
            return None
        key = owner, documents
        if key not in self._resolved:
            if len(self._resolved) >= CACHED_SCOPES:
                del self._resolved[next(iter(self._resolved))]
            self._resolved[key] = self._passages_of(owner, documents)
        return self._resolved[key]

    def _passages_of(self, owner: str, documents: frozenset[str]) -> Ids | None:
        """As `_resolve`, without the cache."""
        own = self._ids[owner]
        ids = np.concatenate([np.zeros(0, np.int64), *(own[document_id] for document_id in own.keys() & documents)])
        return None if len(ids) == self._counts[owner] else np.sort(ids, kind="stable")

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
        self._counts[owner] += len(ids)
        self._drop_resolved(owner)

    def _forget(self, ids: Ids) -> None:
        ids, numbers = self._known(ids)
        # Take the passages out of the lists of their documents.
        for number in np.unique(numbers).tolist():
            owner, document_id = self._keys[number]
            documents = self._ids[owner]
            kept = np.setdiff1d(documents[document_id], ids, assume_unique=True)
            self._counts[owner] -= len(documents[document_id]) - len(kept)
            if len(kept):
                documents[document_id] = kept
            else:
                del documents[document_id]
            self._drop_resolved(owner)
        self._document[ids] = -1

    def _known(self, ids: Ids) -> tuple[Ids, npt.NDArray[np.int32]]:
        """The known ones of the ids, each once and ascending, and the number of each one's document."""
        ids = np.unique(ids[(ids >= 0) & (ids < len(self._document))])
        numbers = self._document[ids]
        return ids[numbers >= 0], numbers[numbers >= 0]

    def _drop_resolved(self, owner: str) -> None:
        self._resolved = {key: ids for key, ids in self._resolved.items() if key[0] != owner}

"""Searches within a scope, in both embedded indexes, against filtering and sorting all passages."""

from __future__ import annotations

import numpy as np
import pytest

import rag.index.bm25
import rag.index.partition
import rag.index.scopes
import rag.index.segments
import rag.index.vectors
from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.protocols import Scope, TextIndex, VectorIndex
from rag.index.scopes import PassageScopes
from rag.index.vectors import FaissIndex
from rag.records import DocumentKey

OWNERS = ("", "ann", "ben")
WORDS = [f"word{number}" for number in range(40)]
SCOPES = [
    *(Scope(owner) for owner in (*OWNERS, "stranger")),
    *(Scope(owner, frozenset(["d1", "d4", "unknown"])) for owner in (*OWNERS, "stranger")),
    Scope("ann", frozenset()),
    Scope("ann", frozenset(f"d{number}" for number in range(9))),
]


def scope_id(scope: Scope) -> str:
    return f"{scope.owner or 'shared'}, {len(scope.documents or ())} documents"


class Library:
    """Passages in both indexes and, to compare, in a dictionary."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.vectors: VectorIndex = FaissIndex(16, 500)
        self.words: TextIndex = BM25Index()
        self.kept: dict[int, tuple[DocumentKey, np.ndarray, str]] = {}
        self.query = self._unit(1)[0]
        self.next = 5

    def _unit(self, count: int) -> np.ndarray:
        vectors = self.rng.standard_normal((count, 16), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def add(self, count: int) -> None:
        """Add passages of several documents at once; for even counts those of one document do not come in one run."""
        ids = np.arange(self.next, self.next + count, dtype=np.int64)
        self.next += 2 * count
        vectors = self._unit(count)
        texts = [" ".join(self.rng.choice(WORDS, 12)) for _ in range(count)]
        keys = [(OWNERS[self.rng.integers(3)], f"d{self.rng.integers(7)}") for _ in range(count)]
        keys = sorted(keys) if count % 2 else keys
        self.vectors.add(ids, vectors, keys)
        self.words.add(ids.tolist(), CountedTerms.of(texts), keys)
        self.kept |= {int(n): row for n, *row in zip(ids, keys, vectors, texts, strict=True)}

    def remove(self, ids: list[int]) -> None:
        self.vectors.remove(np.array(ids, np.int64))
        self.words.remove(ids)
        self.kept = {n: row for n, row in self.kept.items() if n not in ids}

    def allowed(self, scope: Scope) -> list[int]:
        """Ids of the passages in scope, by the definition of a scope."""
        return [
            n
            for n, ((owner, document), _, _) in self.kept.items()
            if owner in ("", scope.owner) and (scope.documents is None or document in scope.documents)
        ]


@pytest.fixture
def library(monkeypatch) -> Library:
    """900 passages of 3 owners in blocks and segments of 200, some removed, among them all of one document."""
    monkeypatch.setattr(rag.index.vectors, "BLOCK_SIZE", 200)
    monkeypatch.setattr(rag.index.segments, "SEGMENT_SIZE", 200)
    monkeypatch.setattr(rag.index.bm25, "SEGMENT_SIZE", 200)
    monkeypatch.setattr(rag.index.partition, "SEGMENT_SIZE", 200)
    made = Library()
    for count in (1, 300, 2, 351):
        made.add(count)
        made.remove(made.rng.choice(list(made.kept), len(made.kept) // 10, replace=False).tolist())
    made.remove([n for n, (document, _, _) in made.kept.items() if document == ("ann", "d1")])
    made.add(246)
    return made


@pytest.mark.parametrize("scope", SCOPES, ids=scope_id)
def test_the_nearest_vectors_in_scope_are_found(library, scope):
    allowed = library.allowed(scope)
    found, scores = library.vectors.search(library.query, 50, scope)
    cosines = {n: float(library.kept[n][1] @ library.query) for n in allowed}
    best = sorted(allowed, key=lambda n: -cosines[n])[:50]
    assert scores == pytest.approx([cosines[n] for n in best], abs=1e-3)  # half precision from 500 passages on
    assert set(found.tolist()) <= set(allowed)
    assert len(set(found.tolist()) & set(best)) >= len(best) - 1
    every = library.vectors.search(library.query, 10_000, scope)[0].tolist()
    assert sorted(every) == sorted(allowed)


@pytest.mark.parametrize("scope", SCOPES, ids=scope_id)
def test_the_best_texts_in_scope_are_found(library, scope):
    """Scores do not depend on the documents chosen: a filtered result is the owner's without the other passages."""
    ids, scores = library.words.search("word1 word2 word3", 10_000, Scope(scope.owner))
    allowed = set(library.allowed(scope))
    best = [(n, score) for n, score in zip(ids.tolist(), scores.tolist(), strict=True) if n in allowed]
    for k in (10_000, 7):
        found, found_scores = library.words.search("word1 word2 word3", k, scope)
        assert list(zip(found.tolist(), found_scores.tolist(), strict=True)) == best[:k]


def resolved(scopes: PassageScopes, scope: Scope) -> dict[str, list[int] | None]:
    found = scopes.resolve(scope)
    return {owner: None if ids is None else ids.tolist() for owner, ids in found.items()}


def test_a_scope_is_resolved_again_after_each_change():
    scopes, some = PassageScopes(), Scope("ann", frozenset("ab"))
    scopes.add(np.array([1, 2, 7]), [("ann", "a"), ("ben", "a"), ("ann", "c")])
    assert resolved(scopes, Scope("ann")) == {"ann": None}
    assert resolved(scopes, some) == {"ann": [1]}
    scopes.add(np.array([9, 3]), [("", "b"), ("ann", "a")])
    assert resolved(scopes, Scope("ann")) == {"": None, "ann": None}
    assert resolved(scopes, some) == {"": None, "ann": [1, 3]}
    scopes.add(np.array([1]), [("ben", "a")])
    assert resolved(scopes, some) == {"": None, "ann": [3]}
    scopes.remove(np.array([3, 5000, -1]))
    assert resolved(scopes, some) == {"": None}
    scopes.remove(np.array([9, 7]))
    assert resolved(scopes, Scope("ann")) == {}
    assert resolved(scopes, Scope("ben", frozenset("b"))) == {}


def test_passages_are_told_by_their_owner():
    scopes = PassageScopes()
    scopes.add(np.array([4, 1, 2, 8]), [("ann", "a"), ("ben", "a"), ("ann", "b"), ("", "a")])
    found = scopes.by_owner(np.array([8, 4, 4, 2, 1, 77]))
    assert {owner: ids.tolist() for owner, ids in found.items()} == {"ben": [1], "ann": [2, 4], "": [8]}


@pytest.mark.parametrize("kind", ["vectors", "words"])
def test_removed_passages_are_in_no_scope(library, kind):
    library.remove([n for n, ((owner, _), _, _) in library.kept.items() if owner == "ben"])
    index = getattr(library, kind)
    assert set(index._scopes.resolve(Scope("ann"))) == {"", "ann"} == set(index._partitions)
    assert set(index._scopes.resolve(Scope("ben"))) == {""}


def test_the_cache_of_resolved_scopes_is_bounded(monkeypatch):
    monkeypatch.setattr(rag.index.scopes, "CACHED_SCOPES", 3)
    scopes = PassageScopes()
    scopes.add(np.arange(3), [("ann", "a"), ("ben", "b"), ("ann", "c")])
    for number in range(10):
        assert resolved(scopes, Scope("ann", frozenset(["a", str(number)]))) == {"ann": [0]}
    assert len(scopes._resolved) == 3


def test_ids_and_documents_must_have_the_same_length():
    with pytest.raises(ValueError, match="2 ids for 1 documents"):
        PassageScopes().add(np.arange(2), [("", "a")])


def test_a_passage_of_another_owner_is_not_found_while_it_is_being_added(monkeypatch):
    """All documents of an owner are no filter at all. That must not be decided before the segments are picked."""
    index = BM25Index()
    index.add([1], CountedTerms.of(["pump"]), [("ann", "a")])
    resolve, added = index._scopes.resolve, []

    def add_while_resolving(scope):
        ids = resolve(scope)
        if not added:
            added.append(2)
            index.add([2], CountedTerms.of(["pump"]), [("ben", "a")])
        return ids

    monkeypatch.setattr(index._scopes, "resolve", add_while_resolving)
    assert index.search("pump", 5, Scope("ann"))[0].tolist() == [1]
    assert added == [2]


def test_a_passage_of_another_owner_is_known_before_it_can_be_found(monkeypatch):
    """A search runs when the segment can be searched and the addition has not returned yet."""
    index, found = BM25Index(), []
    index.add([1], CountedTerms.of(["pump"]), [("ann", "a")])
    append = index._append

    def append_and_search(*passages):
        append(*passages)
        found.append(index.search("pump", 5, Scope("ann"))[0].tolist())

    monkeypatch.setattr(index, "_append", append_and_search)
    index.add([2], CountedTerms.of(["pump"]), [("ben", "a")])
    assert found == [[1]]

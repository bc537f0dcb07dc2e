"""Documents first: how well each document of the library fits a question that names it.

A question names a document by what its name and title say (a company, a year, a kind of report), or by words that run
through it and hardly through others. That weighs on its passages; it never takes those of another document away.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter

import numpy as np
import numpy.typing as npt

from rag.index import Ids
from rag.needs import TELLING
from rag.terms import terms
from rag.words import WordIndex

Key = tuple[str, str]  # owner, document id
Fits = npt.NDArray[np.float64]

COMMON = 0.7  # a term of less weight stands in about half of all passages and tells no document from another
EVEN = 0.02  # share of passages added to the mean, so that a term of a few passages tells little
LONG = 5  # characters from which a name written together ("northwind") is looked for in two words of the question
_SPLIT = re.compile(r"[_\s]+|\.pdf$", re.IGNORECASE)


class Catalog:
    """The documents by their names and by the passages they hold. Thread-safe."""

    def __init__(self, words: WordIndex) -> None:
        self._words = words
        self._keys: list[Key | None] = []  # by slot; None where the document was removed
        self._cards: list[frozenset[str]] = []  # terms of name and title, by slot
        self._held_by: Counter[str] = Counter()  # term -> cards that hold it
        self._passages = np.zeros(0, np.int64)  # by slot
        self._slots = np.full(1024, -1, np.int32)  # by passage id
        self._lock = threading.Lock()

    def add(self, key: Key, name: str, title: str, ids: Ids) -> None:
        """A document with the ids of its passages."""
        card = frozenset(terms(" ".join(_SPLIT.split(name)) + " " + title))
        with self._lock:
            slot = len(self._keys)
            self._keys.append(key)
            self._cards.append(card)
            self._held_by.update(card)
            self._passages = np.append(self._passages, len(ids))
            if len(ids) and (most := int(ids.max())) >= len(self._slots):
                self._slots = np.append(self._slots, np.full(max(most, len(self._slots)), -1, np.int32))
            self._slots[ids] = slot

    def remove(self, key: Key) -> None:
        """Forget a document; one that is unknown is ignored."""
        with self._lock:
            if key not in self._keys:
                return
            slot = self._keys.index(key)
            self._held_by.subtract(self._cards[slot])
            self._keys[slot], self._cards[slot] = None, frozenset()
            self._slots[self._slots == slot] = -1
            self._passages[slot] = 0

    def slots(self, ids: Ids) -> npt.NDArray[np.int32]:
        """The slot of each passage's document, (n,); -1 for unknown ids."""
        with self._lock:
            known = np.where(ids < len(self._slots), ids, 0)
            return np.where(ids < len(self._slots), self._slots[known], -1)

    def passages(self, slots: npt.NDArray[np.int64], allowed: Ids | None) -> Ids | None:
        """Ids of these documents' passages, of the allowed ones; None where that is all there is, or nothing."""
        with self._lock:
            everything = np.flatnonzero(self._slots >= 0) if allowed is None else allowed
        found = everything[np.isin(self.slots(everything), slots)]
        return found if 0 < len(found) < len(everything) else None

    def fits(self, question: str, allowed: Ids | None = None) -> Fits:
        """How well each document fits, by slot: 0 for not at all, about 6 for one named without a doubt.

        Where passages are `allowed`, documents that hold none of them fit not at all.
        """
        asked = [term for term in terms(question) if term not in TELLING]
        joined = {"".join(asked[n : n + words]) for words in (2, 3) for n in range(len(asked))}
        joined = {name for name in joined if len(name) >= LONG}
        with self._lock:
            cards, passages, held_by = list(self._cards), self._passages.copy(), self._held_by.copy()
        count = sum(bool(number) for number in passages)
        named = set(asked) | joined
        found = np.zeros(len(cards))
        for slot, card in enumerate(cards):
            found[slot] = sum(
                math.log(1 + (count - held_by[term] + 0.5) / (held_by[term] + 0.5)) for term in card & named
            )
        for term in dict.fromkeys(asked):
            if self._words.weight(term) >= COMMON:
                found += _lift(self._coverage(term, passages), passages)
        if allowed is not None:
            slots = self.slots(allowed)
            inside = np.zeros(len(found), bool)
            inside[slots[(slots >= 0) & (slots < len(found))]] = True  # one may have been added meanwhile
            found[~inside] = 0
        return found

    def _coverage(self, term: str, passages: npt.NDArray[np.int64]) -> Fits:
        """Share of each document's passages that hold a term."""
        slots = self.slots(self._words.holders(term))
        held = np.bincount(slots[slots >= 0], minlength=len(passages))[: len(passages)]
        return held / np.maximum(passages, 1)


def _lift(coverage: Fits, passages: npt.NDArray[np.int64]) -> Fits:
    """How much a term speaks for each document: how far its share lies above the mean, if it runs through any."""
    living = passages > 0
    mean = float(coverage[living].mean()) if living.any() else 0.0
    return 0.5 * np.log1p(coverage / (mean + EVEN)) * min(1.0, 5 * float(coverage.max(initial=0.0)))

"""Documents first: how well each document of the library fits a question that names it.

A question names a document by what its name and title say (a company, a year, a kind of report), or by words that run
through it and hardly through others. That weighs on its passages; it never takes those of another document away.
"""

from __future__ import annotations

import re
import threading
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rag.index.bm25 import BM25Index, rarity
from rag.index.tokenize import terms
from rag.index.vectors import Ids
from rag.retrieve.expand import TELLING

Key = tuple[str, str]  # owner, document id
Fits = npt.NDArray[np.float64]
Inside = npt.NDArray[np.bool_]  # by slot: whether it counts
Names = dict[str, tuple[npt.NDArray[np.int64], float]]  # term -> slots it names, and how much it tells

COMMON = 0.7  # a term of less weight stands in about half of all passages and tells no document from another
EVEN = 0.02  # share of passages added to the mean, so that a term of a few passages tells little
APART = 0.4  # of how much the best name of the first tells, that another's must tell to be one more that is asked about
NAME = 1.2  # times as rare in passages as among names and titles a term must be to be a name
MOST_APART = 4  # documents, or groups of one name, that a question asks about apart
LONG = 5  # characters from which a name written together ("northwind") is looked for in two words of the question
_YEAR = re.compile(r"(?:19|20)\d\d$")
_CODE = re.compile(r"\b(\d+)-([a-z])\b", re.IGNORECASE)  # 10-K, which file names write 10K
_SIDE_BY_SIDE = re.compile(
    r"\b(?:and|or|vs|versus|than|both|between|each|respectively|compar\w*|differ\w*)\b|[和与及跟比、]|还是|分别|哪[个家份]",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[_\s]+|\.pdf$", re.IGNORECASE)


class DocumentRouter:
    """The documents by their names and by the passages they hold. Thread-safe."""

    def __init__(self, words: BM25Index) -> None:
        self._words = words
        self._keys: list[Key | None] = []  # by slot; None where the document was removed
        self._ids: list[Ids] = []  # of its passages, by slot
        self._files: list[frozenset[str]] = []  # terms of its file's name, by slot
        self._named: dict[str, set[int]] = {}  # term -> slots of the names and titles it stands in
        self._passages = np.zeros(0, np.int64)  # how many, by slot
        # By passage id, from 1; 0 where unknown. The last one is nobody's, so that ids beyond are clipped to unknown.
        self._slots = np.zeros(1024, np.int64)
        self._lock = threading.Lock()

    def add(self, key: Key, name: str, title: str, ids: Ids) -> None:
        """A document with the ids of its passages."""
        file = frozenset(_name_terms(" ".join(_SPLIT.split(name))))
        named = file.union(_name_terms(title))
        with self._lock:
            slot = len(self._keys)
            self._keys.append(key)
            self._ids.append(ids)
            self._files.append(file)
            for term in named:
                self._named.setdefault(term, set()).add(slot)
            self._passages = np.append(self._passages, len(ids))
            if len(ids) and (most := int(ids.max())) >= len(self._slots) - 1:
                self._slots = np.append(self._slots, np.zeros(max(most, len(self._slots)), np.int64))
            self._slots[ids] = slot + 1

    def remove(self, key: Key) -> None:
        """Forget a document; one that is unknown is ignored."""
        with self._lock:
            if key not in self._keys:
                return
            slot = self._keys.index(key)
            for term in [term for term, slots in self._named.items() if slot in slots]:
                self._named[term].discard(slot)
                if not self._named[term]:
                    del self._named[term]
            self._slots[self._ids[slot]] = 0
            self._keys[slot], self._ids[slot] = None, self._ids[slot][:0]
            self._passages[slot] = 0

    def slots(self, ids: Ids) -> npt.NDArray[np.int64]:
        """The slot of each passage's document, (n,); -1 for unknown ids."""
        with self._lock:
            return self._slots.take(ids, mode="clip") - 1

    def passages(self, slots: npt.NDArray[np.int64]) -> Ids:
        """Ids of these documents' passages."""
        with self._lock:
            return np.concatenate([np.zeros(0, np.int64), *(self._ids[slot] for slot in slots)])

    def fits(self, question: str, allowed: Ids | None = None) -> Fits:
        """How well each document fits, by slot: 0 for not at all, about 6 for one named without a doubt.

        Where passages are `allowed`, documents that hold none of them fit not at all.
        """
        asked = _asked(question)
        passages, inside = self._scope(allowed)
        found = np.zeros(len(passages))
        for slots, weight in self._names(asked, inside).values():
            found[slots] += weight
        for term in dict.fromkeys(asked):
            if self._words.weight(term) >= COMMON:
                found[inside] += _lift(self._coverage(term, passages)[inside])
        return found

    def apart(self, question: str, allowed: Ids | None = None) -> list[Ids]:
        """The passages of each document that a question names beside others, best named first; [] unless several.

        "Compare the revenue of A with that of B", "A in 2018 and 2019". Documents that share all that the question
        says of them count as one. Only file names tell, in questions that put things side by side.
        """
        if not _SIDE_BY_SIDE.search(question):
            return []
        names = self._file_names(_asked(question), self._scope(allowed)[1])
        held: dict[int, set[str]] = {}
        for term, (slots, _) in names.items():
            for slot in slots.tolist():
                held.setdefault(slot, set()).add(term)
        held = {slot: own for slot, own in sorted(held.items()) if not all(map(_is_number, own))}
        groups: list[set[str]] = []
        said: set[str] = set()
        while len(groups) < MOST_APART:
            gains = {slot: sum(names[term][1] for term in own - said) for slot, own in held.items()}
            best = max(gains, key=lambda slot: (gains[slot], len(held[slot])), default=None)
            if best is None or not _is_one_more(held[best], groups, names):
                break
            groups.append(held[best])
            said |= held[best]
        if len(groups) < 2:
            return []
        return [self.passages(np.array([slot for slot, own in held.items() if own == group])) for group in groups]

    def _file_names(self, asked: list[str], inside: Inside) -> Names:
        """What of a question names files: years, numbers right behind a name, words rarer in passages than in names."""
        names = {}
        for term, (slots, weight) in self._names(asked, inside).items():
            slots = slots[[term in self._files[slot] for slot in slots]]
            if len(slots) and (_is_number(term) or self._words.weight(term) >= NAME * weight):
                names[term] = slots, weight
        behind = {after for before, after in pairwise(asked) if before in names and not _is_number(before)}
        return {
            term: entry for term, entry in names.items() if not _is_number(term) or _YEAR.match(term) or term in behind
        }

    def _names(self, asked: list[str], inside: Inside) -> Names:
        """Asked terms, and words that names write together, that stand in names or titles: their slots and weights."""
        joined = ["".join(asked[n : n + words]) for words in (2, 3) for n in range(len(asked))]
        named = dict.fromkeys([*asked, *(name for name in joined if len(name) >= LONG)])
        with self._lock:
            found = {term: np.array(sorted(self._named[term])) for term in named if term in self._named}
        count = int(np.count_nonzero(inside))
        names = {}
        for term, every in found.items():
            slots = every[every < len(inside)]  # one may have been added meanwhile
            slots = slots[inside[slots]]
            names[term] = slots, float(rarity(len(slots), count))
        return names

    def _scope(self, allowed: Ids | None) -> tuple[npt.NDArray[np.int64], Inside]:
        """How many passages each document has, and which documents hold any that are allowed; all that have some, None.

        Both by the slots of this moment: one that is added afterwards is in neither.
        """
        with self._lock:
            passages = self._passages.copy()
        if allowed is None:
            return passages, passages > 0
        inside = np.zeros(len(passages), bool)
        slots = self.slots(allowed)
        inside[slots[(slots >= 0) & (slots < len(passages))]] = True
        return passages, inside

    def _coverage(self, term: str, passages: npt.NDArray[np.int64]) -> Fits:
        """Share of each document's passages that hold a term."""
        ids = self._words.holders(term)
        with self._lock:
            slots = self._slots.take(ids, mode="clip")
        held = np.bincount(slots, minlength=len(passages) + 1)[1 : len(passages) + 1]
        return held / np.maximum(passages, 1)


def _asked(question: str) -> list[str]:
    """The terms that a question is about."""
    return [term for term in _name_terms(question) if term not in TELLING]


def _name_terms(text: str) -> list[str]:
    return terms(_CODE.sub(r"\1\2", text))


def _is_one_more(own: set[str], groups: list[set[str]], names: Names) -> bool:
    """Whether a document named by `own` terms is one more that is asked about, not the echo of another in `groups`."""
    if not groups:
        return True
    new = own.difference(*groups)
    if words := [term for term in new if not _is_number(term)]:
        best, first = (max(names[term][1] for term in some if not _is_number(term)) for some in (words, groups[0]))
        return best >= APART * first
    return bool(new) and any(not _is_number(term) for group in groups for term in own & group)


def _is_number(term: str) -> bool:
    return term.replace(".", "", 1).isdigit()


def _lift(coverage: Fits) -> Fits:
    """How much a term speaks for each document: how far its share lies above the mean, if it runs through any."""
    if not len(coverage):
        return coverage
    return 0.5 * np.log1p(coverage / (float(coverage.mean()) + EVEN)) * min(1.0, 5 * float(coverage.max()))

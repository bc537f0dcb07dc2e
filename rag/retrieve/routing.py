"""Document routing: how well each document matches a question that names it.

A question names a document by words from its file name and title (a company, a year, a kind of report), or by words
that are frequent in it and rare elsewhere. The score is added to the document's passages; passages of other documents
are never excluded.
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.index.bm25 import inverse_document_frequency
from rag.index.protocols import Ids, Scope, TextIndex
from rag.index.tokenize import terms
from rag.records import DocumentKey
from rag.retrieve.expand import INSTRUCTION_TERMS
from rag.settings import RoutingSettings

Slots = npt.NDArray[np.int64]  # a document's slot is its row in all arrays here
DocumentScores = npt.NDArray[np.float64]  # by slot
InScope = npt.NDArray[np.bool_]  # by slot: whether the document may be searched
NameMatches = dict[str, tuple[Slots, float]]  # term -> the documents it names, and its IDF among their names

_RARE: Final = 0.4  # share of the IDF of a term in no passage; lacking a rarer word shows that a document is not meant
CACHED_SCOPES: Final = 64  # scopes whose documents are remembered until the next change
_DEFAULTS: Final = RoutingSettings()
_YEAR: Final = re.compile(r"(?:19|20)\d\d$")
_CODE: Final = re.compile(r"\b(\d+)-([a-z])\b", re.IGNORECASE)  # 10-K, which file names write 10K
_COMPARISON: Final = re.compile(
    r"\b(?:and|or|vs|versus|than|both|between|each|respectively|compar\w*|differ\w*)\b|[和与及跟比、]|还是|分别|哪[个家份]",
    re.IGNORECASE,
)
PERIODS = frozenset(terms("first second third fourth quarter half year month fiscal annual interim"))
_CAPITALISED: Final = re.compile(  # words that a name does not start with
    r"(?:(?<=\w[\s,;(“\"'])|(?<=\w[,;:]\s))[A-Z][\w&’'-]*|^[A-Z]\w*(?='s|’s)|^[A-Z]\w+$"
)
_SEPARATOR: Final = re.compile(r"[_\s]+|\.pdf$", re.IGNORECASE)  # between the words of a file name, and its ending


class DocumentRouter:
    """Scores documents by their names and by the terms of their passages. Thread-safe.

    Each document has a slot, in the order of addition; slots of removed documents stay empty.
    """

    def __init__(self, words: TextIndex, settings: RoutingSettings = _DEFAULTS) -> None:
        self._words, self._settings = words, settings
        self._keys: list[DocumentKey | None] = []  # by slot; None once removed
        self._passages: list[Ids] = []  # by slot: ids of its passages
        self._file_terms: list[frozenset[str]] = []  # by slot: terms of its file name
        self._slots_by_term: dict[str, set[int]] = {}  # term -> documents with it in their file name or title
        self._passage_counts = np.zeros(0, np.int64)  # by slot
        # Slot + 1 by passage id, 0 for unknown ids. The last entry stays 0, so that larger ids are clipped to it.
        self._slot_of_passage = np.zeros(1024, np.int64)
        self._documents_in: dict[Scope, InScope] = {}  # cache, emptied by every change
        self._lock = threading.Lock()

    def add(self, key: DocumentKey, name: str, title: str, ids: Ids) -> None:
        """Add a document with its file name, its title and the ids of its passages (n,)."""
        file_terms = frozenset(_name_terms(" ".join(_SEPARATOR.split(name))))
        with self._lock:
            slot = len(self._keys)
            self._keys.append(key)
            self._passages.append(ids[:0])
            self._file_terms.append(file_terms)
            for term in file_terms.union(_name_terms(title)):
                self._slots_by_term.setdefault(term, set()).add(slot)
            self._passage_counts = np.append(self._passage_counts, 0)
            self._set_passages(slot, ids)
            self._documents_in.clear()

    def extend(self, key: DocumentKey, added: Ids, removed: Ids) -> None:
        """Add and remove passages (n,) of a document; an unknown one is ignored."""
        with self._lock:
            if key not in self._keys:
                return
            slot = self._keys.index(key)
            self._slot_of_passage[removed] = 0
            kept = self._passages[slot][~np.isin(self._passages[slot], removed)]
            self._set_passages(slot, np.append(kept, added))
            self._documents_in.clear()

    def _set_passages(self, slot: int, ids: Ids) -> None:
        """Make these the passages of a document; the lock must be held."""
        self._passages[slot] = ids
        self._passage_counts[slot] = len(ids)
        if len(ids) and (largest := int(ids.max())) >= len(self._slot_of_passage) - 1:
            more = np.zeros(max(largest, len(self._slot_of_passage)), np.int64)
            self._slot_of_passage = np.append(self._slot_of_passage, more)
        self._slot_of_passage[ids] = slot + 1

    def remove(self, key: DocumentKey) -> None:
        """Remove a document; an unknown one is ignored."""
        with self._lock:
            if key not in self._keys:
                return
            slot = self._keys.index(key)
            for term in [term for term, slots in self._slots_by_term.items() if slot in slots]:
                self._slots_by_term[term].discard(slot)
                if not self._slots_by_term[term]:
                    del self._slots_by_term[term]
            self._slot_of_passage[self._passages[slot]] = 0
            self._keys[slot], self._passages[slot] = None, self._passages[slot][:0]
            self._passage_counts[slot] = 0
            self._documents_in.clear()

    def slots_of(self, ids: Ids) -> Slots:
        """Slot of each passage's document, (n,); -1 for unknown ids."""
        with self._lock:
            return self._slot_of_passage.take(ids, mode="clip") - 1

    def narrow(self, scope: Scope, slots: Slots) -> Scope:
        """The scope restricted to these documents."""
        with self._lock:
            keys = [self._keys[slot] for slot in slots]
        return replace(scope, documents=frozenset(key[1] for key in keys if key and scope.allows(key)))

    def count(self, scope: Scope) -> int:
        """Number of documents in scope that have passages."""
        return int(np.count_nonzero(self._in_scope(scope)[1]))

    def scores(self, question: str, scope: Scope) -> DocumentScores:
        """How well each document matches, by slot: 0 for no match, about 6 for one that is clearly named.

        Documents out of scope score 0.
        """
        query_terms = _query_terms(question)
        counts, in_scope = self._in_scope(scope)
        scores = np.zeros(len(counts))
        # Add the IDF of each term that names a document.
        for slots, idf in self._name_matches(query_terms, in_scope).values():
            scores[slots] += idf
        # Add what each term contributes by the share of a document's passages that contain it.
        for term in dict.fromkeys(query_terms):
            if self._words.idf(term, scope) >= self._settings.min_term_weight:
                scores[in_scope] += self._coverage_scores(self._coverage(term, scope, counts)[in_scope])
        return scores

    def compared_documents(self, question: str, scope: Scope) -> list[Scope]:
        """The scope of each document that a question compares, best named first; [] if it compares none.

        "Compare the revenue of A with that of B", "A in 2018 and 2019". Only file names count, not titles. Documents
        named by the same terms form one group.
        """
        if not _COMPARISON.search(question):
            return []
        matches = self._file_name_matches(_query_terms(question), scope, self._in_scope(scope)[1])
        # Collect the terms that name each document. Numbers alone name none.
        terms_of: dict[int, set[str]] = {}
        for term, (slots, _) in matches.items():
            for slot in slots.tolist():
                terms_of.setdefault(slot, set()).add(term)
        terms_of = {slot: own for slot, own in sorted(terms_of.items()) if not all(map(_is_number, own))}
        # Pick the document whose terms add most to those already picked, as long as it is named in its own right.
        groups: list[set[str]] = []
        said: set[str] = set()
        while len(groups) < self._settings.max_compared_documents:
            gains = {slot: sum(matches[term][1] for term in sorted(own - said)) for slot, own in terms_of.items()}
            best = max(gains, key=lambda slot: (gains[slot], len(terms_of[slot])), default=None)
            if best is None or not self._names_another(terms_of[best], groups, matches):
                break
            groups.append(terms_of[best])
            said |= terms_of[best]
        if len(groups) < 2:
            return []
        # A group consists of all documents named by the same terms.
        return [
            self.narrow(scope, np.array([slot for slot, own in terms_of.items() if own == group])) for group in groups
        ]

    def named_documents(self, question: str, scope: Scope) -> dict[str, frozenset[str]]:
        """The documents in scope that a question names by file name or title: id -> its terms that name them.

        A name is a term, or two or three written as one word. Part of a file name counts only if no whole one does. A
        word that other documents use just as much names none, unless it is written like a name; nor does one in most
        documents' names. Words for periods name a document only if nothing else does.
        """
        query_terms = [term for term in _query_terms(question) if not _is_number(term)]
        in_scope = self._in_scope(scope)[1]
        matches = self._whole_names(query_terms, in_scope) or self._partial_names(query_terms, in_scope)
        found: dict[int, set[str]] = {}
        written = {term for word in _CAPITALISED.findall(question) for term in terms(word)}
        for words, slots in matches.items():
            if written.issuperset(words) or self._tells_apart("".join(words), scope, slots):
                for slot in slots.tolist():
                    found.setdefault(slot, set()).update(words)
        found = {slot: words for slot, words in found.items() if not self._is_by_chance(slot, words, question, scope)}
        if any(words - PERIODS for words in found.values()):  # "the fourth quarter" is not another's report
            found = {slot: words for slot, words in found.items() if words - PERIODS}
        with self._lock:
            return {key[1]: frozenset(found[slot]) for slot, key in enumerate(self._keys) if key and slot in found}

    def coverage(self, term: str, scope: Scope) -> dict[str, float]:
        """Share of the passages that contain a term, 0..1, by document id, for the documents in scope with any."""
        counts, in_scope = self._in_scope(scope)
        shares = self._coverage(term, scope, counts)
        with self._lock:
            keys = list(self._keys)
        return {key[1]: float(shares[slot]) for slot in np.flatnonzero(in_scope & (shares > 0)) if (key := keys[slot])}

    def _whole_names(self, query_terms: list[str], in_scope: InScope) -> dict[tuple[str, ...], Slots]:
        """Runs of one to three terms that are names, or in titles, as one word; the longest run at each place."""
        matches = self._name_matches(query_terms, in_scope)
        found: dict[tuple[str, ...], Slots] = {}
        start = 0
        while start < len(query_terms):
            runs = (tuple(query_terms[start : start + words]) for words in (3, 2, 1))
            run = next((run for run in runs if "".join(run) in matches), None)
            if run is not None:
                found[run] = matches["".join(run)][0]
            start += len(run or "1")
        return found

    def _partial_names(self, query_terms: list[str], in_scope: InScope) -> dict[tuple[str, ...], Slots]:
        """Terms that a word of a file name starts or ends with, such as "activision" in "activisionblizzard"."""
        with self._lock:
            file_terms = list(self._file_terms[: len(in_scope)])
        long = [term for term in dict.fromkeys(query_terms) if len(term) >= self._settings.min_joined_characters]
        slots = np.flatnonzero(in_scope)
        found = {(term,): [slot for slot in slots if _has_part(file_terms[slot], term)] for term in long}
        return {term: np.array(having) for term, having in found.items() if having}

    def _tells_apart(self, name: str, scope: Scope, slots: Slots) -> bool:
        """Whether a name belongs to these documents, rather than being a word that others in scope use as well."""
        counts, in_scope = self._in_scope(scope)
        others = in_scope.copy()
        others[slots] = False
        if not others.any():
            return len(slots) == 1
        coverage = self._coverage(name, scope, counts)
        own, elsewhere = float(coverage[slots].mean()), float(coverage[others].mean())
        if own == 0:  # "10k" from file names does not occur in the texts
            return 2 * len(slots) <= int(in_scope.sum())
        return elsewhere <= self._settings.max_name_elsewhere or own >= self._settings.min_name_ratio * elsewhere

    def _is_by_chance(self, slot: int, words: set[str], question: str, scope: Scope) -> bool:
        """Whether words that others also use name a document by its title, but it lacks a word that others have.

        "Who voted against the public toilets?" does not mean the guide to the public library, which has no toilets.
        """
        written = {term for word in _CAPITALISED.findall(question) for term in terms(word)}
        if not written.isdisjoint(words) or not self._file_terms[slot].isdisjoint(words):
            return False
        counts, in_scope = self._in_scope(scope)
        others = in_scope.copy()
        others[slot] = False
        if not all(self._coverage(word, scope, counts)[others].any() for word in words):
            return False
        asked = [term for term in _query_terms(question) if term not in words and not _is_number(term)]
        least = _RARE * self._words.idf("", scope)
        rare = [term for term in asked if self._words.idf(term, scope) >= least]
        coverages = [self._coverage(term, scope, counts) for term in rare]
        return any(coverage[slot] == 0 and coverage[others].any() for coverage in coverages)

    def _names_another(self, own: set[str], groups: list[set[str]], matches: NameMatches) -> bool:
        """Whether a document named by its `own` terms is compared with those in `groups`, or just echoes their names.

        It must add a word about as rare as the first document's best, or a number to a word they share ("Northwind 2021
        and 2022").
        """
        if not groups:
            return True
        new = own.difference(*groups)
        if words := [term for term in new if not _is_number(term)]:
            best, first = (max(matches[t][1] for t in some if not _is_number(t)) for some in (words, groups[0]))
            return best >= self._settings.min_name_strength * first
        return bool(new) and any(not _is_number(term) for group in groups for term in own & group)

    def _file_name_matches(self, query_terms: list[str], scope: Scope, in_scope: InScope) -> NameMatches:
        """The query terms that name files: words rarer in passages than in names, years, and numbers after a name."""
        found = {}
        for term, (slots, idf) in self._name_matches(query_terms, in_scope).items():
            slots = slots[[term in self._file_terms[slot] for slot in slots]]
            rare = self._words.idf(term, scope) >= self._settings.name_rarity_ratio * idf
            if len(slots) and (_is_number(term) or rare):
                found[term] = slots, idf
        after_name = {after for before, after in pairwise(query_terms) if before in found and not _is_number(before)}
        return {
            term: match
            for term, match in found.items()
            if not _is_number(term) or _YEAR.match(term) or term in after_name
        }

    def _name_matches(self, query_terms: list[str], in_scope: InScope) -> NameMatches:
        """The query terms, and two or three of them as one word, that occur in names or titles."""
        joined = ["".join(query_terms[n : n + words]) for words in (2, 3) for n in range(len(query_terms))]
        long = [word for word in joined if len(word) >= self._settings.min_joined_characters]
        candidates = dict.fromkeys([*query_terms, *long])
        with self._lock:
            slots_by_term = {
                term: np.array(sorted(self._slots_by_term[term])) for term in candidates if term in self._slots_by_term
            }
        count = int(np.count_nonzero(in_scope))
        matches = {}
        for term, slots in slots_by_term.items():
            slots = slots[slots < len(in_scope)]  # a document may have been added since `in_scope` was made
            slots = slots[in_scope[slots]]
            if not len(slots):  # only the name of others' documents
                continue
            matches[term] = slots, float(inverse_document_frequency(len(slots), count))
        return matches

    def _in_scope(self, scope: Scope) -> tuple[Slots, InScope]:
        """Passages of each document, and whether it is in scope and has any.

        A document added afterwards is in neither array.
        """
        with self._lock:
            if scope not in self._documents_in:
                if len(self._documents_in) >= CACHED_SCOPES:
                    del self._documents_in[next(iter(self._documents_in))]
                allowed = [key is not None and scope.allows(key) for key in self._keys]
                self._documents_in[scope] = np.array(allowed, bool) & (self._passage_counts > 0)
            return self._passage_counts.copy(), self._documents_in[scope]

    def _coverage(self, term: str, scope: Scope, counts: Slots) -> DocumentScores:
        """Share of each visible document's passages that contain a term, 0..1; 0 for documents of other owners."""
        ids = self._words.passages_with(term, scope)
        with self._lock:
            slots = self._slot_of_passage.take(ids, mode="clip")
        containing = np.bincount(slots, minlength=len(counts) + 1)[1 : len(counts) + 1]
        return containing / np.maximum(counts, 1)

    def _coverage_scores(self, coverage: DocumentScores) -> DocumentScores:
        """Score of a term by how far its coverage of each document exceeds the mean, if it covers any document well.

        The smoothing prevents a term in very few passages from counting as a document's subject.
        """
        if not len(coverage):
            return coverage
        settings = self._settings
        ratio = coverage / (float(coverage.mean()) + settings.coverage_smoothing)
        best = float(coverage.max())
        return settings.coverage_weight * np.log1p(ratio) * min(1.0, settings.coverage_saturation * best)


def _query_terms(question: str) -> list[str]:
    """The terms of a question, without instructions."""
    return [term for term in _name_terms(question) if term not in INSTRUCTION_TERMS]


def _name_terms(text: str) -> list[str]:
    return terms(_CODE.sub(r"\1\2", text))


def _has_part(file_terms: frozenset[str], part: str) -> bool:
    return any(term.startswith(part) or term.endswith(part) for term in file_terms)


def _is_number(term: str) -> bool:
    return term.replace(".", "", 1).isdigit()

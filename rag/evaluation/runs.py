"""Kept questions and what searching for all of them gave: plain records, and what changed between two runs."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rag.evaluation.metrics import CUTS, Latency, covers, latency, mrr, recall, within
from rag.language import mainly_chinese
from rag.records import Source


@dataclass(frozen=True, slots=True)
class RightPage:
    """A page that answers a kept question."""

    document_id: str
    page: int  # from 0
    document: str  # its name; "" when it was removed
    page_label: str  # "" when it was removed

    @property
    def here(self) -> bool:
        """Whether its document is in the library."""
        return bool(self.page_label or self.document)

    def as_source(self) -> Source:
        """The page without any passage, to be opened as a source is."""
        return Source(
            number=0,
            passage_id=0,
            document_id=self.document_id,
            document=self.document,
            first_page=self.page,
            last_page=self.page,
            page_label=self.page_label,
            heading=(),
            text="",
            start=0,
            end=0,
            score=0.0,
        )


@dataclass(frozen=True, slots=True)
class SavedQuestion:
    """A question and the pages that answer it, as its owner marked them."""

    id: int
    text: str
    pages: tuple[RightPage, ...]

    @property
    def here(self) -> bool:
        """Whether any of its right pages can be found."""
        return any(page.here for page in self.pages)

    @property
    def pages_digest(self) -> str:
        """Which pages are right, in 16 characters, whether their documents are in the library or not."""
        marked = "\n".join(sorted(f"{page.document_id} {page.page}" for page in self.pages))
        return hashlib.sha256(marked.encode()).hexdigest()[:16]

    def is_right(self, source: Source) -> bool:
        """Whether a source stands on a right page."""
        return covers(source, [page.page for page in self.pages if page.document_id == source.document_id])


@dataclass(frozen=True, slots=True)
class Result:
    """What one question gave in one run."""

    rank: int | None  # of the first source on a right page, from 1
    seconds: float  # to the sources
    pages: str = ""  # digest of the right pages it was measured with; "" in runs that did not keep it yet

    def same_pages(self, digest: str) -> bool:
        """Whether it was measured with these right pages, as far as is known."""
        return "" in (self.pages, digest) or self.pages == digest


@dataclass(frozen=True)
class Run:
    """All kept questions searched once, and what with."""

    id: int
    at: float  # seconds since the epoch
    depth: int  # sources that a search gives
    embedder: str
    documents: int
    passages: int
    library: str  # digest of which documents there were
    settings: dict[str, Any]  # of searching, by dotted name
    results: dict[int, Result] = field(default_factory=dict)  # by id of the question
    reranker: str = ""  # "" where there was none

    @cached_property
    def ranks(self) -> list[int | None]:
        """One a question."""
        return [result.rank for result in self.results.values()]

    @cached_property
    def mrr(self) -> float:
        """Mean reciprocal rank, 0..1."""
        return mrr(self.ranks)

    @cached_property
    def latency(self) -> Latency:
        """Milliseconds a question."""
        return latency([result.seconds for result in self.results.values()])

    def recall(self, k: int) -> float | None:
        """Share of the questions with a right page among the first k sources; None where fewer were looked for."""
        return recall(self.ranks, k) if k <= self.depth else None

    def only(self, questions: Collection[int]) -> Run:
        """The same run over those of its questions that are among these ids."""
        return replace(self, results={key: result for key, result in self.results.items() if key in questions})

    def shared_with(self, other: Run) -> Run:
        """The same run over the questions that the other one asked too, with the same right pages."""
        both = self.results.keys() & other.results.keys()
        return self.only({key for key in both if self.results[key].same_pages(other.results[key].pages)})


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose right page moved between two runs, or whose right pages are other ones."""

    question: int  # its id
    before: int | None  # rank; None where it was not found
    after: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the questions that both of two runs asked."""

    lost: tuple[Change, ...]  # a right page was among the first k, and is not now
    won: tuple[Change, ...]  # the other way round
    moved: tuple[Change, ...]  # another rank, on the same side of k
    other_pages: tuple[Change, ...]  # measured with other right pages: the ranks cannot be compared
    same: int


def cuts(depth: int) -> tuple[int, ...]:
    """The k that recall is told for where a search gives `depth` sources; the last is all of them."""
    return (*(k for k in CUTS if k < depth), depth)


def compare(old: Run, new: Run, k: int) -> Comparison:
    """The questions of both runs by whether a right page was among the first k. Ranks neither run went to are none."""
    depth = min(old.depth, new.depth)
    groups: dict[str, list[Change]] = defaultdict(list)
    for question in sorted(old.results.keys() & new.results.keys()):
        one, two = old.results[question], new.results[question]
        change = Change(question, _down_to(one.rank, depth), _down_to(two.rank, depth))
        groups[_kind(change, k) if one.same_pages(two.pages) else "other_pages"].append(change)
    lost, won, moved, other = (tuple(groups[kind]) for kind in ("lost", "won", "moved", "other_pages"))
    return Comparison(lost, won, moved, other, len(groups["same"]))


def _kind(change: Change, k: int) -> str:
    """Field of Comparison that a change of rank belongs to."""
    if change.before == change.after:
        return "same"
    if within(change.before, k) == within(change.after, k):
        return "moved"
    return "lost" if within(change.before, k) else "won"


def _down_to(rank: int | None, depth: int) -> int | None:
    return rank if within(rank, depth) else None


def differences(old: Run, new: Run) -> list[tuple[str, Any, Any]]:
    """What was not the same in two runs: name, before, after.

    Without values: "library" (as many documents, but others), "other_questions" (the same), "right_pages" (a question
    of both has other ones).
    """
    found: list[tuple[str, Any, Any]] = []
    for name in ("embedder", "reranker", "documents", "passages"):
        if getattr(old, name) != getattr(new, name):
            found.append((name, getattr(old, name), getattr(new, name)))
    if old.library != new.library and old.documents == new.documents:
        found.append(("library", "", ""))
    found += _questions_differ(old, new)
    for name in sorted(old.settings.keys() | new.settings.keys()):
        before, after = old.settings.get(name), new.settings.get(name)
        if before != after:
            found.append((name, before, after))
    return found


def _questions_differ(old: Run, new: Run) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    before, after = old.results, new.results
    if len(before) != len(after):
        found.append(("questions", len(before), len(after)))
    elif before.keys() != after.keys():
        found.append(("other_questions", "", ""))
    if not all(before[key].same_pages(after[key].pages) for key in before.keys() & after.keys()):
        found.append(("right_pages", "", ""))
    return found


def as_lines(questions: Sequence[SavedQuestion]) -> str:
    """Kept questions as `python -m rag.evaluate` reads them: one JSON object a line, one line a document."""
    lines = []
    for question in questions:
        documents: dict[str, list[int]] = {}
        for page in question.pages:
            if page.here:
                documents.setdefault(page.document, []).append(page.page)
        language = "zh" if mainly_chinese(question.text) else "en"
        for document, pages in documents.items():
            row = {"question": question.text, "document": document, "pages": sorted(pages), "language": language}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)

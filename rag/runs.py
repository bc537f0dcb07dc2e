"""Kept questions and what searching for all of them gave: plain records, and what changed between two runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rag.evidence import written_in_han
from rag.measure import CUTS, Latency, covers, latency, mrr, recall, within
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
class KeptQuestion:
    """A question and the pages that answer it, as its owner marked them."""

    id: int
    text: str
    pages: tuple[RightPage, ...]

    @property
    def here(self) -> bool:
        """Whether any of its right pages can be found."""
        return any(page.here for page in self.pages)

    def is_right(self, source: Source) -> bool:
        """Whether a source stands on a right page."""
        return covers(source, [page.page for page in self.pages if page.document_id == source.document_id])


@dataclass(frozen=True, slots=True)
class Result:
    """What one question gave in one run."""

    rank: int | None  # of the first source on a right page, from 1
    seconds: float  # to the sources


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
    settings: dict[str, Any]  # of searching and splitting, by dotted name
    results: dict[int, Result] = field(default_factory=dict)  # by id of the question

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


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose right page moved between two runs."""

    question: int  # its id
    before: int | None  # rank; None where it was not found
    after: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the questions that both of two runs asked."""

    lost: tuple[Change, ...]  # a right page was among the first k, and is not now
    won: tuple[Change, ...]  # the other way round
    moved: tuple[Change, ...]  # another rank, on the same side of k
    same: int


def cuts(depth: int) -> tuple[int, ...]:
    """The k that recall is told for where a search gives `depth` sources; the last is all of them."""
    return (*(k for k in CUTS if k < depth), depth)


def compare(old: Run, new: Run, k: int) -> Comparison:
    """The questions of both runs by whether a right page was among the first k. Ranks neither run went to are none."""
    depth = min(old.depth, new.depth)
    lost: list[Change] = []
    won: list[Change] = []
    moved: list[Change] = []
    same = 0
    for question in sorted(old.results.keys() & new.results.keys()):
        before, after = (_down_to(run.results[question].rank, depth) for run in (old, new))
        change = Change(question, before, after)
        if before == after:
            same += 1
        elif within(before, k) == within(after, k):
            moved.append(change)
        else:
            (lost if within(before, k) else won).append(change)
    return Comparison(tuple(lost), tuple(won), tuple(moved), same)


def _down_to(rank: int | None, depth: int) -> int | None:
    return rank if within(rank, depth) else None


def differences(old: Run, new: Run) -> list[tuple[str, Any, Any]]:
    """What was not the same in two runs: name, before, after. "library" says that other documents were there."""
    found: list[tuple[str, Any, Any]] = []
    for name in ("embedder", "documents", "passages"):
        if getattr(old, name) != getattr(new, name):
            found.append((name, getattr(old, name), getattr(new, name)))
    if old.library != new.library and old.documents == new.documents:
        found.append(("library", "", ""))
    if old.results.keys() != new.results.keys():
        found.append(("questions", len(old.results), len(new.results)))
    for name in sorted(old.settings.keys() | new.settings.keys()):
        before, after = old.settings.get(name), new.settings.get(name)
        if before != after:
            found.append((name, before, after))
    return found


def as_lines(questions: Sequence[KeptQuestion]) -> str:
    """Kept questions as `python -m rag.evaluate` reads them: one JSON object a line, one line a document."""
    lines = []
    for question in questions:
        documents: dict[str, list[int]] = {}
        for page in question.pages:
            if page.here:
                documents.setdefault(page.document, []).append(page.page)
        language = "zh" if written_in_han(question.text) else "en"
        for document, pages in documents.items():
            row = {"question": question.text, "document": document, "pages": sorted(pages), "language": language}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)

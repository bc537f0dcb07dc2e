"""Saved questions and the runs over them as plain records, and what changed between two runs."""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from rag.evaluation.metrics import CUTS, Latency, covers, latency, mrr, recall, within
from rag.records import Source
from rag.settings import Settings, flatten


@dataclass(frozen=True, slots=True)
class RightPage:
    """A page that answers a saved question."""

    document_id: str
    page: int  # from 0
    document: str  # its name; "" if it was removed
    page_label: str  # "" if the document was removed

    @property
    def here(self) -> bool:
        """Whether its document is in the library."""
        return bool(self.page_label or self.document)

    def as_source(self) -> Source:
        """The page as a source without text, so that it can be opened like one."""
        return Source.of_page(self.document_id, self.document, self.page, self.page_label)


@dataclass(frozen=True, slots=True)
class SavedQuestion:
    """A question, the pages that answer it, and the expected answer, all as given by its owner."""

    id: int
    text: str
    pages: tuple[RightPage, ...]
    answer: str = ""  # the expected answer; "" for none

    @property
    def here(self) -> bool:
        """Whether any of its pages is in a document of the library."""
        return any(page.here for page in self.pages)

    @property
    def can_run(self) -> bool:
        """Whether there is something to measure: a page in the library, or an expected answer."""
        return self.here or (not self.pages and bool(self.answer))

    @property
    def pages_digest(self) -> str:
        """Digest of its pages, 16 hexadecimal digits; pages of documents outside the library count, too."""
        return digest_of("\n".join(sorted(f"{page.document_id} {page.page}" for page in self.pages)))

    @property
    def answer_digest(self) -> str:
        """Digest of the expected answer, 16 hexadecimal digits; "" without one."""
        return digest_of(self.answer) if self.answer else ""

    def is_right(self, source: Source) -> bool:
        """Whether a source covers one of its pages."""
        return covers(source, [page.page for page in self.pages if page.document_id == source.document_id])


def digest_of(text: str) -> str:
    """The first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_NO_PAGES: Final = digest_of("")


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """How correct the answer to one question was."""

    exact: float | None  # 1.0 or 0.0; None without an expected answer
    f1: float | None  # 0..1
    expected: str  # digest of the expected answer at the time; "" without one
    supported: int  # claims that the sources support
    claims: int
    seconds: float  # to the end of the answer


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one question in one run."""

    rank: int | None  # of the first source on a correct page, from 1
    seconds: float  # to the sources
    pages: str = ""  # digest of the correct pages at the time; "" in runs of early versions
    answer: AnswerResult | None = None  # None in runs of versions that only searched

    @property
    def has_pages(self) -> bool:
        """Whether there was a page to be found."""
        return self.pages != _NO_PAGES

    @property
    def exact(self) -> float | None:
        """Whether the answer was correct; None if that was not measured."""
        return self.answer.exact if self.answer else None

    def same_pages(self, digest: str) -> bool:
        """Whether the correct pages were the same at the time, as far as is known."""
        return "" in (self.pages, digest) or self.pages == digest


@dataclass(frozen=True)
class Run:
    """All saved questions asked once, and the circumstances."""

    id: int
    at: float  # seconds since the epoch
    depth: int  # sources per question
    embedder: str
    documents: int
    passages: int
    library: str  # digest of the documents in the library
    settings: dict[str, Any]  # by dotted name, as `recorded_settings` gives them
    results: dict[int, Result] = field(default_factory=dict)  # by id of the saved question
    reranker: str = ""  # "" if there was none
    reader: str = ""  # the reader; "" in runs of versions that only searched

    @cached_property
    def ranks(self) -> list[int | None]:
        """Ranks of the questions that have a correct page."""
        return [result.rank for result in self.results.values() if result.has_pages]

    @cached_property
    def _answers(self) -> list[AnswerResult]:
        return [result.answer for result in self.results.values() if result.answer]

    @cached_property
    def answers_right(self) -> float | None:
        """Share of the expected answers that were given, 0..1; None without expected answers."""
        return _mean([one.exact for one in self._answers if one.exact is not None])

    @cached_property
    def answers_f1(self) -> float | None:
        """Mean F1 of the answers, 0..1; None without expected answers."""
        return _mean([one.f1 for one in self._answers if one.f1 is not None])

    @cached_property
    def claims_supported(self) -> float | None:
        """Share of the claims that the sources support, 0..1; None without claims."""
        claims = sum(one.claims for one in self._answers)
        return sum(one.supported for one in self._answers) / claims if claims else None

    @cached_property
    def answer_seconds(self) -> float | None:
        """Median time to the end of an answer; None if nothing was answered."""
        return statistics.median(one.seconds for one in self._answers) if self._answers else None

    @cached_property
    def mrr(self) -> float | None:
        """Mean reciprocal rank, 0..1; None if no question has a page."""
        return mrr(self.ranks) if self.ranks else None

    @cached_property
    def latency(self) -> Latency:
        """Milliseconds per question."""
        return latency([result.seconds for result in self.results.values()])

    def recall(self, k: int) -> float | None:
        """Share of the questions with a correct page among the first k sources.

        None if fewer sources were searched for, or no question has a page.
        """
        return recall(self.ranks, k) if self.ranks and k <= self.depth else None

    def only(self, questions: Collection[int]) -> Run:
        """The run restricted to these questions, by id."""
        return replace(self, results={key: result for key, result in self.results.items() if key in questions})

    def shared_with(self, other: Run) -> Run:
        """The run restricted to the questions that the other one also asked, with the same correct pages."""
        both = self.results.keys() & other.results.keys()
        return self.only({key for key in both if self.results[key].same_pages(other.results[key].pages)})


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose rank or correct pages differ between two runs."""

    question: int  # its id
    before: int | None  # rank; None if not found
    after: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The questions of two runs, by what changed."""

    lost: tuple[Change, ...]  # a correct page was among the first k, but no longer is
    won: tuple[Change, ...]  # the reverse
    moved: tuple[Change, ...]  # the rank changed, but not across k
    other_pages: tuple[Change, ...]  # their correct pages changed, so the ranks cannot be compared
    same: int  # questions with the same rank
    answers_lost: tuple[int, ...] = ()  # ids of questions that were answered correctly, but no longer are
    answers_won: tuple[int, ...] = ()  # the reverse


def cuts(depth: int) -> tuple[int, ...]:
    """The k for which recall is shown if a search returns `depth` sources; the last is `depth` itself."""
    return (*(k for k in CUTS if k < depth), depth)


def compare(old: Run, new: Run, k: int) -> Comparison:
    """Group the questions of both runs by what changed among the first k sources.

    Ranks beyond the depth of either run count as not found.
    """
    depth = min(old.depth, new.depth)
    groups: dict[str, list[Change]] = defaultdict(list)
    both = sorted(old.results.keys() & new.results.keys())
    for question in both:
        one, two = old.results[question], new.results[question]
        change = Change(question, _down_to(one.rank, depth), _down_to(two.rank, depth))
        groups[_kind(change, k) if one.same_pages(two.pages) else "other_pages"].append(change)
    lost, won, moved, other = (tuple(groups[kind]) for kind in ("lost", "won", "moved", "other_pages"))
    answers = [_answer_change(old.results[question], new.results[question]) for question in both]
    return Comparison(
        lost,
        won,
        moved,
        other,
        len(groups["same"]),
        answers_lost=tuple(question for question, change in zip(both, answers, strict=True) if change < 0),
        answers_won=tuple(question for question, change in zip(both, answers, strict=True) if change > 0),
    )


def _answer_change(one: Result, two: Result) -> float:
    """1 for an answer that became correct, -1 for one that no longer is; 0 if neither or unknown."""
    if not (one.answer and two.answer) or one.answer.expected != two.answer.expected:
        return 0.0
    return (two.exact or 0.0) - (one.exact or 0.0)


def _kind(change: Change, k: int) -> str:
    """The field of Comparison that a change belongs to."""
    if change.before == change.after:
        return "same"
    if within(change.before, k) == within(change.after, k):
        return "moved"
    return "lost" if within(change.before, k) else "won"


def _down_to(rank: int | None, depth: int) -> int | None:
    return rank if within(rank, depth) else None


def differences(old: Run, new: Run) -> list[tuple[str, Any, Any]]:
    """What differs between two runs besides the ranks: (name, before, after).

    Settings come with their dotted names; one that was not recorded had its default. Without values come "library" (as
    many documents, but different ones), "other_questions" (likewise for questions) and "right_pages" (a question of
    both runs has different ones).
    """
    defaults = flatten(Settings())
    found: list[tuple[str, Any, Any]] = []
    for name in ("reader", "embedder", "reranker", "documents", "passages"):
        if getattr(old, name) != getattr(new, name):
            found.append((name, getattr(old, name), getattr(new, name)))
    if old.library != new.library and old.documents == new.documents:
        found.append(("library", "", ""))
    found += _questions_differ(old, new)
    for name in sorted(old.settings.keys() | new.settings.keys()):
        before, after = (run.settings.get(name, defaults.get(name)) for run in (old, new))
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


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

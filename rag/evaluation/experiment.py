"""Two variants of the settings compared on the same saved questions, as plain records: what each found and answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from rag.evaluation.measured import Measured
from rag.evaluation.runs import Result, Run, SavedQuestion
from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.records import AskOptions

F1_DIFFERENCE: Final = 0.005  # a smaller difference counts as none: the page shows two digits


@dataclass(frozen=True, slots=True)
class Variant:
    """The settings with which one side of an experiment answers."""

    preferences: Preferences = DEFAULT_PREFERENCES
    quotes: bool = False  # answered by the quote reader, whichever model is in use

    @property
    def options(self) -> AskOptions:
        """How its questions are asked."""
        return AskOptions(quotes=self.quotes, preferences=self.preferences)


class Verdict(StrEnum):
    """How the second variant did on a question, compared with the first."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Pair:
    """The results of both variants for a question."""

    first: Measured
    second: Measured

    @property
    def verdict(self) -> Verdict:
        """By the answer if one is expected: correct or not, then F1; if that is equal, by the rank of the page."""
        difference = _answer_gain(self.first.result, self.second.result) or _rank_gain(
            self.first.result.rank, self.second.result.rank
        )
        if not difference:
            return Verdict.SAME
        return Verdict.BETTER if difference > 0 else Verdict.WORSE

    @property
    def same_answer(self) -> bool:
        """Whether both answered the same, as far as the text was kept."""
        return self.first.given == self.second.given


def _answer_gain(first: Result, second: Result) -> float:
    """How much more correct the second answer is; 0 if none was expected."""
    if first.answer is None or second.answer is None:
        return 0.0
    exact = (second.answer.exact or 0.0) - (first.answer.exact or 0.0)
    f1 = (second.answer.f1 or 0.0) - (first.answer.f1 or 0.0)
    return exact or (f1 if abs(f1) >= F1_DIFFERENCE else 0.0)


def _rank_gain(first: int | None, second: int | None) -> float:
    """How much higher the page was found, as a difference of reciprocal ranks."""
    return (1 / second if second else 0.0) - (1 / first if first else 0.0)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The circumstances of an experiment, besides its variants. If they have changed, it cannot be resumed."""

    embedder: str
    reranker: str
    readers: tuple[str, str]  # the reader that answered, by variant
    depths: tuple[int, int]  # sources per question, by variant
    documents: int
    passages: int
    library: str  # digest of the documents in the library
    settings: dict[str, Any]  # by dotted name, as `recorded_settings` returns them


@dataclass(frozen=True)
class Experiment:
    """Two variants and their results so far."""

    id: int
    at: float  # when it was started, in seconds since the epoch
    variants: tuple[Variant, Variant]
    circumstances: Circumstances
    questions: tuple[int, ...]  # ids of the saved questions to ask
    pairs: dict[int, Pair] = field(default_factory=dict)  # by id of the saved question

    @cached_property
    def left(self) -> tuple[int, ...]:
        """Ids of the questions that have not been asked yet."""
        return tuple(question for question in self.questions if question not in self.pairs)

    def answered(self, questions: Sequence[SavedQuestion]) -> list[tuple[SavedQuestion, Pair]]:
        """The saved questions that both variants have answered."""
        return [(question, self.pairs[question.id]) for question in questions if question.id in self.pairs]

    @cached_property
    def runs(self) -> tuple[Run, Run]:
        """What each variant found, as a run over the same questions."""
        made = self.circumstances

        def side(at: int) -> Run:
            results = {key: (pair.first, pair.second)[at].result for key, pair in self.pairs.items()}
            return Run(
                self.id, self.at, made.depths[at], made.embedder, made.documents, made.passages, made.library,
                made.settings, results, made.reranker, made.readers[at],
            )  # fmt: skip

        return side(0), side(1)

    @cached_property
    def refused(self) -> tuple[int, int]:
        """How many questions each variant refused to answer."""
        pairs = self.pairs.values()
        return sum(not pair.first.given for pair in pairs), sum(not pair.second.given for pair in pairs)

    @cached_property
    def verdicts(self) -> dict[int, Verdict]:
        """By id of the saved question."""
        return {key: pair.verdict for key, pair in self.pairs.items()}

    def count(self, verdict: Verdict) -> int:
        """Questions with a verdict."""
        return sum(one is verdict for one in self.verdicts.values())

    @property
    def chance(self) -> float | None:
        """How often two equally good variants would differ at least this much, 0..1; None if no question differs."""
        return sign_test(self.count(Verdict.BETTER), self.count(Verdict.WORSE))


def sign_test(better: int, worse: int) -> float | None:
    """The two-sided sign test on paired results (McNemar's exact test); None if no pair differs."""
    pairs = better + worse
    if not pairs:
        return None
    tail = sum(math.comb(pairs, k) for k in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / (1 << pairs))

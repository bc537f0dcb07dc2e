"""Outcomes of questions -> a report of recall, MRR, answered share and latency, as data and as a table."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag.evaluation.metrics import latency, mrr, recall
from rag.evaluation.question_file import Question
from rag.language import mainly_chinese
from rag.records import Answer, Source


@dataclass(frozen=True)
class Outcome:
    """The result of one question."""

    question: Question
    rank: int | None  # of the first source on a correct page, from 1; None if there is none
    seconds: float  # to the sources, or to the end of the answer if there is one
    answer: Answer | None = None  # None if it was not asked for
    sources: tuple[Source, ...] = ()  # of the answer

    @property
    def contains(self) -> tuple[bool, bool] | None:
        """What `contains_reference` tells; None without an answer, or without a reference to look for."""
        if self.answer is None or not self.question.answers:
            return None
        return contains_reference(self.answer, self.question.answers)


def contains_reference(answer: Answer, references: Sequence[str]) -> tuple[bool, bool]:
    """Whether a reference answer occurs in the answer, and in its first sentence; both normalised."""
    wanted = [normalise(text) for text in references]
    whole = normalise(" ".join(sentence.text for sentence in answer.sentences))
    first = [normalise(sentence.text) for sentence in answer.sentences[:1]]
    return any(text in whole for text in wanted), any(text in sentence for text in wanted for sentence in first)


def normalise(text: str) -> str:
    """Lower case without punctuation, articles and repeated spaces; Chinese without any space.

    English as in the official evaluation script of SQuAD (Rajpurkar et al. 2016).
    """
    if mainly_chinese(text):
        return "".join(character for character in text.lower() if character.isalnum())
    words = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", words).split())


def report(outcomes: Sequence[Outcome], cuts: Sequence[int]) -> dict[str, Any]:
    """Recall at each cut, mean reciprocal rank, answered shares, and milliseconds per question.

    Questions without a correct page do not count in recall and rank.
    """
    contained = [outcome.contains for outcome in outcomes if outcome.contains is not None]
    ranks = [outcome.rank for outcome in outcomes if outcome.question.pages]
    times = latency([outcome.seconds for outcome in outcomes])
    return {
        "questions": len(outcomes),
        "recall": {str(k): round(recall(ranks, k), 4) for k in cuts},
        "mrr": round(mrr(ranks), 4),
        "answered": _mean([whole for whole, _ in contained]),
        "answered_first": _mean([first for _, first in contained]),
        "ms": {"median": round(times.median, 1), "p95": round(times.p95, 1)},
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def report_by_language(outcomes: Sequence[Outcome], cuts: Sequence[int]) -> dict[str, Any]:
    """The report, with one for each language under "languages" if there are several."""
    whole = report(outcomes, cuts)
    languages = sorted({outcome.question.language for outcome in outcomes})
    if len(languages) > 1:
        whole["languages"] = {
            language: report([one for one in outcomes if one.question.language == language], cuts)
            for language in languages
        }
    return whole


def format_report(whole: dict[str, Any]) -> str:
    """A report of `python -m rag.evaluate` as a table: a row for all questions, and one per language."""
    index = whole["seconds"]
    lines = [
        f"{whole['documents']} documents, {whole['pages']} pages, {whole['passages']} passages, scope {whole['scope']}",
        f"indexed in {index['index']} s, {index['pages_per_second']} pages/s",
        f"{'':8}{'questions':>10}"
        + "".join(f"{'R@' + k:>8}" for k in whole["recall"])
        + f"{'MRR':>8}{'answered':>10}{'first':>8}{'ms':>8}{'p95':>8}",
    ]
    for name, part in [("all", whole), *whole.get("languages", {}).items()]:
        lines.append(
            f"{name:8}{part['questions']:>10}"
            + "".join(f"{value:>8.3f}" for value in part["recall"].values())
            + f"{part['mrr']:>8.3f}{_share(part['answered']):>10}{_share(part['answered_first']):>8}"
            + f"{part['ms']['median']:>8}{part['ms']['p95']:>8}"
        )
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

"""Outcomes of questions -> a report of recall, MRR, share answered and latency, as data and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.evaluation.answer_scores import answer_scores
from rag.evaluation.metrics import latency, mrr, recall
from rag.evaluation.outcomes import Outcome


def report(outcomes: Sequence[Outcome], cuts: Sequence[int]) -> dict[str, Any]:
    """Recall at each cut, mean reciprocal rank, shares answered, milliseconds per question, and `answer_scores`.

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
        **(answer_scores(outcomes) if any(outcome.answer for outcome in outcomes) else {}),
        "ms": {"median": round(times.median, 1), "p95": round(times.p95, 1)},
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def report_by_language(outcomes: Sequence[Outcome], cuts: Sequence[int]) -> dict[str, Any]:
    """The report; with several languages, also one for each under "languages"."""
    whole = report(outcomes, cuts)
    languages = sorted({outcome.question.language for outcome in outcomes})
    if len(languages) > 1:
        whole["languages"] = {
            language: report([one for one in outcomes if one.question.language == language], cuts)
            for language in languages
        }
    return whole


def format_report(whole: dict[str, Any]) -> str:
    """A report of `python -m rag.evaluate` as a table: one row for all questions, and one per language."""
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
    if "states" in whole:
        lines += _answer_lines(whole)
    return "\n".join(lines) + "\n"


def _answer_lines(whole: dict[str, Any]) -> list[str]:
    """A table of the short answers by kind, source and language, and a line with the states."""
    groups = {**whole["kinds"], **whole["sources"], **whole.get("languages", {})}
    rows = [("all", whole), *groups.items()]
    states = ", ".join(f"{state} {count}" for state, count in whole["states"].items())
    return [
        "",
        f"{'short answers':16}{'questions':>10}{'exact':>8}{'F1':>8}",
        *(f"{n:16}{one['questions']:>10}{_share(one['exact']):>8}{_share(one['f1']):>8}" for n, one in rows),
        f"states: {states}",
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

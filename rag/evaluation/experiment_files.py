"""An experiment as a file: CSV with a row per question, or JSON with the settings and totals as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rag.evaluation.experiment import Experiment, Variant, Verdict
from rag.evaluation.measured import Measured
from rag.evaluation.question_sets import csv_text
from rag.evaluation.runs import Run, SavedQuestion

_SIDES = ("A", "B")
_OF_SIDE = ("answer", "right", "F1", "rank", "supported", "claims", "seconds")


def experiment_csv(experiment: Experiment, questions: Sequence[SavedQuestion]) -> str:
    """A row per question: what was expected, what each variant answered and found, and the verdict on B against A."""
    columns = ["question", "expected", *(f"{name} {side}" for side in _SIDES for name in _OF_SIDE), "B against A"]
    rows = []
    for question, pair in experiment.answered(questions):
        cells = [_text(value) for one in (pair.first, pair.second) for value in _values(one)]
        rows.append([question.text, question.answer, *cells, pair.verdict.value])
    return csv_text(columns, rows)


def experiment_json(experiment: Experiment, questions: Sequence[SavedQuestion]) -> str:
    """The whole experiment, for programs. Times in seconds, shares from 0 to 1, None for what was not measured."""
    whole = {
        "began": experiment.at,
        "circumstances": asdict(experiment.circumstances),
        "settings": dict(zip(_SIDES, map(_settings, experiment.variants), strict=True)),
        "totals": dict(zip(_SIDES, map(_totals, experiment.runs, experiment.refused), strict=True)),
        "verdicts": {verdict.value: experiment.count(verdict) for verdict in Verdict} | {"chance": experiment.chance},
        "left": len(experiment.left),
        "questions": [
            {
                "question": question.text,
                "expected": question.answer,
                "verdict": pair.verdict.value,
                **{
                    side: dict(zip(_OF_SIDE, _values(one), strict=True))
                    for side, one in zip(_SIDES, (pair.first, pair.second), strict=True)
                },
            }
            for question, pair in experiment.answered(questions)
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _settings(variant: Variant) -> dict[str, Any]:
    preferences = variant.preferences
    return {
        "quotes": variant.quotes,
        "sources": preferences.sources,
        "strictness": preferences.strictness.value,
        "temperature": preferences.temperature,
        **{name: str(value) for name, value in asdict(preferences.manner).items()},
    }


def _totals(run: Run, refused: int) -> dict[str, float | int | None]:
    return {
        "questions": len(run.results),
        "right": run.answers_right,
        "F1": run.answers_f1,
        "page found": run.recall(run.depth),
        "MRR": run.mrr,
        "supported": run.claims_supported,
        "not answered": refused,
        "seconds to sources": run.latency.median / 1000 if run.results else None,
        "seconds to answer": run.answer_seconds,
    }


def _values(one: Measured) -> tuple[str | float | None, ...]:
    """The values of `_OF_SIDE`."""
    result, answer = one.result, one.result.answer
    scores = (answer.exact, answer.f1) if answer else (None, None)
    claims = (answer.supported, answer.claims, round(answer.seconds, 3)) if answer else (None, None, None)
    return (one.given, *scores, result.rank, *claims)


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)

"""How many questions about figures the tables of the correct page answer, on TAT-QA's dev set.

    python -m benchmarks.figures --pdfs FOLDER --questions FILE.jsonl [--fit]

Every question is asked of its own document, so this measures reading tables and matching cells, not retrieval. The
questions on a third of the documents, chosen by a digest of the name, are held out from tuning. Prints
exact match and F1 by TAT-QA's metric (`rag.evaluation.short_answers`), what a threshold of confidence leaves, and a
JSON line. --fit prints the weights of `FigureConfidence` that fit the questions tuned on best, each asked of its own
document and of one that cannot answer it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baseline import machine
from benchmarks.held_out import is_held_out
from rag.answer.figures.figure import FigureAnswer
from rag.answer.figures.lookup import FigureFinder
from rag.evaluation.short_answers import Scores, short_answer_scores
from rag.pdf.load import load
from rag.pdf.tables import find_tables
from rag.settings import FigureSettings, Limits

GATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
UNANSWERABLE_WEIGHT = 0.5  # of a question asked of another document, beside one asked of its own
PENALTY = 1.0  # on the squared weights
STEPS = 50  # of Newton's method; it needs about eight


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a document answered to a question."""

    question: dict[str, Any]
    own: bool  # asked of its own document
    answer: FigureAnswer | None
    features: dict[str, float]
    scores: Scores

    @property
    def held_out(self) -> bool:
        """Whether nothing may be tuned on it."""
        return is_held_out(self.question["document"])


def finder_for(pdf: Path, settings: FigureSettings) -> FigureFinder:
    """A finder over all tables of a PDF."""
    document = load(pdf, limits=Limits())
    return FigureFinder([table for page in document.pages for table in find_tables(page.text, page.words)], settings)


def ask(pdfs: Path, questions: Sequence[dict[str, Any]], settings: FigureSettings) -> list[Outcome]:
    """Every question asked of its own document, and of another one of the same part."""
    names = sorted({question["document"] for question in questions})
    finders = {name: finder_for(pdfs / name, settings) for name in names}
    chance = random.Random(1)
    outcomes = []
    for question in questions:
        own = _ask(question, finders[question["document"]], own=True)
        outcomes.append(own)
        other = chance.choice([name for name in names if name != question["document"]])
        outcomes.append(_ask(question, finders[other], own=False))
    return outcomes


def _ask(question: dict[str, Any], finder: FigureFinder, *, own: bool) -> Outcome:
    answer = finder.answer(question["question"])
    if answer is None:
        return Outcome(question, own, None, {}, Scores(0.0, 0.0))
    features = finder.features(question["question"], answer)
    wanted = question["answer"] if own else ()
    scores = short_answer_scores(answer.texts, answer.scale, wanted, question["scale"], question["kind"])
    return Outcome(question, own, answer, features, scores)


def print_groups(outcomes: Sequence[Outcome], write: Callable[[str], object]) -> dict[str, Any]:
    """Exact match and F1 by kind and source, and of the parts tuned on and held out."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.own:
            tabular = "text" if one.question["source"] == "text" else "table"
            part = f"{'held out' if one.held_out else 'tuned on'}, {tabular}"
            for group in (f"{one.question['kind']}, {one.question['source']}", part, "all"):
                groups[group].append(one)
    write("| questions | number | answered | exact | F1 |\n|---|---|---|---|---|\n")
    shares = {}
    for name in sorted(groups):
        outcomes = groups[name]
        answered = sum(one.answer is not None for one in outcomes)
        sums = answered, sum(one.scores.exact for one in outcomes), sum(one.scores.f1 for one in outcomes)
        shares[name] = [round(value / len(outcomes), 4) for value in sums]
        write(f"| {name} | {len(outcomes)} | " + " | ".join(f"{share:.3f}" for share in shares[name]) + " |\n")
    return shares


def print_curve(outcomes: Sequence[Outcome], write: Callable[[str], object]) -> None:
    """What a threshold of confidence leaves: of answers, of right ones, and of questions with no answer."""
    write(
        "\n| confidence | tuned on: answered | right of answered | held out: answered | right of answered"
        " | another document: answered |\n|---|---|---|---|---|---|\n"
    )
    for gate in GATES:
        cells = []
        for held_out in (False, True):
            asked = [one for one in outcomes if one.own and one.held_out == held_out]
            kept = [one for one in asked if one.answer is not None and one.answer.confidence >= gate]
            cells += [len(kept) / len(asked), sum(one.scores.exact for one in kept) / max(len(kept), 1)]
        others = [one for one in outcomes if not one.own]
        cells.append(sum(one.answer is not None and one.answer.confidence >= gate for one in others) / len(others))
        write(f"| {gate} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |\n")


def fit(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The weights of `FigureConfidence` by name: a logistic regression on the part tuned on, by Newton's method."""
    used = [one for one in outcomes if one.answer is not None and not one.held_out]
    x = np.array([[*one.features.values(), 1.0] for one in used])  # (n, features + 1)
    y = np.array([one.scores.exact for one in used])
    weight = np.array([1.0 if one.own else UNANSWERABLE_WEIGHT for one in used])
    ridge = PENALTY * np.diag([1.0] * (x.shape[1] - 1) + [1e-6])
    found = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ found))
        gradient = x.T @ (weight * (p - y)) + ridge @ found
        found -= np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + ridge, gradient)
    return dict(zip([*used[0].features, "bias"], (round(float(value), 2) for value in found), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="TAT-QA questions, one JSON object per line")
    parser.add_argument("--fit", action="store_true", help="print the weights of the confidence that fit best")
    arguments = parser.parse_args()
    lines = arguments.questions.read_text("utf-8").splitlines()
    outcomes = ask(arguments.pdfs, [json.loads(line) for line in lines if line.strip()], FigureSettings())
    write = sys.stdout.write
    shares = print_groups(outcomes, write)
    print_curve(outcomes, write)
    if arguments.fit:
        write(f"\n{fit(outcomes)}\n")
    write(json.dumps({**machine(), "shares": shares}) + "\n")


if __name__ == "__main__":
    main()

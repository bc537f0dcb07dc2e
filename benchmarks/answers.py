"""What each step of answering contributes: the same questions with one kind of short answer after another switched on.

    python -m benchmarks.answers --pdfs FOLDER --questions FILE.jsonl --data-dir FOLDER [--scope document|all]
                                 [--sample N]

Prints a Markdown table for `docs/answers.md`, one of the kinds of questions where they have kinds, then one JSON line.
A third of the questions, chosen by a hash of their text, is held out from all tuning and has a column of its own. The
index in --data-dir is created if missing, and kept.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.ablation import MemoisingEmbedder, held_out
from benchmarks.baseline import machine
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder, evaluate
from rag.evaluation.answer_scores import scores_of
from rag.evaluation.outcomes import Outcome
from rag.evaluation.question_file import read_questions
from rag.evaluation.report import report
from rag.records import AnswerState
from rag.settings import AnswerSettings, Settings, ShortAnswerSettings

FULL = AnswerSettings()
NONE = ShortAnswerSettings(accounts=False, tables=False, text=False)
STEPS: tuple[tuple[str, ShortAnswerSettings], ...] = (
    ("quotes alone", NONE),
    ("+ figures from tables", replace(NONE, tables=True)),
    ("+ figures of accounts", replace(NONE, tables=True, accounts=True)),
    ("+ phrases from text (everything)", FULL.short),
)


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """One table row."""
    whole = report(outcomes, [1])
    parts = [
        report([one for one in outcomes if held_out(one.question) is held], [1])["exact"] for held in (False, True)
    ]
    stated = [one for one in outcomes if one.answer and one.answer.short and one.answer.state is AnswerState.ANSWER]
    right = sum(scores_of(one).exact for one in stated) / len(stated) if stated else None
    numbers = [whole["exact"], whole["f1"], *parts, len(stated) / len(outcomes), right, whole["answered"]]
    shown = ["-" if number is None else f"{number:.3f}" for number in numbers]
    return f"| {name} | {' | '.join(shown)} | {whole['ms']['median']:.0f} |"


def kinds_table(whole: dict[str, Any]) -> str:
    """Exact match and F1 by kind and by what the questions are answered from."""
    lines = ["| questions | number | exact | F1 |", "|---|---|---|---|"]
    for group, one in {**whole["kinds"], **whole["sources"]}.items():
        lines.append(f"| {group} | {one['questions']:,} | {one['exact']:.3f} | {one['f1']:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the index is kept")
    parser.add_argument("--scope", choices=("document", "all"), default="document", help="what is searched (document)")
    parser.add_argument("--sample", type=int, help="ask so many of the questions, drawn at random (all)")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions)
    if arguments.sample:
        questions = random.Random(1).sample(questions, arguments.sample)
    embedder = MemoisingEmbedder(
        CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    )
    print("| step | exact | F1 | exact, tuned on | exact, held out | stated | right of stated | in the quotes | ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    found: dict[str, Any] = {}
    for name, short in STEPS:
        settings = Settings(data_dir=arguments.data_dir, answering=replace(FULL, short=short))
        with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
            add_folder(engine, arguments.pdfs, lambda _: None)
            outcomes = list(evaluate(engine, questions, scope=arguments.scope, answers=True))
        print(row(name, outcomes), flush=True)
        found[name] = report(outcomes, [1])
    whole = found[STEPS[-1][0]]
    if whole["kinds"]:
        print(f"\n{kinds_table(whole)}\n")
    print(json.dumps({**machine(), "scope": arguments.scope, "steps": found}))


if __name__ == "__main__":
    main()

"""Calibration of the answer gates: scores of questions with an answer in the documents, and without one.

    python -m benchmarks.calibrate --pdfs FOLDER --questions FILE.jsonl [--sample 600] [--seed 1]

Expects the same texts in several languages, in files named NAME_LANGUAGE_NUMBER.pdf with the number of the text. Each
question is searched twice in the documents of one language: with its own text among them, and without. Prints, for each
pair of languages of question and documents, how often the best sentence scores 1.0 or more with and without an answer,
and the score that would refuse 1%, 2% or 5% of the questions that have one.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

import numpy as np

from rag.answer.answerability import EvidenceScorer
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.evaluation.question_file import read_questions
from rag.settings import Settings


def number(name: str) -> str:
    """The number of the text that a file holds, from its name."""
    return Path(name).stem.rsplit("_", 1)[-1]


def language(name: str) -> str:
    """The language of a file, from its name."""
    return Path(name).stem.rsplit("_", 2)[-2]


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    parser.add_argument("--sample", type=int, default=600, help="questions drawn at random (600)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sample (1)")
    arguments = parser.parse_args()
    questions = random.Random(arguments.seed).sample(read_questions(arguments.questions), arguments.sample)
    cache = arguments.cache_dir
    embedder = CachedEmbedder(open_embedder("auto", cache=cache), cache)
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(Settings(data_dir=Path(folder)), embedder=lambda: embedder, reader=QuoteReader()) as engine,
    ):
        add_folder(engine, arguments.pdfs, lambda _: None)
        scorer = EvidenceScorer(embedder, engine.idf, engine.settings.answering)
        documents = engine.documents("")
        scores: dict[str, dict[bool, list[float]]] = {}
        for question in questions:
            vectors = embedder.queries([question.question])
            for told in ("en", "zh"):
                for answerable in (True, False):
                    chosen = [
                        document.id
                        for document in documents
                        if language(document.name) == told
                        and (answerable or number(document.name) != number(question.document))
                    ]
                    sources = engine.search("", question.question, chosen)
                    best = max(
                        found.answerability for found in scorer.find_evidence([question.question], vectors, sources)
                    )
                    found = scores.setdefault(f"{question.language} asked of {told}", {True: [], False: []})
                    found[answerable].append(best)
    report = {}
    for case, found in scores.items():
        yes, no = np.array(found[True]), np.array(found[False])
        report[case] = {
            "questions": len(yes),
            "auc": round(float((yes[:, None] > no[None]).mean()), 4),
            "refused_with_answer": round(float((yes < 1).mean()), 4),
            "refused_without_answer": round(float((no < 1).mean()), 4),
            "score_that_loses": {f"{q:.0%}": round(float(np.quantile(yes, q)), 3) for q in (0.01, 0.02, 0.05)},
            "score_that_refuses": {f"{q:.0%}": round(float(np.quantile(no, q)), 3) for q in (0.8, 0.9, 0.95)},
            "with_answer_below_it": {
                f"{q:.0%}": round(float((yes < np.quantile(no, q)).mean()), 3) for q in (0.8, 0.9, 0.95)
            },
            "without_answer_below_it": {
                f"{q:.0%}": round(float((no < np.quantile(yes, q)).mean()), 3) for q in (0.01, 0.02, 0.05)
            },
        }
        print(f"{case}: {report[case]}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()

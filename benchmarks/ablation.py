"""What each step of retrieval contributes: the same questions with one step after another switched on.

    python -m benchmarks.ablation --pdfs FOLDER --questions FILE.jsonl --data-dir FOLDER [--scope document|all]

Prints a Markdown table for `docs/retrieval.md`, then one JSON line. A third of the questions, chosen by a hash of their
text, is held out from all tuning and has a column of its own. The index in --data-dir is created if missing, and kept.
Questions are embedded once, so the milliseconds are those of searching alone.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.baseline import machine
from benchmarks.held_out import is_held_out
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import Embedder, open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder, evaluate
from rag.evaluation.outcomes import Outcome
from rag.evaluation.question_file import Question, read_questions
from rag.evaluation.report import report
from rag.records import Vectors
from rag.settings import RetrievalSettings, Settings

MAX_SOURCES = 20  # per question
FULL = replace(RetrievalSettings(), sources=MAX_SOURCES)
ALL_QUERY, ALL_ROUTING = FULL.query, FULL.routing
NO_PAGES = replace(FULL.pages, pages=0)
STATEMENTS = replace(FULL.pages, item_weight=0.0, row_weight=0.0, heading_weight=0.0, boilerplate_penalty=0.0)
NO_ITEMS = replace(ALL_QUERY, line_items=False)
BARE = replace(
    FULL,
    term_overlap_weight=0.0,
    bigram_overlap_weight=0.0,
    merge_pages=False,
    query=replace(NO_ITEMS, mean_query_share=0.0),
    routing=replace(ALL_ROUTING, routing_weight=0.0, routed_documents=0),
    pages=NO_PAGES,
)
PAGES = replace(BARE, merge_pages=True)
ITEMS = replace(PAGES, query=replace(ALL_QUERY, mean_query_share=0.0))
ROUTED = replace(ITEMS, routing=ALL_ROUTING)
STEPS: tuple[tuple[str, RetrievalSettings], ...] = (
    ("vectors alone", replace(BARE, vector_weight=1.0)),
    ("BM25 alone", replace(BARE, vector_weight=0.0)),
    ("both, scores added", BARE),
    ("+ one source per page, copies folded", PAGES),
    ("+ line items of the figures asked for", ITEMS),
    ("+ document routing", ROUTED),
    ("+ mean query embedding subtracted", replace(ROUTED, query=ALL_QUERY)),
    ("+ term overlap", replace(FULL, pages=NO_PAGES)),
    ("+ primary statements", replace(FULL, pages=STATEMENTS)),
    ("+ headings, boilerplate", replace(FULL, pages=replace(FULL.pages, item_weight=0.0, row_weight=0.0))),
    ("+ rows of tables (everything)", FULL),
    ("everything but vectors", replace(FULL, vector_weight=0.0)),
    ("everything but line items", replace(FULL, query=NO_ITEMS)),
    ("everything with companies' names kept", replace(FULL, routing=replace(ALL_ROUTING, min_own_voice=2.0))),
    ("everything but one source per page", replace(FULL, merge_pages=False)),
)


class MemoisingEmbedder:
    """An embedder that embeds each question once."""

    def __init__(self, inner: Embedder) -> None:
        self._inner, self._made = inner, dict[str, Vectors]()
        self._lock = threading.Lock()
        self.name, self.revision, self.dimension = inner.name, inner.revision, inner.dimension
        self.max_tokens, self.device = inner.max_tokens, inner.device
        self.why, self.option, self.folder = inner.why, inner.option, inner.folder
        self.count_tokens, self.tokenizer, self.passages = inner.count_tokens, inner.tokenizer, inner.passages

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Query vectors (n, d), each text embedded only once."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._made]
            if new:
                self._made.update(zip(new, self._inner.queries(new), strict=True))
            return np.array([self._made[text] for text in texts])


def held_out(question: Question) -> bool:
    """Whether a question belongs to the third that is held out from tuning."""
    return is_held_out(question.question)


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """One table row: metrics over all questions, then recall@1 and @10 of the tuning and of the held-out questions."""
    whole = report(outcomes, [1, 5, 10, MAX_SOURCES])
    parts = [
        report([one for one in outcomes if held_out(one.question) is held], [1, 10])["recall"] for held in (False, True)
    ]
    numbers = [*whole["recall"].values(), whole["mrr"], *(part[k] for k in ("1", "10") for part in parts)]
    return f"| {name} | " + " | ".join(f"{number:.3f}" for number in numbers) + f" | {whole['ms']['median']:.0f} |"


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the index is kept")
    parser.add_argument("--scope", choices=("document", "all"), default="all", help="what is searched (all)")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions)
    embedder = MemoisingEmbedder(
        CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    )
    parts = " | ".join(f"R@{k} {part}" for k in (1, 10) for part in ("tuned on", "held out"))
    print(f"| step | R@1 | R@5 | R@10 | R@{MAX_SOURCES} | MRR | {parts} | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    found = {}
    for name, retrieval in STEPS:
        settings = Settings(data_dir=arguments.data_dir, retrieval=retrieval)
        with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
            add_folder(engine, arguments.pdfs, lambda _: None)
            outcomes = list(evaluate(engine, questions, scope=arguments.scope))
        print(row(name, outcomes), flush=True)
        found[name] = report(outcomes, [1, 5, 10, MAX_SOURCES])
    print(json.dumps({**machine(), "scope": arguments.scope, "steps": found}))


if __name__ == "__main__":
    main()

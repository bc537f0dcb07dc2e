"""A library of a million passages: search time, recall, memory, and the cost of adding and removing documents.

    python -m benchmarks.large --pdfs FOLDER --questions FILE.jsonl [--passages N] [--texts N] [--embedded N]

Texts are the first passages of the PDFs, repeated with a fifth of their words replaced by other words of the PDFs;
every second one gets a word of its own. Vectors are those of some of the passages, each copy moved by the difference of
two others, so that copies scatter as real passages do. Questions are those of the file with their own vectors; long
ones are a question and 50 words of a passage. Recall is against exhaustive search in float32. Documents have 150
passages. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baseline import machine
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import Embedder, open_embedder
from rag.evaluation.question_file import Question
from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.protocols import Ids, Scope, VectorIndex
from rag.index.vectors import FaissIndex
from rag.ingest.chunk import chunk_document
from rag.pdf.load import load
from rag.records import DocumentKey, Vectors
from rag.retrieve.expand import expand_query
from rag.retrieve.hybrid import HybridSearch
from rag.retrieve.routing import DocumentRouter
from rag.settings import ChunkSettings, Limits, RetrievalSettings

DOCUMENT = 150  # passages per document
CHUNK = 2_000  # passages per addition, as when the engine loads its indexes
SPREAD = 0.5  # share of the difference of two vectors that a copy is moved by
TOP = 10  # k of recall@k


@dataclass
class Material:
    """What synthetic passages are made from, and the questions."""

    texts: list[str]
    vectors: Vectors  # (m, d) of some of the texts
    questions: list[str]
    asked: Vectors  # (q, d)
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    numbers: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        """Collect the words of all texts, repeats included, so that replacements are drawn by frequency."""
        self.pool = [word for text in self.texts for word in text.split()]

    def more_texts(self, first: int, count: int) -> list[str]:
        """`count` texts, those of passages `first` and following."""
        return [self._changed(self.texts[place % len(self.texts)], place) for place in range(first, first + count)]

    def _changed(self, text: str, place: int) -> str:
        words = text.split()
        for at in self.chance.choices(range(len(words)), k=len(words) // 5) if words else ():
            words[at] = self.chance.choice(self.pool)
        return " ".join(words if place % 2 else [*words, f"ref{place}"])

    def more_vectors(self, count: int) -> Vectors:
        """Unit vectors (count, d) float32."""
        base, one, other = self.numbers.integers(0, len(self.vectors), (3, count))
        moved = self.vectors[base] + SPREAD * (self.vectors[one] - self.vectors[other])
        unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def router(self, words: BM25Index) -> DocumentRouter:
        """A router over all passages, in documents of DOCUMENT passages."""
        made, count = DocumentRouter(words), len(words)
        for number, first in enumerate(range(0, count, DOCUMENT)):
            ids = np.arange(first, min(first + DOCUMENT, count), dtype=np.int64)
            made.add(("", str(number)), f"report_{number}.pdf", "", ids)
        return made

    def long_questions(self) -> list[str]:
        """Each question with 50 words of a passage, as long as expanded questions are."""
        return [" ".join([one, *self.chance.choice(self.texts).split()[:50]]) for one in self.questions]


def documents_of(ids: Ids) -> list[DocumentKey]:
    """The document of each passage."""
    return [("", str(passage // DOCUMENT)) for passage in ids.tolist()]


class ExactNeighbours:
    """The nearest passages of each question within a scope by exhaustive search, updated chunk by chunk."""

    def __init__(self, asked: Vectors, scope: Scope) -> None:
        self._asked, self.scope = asked, scope
        self.ids = np.full((len(asked), TOP), -1, np.int64)
        self._cosines = np.full((len(asked), TOP), -2, np.float32)

    def update(self, ids: Ids, vectors: Vectors) -> None:
        """Take in passages ids (n,) with vectors (n, d)."""
        kept = np.array([self.scope.allows(document) for document in documents_of(ids)], bool)
        ids, vectors = ids[kept], vectors[kept]
        cosines = np.hstack([self._cosines, self._asked @ vectors.T])
        every = np.hstack([self.ids, np.broadcast_to(ids, (len(self.ids), len(ids)))])
        best = np.argpartition(-cosines, TOP - 1, axis=1)[:, :TOP]
        self._cosines, self.ids = np.take_along_axis(cosines, best, 1), np.take_along_axis(every, best, 1)


def resident() -> int:
    """Resident memory of this process, bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * 4096


def passages_of(folder: Path, embedder: Embedder, count: int) -> Iterator[str]:
    """The first `count` passages of the PDFs."""
    for file in sorted(folder.glob("*.pdf")):
        for passage in chunk_document(load(file, limits=Limits()), embedder.count_tokens, ChunkSettings()):
            if passage.text.strip():
                yield passage.searchable
                count -= 1
            if not count:
                return


def material(arguments: argparse.Namespace) -> Material:
    """Read the PDFs and the questions, and embed the questions and some of the passages."""
    embedder = CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    texts = list(passages_of(arguments.pdfs, embedder, arguments.texts))
    lines = arguments.questions.read_text("utf-8").splitlines()
    questions = [Question.parse(json.loads(line)).question for line in lines if line.strip()][:200]
    vectors = [
        embedder.passages(part)
        for some in [texts[:: max(len(texts) // arguments.embedded, 1)][: arguments.embedded]]
        for part in (some[start : start + 50] for start in range(0, len(some), 50))
    ]
    return Material(texts, np.concatenate(vectors), questions, embedder.queries(questions))


def in_chunks(passages: int) -> Iterator[Ids]:
    """Passage ids from 0, in chunks."""
    for start in range(0, passages, CHUNK):
        yield np.arange(start, min(start + CHUNK, passages), dtype=np.int64)


def built_words(library: Material, passages: int) -> tuple[BM25Index, dict[str, float]]:
    """The text index of all passages, the seconds it took without making the texts, and its bytes per passage."""
    index, before, seconds = BM25Index(), resident(), 0.0
    for ids in in_chunks(passages):
        texts, documents = library.more_texts(int(ids[0]), len(ids)), documents_of(ids)
        began = time.perf_counter()
        index.add(ids.tolist(), CountedTerms.of(texts), documents)
        seconds += time.perf_counter() - began
    bytes_each = (resident() - before) / passages
    vocabulary = sum(sys.getsizeof(term) for term in index._term_ids) + sys.getsizeof(index._term_ids)
    return index, {
        "build_s": seconds,
        "bytes": bytes_each,
        "postings_bytes": index.nbytes / passages,
        "vocabulary_bytes": vocabulary / passages,
        "terms": len(index._term_ids),
    }


def built_vectors(
    library: Material, passages: int, exact: list[ExactNeighbours]
) -> tuple[VectorIndex, dict[str, float]]:
    """The vector index of all passages and its cost; the time to update `exact` is not counted."""
    index, before, spent = FaissIndex(library.vectors.shape[1], RetrievalSettings().exact_index_size), resident(), []
    for ids in in_chunks(passages):
        vectors, documents = library.more_vectors(len(ids)), documents_of(ids)
        began = time.perf_counter()
        index.add(ids, vectors, documents)
        spent.append(time.perf_counter() - began)
        for one in exact:
            one.update(ids, vectors)
    bytes_each = (resident() - before) / passages
    return index, {"build_s": sum(spent), "slowest_add_s": max(spent), "bytes": bytes_each}


def searched(
    library: Material, index: VectorIndex, words: BM25Index, exact: list[ExactNeighbours]
) -> dict[str, dict[str, Any]]:
    """Times of each kind of search, and recall@10 of the vector index, by scope."""
    names = ("all", "half", "one document")
    return {name: within(library, index, words, one) for name, one in zip(names, exact, strict=True)}


def within(library: Material, index: VectorIndex, words: BM25Index, exact: ExactNeighbours) -> dict[str, Any]:
    """Times and recall for one scope."""
    settings, scope, asked = RetrievalSettings(), exact.scope, library.asked
    both, near = HybridSearch(index, words, library.router(words), settings), settings.candidates
    short, long = library.questions, library.long_questions()
    hits = [index.search(vector, near, scope)[0][:TOP] for vector in asked]
    shared = [len(np.intersect1d(mine, true)) for mine, true in zip(hits, exact.ids, strict=True)]

    def timed(search: Callable[[int], object]) -> dict[str, float]:
        spent, worked = [], []
        for place in range(len(short)):
            began, cpu = time.perf_counter(), time.process_time()
            search(place)
            spent.append(1000 * (time.perf_counter() - began))
            worked.append(1000 * (time.process_time() - cpu))
        tail = sorted(spent)[int(0.95 * len(spent))]
        return {"median": statistics.median(spent), "p95": tail, "cpu": statistics.median(worked)}

    return {
        "recall": sum(shared) / (TOP * len(short)),
        "vectors": timed(lambda n: index.search(asked[n], near, scope)),
        "words": timed(lambda n: words.search(short[n], near, scope)),
        "long words": timed(lambda n: words.search(long[n], near, scope)),
        "fused": timed(lambda n: both.search(expand_query(short[n], settings.query), asked[n], scope)),
        "fused, long": timed(lambda n: both.search(expand_query(long[n], settings.query), asked[n], scope)),
    }


def changed(library: Material, index: VectorIndex, words: BM25Index, passages: int) -> dict[str, float]:
    """Seconds to add 100 documents and to remove them again, in total and for the slowest document."""
    spent: dict[str, list[float]] = {"words": [], "vectors": [], "remove": []}
    for first in range(passages, passages + 100 * DOCUMENT, DOCUMENT):
        ids = np.arange(first, first + DOCUMENT)
        documents = documents_of(ids)
        texts, vectors = library.more_texts(first, DOCUMENT), library.more_vectors(DOCUMENT)
        began = time.perf_counter()
        words.add(ids.tolist(), CountedTerms.of(texts), documents)
        between = time.perf_counter()
        index.add(ids, vectors, documents)
        spent["words"].append(between - began)
        spent["vectors"].append(time.perf_counter() - between)
    for first in range(passages, passages + 100 * DOCUMENT, DOCUMENT):
        ids = np.arange(first, first + DOCUMENT)
        began = time.perf_counter()
        words.remove(ids.tolist())
        index.remove(ids)
        spent["remove"].append(time.perf_counter() - began)
    sums = {what: sum(each) for what, each in spent.items()}
    return {**sums, **{f"{what}, slowest": max(each) for what, each in spent.items()}}


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    for part in ("words", "vectors"):
        print(f"{part}: " + ", ".join(f"{name} {value:,.1f}" for name, value in result[part].items()))
    kinds = ("vectors", "words", "long words", "fused", "fused, long")
    print(
        f"ms: median (95th percentile, CPU time over all cores)\n{'':14}{'recall@10':>12}"
        + "".join(f"{kind:>22}" for kind in kinds)
    )
    for scope, row in result["search"].items():
        times = [f"{row[kind]['median']:.1f} ({row[kind]['p95']:.1f}, {row[kind]['cpu']:.1f})" for kind in kinds]
        print(f"{scope:14}{row['recall']:>12.4f}" + "".join(f"{one:>22}" for one in times))
    print("100 documents: " + ", ".join(f"{name} {value:.2f} s" for name, value in result["change"].items()))


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--passages", type=int, default=1_000_000, help="size of the library (1,000,000)")
    parser.add_argument("--texts", type=int, default=5_000, help="passages of the PDFs that texts are made from")
    parser.add_argument(
        "--embedded", type=int, default=1_000, help="how many of these are embedded, to make vectors from"
    )
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    library, passages = material(arguments), arguments.passages
    half = np.random.default_rng(1).permutation(passages // DOCUMENT)[: passages // DOCUMENT // 2].tolist()
    scopes = [Scope(""), Scope("", frozenset(map(str, half))), Scope("", frozenset([str(half[0])]))]
    exact = [ExactNeighbours(library.asked, scope) for scope in scopes]
    words, word_figures = built_words(library, passages)
    index, vector_figures = built_vectors(library, passages, exact)
    result = {
        "passages": passages,
        "vectors": vector_figures,
        "words": word_figures,
        "search": searched(library, index, words, exact),
        "change": changed(library, index, words, passages),
    }
    show(result)
    print(json.dumps({**machine(), **result}))


if __name__ == "__main__":
    main()

"""Questions with known pages -> recall, MRR and time, with the very engine that answers people.

    python -m rag.evaluate --pdfs FOLDER --questions FILE.jsonl [--scope document|all] [--k 1,3,5,10,20]
                           [--answers] [--data-dir FOLDER] [--json]

One question a line: `question`, `document` (file name), `pages` (from 0), `answer` (a text or a list), `language`.
A hit is any right page among the pages of the first k sources. With --answers the quote reader answers too, and the
table says how often a reference answer stands in the answer, normalised as SQuAD does (Rajpurkar et al. 2016, the
official evaluation script); for Chinese by characters. Vectors are kept between runs, in the cache folder.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sqlite3
import string
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.answer.quote import QuoteReader
from rag.embed.embedder import Embedder, Vectors, open_embedder, text_digest
from rag.engine import Engine
from rag.evaluation.metrics import CUTS, covers, first_right, latency, mrr, recall
from rag.language import mainly_chinese
from rag.reader import Reader
from rag.records import Answer, Found, JobState, Source
from rag.settings import RetrievalSettings, Settings


@dataclass(frozen=True)
class Question:
    """A line of the question file."""

    question: str
    document: str
    pages: frozenset[int]
    answers: tuple[str, ...]
    language: str

    @classmethod
    def parse(cls, line: str) -> Question:
        """Raises ValueError where a field is missing."""
        row = json.loads(line)
        try:
            answer = row.get("answer", [])
            answers = (answer,) if isinstance(answer, str) else tuple(answer)
            return cls(row["question"], row["document"], frozenset(row["pages"]), answers, row.get("language", ""))
        except KeyError as exc:
            raise ValueError(f"the field {exc} is missing in {line[:80]!r}") from exc

    def is_right(self, source: Source) -> bool:
        """Whether a source stands on a right page."""
        return source.document == self.document and covers(source, self.pages)


@dataclass(frozen=True)
class Outcome:
    """What one question gave."""

    question: Question
    rank: int | None  # of the first passage on a right page, from 1
    seconds: float  # to the sources
    answered: bool | None = None  # whether a reference answer stands in the answer; None where none was asked for
    first: bool | None = None  # the same of its first sentence


class CachedEmbedder:
    """An embedder that keeps every passage's vector in a file, so that no text is embedded twice between runs."""

    def __init__(self, inner: Embedder, folder: Path) -> None:
        self._inner = inner
        self.name, self.revision, self.dimension = inner.name, inner.revision, inner.dimension
        self.max_tokens, self.device = inner.max_tokens, inner.device
        self.why, self.option = inner.why, inner.option
        self.count_tokens, self.queries = inner.count_tokens, inner.queries
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / re.sub(r"[^\w.-]", "_", f"vectors-{inner.name}-{inner.revision}.sqlite")
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._sql.execute("CREATE TABLE IF NOT EXISTS vectors (digest BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """As the embedder's, from the file where it can."""
        found: list[Vectors | None] = []
        with self._lock:
            for text in texts:
                row = self._sql.execute("SELECT vector FROM vectors WHERE digest = ?", (text_digest(text),)).fetchone()
                found.append(np.frombuffer(row[0], np.float32) if row else None)
        new = [text for text, vector in zip(texts, found, strict=True) if vector is None]
        made = iter(self._inner.passages(new, urgent=urgent))
        vectors = np.array([next(made) if vector is None else vector for vector in found], np.float32)
        rows = [(text_digest(text), row.tobytes()) for text, row in zip(texts, vectors, strict=True)]
        with self._lock:
            self._sql.execute("BEGIN")
            self._sql.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
            self._sql.execute("COMMIT")
        return vectors.reshape(len(texts), self.dimension)


def evaluate(engine: Engine, questions: Sequence[Question], *, scope: str, answers: bool = False) -> Iterator[Outcome]:
    """Ask every question of documents that `engine` holds already, in all of them or in its own (`scope`)."""
    ids = {document.name: document.id for document in engine.documents("")}
    for question in questions:
        chosen = None if scope == "all" else [ids[question.document]]
        began = time.perf_counter()
        sources = engine.search("", question.question, chosen)
        seconds = time.perf_counter() - began
        rank = first_right(sources, question.is_right)
        answered, first = _answered(engine, question, chosen) if answers and question.answers else (None, None)
        yield Outcome(question, rank, seconds, answered, first)


def _answered(engine: Engine, question: Question, chosen: list[str] | None) -> tuple[bool, bool]:
    """Whether a reference answer stands in the answer, and in its first sentence."""
    events = list(engine.ask("", question.question, chosen))
    answer = events[-1]
    assert isinstance(events[0], Found)
    assert isinstance(answer, Answer)
    sentences = [normalise(sentence.text) for sentence in answer.sentences]
    wanted = [normalise(text) for text in question.answers]
    whole = normalise(" ".join(sentence.text for sentence in answer.sentences))
    return any(text in whole for text in wanted), any(text in part for text in wanted for part in sentences[:1])


def normalise(text: str) -> str:
    """Lower case, no punctuation, articles or doubled spaces; Chinese without any space."""
    if mainly_chinese(text):
        return "".join(character for character in text.lower() if character.isalnum())
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def report(outcomes: Sequence[Outcome], cuts: Sequence[int]) -> dict[str, Any]:
    """Recall by k, mean reciprocal rank, answered share and milliseconds a question (median and 95th percentile)."""
    asked = [outcome for outcome in outcomes if outcome.answered is not None]
    ranks = [outcome.rank for outcome in outcomes]
    took = latency([outcome.seconds for outcome in outcomes])
    return {
        "questions": len(outcomes),
        "recall": {str(k): round(recall(ranks, k), 4) for k in cuts},
        "mrr": round(mrr(ranks), 4),
        "answered": round(sum(bool(o.answered) for o in asked) / len(asked), 4) if asked else None,
        "answered_first": round(sum(bool(o.first) for o in asked) / len(asked), 4) if asked else None,
        "ms": {"median": round(took.median, 1), "p95": round(took.p95, 1)},
    }


def add_folder(engine: Engine, folder: Path, note: Callable[[str], None]) -> float:
    """Add every PDF of a folder and wait until all are complete; the seconds it took."""
    engine.wait()
    began = time.perf_counter()
    have = {document.name for document in engine.documents("")}
    for file in sorted(folder.glob("*.pdf")):
        if file.name not in have:
            engine.add("", file.name, file)
    while waiting := [job for job in engine.jobs("") if job.state not in (JobState.FAILED, JobState.LOCKED)]:
        job = waiting[0]
        note(f"{len(waiting)} files to go; {job.name}: {job.passages_embedded} of {job.passages} passages")
        time.sleep(0.2)
    for job in engine.jobs(""):
        note(f"left out: {job.message}\n")
    return time.perf_counter() - began


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    else:
        with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
            yield Path(folder)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m rag.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    made.add_argument("--questions", type=Path, required=True, help="JSON lines")
    made.add_argument("--scope", choices=("document", "all"), default="all", help="where to search (all)")
    made.add_argument("--k", default=",".join(map(str, CUTS)), help="cuts of the recall (1,3,5,10,20)")
    made.add_argument("--answers", action="store_true", help="run the quote reader too")
    made.add_argument("--data-dir", type=Path, help="keep the index here (a folder thrown away)")
    made.add_argument(
        "--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs", help="vectors, weights"
    )
    made.add_argument("--embedder", default="auto", help="as in app.py (auto)")
    made.add_argument("--json", action="store_true", help="one last line with everything as JSON")
    return made


def _note(text: str) -> None:
    """Write over the line of progress."""
    sys.stderr.write(f"\r\x1b[K{text}")


def run(arguments: argparse.Namespace, reader: Reader, write: Callable[[str], object]) -> dict[str, Any]:
    """Index, ask, print; the report."""
    cuts = [int(k) for k in arguments.k.split(",")]
    questions = [Question.parse(line) for line in arguments.questions.read_text("utf-8").split("\n") if line.strip()]

    def open_kept() -> Embedder:
        return CachedEmbedder(open_embedder(arguments.embedder, cache=arguments.cache_dir), arguments.cache_dir)

    with _data_folder(arguments.data_dir) as folder:
        settings = Settings(
            data_dir=folder, retrieval=RetrievalSettings(sources=max(*cuts, RetrievalSettings().sources))
        )
        with Engine(settings, embedder=open_kept, reader=reader) as engine:
            seconds = add_folder(engine, arguments.pdfs, _note)
            documents = engine.documents("")
            here = {document.name for document in documents}
            known = [question for question in questions if question.document in here]
            began = time.perf_counter()
            outcomes = []
            for outcome in evaluate(engine, known, scope=arguments.scope, answers=arguments.answers):
                outcomes.append(outcome)
                _note(f"{len(outcomes)} of {len(known)} questions")
            asking = time.perf_counter() - began
    pages = sum(document.pages for document in documents)
    whole: dict[str, Any] = {
        "scope": arguments.scope,
        "documents": len(documents),
        "pages": pages,
        "passages": sum(document.passages for document in documents),
        **report(outcomes, cuts),
        "seconds": {"index": round(seconds, 2), "ask": round(asking, 2), "pages_per_second": round(pages / seconds, 1)},
    }
    languages = sorted({question.language for question in known})
    if len(languages) > 1:
        whole["languages"] = {
            language: report([o for o in outcomes if o.question.language == language], cuts) for language in languages
        }
    _note("")
    write(table(whole))
    if arguments.json:
        write(json.dumps(whole) + "\n")
    return whole


def table(whole: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{whole['documents']} documents, {whole['pages']} pages, {whole['passages']} passages, scope {whole['scope']}",
        f"indexed in {whole['seconds']['index']} s, {whole['seconds']['pages_per_second']} pages a second",
        f"{'':8}{'questions':>10}"
        + "".join(f"{'R@' + k:>8}" for k in whole["recall"])
        + f"{'MRR':>8}{'answered':>10}{'first':>8}{'ms':>8}{'p95':>8}",
    ]
    for name, part in [("all", whole), *whole.get("languages", {}).items()]:
        shares = [part["answered"], part["answered_first"]]
        lines.append(
            f"{name:8}{part['questions']:>10}"
            + "".join(f"{value:>8.3f}" for value in part["recall"].values())
            + f"{part['mrr']:>8.3f}"
            + "".join(
                f"{'-' if share is None else format(share, '.3f'):>{w}}"
                for share, w in zip(shares, (10, 8), strict=True)
            )
            + f"{part['ms']['median']:>8}{part['ms']['p95']:>8}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    run(parser().parse_args(), QuoteReader(), sys.stdout.write)

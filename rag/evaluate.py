"""Measure retrieval on a folder of PDFs and a file of questions, with the same engine that answers people.

    python -m rag.evaluate --pdfs FOLDER --questions FILE.jsonl [--scope document|all] [--k 1,3,5,10,20]
                           [--answers [--out FILE.jsonl]] [--data-dir FOLDER] [--config FILE.toml] [--json]
    python -m rag.evaluate --claims FILE.jsonl [--config FILE.toml] [--json]

The file has one JSON object per line: `question`; and, all optional, `document` (file name), `pages` (from 0), `answer`
(a text or a list of texts), `language`, `kind`, `source` and `scale` (as in TAT-QA). A question counts as found at k
if one of its first k sources covers a correct page. With --answers the quote reader answers too, and the table shows
how often its answer contains a reference answer; --out writes what it answered.

With --claims, sentences are checked against the sources given with them: `sentence`, `sources` (a list of texts),
`expected` ("supported", "contradicted", "not found", or "altered", which is any but supported) and `kind`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.answer.quote import QuoteReader
from rag.config import override, read_config
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import Embedder, open_embedder
from rag.engine import Engine
from rag.errors import AskError
from rag.evaluation.answer_lines import answer_line
from rag.evaluation.claims import check_line, format_claims, read_claims, report_claims
from rag.evaluation.metrics import CUTS, first_right
from rag.evaluation.outcomes import Outcome
from rag.evaluation.question_file import Question, read_questions
from rag.evaluation.report import format_report, report_by_language
from rag.options import add_embedder_options
from rag.reader import Reader
from rag.records import Answer, Found, JobState
from rag.settings import Settings


def evaluate(
    engine: Engine, questions: Sequence[Question], *, scope: str, answers: bool = False, depth: int | None = None
) -> Iterator[Outcome]:
    """Search for every question in all documents (scope "all") or only in its own ("document").

    `answers`: also answer it. `depth`: sources per question, by default as many as an answer gets. The documents must
    already be in the shared library.
    """
    ids = {document.name: document.id for document in engine.documents("")}
    for question in questions:
        chosen = [ids[question.document]] if scope == "document" and question.document else None
        began = time.perf_counter()
        sources = engine.search("", question.question, chosen, depth)
        rank, seconds = first_right(sources, question.is_right), time.perf_counter() - began
        if answers:
            yield _answered(engine, question, chosen, rank)
        else:
            yield Outcome(question, rank, seconds)


def _answered(engine: Engine, question: Question, chosen: Sequence[str] | None, rank: int | None) -> Outcome:
    began = time.perf_counter()
    found, *_, answer = engine.ask("", question.question, chosen)
    assert isinstance(found, Found)
    assert isinstance(answer, Answer)
    return Outcome(question, rank, time.perf_counter() - began, answer, found.sources)


def add_folder(engine: Engine, folder: Path, note: Callable[[str], None]) -> float:
    """Add every PDF in a folder and wait until all are indexed; returns the seconds that took."""
    engine.wait()
    began = time.perf_counter()
    present = {document.name for document in engine.documents("")}
    for file in sorted(folder.glob("*.pdf")):
        if file.name not in present:
            engine.add("", file.name, file)
    while waiting := [job for job in engine.jobs("") if job.state not in (JobState.FAILED, JobState.LOCKED)]:
        job = waiting[0]
        note(f"{len(waiting)} files left; {job.name}: {job.passages_embedded} of {job.passages} passages")
        time.sleep(0.2)
    for job in engine.jobs(""):
        note(f"skipped: {job.message}\n")
    return time.perf_counter() - began


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m rag.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--pdfs", type=Path, help="folder with the PDFs")
    made.add_argument("--questions", type=Path, help="file of questions, JSON lines")
    made.add_argument("--claims", type=Path, help="file of claims to check, JSON lines; needs no PDFs")
    made.add_argument("--scope", choices=("document", "all"), default="all", help="where to search; default: all")
    made.add_argument("--k", default=",".join(map(str, CUTS)), help="k of recall@k; default: %(default)s")
    made.add_argument("--answers", action="store_true", help="let the quote reader answer, too")
    made.add_argument("--out", type=Path, help="with --answers: file that gets a line of JSON per question")
    made.add_argument("--data-dir", type=Path, help="folder to keep the index in; default: a temporary one")
    made.add_argument("--config", type=Path, help="TOML file of settings, as for app.py")
    add_embedder_options(made)
    made.add_argument("--json", action="store_true", help="print the report as a line of JSON, too")
    return made


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; by default from the command line. Exits with a message if they contradict each other."""
    made = parser()
    arguments = made.parse_args(given)
    if arguments.out and not arguments.answers:
        made.error("--out needs --answers")
    if not arguments.claims and not (arguments.pdfs and arguments.questions):
        made.error("--pdfs and --questions are required, or --claims")
    return arguments


def run_claims(arguments: argparse.Namespace, write: Callable[[str], object]) -> dict[str, Any]:
    """Check a file of claims and print the result; returns the report.

    Raises SettingRefused if the file cannot be read.
    """
    settings = read_config(arguments.config) if arguments.config else Settings()
    lines = read_claims(arguments.claims)
    report = report_claims((line, check_line(line, settings.answering)) for line in lines)
    write(format_claims(report))
    if arguments.json:
        write(json.dumps(report, ensure_ascii=False) + "\n")
    return report


def run(arguments: argparse.Namespace, reader: Reader, write: Callable[[str], object]) -> dict[str, Any]:
    """Index, search and print the result; returns the report."""
    cuts = [int(k) for k in arguments.k.split(",")]
    questions = read_questions(arguments.questions)
    settings = read_config(arguments.config) if arguments.config else Settings()

    def open_cached() -> Embedder:
        return CachedEmbedder(open_embedder(arguments.embedder, cache=arguments.cache_dir), arguments.cache_dir)

    with _data_folder(arguments.data_dir) as folder:
        settings = override(settings, {"data_dir": folder})
        with Engine(settings, embedder=open_cached, reader=reader) as engine:
            indexing = add_folder(engine, arguments.pdfs, _note)
            documents = engine.documents("")
            names = {document.name for document in documents}
            known = [question for question in questions if question.document in {"", *names}]
            began = time.perf_counter()
            outcomes = []
            for outcome in evaluate(engine, known, scope=arguments.scope, answers=arguments.answers, depth=max(cuts)):
                outcomes.append(outcome)
                _note(f"{len(outcomes)} of {len(known)} questions")
            asking = time.perf_counter() - began
    if arguments.out:
        arguments.out.write_text("".join(map(answer_line, outcomes)), "utf-8")
    pages = sum(document.pages for document in documents)
    whole: dict[str, Any] = {
        "scope": arguments.scope,
        "documents": len(documents),
        "pages": pages,
        "passages": sum(document.passages for document in documents),
        **report_by_language(outcomes, cuts),
        "seconds": {
            "index": round(indexing, 2),
            "ask": round(asking, 2),
            "pages_per_second": round(pages / indexing, 1),
        },
    }
    _note("")
    write(format_report(whole))
    if arguments.json:
        write(json.dumps(whole) + "\n")
    return whole


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    else:
        with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
            yield Path(folder)


def _note(text: str) -> None:
    """Replace the progress line in the terminal."""
    sys.stderr.write(f"\r\x1b[K{text}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        given = parsed()
        if given.claims:
            run_claims(given, sys.stdout.write)
        else:
            run(given, QuoteReader(), sys.stdout.write)
    except AskError as exc:
        sys.exit(str(exc))

"""Whether two versions of the program find the same sources and give the same answers.

    python -m benchmarks.compare_versions record --pdfs FOLDER --questions FILE.jsonl --data-dir FOLDER OUT.jsonl
    python -m benchmarks.compare_versions diff OLD.jsonl NEW.jsonl

`record` asks every question with the quote reader and writes one JSON line per question: sources with document, pages,
span, scores and signals; sentences of the answer with their citations; whether it was refused. `diff` prints how many
questions differ in what, and the first differences; it exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.evaluation.question_file import Question, read_questions
from rag.records import Answer, Found, Sentence, Source
from rag.settings import Settings

DECIMALS: Final = 6  # of recorded scores
TOLERANCE: Final = 2e-6  # between two recorded scores that count as equal
SHOWN: Final = 3  # differences of each kind that are printed
# Signals recorded under another name by an earlier version.
RENAMED_SIGNALS: Final = {"second": "overlap"}

Record = dict[str, Any]


def source_row(source: Source) -> list[Any]:
    """Everything about a source that a person or the reader could notice."""
    signals = [[signal.name, round(signal.score, DECIMALS), signal.rank] for signal in source.signals]
    return [
        source.document, source.first_page, source.last_page, source.page_label, list(source.heading), source.start,
        source.end, round(source.score, DECIMALS), signals,
    ]  # fmt: skip


def sentence_row(sentence: Sentence) -> list[Any]:
    """A sentence of an answer with its citations."""
    citations = [[one.number, one.start, one.end] for one in sentence.citations]
    return [sentence.text, sentence.lead, citations]


def record_question(engine: Engine, question: Question, documents: list[str] | None) -> Record:
    """What asking one question gives."""
    events = list(engine.ask("", question.question, documents))
    found, answer = events[0], events[-1]
    assert isinstance(found, Found)
    assert isinstance(answer, Answer)
    return {
        "q": question.question,
        "query": found.query,
        "parts": list(found.parts),
        "sources": [source_row(source) for source in found.sources],
        "answer": [sentence_row(sentence) for sentence in answer.sentences],
        "state": answer.state,
    }


def record(arguments: argparse.Namespace) -> int:
    """Ask all questions and write the file."""
    questions = read_questions(arguments.questions)
    embedder = CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    settings = Settings(data_dir=arguments.data_dir)
    with (
        Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine,
        arguments.out.open("w", encoding="utf-8") as out,
    ):
        add_folder(engine, arguments.pdfs, lambda _: None)
        ids = {document.name: document.id for document in engine.documents("")}
        for question in questions:
            documents = None if arguments.scope == "all" else [ids[question.document]]
            row = record_question(engine, question, documents)
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return 0


def read_records(file: Path) -> dict[str, Record]:
    """Records by question, earlier names of signals replaced."""
    records = {}
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        for source in row["sources"]:
            for signal in source[-1]:
                signal[0] = RENAMED_SIGNALS.get(signal[0], signal[0])
        records[row["q"]] = row
    return records


def same(old: Any, new: Any) -> bool:
    """Equality of recorded values, numbers within TOLERANCE."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(a, b) for a, b in zip(old, new, strict=True))
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= TOLERANCE
    return bool(old == new)


def _places(row: Record) -> list[Any]:
    return [source[:7] for source in row["sources"]]  # without scores and signals


KINDS: Final[dict[str, Callable[[Record], Any]]] = {
    "query": lambda row: [row["query"], row["parts"]],
    "sources": lambda row: sorted(map(json.dumps, _places(row))),
    "order": _places,
    "scores": lambda row: [source[7:] for source in row["sources"]],
    "answers": lambda row: [[text, lead] for text, lead, _ in row["answer"]] + [row["state"]],
    # An earlier version recorded a score between number and span.
    "citations": lambda row: [[[one[0], *one[-2:]] for one in citations] for _, _, citations in row["answer"]],
}


def differences(old: dict[str, Record], new: dict[str, Record]) -> dict[str, list[str]]:
    """Questions that differ, by kind; "missing" are those of one file alone."""
    found = {"missing": sorted(old.keys() ^ new.keys())}
    for kind, take in KINDS.items():
        found[kind] = [text for text in old if text in new and not same(take(old[text]), take(new[text]))]
    return {kind: texts for kind, texts in found.items() if texts}


def diff(arguments: argparse.Namespace) -> int:
    """Print what differs; the exit status."""
    old, new = read_records(arguments.old), read_records(arguments.new)
    found = differences(old, new)
    if not found:
        print(f"no difference in {len(old)} questions")
        return 0
    for kind, texts in found.items():
        print(f"{kind}: {len(texts)} of {len(old)} questions differ")
        for text in texts[:SHOWN]:
            print(f"  {text}")
            if kind in KINDS:
                print(f"    old {_first_difference(KINDS[kind](old[text]), KINDS[kind](new[text]))[0]}")
                print(f"    new {_first_difference(KINDS[kind](old[text]), KINDS[kind](new[text]))[1]}")
    return 1


def _first_difference(old: list[Any], new: list[Any]) -> tuple[Any, Any]:
    """The first entries of two lists that differ; None if one list is at its end."""
    for n in range(max(len(old), len(new))):
        one, two = (rows[n] if n < len(rows) else None for rows in (old, new))
        if not same(one, two):
            return one, two
    return None, None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(required=True)
    recording = commands.add_parser("record", help="ask all questions and write what they give")
    recording.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    recording.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    recording.add_argument("--data-dir", type=Path, required=True, help="index; created if missing, and kept")
    recording.add_argument("--scope", choices=("document", "all"), default="all", help="where to search (default: all)")
    recording.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    recording.add_argument("out", type=Path)
    recording.set_defaults(run=record)
    comparing = commands.add_parser("diff", help="compare two recorded files")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    comparing.set_defaults(run=diff)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Record or compare."""
    chosen = parser().parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())

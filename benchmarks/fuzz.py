"""Mutation fuzzer: good PDFs are damaged at random, read by the real child process, chunked, indexed and asked about.

    python benchmarks/fuzz.py --minutes N [--pdfs FOLDER] [--seed N] [--findings FOLDER]

Begins with PDFs that the tests make, and the small ones in FOLDER if given. A case is a finding if anything but our own
errors is raised, if what comes out breaks an invariant (`tests/rag/invariants.py`), or if it costs too much. Each
finding is saved as a PDF beside its traceback, one for each place in the code. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import re
import resource
import sys
import tempfile
import time
import traceback
import unicodedata
from collections import Counter
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.mutations import cases, good_files
from rag.answer.quote import QuoteReader
from rag.embed.embedder import Embedder
from rag.engine import Engine
from rag.errors import AskError
from rag.index.tokenize import terms
from rag.ingest.chunk import chunk_document
from rag.pdf.load import load
from rag.records import Answer, Citation, Found, JobState
from rag.settings import ChunkSettings, Limits, OcrSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.invariants import check_document, check_passages

MAX_CPU_SECONDS = 5.0  # of this process, to lay out, chunk and tokenize one file
ASKED = 6  # one of so many documents is added to a library and asked about
LIBRARY_SIZE = 150  # documents after which a new library is opened
ANSWER_SECONDS = 60.0  # after which a document that is being added is a finding
QUESTIONS = ("What is the {0}?", "How much {0} in 2018?", "{0}", "Who is {0}?", "{0}是多少？")


class Logged(logging.Handler):
    """Keeps the exceptions that were logged: the queue logs what it did not foresee, and goes on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the traceback of a record."""
        if record.exc_info and record.exc_info[0] is not None:
            self.tracebacks.append("".join(traceback.format_exception(*record.exc_info)))


class AskedLibrary:
    """A library of the last documents, which are added and asked about as people do it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._opened = folder, 0
        self._engine = self._open(0)

    def _open(self, number: int) -> Engine:
        settings = Settings(data_dir=self._folder / str(number), ocr=OcrSettings(enabled=False))
        embedder: Embedder = ExactEmbedder()
        return Engine(settings, embedder=lambda: embedder, reader=QuoteReader())

    def close(self) -> None:
        """Close it."""
        self._engine.close()

    def try_out(self, name: str, data: bytes, question: str) -> None:
        """Add a document, ask about it, and open every page that the answer cites."""
        engine = self._engine
        if len(engine.documents("")) >= LIBRARY_SIZE:
            engine.close()
            self._opened += 1
            self._engine = engine = self._open(self._opened)
        engine.wait()
        job = engine.add("", name, data)
        deadline = time.monotonic() + ANSWER_SECONDS
        while any(one.id == job.id and one.state not in (JobState.FAILED, JobState.LOCKED) for one in engine.jobs("")):
            assert time.monotonic() < deadline, "the document is still being added"
            time.sleep(0.01)
        if not any(one.id == job.document_id for one in engine.documents("")):
            return
        found = Found((), "")
        for event in engine.ask("", question, [job.document_id]):
            if isinstance(event, Found):
                found = event
            elif isinstance(event, Answer):
                self._open_pages(found, event)

    def _open_pages(self, found: Found, answer: Answer) -> None:
        sources = {source.number: source for source in found.sources}
        citations: list[Citation] = [*(answer.short.citations if answer.short else ())]
        citations += [citation for sentence in answer.sentences for citation in sentence.citations]
        for citation in citations:
            source = sources[citation.number]
            assert 0 <= citation.start <= citation.end <= len(source.text), "citation outside its source"
            self._engine.view("", source, citation)


def check(data: bytes, library: AskedLibrary, chance: random.Random) -> str:
    """Read, chunk, tokenize, and sometimes add and ask. Returns what came of it. Raises whatever is a finding."""
    try:
        document = load(data, limits=Limits())
    except AskError as exc:
        return type(exc).__name__
    began = time.thread_time()
    check_document(document)
    passages = chunk_document(document, lambda text: len(text.split()), ChunkSettings())
    check_passages(document, passages)
    words = [term for passage in passages for term in terms(passage.searchable)]
    seconds = time.thread_time() - began
    assert seconds < MAX_CPU_SECONDS, f"{seconds:.1f} s of CPU time"
    if chance.randrange(ASKED) == 0:
        library.try_out(f"{hashlib.sha256(data).hexdigest()[:12]}.pdf", data, question_about(words, chance))
    return "read"


def question_about(words: list[str], chance: random.Random) -> str:
    """A question in words of a document."""
    asked = " ".join(chance.sample(words, min(len(words), 4))) or "anything"
    asked = "".join(one for one in asked if unicodedata.category(one) != "Cs")[:200]
    return chance.choice(("What is the {0}?", "How much {0} in 2018?", "{0}", "Who is {0}?", "{0}是多少？")).format(
        asked
    )


def save(folder: Path, data: bytes, trace: str) -> str:
    """Save a finding under the place in our code where it was raised; a further one of the same place is not kept."""
    own = list(re.findall(r'File "[^"]*/((?:rag|tests|benchmarks)/[^"]+)", line (\d+)', trace))
    place = "-".join((own or [("unknown", "0")])[-1]).replace("/", ".")
    target = folder / f"{place}.pdf"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.with_suffix(".txt").write_text(trace)
    return place


def run(minutes: float, good: list[bytes], findings: Path, chance: random.Random) -> dict[str, object]:
    """Try cases for some minutes; returns the counts."""
    logged, results, places = Logged(), Counter[str](), Counter[str]()
    logging.getLogger().addHandler(logged)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, closing(AskedLibrary(Path(folder))) as library:
        for data in cases(good, chance):
            if time.monotonic() > began + 60 * minutes:
                break
            try:
                results[check(data, library, chance)] += 1
            except AskError as exc:  # asking may refuse a question
                results[type(exc).__name__] += 1
            except Exception:  # noqa: BLE001 - that is what is looked for
                logged.tracebacks.append(traceback.format_exc())
            for trace in logged.tracebacks:
                places[save(findings, data, trace)] += 1
            logged.tracebacks.clear()
    return {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "files": sum(results.values()) + sum(places.values()),
        "results": dict(results.most_common()),
        "findings": dict(places.most_common()),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Run the fuzzer and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--pdfs", type=Path, help="folder with good PDFs, besides those that the tests make")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random numbers, by default the time")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for them (fuzz-findings)")
    arguments = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    report = run(arguments.minutes, good_files(arguments.pdfs), arguments.findings, random.Random(arguments.seed))
    print(json.dumps({"seed": arguments.seed, **report}))


if __name__ == "__main__":
    main()

"""Documents prepared by workers: the same as in this process, under limits, and ended with whoever wants them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import LimitExceeded, PasswordNeeded, Stopped
from rag.index.counted import CountedTerms
from rag.ingest import workers as module
from rag.ingest.fork_server import WorkerFailed
from rag.ingest.preparing import FileToRead, PreparingHere
from rag.ingest.workers import Workers, preparing
from rag.records import Heading, JobState
from rag.settings import ChunkSettings, Limits, Settings
from rag.store.database import Store
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add, ask
from tests.rag.pdfs import encrypted, report_pdf, scanned_pdf
from tests.waiting import until

pytestmark = pytest.mark.slow


class TokenizerEmbedder(ExactEmbedder):
    """Counts tokens with a tokenizer that another process can have."""

    folder = Path()

    def __init__(self) -> None:
        super().__init__()
        self.tokens = Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]"))
        self.tokens.pre_tokenizer = Whitespace()

    def count_tokens(self, text: str) -> int:
        return len(self.tokens.encode(text).ids)

    def tokenizer(self) -> str:
        return self.tokens.to_str()


@pytest.fixture(scope="module")
def embedder():
    return TokenizerEmbedder()


@pytest.fixture(scope="module")
def workers(embedder):
    opened = Workers(embedder, ChunkSettings(), Limits())
    yield opened
    opened.close()


def file_of(folder: Path, data: bytes, *, password: str | None = None, ocr: bool = False, **limits) -> FileToRead:
    path = folder / "a.pdf"
    path.write_bytes(data)
    return FileToRead(path, password, ocr, replace(Limits(), **limits))


def read(preparing, file: FileToRead, stop: threading.Event | None = None):
    return preparing.file(file, lambda *_: None, stop or threading.Event())


@pytest.mark.parametrize("data", [report_pdf(), FIRST, SECOND, scanned_pdf(2)], ids=["report", "prose", "Han", "scan"])
def test_a_worker_makes_of_a_file_what_this_process_makes_of_it(workers, embedder, tmp_path, data):
    file = file_of(tmp_path, data, ocr=True)
    here, there = read(PreparingHere(embedder, ChunkSettings()), file), read(workers, file)
    assert there.passages == here.passages
    assert_same_terms(there.terms, here.terms)
    assert replace(there.document, pages=()) == replace(here.document, pages=())
    for mine, other in zip(here.document.pages, there.document.pages, strict=True):
        assert replace(mine, words=None) == replace(other, words=None)
        assert mine.words.to_bytes() == other.words.to_bytes()
    again = workers.document(here.document, None, threading.Event())
    assert again.passages == here.passages


def assert_same_terms(some: CountedTerms, others: CountedTerms) -> None:
    assert list(some.vocabulary) == list(others.vocabulary)
    assert some.places.tolist() == others.places.tolist()
    assert some.lengths.tolist() == others.lengths.tolist()


def test_pages_are_counted_as_they_are_read(workers, tmp_path):
    seen = []
    workers.file(file_of(tmp_path, FIRST), lambda *numbers: seen.append(numbers), threading.Event())
    assert seen[-1] == (2, 2)


def test_a_refusal_is_the_one_that_reading_here_raises(workers, tmp_path):
    with pytest.raises(PasswordNeeded, match="type its password"):
        read(workers, file_of(tmp_path, encrypted(FIRST, "letmein")))
    assert read(workers, file_of(tmp_path, encrypted(FIRST, "letmein"), password="letmein")).passages


def test_work_is_ended_by_a_limit_of_cpu_time_which_the_error_names(embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CPU_FACTOR", 1)
    bounded = Workers(embedder, ChunkSettings(), Limits(read_cpu_seconds=1))
    try:
        text = "word " * 2_000_000
        document = read(PreparingHere(embedder, ChunkSettings()), file_of(tmp_path, FIRST)).document
        pages = tuple(replace(page, text=text) for page in document.pages)
        with pytest.raises(LimitExceeded, match="more than the limit of 1 seconds of CPU time"):
            bounded.document(replace(document, pages=pages), None, threading.Event())
        assert bounded.document(document, None, threading.Event()).passages
    finally:
        bounded.close()


def test_work_is_ended_by_a_limit_of_memory_which_the_error_names(embedder, tmp_path):
    bounded = Workers(embedder, ChunkSettings(), Limits(read_memory_bytes=3 * 2**20))
    try:
        document = read(PreparingHere(embedder, ChunkSettings()), file_of(tmp_path, FIRST)).document
        pages = tuple(replace(page, text="word " * 4_000_000) for page in document.pages)
        with pytest.raises(LimitExceeded, match="more than the limit of 24 MiB of memory"):
            bounded.document(replace(document, pages=pages), None, threading.Event())
    finally:
        bounded.close()


def test_a_stop_ends_the_worker_at_once(workers, embedder, tmp_path):
    stop = threading.Event()
    document = read(workers, file_of(tmp_path, FIRST)).document
    long = replace(document, pages=tuple(replace(page, text="word " * 3_000_000) for page in document.pages))
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Stopped):
        workers.document(long, None, stop)
    until(lambda: not children_of(workers._server.pid))


def children_of(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text("utf-8").split()]


def test_a_worker_that_is_killed_costs_one_file_and_a_killed_server_none(embedder, tmp_path):
    opened = Workers(embedder, ChunkSettings(), Limits())
    try:
        document = read(opened, file_of(tmp_path, FIRST)).document
        long = replace(document, pages=tuple(replace(page, text="word " * 3_000_000) for page in document.pages))

        until(lambda: not children_of(opened._server.pid))  # the worker that read it has ended

        def kill() -> None:
            until(lambda: children_of(opened._server.pid))
            os.kill(children_of(opened._server.pid)[0], signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        with pytest.raises(LimitExceeded, match="ended from outside"):
            opened.document(long, None, threading.Event())
        killing.join()
        opened._server.kill()
        opened._server.wait()
        assert read(opened, file_of(tmp_path, FIRST)).passages
    finally:
        opened.close()


PROGRAM = """
import threading
from dataclasses import replace
from pathlib import Path
from tests.rag.ingest.test_workers import ChunkSettings, Limits, TokenizerEmbedder, Workers, children_of, until
from rag.records import LoadedDocument, Page, PageKind, WordBoxes
workers = Workers(TokenizerEmbedder(), ChunkSettings(), Limits())
page = Page(0, "1", PageKind.TEXT, "word " * 3_000_000, WordBoxes.none(), 1.0, 1.0)
work = threading.Thread(target=workers.document, args=(LoadedDocument((page,)), None, threading.Event()))
work.start()
until(lambda: workers._server and children_of(workers._server.pid), 60)
print(workers._server.pid, children_of(workers._server.pid)[0], flush=True)
"""


def test_a_worker_ends_when_the_program_is_killed():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        started = program.stdout.readline().split()
        program.kill()
    assert len(started) == 2
    until(lambda: not any(is_running(int(process)) for process in started))


def is_running(process: int) -> bool:
    """Whether a process has neither ended nor waits for its parent to notice that."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text("utf-8").rpartition(")")[2].split()[0] != "Z"


def test_a_bug_in_a_worker_comes_back_with_its_traceback(workers, tmp_path):
    document = read(workers, file_of(tmp_path, FIRST)).document
    with pytest.raises(WorkerFailed, match="Traceback"):
        workers.document(replace(document, outline=(Heading("One", 1, "no number"),)), None, threading.Event())


def test_an_engine_adds_files_by_workers_and_opens_its_library_by_them(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=TokenizerEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("first.pdf", FIRST), ("second.pdf", SECOND), ("cut.pdf", FIRST[:200]))
        assert [(job.name, job.state) for job in engine.jobs("")] == [("cut.pdf", JobState.FAILED)]
        before = [engine.search("", question) for question in ("Where is the red pump?", "合同编号是什么?")]
    with Engine(settings, embedder=TokenizerEmbedder, reader=QuoteReader()) as engine:
        engine.wait()
        assert [engine.search("", question) for question in ("Where is the red pump?", "合同编号是什么?")] == before
        assert "1931" in ask(engine, "When was the red pump built?")[1]


def test_stored_passages_come_from_a_worker_as_from_the_store(workers, embedder, tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("first.pdf", FIRST), owner="ann")
        add(engine, ("second.pdf", SECOND))
    with Store(settings.database) as store:
        (here,) = PreparingHere(embedder, ChunkSettings()).stored(store, threading.Event())
        (there,) = workers.stored(store, threading.Event())
    assert (there.ids, there.documents) == (here.ids, here.documents)
    assert np.array_equal(there.vectors, here.vectors)
    assert_same_terms(there.terms, here.terms)


def test_an_embedder_without_a_tokenizer_is_asked_in_this_process():
    assert isinstance(preparing(ExactEmbedder(), Settings()), PreparingHere)

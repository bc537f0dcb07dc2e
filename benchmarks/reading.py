"""PDF reading speed compared with a loop over pypdf's `extract_text`, on the same files in one run.

    python benchmarks/reading.py --pdfs FOLDER [--documents N] [--threads N]

Both readers read each file in direct succession, so that other work on the machine affects both alike. The loop returns
text only; `rag.pdf.load` also returns bounding boxes of words, page labels, the outline, kinds of pages and cleaned
text. Prints a table and one JSON line. Uses no embedder and no search.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pypdf import PdfReader

sys.path.insert(0, str(Path(__file__).parents[1]))

from rag.pdf.load import load
from rag.settings import Limits


def plain(file: Path) -> int:
    """Pages read by a loop over pypdf's `extract_text`."""
    return len([page.extract_text() for page in PdfReader(file).pages])


def ours(file: Path) -> int:
    """Pages read by `rag.pdf.load`."""
    return len(load(file, limits=Limits()).pages)


def timed(read: Callable[[Path], int], file: Path) -> tuple[float, int]:
    """(wall-clock seconds, pages) of reading a file."""
    start = time.perf_counter()
    pages = read(file)
    return time.perf_counter() - start, pages


def together(files: list[Path], threads: int) -> float:
    """Wall-clock seconds to read all files, several at a time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ours, files))
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--documents", type=int, help="only the first N files by name")
    parser.add_argument("--threads", type=int, default=2, help="files read at the same time for the total (2)")
    arguments = parser.parse_args()
    files = sorted(arguments.pdfs.glob("*.pdf"))[: arguments.documents]
    print(f"{'file':44} {'pages':>5} {'pypdf s':>8} {'ours s':>7} {'ratio':>6}")
    seconds, pages = {"pypdf": 0.0, "ours": 0.0}, 0
    for file in files:
        slow, count = timed(plain, file)
        fast, _ = timed(ours, file)
        seconds["pypdf"] += slow
        seconds["ours"] += fast
        pages += count
        print(f"{file.name[:44]:44} {count:5} {slow:8.2f} {fast:7.2f} {slow / fast:6.1f}", flush=True)
    parallel = together(files, arguments.threads)
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {platform.system()} Python {platform.python_version()}",
        "documents": len(files),
        "pages": pages,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "pages_per_second": {name: round(pages / value, 1) for name, value in seconds.items()},
        "ratio": round(seconds["pypdf"] / seconds["ours"], 2),
        "threads": arguments.threads,
        "seconds_threads": round(parallel, 2),
        "ratio_threads": round(seconds["pypdf"] / parallel, 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()

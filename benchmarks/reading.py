"""Reading PDFs: pages a second against the plain loop over pypdf's `extract_text`, on the same files in one run.

    python benchmarks/reading.py --pdfs FOLDER [--documents N] [--threads N]

Each file is read by both, one right after the other, so that other work on the machine weighs on both alike. The
plain loop gives text alone; `rag.pdf.load` also gives word boxes, labels, outline, kinds of pages and cleaned text.
Prints a table and one JSON line. Knows nothing of embedding or search.
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
    """Pages read by the loop a user would otherwise write."""
    return len([page.extract_text() for page in PdfReader(file).pages])


def ours(file: Path) -> int:
    """Pages read by `rag.pdf.load`."""
    return len(load(file, limits=Limits()).pages)


def timed(read: Callable[[Path], int], file: Path) -> tuple[float, int]:
    """Seconds on the wall clock, pages."""
    start = time.perf_counter()
    pages = read(file)
    return time.perf_counter() - start, pages


def together(files: list[Path], threads: int) -> float:
    """Seconds on the wall clock to read all files, several at the same time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ours, files))
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True)
    parser.add_argument("--documents", type=int, help="only the first N files by name")
    parser.add_argument("--threads", type=int, default=2, help="files read at the same time in the last line")
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

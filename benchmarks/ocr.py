"""OCR: seconds a page and share of characters right, on pages of PDFs printed to pictures as a scanner gives them.

    python -m benchmarks.ocr --pdfs FOLDER [--pages N] [--match xquad_zh] [--threads N]

N pages at random are drawn at 200 dots per inch and read: clean, askew by 2 degrees, and blurred with noise. What is
right is the text layer, as `rag.pdf.load` reads it without running lines. The share right is 1 - the character error
rate over all pages, spaces beside Chinese left out; on pages with tables or columns another reading order counts as
errors. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pypdf import PdfReader, PdfWriter

from benchmarks.scanned import scan_of, share_right
from rag.pdf.load import load
from rag.pdf.ocr import OcrReader
from rag.pdf.page_readers import OpenPdf
from rag.pdf.scans import WaitingPage, read_scans
from rag.records import PageKind
from rag.settings import Limits, OcrSettings

MIN_CHARACTERS = 300  # of a page that is taken
SCANS: dict[str, Callable[[bytes], bytes]] = {
    "clean": scan_of,
    "askew by 2°": lambda pdf: scan_of(pdf, angle=2.0),
    "noisy": lambda pdf: scan_of(pdf, noise=25.0),
}


def sample(folder: Path, match: str, count: int, work: Path) -> tuple[Path, list[str]]:
    """A PDF of `count` pages at random, and their texts."""
    files = [file for file in sorted(folder.glob("*.pdf")) if match in file.name]
    chosen = random.Random(0)
    writer, texts = PdfWriter(), list[str]()
    while len(texts) < count:
        file = chosen.choice(files)
        document = load(file, limits=Limits())
        page = chosen.choice(document.pages)
        if page.kind is PageKind.TEXT and len(page.text) >= MIN_CHARACTERS:
            writer.add_page(PdfReader(file).pages[page.number])
            texts.append(page.text)
    target = work / "pages.pdf"
    writer.write(target)
    return target, texts


def processor_seconds() -> float:
    """Of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(scan: Path, texts: list[str], threads: int) -> dict[str, float]:
    """Read a scan; its time and accuracy."""
    waiting = [WaitingPage(number, str(number + 1), PageKind.SCANNED) for number in range(len(texts))]
    began, used = time.perf_counter(), processor_seconds()
    reader = OcrReader(OcrSettings(threads=threads))
    pages = read_scans(scan, waiting, reader, lambda file: OpenPdf(file, Limits()), lambda _: True)
    seconds, used = time.perf_counter() - began, processor_seconds() - used
    found = [f"{page.furniture}\n{page.text}" for page in pages]
    shares = [share_right(page, text) for page, text in zip(found, texts, strict=True)]
    characters = sum(map(len, texts))
    right = sum(share * len(text) for share, text in zip(shares, texts, strict=True)) / characters
    return {
        "right": round(right, 4),
        "worst page": round(min(shares), 4),
        "seconds a page": round(seconds / len(texts), 2),
        "processor seconds a page": round(used / len(texts), 2),
        "characters a page": round(characters / len(texts)),
    }


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with PDFs that have a text layer")
    parser.add_argument("--match", default="", help="only files with this in their name")
    parser.add_argument("--pages", type=int, default=10, help="pages at random (10)")
    parser.add_argument("--threads", type=int, default=1, help="of the process that recognises (1)")
    arguments = parser.parse_args()
    report: dict[str, object] = {"match": arguments.match, "pages": arguments.pages, "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as folder:
        pdf, texts = sample(arguments.pdfs, arguments.match, arguments.pages, Path(folder))
        for name, scanned in SCANS.items():
            scan = Path(folder) / "scan.pdf"
            scan.write_bytes(scanned(pdf.read_bytes()))
            report[name] = result = measure(scan, texts, arguments.threads)
            print(f"{name:12}", "  ".join(f"{key}: {value:,}" for key, value in result.items()), flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()

"""How well finders of tables find cells, with row label, column header, section and unit, and how long they take.

    python -m benchmarks.tables --pdfs FOLDER [--finders ours,pdfplumber,pdfplumber-text,img2table] [--misses]

Runs on the pages listed in `benchmarks/data/tables.jsonl` (reports of FinanceBench, in FOLDER; their cells were written
down by hand) and on the made documents of the tests. The other finders return grids of texts: a row of text above the
first row with a number is a header, an empty header cell belongs to the one left of it, and a row without numbers opens
a section. A found cell counts if its value and the words of its label, header and section are those that were written
down. Pages marked `blind` were written down after tuning had ended. Prints a Markdown table and a JSON line. Packages
`pdfplumber` and `img2table` are not among the requirements.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2

from benchmarks.baseline import machine
from rag.pdf.cells import is_year, parse_value
from rag.pdf.load import load
from rag.pdf.table_headers import continued
from rag.pdf.tables import Table, find_tables
from rag.settings import Limits

NEIGHBOURS = 3  # pages before and after one of a report
SAME_LABEL = 0.85  # F1 of the words of two labels from which on they are the same
ASPECTS = ("value", "row", "column", "section", "unit", "all")
TRUTH = Path(__file__).parent / "data" / "tables.jsonl"


@dataclass(frozen=True)
class Truth:
    """A cell as a person reads it."""

    value: str
    row: str
    column: str  # words of its headers
    section: str = ""  # "" if it stands in none
    scale: str = ""  # "" if it has none, or another than its table
    page: int = 0  # of those that are looked at


@dataclass(frozen=True)
class Found:
    """A cell as a finder returns it."""

    value: str
    row: str
    column: str
    section: str = ""
    scale: str = ""


Pages = list[list[Found]]  # the cells of each page
# (PDF, numbers of the pages that are looked at) -> the cells of each, and the seconds it took
Finder = Callable[[bytes, Sequence[int]], tuple[Pages, float]]


def ours(pdf: bytes, numbers: Sequence[int]) -> tuple[Pages, float]:
    """Our own finder. The time is that of finding alone: pages are read once, when a document is added."""
    document = load(pdf, limits=Limits())
    pages = [document.pages[number] for number in numbers]
    began = time.perf_counter()
    tables: list[list[Table]] = []
    for page in pages:
        found_here = find_tables(page.text, page.words)
        tables.append(continued(found_here, tables[-1][-1]) if tables and tables[-1] else found_here)
    seconds = time.perf_counter() - began
    found = [
        [
            Found(cell.text, row.label, header, row.section, table.scale)
            for table in on_page
            for row in table.rows
            for cell, header in zip(row.cells, table.headers, strict=True)
            if cell is not None
        ]
        for on_page in tables
    ]
    return found, seconds


def pdfplumber(pdf: bytes, numbers: Sequence[int], **settings: str) -> tuple[Pages, float]:
    """The finder of pdfplumber, by ruled lines or by the alignment of words."""
    library: Any = importlib.import_module("pdfplumber")
    began = time.perf_counter()
    with library.open(io.BytesIO(pdf)) as document:
        grids = [document.pages[number].extract_tables(settings) for number in numbers]
    seconds = time.perf_counter() - began
    return [[cell for grid in on_page for cell in _cells(grid)] for on_page in grids], seconds


def pdfplumber_text(pdf: bytes, numbers: Sequence[int]) -> tuple[Pages, float]:
    """The finder of pdfplumber, by the alignment of words alone."""
    return pdfplumber(pdf, numbers, vertical_strategy="text", horizontal_strategy="text")


def img2table(pdf: bytes, numbers: Sequence[int]) -> tuple[Pages, float]:
    """The finder of img2table: lines in the picture of a page, its texts from the PDF."""
    library: Any = importlib.import_module("img2table.document")
    began = time.perf_counter()
    tables = library.PDF(pdf, pages=list(numbers)).extract_tables(implicit_rows=True, borderless_tables=True)
    seconds = time.perf_counter() - began
    grids = [[one.df.fillna("").values.tolist() for one in tables.get(page, [])] for page in numbers]
    return [[cell for grid in on_page for cell in _cells(grid)] for on_page in grids], seconds


FINDERS: dict[str, Finder] = {
    "ours": ours, "pdfplumber": pdfplumber, "pdfplumber-text": pdfplumber_text, "img2table": img2table
}  # fmt: skip


def _cells(grid: Sequence[Sequence[str | None]]) -> Iterator[Found]:
    """The cells with numbers of a grid of texts, with what stands above and beside them."""
    rows = [[" ".join((text or "").split()) for text in row] for row in grid]
    numeric = [[parse_value(text)[0] is not None for text in row] for row in rows]
    is_row = [
        any(number and not is_year(text) for text, number in zip(*pair, strict=True))
        for pair in zip(rows, numeric, strict=True)
    ]
    first = is_row.index(True) if True in is_row else len(rows)
    headers = [_filled(row) for row in rows[:first]]
    section = ""
    for row, numbers in zip(rows[first:], numeric[first:], strict=True):
        if not any(numbers):
            section = " ".join(filter(None, row)) or section
            continue
        label = " ".join(text for text in row[: numbers.index(True)] if text and text != "$")
        for column, text in enumerate(row):
            if numbers[column]:
                above = " ".join(header[column] for header in headers)
                yield Found(text, label, above, section, _scale(" ".join(" ".join(header) for header in headers)))


def _filled(row: Sequence[str]) -> list[str]:
    """A header row, each empty cell filled with the one left of it."""
    filled: list[str] = []
    for text in row:
        filled.append(text or (filled[-1] if filled else ""))
    return filled


def _scale(text: str) -> str:
    names = {
        "billion": "billion",
        "million": "million",
        "thousand": "thousand",
        "万元": "ten thousand",
        "£m": "million",
    }
    return next((scale for name, scale in names.items() if name in text.lower()), "")


def words_of(text: str) -> Counter[str]:
    """The words of a label, without notes and signs; each Chinese character counts as one."""
    text = re.sub(r"\((?:\w|note \d+)\)", "", text.casefold())
    return Counter(re.findall(r"[\u4e00-\u9fff]|\d+|[^\W_\d\u4e00-\u9fff]+", text))


def agree(found: str, wanted: str) -> bool:
    """Whether two labels have about the same words."""
    a, b = words_of(found), words_of(wanted)
    return 2 * (a & b).total() >= SAME_LABEL * (a.total() + b.total())


def judged(found: Found, wanted: Truth) -> dict[str, bool]:
    """Which aspects of a found cell are as written down."""
    years = set(re.findall(r"(?:19|20)\d\d", found.column))
    wanted_years = set(re.findall(r"(?:19|20)\d\d", wanted.column))
    right = {
        "value": True,
        "row": agree(found.row, wanted.row),
        "column": words_of(wanted.column) <= words_of(found.column) and (not wanted_years or years <= wanted_years),
        "section": not wanted.section or words_of(wanted.section) <= words_of(found.section),
        "unit": not wanted.scale or found.scale == wanted.scale,
    }
    return {**right, "all": all(right.values())}


def best(found: Sequence[Found], wanted: Truth) -> dict[str, bool]:
    """The judgement of the cell with the same value that is most like what was written down."""
    number = parse_value(wanted.value)[0]
    same = [judged(cell, wanted) for cell in found if parse_value(cell.value)[0] == number]
    return max(same, key=lambda right: sum(right.values()), default=dict.fromkeys(ASPECTS, False))


def pages_of(pdfs: Path) -> Iterator[tuple[str, str, bytes, Sequence[int], list[Truth]]]:
    """(group, name, PDF, numbers of the pages to look at, cells) of every document.

    Of a report a few pages before and after are kept, so that running headers are recognised.
    """
    made_documents: dict[str, Callable[[], Any]] = importlib.import_module("tests.rag.pdf.made_tables").MADE
    for name, make in made_documents.items():
        made = make()
        yield "made", name, made.pdf, range(max((cell.page for cell in made.cells), default=0) + 1), list(made.cells)
    for line in TRUTH.read_text("utf-8").splitlines():
        entry = json.loads(line)
        name = f"{entry['document']} {entry['page']}"
        group = "reports, held out" if entry.get("blind") else "reports, tuned on"
        cells = [Truth(**cell) for cell in entry["cells"]]
        first = max(entry["page"] - NEIGHBOURS, 0)
        pdf = extract_pages(pdfs / entry["document"], first, entry["page"] + NEIGHBOURS)
        yield group, name, pdf, [entry["page"] - first], cells


def extract_pages(pdf: Path, first: int, last: int) -> bytes:
    """A PDF of some pages of another, from the first to the last, as far as there are any."""
    document, part = pypdfium2.PdfDocument(pdf), pypdfium2.PdfDocument.new()
    part.import_pages(document, list(range(first, min(last + 1, len(document)))))
    file = io.BytesIO()
    part.save(file)
    return file.getvalue()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the reports")
    parser.add_argument("--finders", default="ours", help=f"of {','.join(FINDERS)}")
    parser.add_argument("--misses", action="store_true", help="print what was not found")
    arguments = parser.parse_args()
    write = sys.stdout.write
    counts: dict[str, dict[str, Counter[str]]] = {}
    seconds: dict[str, list[float]] = {}
    for name in arguments.finders.split(","):
        groups = counts.setdefault(name, {})
        for group, page, pdf, numbers, cells in pages_of(arguments.pdfs):
            found, took = FINDERS[name](pdf, numbers)
            seconds.setdefault(name, []).append(took / len(found))
            count = groups.setdefault(group, Counter())
            if not cells:
                count["false tables"] += any(found)
                count["pages without"] += 1
            for truth in cells:
                right = best(found[truth.page], truth)
                count["cells"] += 1
                count.update(aspect for aspect, is_right in right.items() if is_right)
                if arguments.misses and not right["all"]:
                    missing = [aspect for aspect in ASPECTS[:-1] if not right[aspect]]
                    write(f"{name} | {page} | {truth.value} | {truth.row[:50]} | {truth.column} | {missing}\n")
    write("| finder | pages | cells | " + " | ".join(ASPECTS) + " | false tables | ms a page |\n")
    write("|---" * (len(ASPECTS) + 5) + "|\n")
    for name, groups in counts.items():
        middle = sorted(seconds[name])[len(seconds[name]) // 2] * 1000
        for group, count in groups.items():
            shares = " | ".join(f"{count[aspect] / count['cells']:.3f}" for aspect in ASPECTS)
            false = f"{count['false tables']} of {count['pages without']}"
            write(f"| {name} | {group} | {count['cells']} | {shares} | {false} | {middle:.1f} |\n")
    write(json.dumps({**machine(), "counts": counts, "seconds": {k: sum(v) for k, v in seconds.items()}}) + "\n")


if __name__ == "__main__":
    main()

"""How many questions about figures the tables of the correct page answer exactly, on TAT-QA's dev set.

    python -m benchmarks.figures --pdfs FOLDER --questions FILE.jsonl [--min-score 0.8]

Every question is asked of its own document, so this measures reading tables and matching cells, not retrieval. A third
of the questions, chosen by a digest of their text, is held out from tuning. Exact: the same set of values, each equal
after scale, rounded to 4 digits (Zhu et al., TAT-QA, ACL 2021, section 4.3). Prints a Markdown table and a JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.baseline import machine
from rag.answer.figures.lookup import FigureFinder
from rag.pdf.cells import parse_value
from rag.pdf.load import load
from rag.pdf.tables import find_tables
from rag.settings import FigureSettings, Limits

FACTORS = {"": 1.0, "percent": 0.01, "thousand": 1e3, "million": 1e6, "billion": 1e9}
Counts = dict[str, list[int]]  # group -> [questions, answered, exact]


def normalised(text: str, scale: str) -> float | str:
    """An answer as it is compared: a number after scale, else words without articles and punctuation."""
    value, percent = parse_value(text)
    if value is not None:
        return round(value * FACTORS.get("percent" if percent else scale, 1.0), 4)
    words = re.sub(r"[^\w\s.]", "", text.lower()).split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def exact(texts: Sequence[str], scale: str, wanted: Sequence[str], wanted_scale: str) -> bool:
    """Whether the answers are the same set."""
    given = sorted(str(normalised(text, scale)) for text in texts)
    return given == sorted(str(normalised(text, wanted_scale)) for text in wanted)


def finder_for(pdf: Path, settings: FigureSettings) -> FigureFinder:
    """A finder over all tables of a PDF."""
    document = load(pdf, limits=Limits())
    return FigureFinder([table for page in document.pages for table in find_tables(page.text, page.words)], settings)


def measure(pdfs: Path, questions: Sequence[dict[str, Any]], settings: FigureSettings) -> Counts:
    """Counts of each kind and source of answer, and of the questions tuned on and held out."""
    counts: Counts = defaultdict(lambda: [0, 0, 0])
    finders: dict[str, FigureFinder] = {}
    for question in questions:
        name = question["document"]
        if name not in finders:
            finders[name] = finder_for(pdfs / name, settings)
        answer = finders[name].answer(question["question"])
        right = answer is not None and exact(answer.texts, answer.scale, question["answer"], question["scale"])
        held_out = hashlib.sha256(question["question"].encode()).digest()[0] % 3 == 0
        tabular = "text" if question["source"] == "text" else "table"
        part = f"{'held out' if held_out else 'tuned on'}, {tabular}"
        for group in (f"{question['kind']}, {question['source']}", part, "all"):
            counts[group][0] += 1
            counts[group][1] += answer is not None
            counts[group][2] += right
    return counts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--questions", type=Path, required=True, help="TAT-QA questions, one JSON object per line")
    parser.add_argument("--min-score", type=float, default=FigureSettings().min_score, help="as in FigureSettings")
    arguments = parser.parse_args()
    lines = arguments.questions.read_text("utf-8").splitlines()
    settings = FigureSettings(min_score=arguments.min_score)
    counts = measure(arguments.pdfs, [json.loads(line) for line in lines if line.strip()], settings)
    write = sys.stdout.write
    write("| questions | number | answered | exact | exact of answered |\n|---|---|---|---|---|\n")
    for group in sorted(counts):
        number, answered, right = counts[group]
        shares = (answered / number, right / number, right / max(answered, 1))
        write(f"| {group} | {number} | " + " | ".join(f"{share:.3f}" for share in shares) + " |\n")
    write(json.dumps({**machine(), "min_score": arguments.min_score, "counts": counts}) + "\n")


if __name__ == "__main__":
    main()

"""Questions with and without an answer in the documents that are searched, as `benchmarks/calibrate.py` reads them.

    python -m benchmarks.doubt_cases --questions FILE.jsonl --scope document|all [--sample 300] [--seed 1] > cases.jsonl

The questions are as for `rag.evaluate`. With `document`, each is asked of its own document and of another one, drawn at
random. With `all`, each is asked of all documents, of all but its own, and of all without the pages that answer; where
it names a year, also with all years moved by eight years back and six on. Of documents named NAME_LANGUAGE_NUMBER.pdf,
the same text in several languages, it is asked of each language.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.evaluation.question_file import Question, read_questions

SHIFTS = (-8, 6)  # years, so that hardly any report holds them
_TRANSLATED = re.compile(r"(?P<name>.+)_(?P<language>[a-z]{2})_(?P<number>\d+)\.pdf$")
_YEAR = re.compile(r"(?<!\d)20\d\d(?!\d)")


def number_of(document: str) -> str:
    """What a text and its translations have in common: the number in their names, or the whole name."""
    match = _TRANSLATED.match(document)
    return match["number"] if match else document


def language_of(document: str) -> str:
    """The language in a document's name; "" for none."""
    match = _TRANSLATED.match(document)
    return match["language"] if match else ""


def in_document(question: Question, documents: Sequence[str], drawn: random.Random) -> Iterator[dict[str, Any]]:
    """The question asked of its own document, and of another one."""
    other = drawn.choice([name for name in documents if number_of(name) != number_of(question.document)])
    for name, answerable in ((question.document, True), (other, False)):
        yield {"kind": "another document", "documents": [name], "answerable": answerable}


def in_all(question: Question, documents: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The question asked of all documents of each language, with what answers it and without."""
    number = number_of(question.document)
    for language in sorted(set(map(language_of, documents))):
        own = [name for name in documents if language_of(name) == language]
        asked = f"{question.language} of {language}: " if language else ""
        holding = [name for name in own if number_of(name) == number]
        pages = [[name, page] for name in holding for page in question.pages]
        rest = [name for name in own if name not in holding]
        yield {"kind": f"{asked}all", "documents": own, "answerable": True}
        yield {"kind": f"{asked}its document left out", "documents": rest, "answerable": False}
        yield {"kind": f"{asked}its pages left out", "documents": own, "left_out": pages, "answerable": False}


def moved(question: str, years: int) -> str:
    """The question with its years moved."""
    return _YEAR.sub(lambda year: str(int(year[0]) + years), question)


def main() -> None:
    """Write the cases to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--scope", choices=("document", "all"), required=True)
    parser.add_argument("--sample", type=int, default=300, help="questions drawn at random (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sample (1)")
    arguments = parser.parse_args()
    drawn = random.Random(arguments.seed)
    questions = read_questions(arguments.questions)
    documents = sorted({question.document for question in questions})
    for question in drawn.sample(questions, min(arguments.sample, len(questions))):
        if arguments.scope == "document":
            cases = list(in_document(question, documents, drawn))
        else:
            cases = list(in_all(question, documents))
            kind = {"kind": "other years", "documents": None, "answerable": False}
            texts = dict.fromkeys(moved(question.question, years) for years in SHIFTS)
            cases += [{**kind, "question": text} for text in texts if text != question.question]
        for case in cases:
            case = {"question": question.question, "group": number_of(question.document), **case}
            sys.stdout.write(json.dumps(case, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

"""Question sets as files: exports saved questions as JSON Lines or CSV, and reads such files to save their questions.

CSV (RFC 4180) has a header with the columns question, document, page and answer in any order; only the first is
required. Its pages are counted from 1; several pages of a row are separated by semicolons. JSON Lines have an object
per line with `question`; `document`; `pages`, counted from 0 as `python -m rag.evaluate` reads them; and `answer`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rag.errors import QuestionRefused
from rag.evaluation.runs import SavedQuestion
from rag.language import mainly_chinese
from rag.messages import Message

MAX_FILE_BYTES: Final = 2_000_000
MAX_ROWS: Final = 5_000

COLUMNS: Final = ("question", "document", "page", "answer")
_OTHER_NAMES: Final = {"问题": "question", "文档": "document", "页": "page", "页码": "page", "答案": "answer",
                       "pages": "page"}  # fmt: skip
# What a spreadsheet would take for a formula, except negative numbers. An apostrophe before it prevents that.
_FORMULA = re.compile(r"[=+@\t\r]|-(?!\s*[\d.,]+\s*%?\Z)")
_WHOLE = re.compile(r"([0-9]{1,6})(?:\.0)?")  # some programs write numbers as decimals


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question of a file."""

    line: int  # from 1
    question: str
    document: str = ""  # its name; "" for none
    pages: tuple[int, ...] = ()  # from 0
    answer: str = ""  # the expected answer; "" for none


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of a file that was not saved, and why."""

    line: int  # from 1
    reason: Message


# ---- reading


def read_question_set(data: bytes) -> tuple[list[QuestionRow], list[RefusedLine]]:
    """The questions in a file, and the lines that are not questions. JSON Lines if it starts with a brace, else CSV.

    Raises QuestionRefused if the file is too large, is not UTF-8, or has no column of questions.
    """
    check_size(len(data))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise QuestionRefused("The file is not UTF-8: save it as CSV UTF-8, or as JSON Lines.") from error
    rows: list[QuestionRow] = []
    refused: list[RefusedLine] = []
    for line, row in _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text):
        if len(rows) + len(refused) == MAX_ROWS:
            refused.append(
                RefusedLine(line, Message("Only {rows:,} lines are read: split the file.", {"rows": MAX_ROWS}))
            )
            break
        try:
            rows.append(_row(line, row))
        except QuestionRefused as error:
            refused.append(RefusedLine(line, error.message))
    return rows, refused


def check_size(size: int) -> None:
    """Raises QuestionRefused if a file has more bytes than are read."""
    if size > MAX_FILE_BYTES:
        raise QuestionRefused(
            "The file has {size:.1f} MB, the limit is {limit:g} MB: split it.",
            size=size / 1e6,
            limit=MAX_FILE_BYTES / 1e6,
        )


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and object of each line; an exception's message if it cannot be parsed."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and columns of each row, by name. Raises QuestionRefused if there is no column of questions."""
    head = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names: list[str] | None = None
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            yield first, None
            continue
        if names is None:
            names = [_OTHER_NAMES.get(name.strip().lower(), name.strip().lower()) for name in cells]
            if "question" not in names:
                break
        elif any(cell.strip() for cell in cells):
            yield first, dict(zip(names, map(_unprotected, cells), strict=False))
    if names is None or "question" not in names:
        raise QuestionRefused(
            "The first line must name the columns, one of them “question”: question, document, page, answer."
        )


def _row(line: int, row: Any) -> QuestionRow:
    if not isinstance(row, Mapping):
        raise QuestionRefused("It cannot be read.")
    question = _text(row, "question")
    if not question:
        raise QuestionRefused("It has no question.")
    document, pages = _text(row, "document"), _pages(row)
    if pages and not document:
        raise QuestionRefused("It has a page, but no document.")
    if document and not pages:
        raise QuestionRefused("It has a document, but no page.")
    return QuestionRow(line, question, document, pages, _text(row, "answer"))


def _text(row: Mapping[str, Any], name: str) -> str:
    """A field of a row; a list of texts is joined with semicolons; "" if it is missing."""
    value = row.get(name)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = "; ".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise QuestionRefused("Its {field} is not text.", field=name)
    return value.strip()


def _pages(row: Mapping[str, Any]) -> tuple[int, ...]:
    """The pages of a row, from 0: `pages` as they are, or `page`, which counts from 1."""
    if (given := row.get("pages")) is not None:
        if not isinstance(given, list) or not all(type(page) is int and 0 <= page < 10**6 for page in given):
            raise QuestionRefused("Its pages must be a list of whole numbers from 0.")
        return tuple(given)
    given = _text(row, "page")
    found = [_WHOLE.fullmatch(part.strip()) for part in re.split(r"[;；,，、]", given) if part.strip()]
    pages = tuple(int(match[1]) - 1 if match else -1 for match in found)
    if min(pages, default=0) < 0:
        raise QuestionRefused("Its page “{page}” is not a whole number from 1.", page=given[:40])
    return pages


# ---- writing


def as_lines(questions: Sequence[SavedQuestion]) -> str:
    """Saved questions as JSON Lines, one per question and document, as `python -m rag.evaluate` reads them."""
    lines = []
    for question in questions:
        language = "zh" if mainly_chinese(question.text) else "en"
        for document, pages in _placed(question):
            row: dict[str, Any] = {"question": question.text}
            row |= {"document": document, "pages": pages} if document else {}
            row |= {"answer": question.answer} if question.answer else {}
            lines.append(json.dumps({**row, "language": language}, ensure_ascii=False) + "\n")
    return "".join(lines)


def as_csv(questions: Sequence[SavedQuestion]) -> str:
    """Saved questions as CSV for spreadsheets, one row per question and document."""
    rows = [
        (question.text, document, "; ".join(str(page + 1) for page in pages), question.answer)
        for question in questions
        for document, pages in _placed(question)
    ]
    return csv_text(COLUMNS, rows)


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as CSV without formulas for spreadsheets; a file of it should start with a byte order mark."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_protected(cell) for cell in row] for row in rows)
    return written.getvalue()


def _placed(question: SavedQuestion) -> list[tuple[str, list[int]]]:
    """The question's documents in the library with its pages, from 0; ("", []) for a question without pages."""
    found: dict[str, list[int]] = {}
    for page in question.pages:
        if page.here:
            found.setdefault(page.document, []).append(page.page)
    return [(document, sorted(pages)) for document, pages in found.items()] or ([] if question.pages else [("", [])])


def _protected(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unprotected(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell

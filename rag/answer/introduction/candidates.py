"""Candidate questions, made by rules from a document's tables and headings; each is tried before it is suggested.

The tables are found in one pass over the pages. That takes a few milliseconds a page, so the pass has a time limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rag.answer.claims.dates import YEAR
from rag.language import mainly_chinese
from rag.pdf.table import Cell, Row, Table
from rag.pdf.tables import find_tables
from rag.retrieve.page_facts import MAX_WORDS, MIN_VALUE_LINES
from rag.retrieve.statements import Statement, statements_on
from rag.retrieve.table_match import has_value
from rag.store.rows import StoredPage

LANGUAGE_SHARE: Final = 0.1  # of the letters, from which a document counts as being in a language
_VALUE_AT_END: Final = re.compile(r"(?:\d[)\]%]*|[-–—])$", re.MULTILINE)  # of a line that may be a row of a table
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-z]+")
MAX_LABEL_CHARACTERS: Final = 48
MAX_HEADING_CHARACTERS: Final = 44
MAX_HEADING_WORDS: Final = 6

# What a row must be about for "What was … in 2023?" to be a sensible question.
MEASURE: Final = re.compile(
    r"\b(?:revenues?|sales|income|profit|loss|earnings|costs?|expenses?|assets|liabilities|equity|cash|debt|margin"
    r"|dividends?|employees|emissions|investments?|capital expenditures?|inventor(?:y|ies)|goodwill|spending|output"
    r"|production|visitors|members|orders|deliveries|deposits|fees?|price|rainfall|population)\b"
    r"|收入|利润|成本|费用|资产|负债|现金|权益|价格|人数|产量|总额|销量|税|支出|投资|客流|面积|降水",
    re.IGNORECASE,
)
# The rows that people ask for first.
ASKED_FIRST: Final = re.compile(
    r"^(?:total )?(?:net )?(?:revenues?|sales)(?:, net)?$|^(?:total )?net (?:sales|revenues?|income|profit|earnings)"
    r"|^total (?:assets|visitors)|^operating (?:income|profit)|^(?:营业总?收入|净利润|资产总计|总资产)",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"^(?:net|total|profit|loss)$"
    r"|^(?:other|others|subtotal|basic|diluted|less|plus|adjust|effect|change|balance|average|percent|其他|合计|小计)\b"
    r"|[:;：；]|\(|（|\bper\b|attributable|discontinued|accumulated other|\b(?:beginning|end) of",
    re.IGNORECASE,
)
_MONTHS: Final = re.compile(r"\b(?:three|six|nine|months|quarter|q[1-4])\b|季度|半年|个月", re.IGNORECASE)
_NUMBERING: Final = re.compile(
    r"^(?:(?:item|note|part|section|chapter|article|schedule)\s+)?(?:\d+(?:\.\d+)*[A-Za-z]?|[IVX]+|[A-Z])[.:、)—–-]+\s*"
    r"|^\d+(?:\.\d+)*\s+|^(?:item|part)\s+[\dIVX]+[A-Z]?\W*|^第.{1,4}[章节条部]\s*|^[一二三四五六七八九十]+、",
    re.IGNORECASE,
)
# Headings that every document of their kind has, and that say nothing about it.
_NO_SUBJECT: Final = re.compile(
    r"\b(?:contents|index|signatures?|exhibits?|references|bibliography|appendix|annex|glossary|schedule|forward|"
    r"abbreviations|acknowledge?ments|continued|reserved|disclosures?|controls and procedures|unresolved|defined"
    r"|introduction|abstract|summary|overview|conclusions?|general|other|miscellaneous|notes?|form|item|part|table"
    r"|figure|information|basis|presentation|segments?|permitting|months|years?"
    r"|supplementary|registrant|financial statements?|cover|preface|letter|page|agreement|report|minutes)\b"
    r"|目录|附录|附件|参考文献|摘要|引言|前言|结论|其他|签[字章署]|说明$|总则|附则|释义|声明|报告|合同$",
    re.IGNORECASE,
)
_PLURAL: Final = re.compile(r"(?<![sui])s$", re.IGNORECASE)

_PLURAL_MEASURE: Final = re.compile(
    r"\b(?:sales|revenues|costs|expenses|assets|liabilities|earnings|dividends|employees|emissions|investments"
    r"|expenditures|inventories|visitors|members|orders|deliveries|deposits|fees)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table with the page it stands on."""

    table: Table
    page: int
    statements: frozenset[Statement]  # that the page is


@dataclass
class Survey:
    """What was found on the pages."""

    tables: list[FoundTable] = field(default_factory=list)
    complete: bool = True  # whether there was time for all pages
    han: int = 0  # Chinese characters
    words: int = 0  # in Latin letters

    @property
    def languages(self) -> tuple[str, ...]:
        """Each language that makes up a good part of the text; a Chinese character counts as half a word."""
        parts = {"en": float(self.words), "zh": self.han / 2}
        return tuple(name for name, part in parts.items() if part > LANGUAGE_SHARE * sum(parts.values()))


def survey(pages: Iterable[StoredPage], seconds: float, stopped: Callable[[], bool]) -> Survey:
    """Look at the pages one after another, until `seconds` are over or `stopped`."""
    found, end = Survey(), time.monotonic() + seconds
    for page in pages:
        found.han += len(_HAN.findall(page.text))
        found.words += len(_LATIN.findall(page.text))
        if not found.complete or stopped() or time.monotonic() > end:
            found.complete = False
            continue
        if len(page.words) <= MAX_WORDS and len(_VALUE_AT_END.findall(page.text)) >= MIN_VALUE_LINES:
            tables = find_tables(page.text, page.words)
            labels = [f"{row.section} {row.label}" for table in tables for row in table.rows if has_value(row)]
            statements = frozenset(statements_on(page.text, labels))
            found.tables += [FoundTable(table, page.number, statements) for table in tables]
    return found


def rows_with_values(table: Table) -> list[Row]:
    """The rows of a table that hold a value."""
    return [row for row in table.rows if has_value(row)]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question, and what a good answer to it must contain."""

    question: str
    pages: frozenset[int]  # from 0: where the answer is
    value: str = ""  # as printed, for a question about a cell; "" for any answer
    subject: str = ""  # a document gets one question about each


def from_tables(tables: Iterable[FoundTable]) -> list[Candidate]:
    """Questions for cells, those that people ask first before the others."""
    ranked: list[tuple[int, int, Candidate]] = []
    for order, found in enumerate(tables):
        for row in rows_with_values(found.table):
            if candidate := _of_row(found, row):
                ranked.append((-_rank(found, row), order, candidate))
    return [candidate for _, _, candidate in sorted(ranked, key=lambda one: one[:2])]


def _rank(found: FoundTable, row: Row) -> int:
    return 4 * bool(ASKED_FIRST.search(row.label)) + 2 * (Statement.INCOME in found.statements) + bool(found.statements)


def _of_row(found: FoundTable, row: Row) -> Candidate | None:
    """A question for the newest cell of a row, or for its only one; None if it would make no sense."""
    label = bare_label(row)
    if not is_label(label) or row.section.count(">"):
        return None
    page = frozenset((found.page,))
    chinese = mainly_chinese(label)
    years = _cells_by_year(found, row)
    if years:
        if not MEASURE.search(label):
            return None
        year, cell = max(years.items())
        asked = f"{year}年的{label}是多少？" if chinese else f"What {verb_for(label)} {lowered(label)} in {year}?"
        return Candidate(asked, page, cell.text, label.casefold())
    headers, cells = found.table.headers, [cell for cell in row.cells if cell and cell.value is not None]
    if len(cells) != 1 or len(headers) > 2:
        return None
    header = headers[row.cells.index(cells[0])].strip()
    if not is_label(header) or not MEASURE.search(header) or mainly_chinese(header) != chinese:
        return None
    asked = f"{label}的{header}是多少？" if chinese else f"What is the {lowered(header)} of {lowered(label)}?"
    return Candidate(asked, page, cells[0].text, label.casefold())


def _cells_by_year(found: FoundTable, row: Row) -> dict[str, Cell]:
    """The cells of a row whose header names one whole year."""
    cells: dict[str, Cell] = {}
    for header, cell in zip(found.table.headers, row.cells, strict=False):
        years = re.findall(YEAR, header)
        if cell and cell.value is not None and len(years) == 1 and not _MONTHS.search(header):
            if years[0] in cells:  # two columns of one year: which is meant cannot be said in a short question
                return {}
            cells[years[0]] = cell
    return cells


def bare_label(row: Row) -> str:
    """The label of a row without surrounding signs, such as leaders to its cells."""
    return row.label.strip(" .:：…")


def is_label(text: str) -> bool:
    """Whether a row or column is named in words that a question can use."""
    letters = sum(map(str.isalpha, text))
    return bool(text) and (
        2 <= len(text) <= MAX_LABEL_CHARACTERS
        and len(text.split()) <= MAX_HEADING_WORDS
        and letters >= 0.9 * len(text.replace(" ", ""))
        and text[0].isalpha()
        and not _VAGUE.search(text)
    )


def from_headings(headings: Sequence[tuple[str, int]]) -> Iterator[Candidate]:
    """Questions about the subjects of headings, each given with its page, in the order of the document."""
    seen: set[str] = set()
    for title, page in headings:
        subject = _NUMBERING.sub("", " ".join(title.split())).strip(" .:：-–—")
        asked = _about(subject)
        if asked and subject.casefold() not in seen:
            seen.add(subject.casefold())
            yield Candidate(asked, frozenset((page, page + 1)), subject=subject.casefold())


def _about(subject: str) -> str:
    """A question about the subject of a heading; "" if it is none."""
    if len(subject) > MAX_HEADING_CHARACTERS or len(subject) < 2 or not subject[0].isalpha():
        return ""
    if subject.endswith(("?", "？")):
        return subject
    letters = sum(map(str.isalpha, subject))
    if letters < 0.9 * len(subject.replace(" ", "")) or _NO_SUBJECT.search(subject) or re.search(r"[/(（]", subject):
        return ""
    if mainly_chinese(subject):
        return f"关于{subject}，文中是怎么说的？" if len(subject) <= 14 and "，" not in subject else ""
    if len(subject.split()) > MAX_HEADING_WORDS:
        return ""
    words = lowered(subject.title() if subject.isupper() else subject)
    if _PLURAL.search(words) and len(words.split()) <= 4:
        return f"What are the {words}?"
    return f"What does the document say about {words}?"


def lowered(text: str) -> str:
    """A label inside a sentence: words written like ordinary ones lose their capitals, names keep them."""
    words = text.split()
    # In "Net Sales" and "Net sales" capitals mean nothing; "Net sales in Latin America" shows that they do.
    meaning = any(word[:1].islower() and len(word) > 3 for word in words)
    return " ".join(
        word.lower() if word[1:].islower() and (number == 0 or not meaning) else word
        for number, word in enumerate(words)
    )


def verb_for(label: str) -> str:
    """The verb for a label: "What were net sales", "What was cost of sales"."""
    head = re.split(r"\s(?:of|from|in|for|on|to)\s", label, maxsplit=1)[0]
    return "were" if _PLURAL_MEASURE.search(head) else "was"

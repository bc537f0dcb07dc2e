"""One pass over the pages of a document: which languages it is in, and which tables it has.

Finding tables takes a few milliseconds a page, so the pass has a time limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from rag.pdf.table import Row, Table
from rag.pdf.tables import find_tables
from rag.retrieve.page_facts import MAX_WORDS, MIN_VALUE_LINES
from rag.retrieve.statements import Statement, statements_on
from rag.retrieve.table_match import has_value
from rag.store.rows import StoredPage

LANGUAGE_SHARE: Final = 0.1  # of the letters, from which a document counts as being in a language
_VALUE_AT_END: Final = re.compile(r"(?:\d[)\]%]*|[-–—])$", re.MULTILINE)  # of a line that may be a row of a table
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-z]+")


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
        """Each language that has a good part of the text; a Chinese character counts as half a word."""
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

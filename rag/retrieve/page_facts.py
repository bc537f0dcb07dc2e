"""What a page is and contains: statements, boilerplate, table rows; read from the store when needed, and kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rag.index.tokenize import terms
from rag.kept import Kept
from rag.pdf.tables import find_tables
from rag.records import DocumentKey, WordBoxes
from rag.retrieve.boilerplate import is_boilerplate
from rag.retrieve.pages import PageKey
from rag.retrieve.statements import Statement, statements_on
from rag.retrieve.table_match import LabelledRow, Terms, has_value, labelled_rows
from rag.store.database import Store

_VALUE_AT_END = re.compile(r"(?:\d[)\]%]*|[-–—])$", re.MULTILINE)  # of a line that may be a table row
_NO_HEADING = re.compile(r"[\d,;，；][)%]?$")  # the line continues, or ends with a value
_NUMBERING = re.compile(
    r"^(?:(?:item|note|part|section|chapter)\s+)?(?:\d+(?:\.\d+)*[A-Za-z]?|[IVX]+)?\s?[.:、)—–-]*\s+|^第.{1,3}[章节条]\s*",
    re.IGNORECASE,
)
MAX_HEADING_CHARACTERS: Final = 70
MAX_HEADING_TERMS: Final = 12
MIN_VALUE_LINES: Final = 2  # on a page that may have a table
MAX_WORDS: Final = 4_000  # on a page whose tables are looked for; a dense printed page has 1,500


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What matters about a page, whatever is asked."""

    statements: dict[Statement, float]  # statements that the page is, with how sure that is, 0..1
    boilerplate: bool
    rows: tuple[LabelledRow, ...]
    headings: tuple[Terms, ...] = ()  # short lines that may be headings


def facts_of(text: str, words: WordBoxes) -> PageFacts:
    """The facts of a page."""
    may_have_table = len(words) <= MAX_WORDS and len(_VALUE_AT_END.findall(text)) >= MIN_VALUE_LINES
    tables = find_tables(text, words) if may_have_table else []
    labels = [f"{row.section} {row.label}" for table in tables for row in table.rows if has_value(row)]
    return PageFacts(
        statements_on(text, labels), is_boilerplate(text), tuple(labelled_rows(tables)), tuple(_headings(text))
    )


def _headings(text: str) -> Iterator[Terms]:
    """The terms of each short line that may be a heading, without its numbering."""
    for line in map(str.strip, text.splitlines()):
        if len(line) <= MAX_HEADING_CHARACTERS and not line[:1].islower() and not _NO_HEADING.search(line):
            found = frozenset(term for term in terms(_NUMBERING.sub("", line)) if not term.isdigit())
            if 0 < len(found) <= MAX_HEADING_TERMS:
                yield found


class StoredFacts:
    """The facts of stored pages; those of the most recent pages are kept. Thread-safe."""

    def __init__(self, store: Store, kept_pages: int) -> None:
        self._store = store
        self._kept: Kept[PageFacts] = Kept(kept_pages)

    def of(self, page: PageKey) -> PageFacts:
        """The facts of a page; empty for a page that was removed."""
        *document, number = page
        key, moment = (document[0], document[1]), self._kept.moment
        facts = self._kept.get(key, number)
        if facts is None:
            facts = self._read(page)
            self._kept.keep(key, number, facts, moment)
        return facts

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)

    def _read(self, key: PageKey) -> PageFacts:
        owner, document_id, number = key
        for page in self._store.pages(owner, document_id, number, number):
            return facts_of(page.text, page.words)
        return PageFacts({}, boilerplate=False, rows=())

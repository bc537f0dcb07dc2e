"""Quotes table rows with the heading of each value's column, which the row alone does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag.answer.citations import ClaimChecker
from rag.answer.evidence import citation_of
from rag.answer.figures.excerpt import as_printed
from rag.answer.source_tables import SourceTables
from rag.pdf.tables import Row, Table
from rag.reader import Evidence
from rag.records import Citation, ClaimState, Sentence, Source

MAX_CELLS = 8  # of a row that is quoted with headings
MAX_HEADING = 60  # characters; a longer heading is a sentence
MAX_QUOTE = 400  # characters
_BETWEEN = " · "
_ENDS_IN_VALUE = re.compile(r"(?:\d|[-–—])[)\s%％*]{0,4}$")


@dataclass(frozen=True, slots=True)
class HeadedRows:
    """Quotes, and the positions of those that are rows with headings."""

    quoted: tuple[Evidence, ...]
    places: Mapping[str, Citation]  # by their texts

    def cited(self, sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
        """The sentences of an answer; for a row with headings, only the row is marked on its page."""
        return tuple(
            replace(one, citations=(self.places[one.text],), claim=ClaimState.SUPPORTED, conflicts=())
            if one.text in self.places
            else one
            for one in sentences
        )


def with_headings(
    quoted: Sequence[Evidence],
    sources: Sequence[Source],
    on_pages: SourceTables,
    checker: ClaimChecker,
    *,
    shown: bool = False,
) -> HeadedRows:
    """The quotes, with rows written as "Label: Heading value · Heading value".

    A row stays unchanged if no table has it, or if the sources do not support the result, as judged by `checker`.
    `shown`: a table with the rows is already shown, so only rows without a label need their headings.
    """
    texts, places = [one.text for one in quoted], {}
    for n, one in enumerate(quoted):
        bare = not any(character.isalpha() for character in one.text)
        if (shown and not bare) or not _ENDS_IN_VALUE.search(one.text) or not (text := _made(one, sources, on_pages)):
            continue
        # Only the values of a bare row can be compared, and those are the table's.
        if bare or checker.check(text, (one.number,)).claim is ClaimState.SUPPORTED:
            texts[n], places[text] = text, citation_of(one, 0, len(one.text), sources)
    return HeadedRows(tuple(replace(one, text=text) for one, text in zip(quoted, texts, strict=True)), places)


def _made(found: Evidence, sources: Sequence[Source], on_pages: SourceTables) -> str:
    """The row with the headings of its columns; "" if no table on the source's pages has it."""
    source = next((source for source in sources if source.number == found.number), None)
    for on_page in on_pages.of(source) if source else ():
        for table in on_page.tables:
            for row in table.rows:
                if on_page.page.text[row.start : row.end] == found.text:
                    return _with_headings(row, table)
    return ""


def _with_headings(row: Row, table: Table) -> str:
    cells = [(header, as_printed(cell.text)) for header, cell in zip(table.headers, row.cells, strict=True) if cell]
    headed = sum(bool(header) for header, _ in cells)
    if not 0 < len(cells) <= MAX_CELLS or not headed or any(len(header) > MAX_HEADING for header, _ in cells):
        return ""
    text = _BETWEEN.join(f"{header} {value}".strip() for header, value in cells)
    text = f"{row.label}: {text}" if row.label else text
    return text if len(text) <= MAX_QUOTE else ""

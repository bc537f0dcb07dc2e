"""The text of a source with the rows of its tables as Markdown, so that a model sees which column a value stands in."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.figures.excerpt import as_printed, common_words
from rag.answer.source_tables import PageTables
from rag.pdf.tables import Row, Table

_KNOWN_BY = 4  # words of a line above a table by which it is recognised in the text around


def with_markdown_tables(text: str, start: int, pages: Sequence[PageTables]) -> str:
    """A stretch of a document's text, from character `start` on, with the rows of its tables as Markdown.

    Rows whose header stands before the stretch, or on the page before, get it all the same.
    """
    parts: list[str] = []
    done = 0
    for page in pages:
        offset = page.page.start - start  # of the page's text in the stretch
        for table in page.tables:
            rows = [row for row in table.rows if done <= row.start + offset and row.end + offset <= len(text)]
            if rows:
                parts += [text[done : rows[0].start + offset], markdown_of(table, rows, text), "\n"]
                done = max(row.end for row in rows) + offset
    return "".join([*parts, text[done:]])


def markdown_of(table: Table, rows: Sequence[Row], around: str = "") -> str:
    """Rows of a table as Markdown: what of caption and unit the text around lacks, headers, sections and rows."""
    said = " ".join(around.split())
    above = common_words(table.headers)
    unit = "" if table.unit in f"{table.caption} {above}" else table.unit
    lines = [line for line in (table.caption, unit, above) if line and " ".join(line.split()[:_KNOWN_BY]) not in said]
    headers = [header[len(above) :].strip() for header in table.headers]
    has_units = any(row.unit for row in rows)
    columns = len(headers) + has_units
    lines += ["", _line("", *headers, *[""] * has_units), "|" + "---|" * (columns + 1)]
    section = ""
    for row in rows:
        if row.section and row.section != section:
            lines.append(_line(row.section, *[""] * columns))
        section = row.section
        cells = [as_printed(cell.text) if cell else "" for cell in row.cells]
        lines.append(_line(row.label, *cells, *[row.unit] * has_units))
    return "\n".join(lines)


def _line(*cells: str) -> str:
    """A line of a Markdown table; the text of cells cannot end one."""
    return "|" + "".join(f" {cell.replace('|', '¦')} |" if cell else " |" for cell in cells)

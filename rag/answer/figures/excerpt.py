"""The table rows that a short answer is based on, with their headers and units, as the page shows them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import takewhile

from rag.pdf.cells import is_year
from rag.pdf.tables import Cell, Row, Table
from rag.records import TableExcerpt

MAX_ROWS = 8  # sections and the total included
MAX_COLUMNS = 8
MAX_LABEL_CHARACTERS = 160  # of a label, header and caption; what is longer is cut

_TOTAL = re.compile(r"total\b|合计|总计|总额|共计|合計|總計", re.IGNORECASE)
_AFTER_SIGN = re.compile(r"(?<=[$£€¥￥(])\s+|(?<!\s)\s+(?=[)%])")  # "$ 1,577", printed in two columns


def excerpt_of(table: Table, cells: Collection[Cell]) -> TableExcerpt | None:
    """The rows with these cells, their sections and the total below; None for a table that contains none of them.

    The cells are marked. What all column headers start with ("Years ended June 30,") moves to the caption.
    """
    wanted = {cell.start for cell in cells}
    answering = [row for row in table.rows if _holds(row, wanted)]
    if not answering:
        return None
    columns = _columns(table, answering, wanted)
    above = common_words([table.headers[column] for column in columns])
    rows: list[tuple[str, ...]] = []
    marked: list[tuple[int, int]] = []
    section = ""
    for row in _with_total(table, answering):
        if row.section and row.section != section and len(rows) + 1 < MAX_ROWS:
            rows.append((_cut(row.section), *("" for _ in columns)))
        if len(rows) == MAX_ROWS:
            break
        section = row.section
        shown = [row.cells[column] for column in columns]
        marked += [(len(rows), n) for n, cell in enumerate(shown) if cell and cell.start in wanted]
        rows.append((_cut(row.label), *(as_printed(cell.text) if cell else "" for cell in shown)))
    return TableExcerpt(
        caption=_caption(table, above),
        headers=tuple(_cut(table.headers[column][len(above) :].strip()) for column in columns),
        rows=tuple(rows),
        marked=tuple(marked),
    )


def as_printed(text: str) -> str:
    """The text of a cell without the space between a value and a sign in a column of its own."""
    return _AFTER_SIGN.sub("", text)


def _holds(row: Row, wanted: Collection[int]) -> bool:
    return any(cell is not None and cell.start in wanted for cell in row.cells)


def _columns(table: Table, rows: Sequence[Row], wanted: Collection[int]) -> list[int]:
    """The columns to show: all or, for a wide table, those that answer and as many others as fit, from the left."""
    numbers = range(len(table.headers))
    answering = {n for row in rows for n in numbers if (cell := row.cells[n]) is not None and cell.start in wanted}
    others = [n for n in numbers if n not in answering]
    return sorted([*sorted(answering)[:MAX_COLUMNS], *others[: max(MAX_COLUMNS - len(answering), 0)]])


def _with_total(table: Table, rows: Sequence[Row]) -> list[Row]:
    """The rows, and the next total below the last of them in its section."""
    below = [row for row in table.rows if row.start > rows[-1].start]
    same = takewhile(lambda row: row.section == rows[-1].section, below)
    total = next((row for row in same if _TOTAL.search(row.label)), None)
    return [*rows[: MAX_ROWS - 1], total] if total and not _TOTAL.search(rows[-1].label) else list(rows)


def common_words(headers: Sequence[str]) -> str:
    """The words up to a year that all headers begin with; none of a single header, and never the whole of a header."""
    if len(headers) < 2:
        return ""
    words = [header.split()[:-1] for header in headers]
    return " ".join(
        parts[0]
        for parts in takewhile(lambda parts: len(set(parts)) == 1 and not is_year(parts[0]), zip(*words, strict=False))
    )


def _caption(table: Table, above: str) -> str:
    """The table's title, its unit line if the title lacks it, and what all headers begin with."""
    title = " ".join(table.caption.replace(table.unit, " ").split()) if table.unit else table.caption
    return " ".join(filter(None, (_cut(title), _cut(table.unit if table.unit not in above else ""), _cut(above))))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LABEL_CHARACTERS else f"{text[:MAX_LABEL_CHARACTERS]}…"

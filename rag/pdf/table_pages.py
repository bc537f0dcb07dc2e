"""Tables that go on over pages: what the part on the next page takes over from the part before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.pdf.table import Row, Table

SAME_EDGE = 0.03  # fraction of the page's width by which the right edges of one column may differ from page to page


def lacks_headers(tables: Sequence[Table]) -> bool:
    """Whether the first table of a page may be the continuation of one on the page before."""
    return bool(tables) and (not any(tables[0].headers) or not tables[0].scale)


def continued(tables: Sequence[Table], before: Table) -> list[Table]:
    """The tables of a page, the first one with what it takes over from the last table of the page before.

    Without headers of its own and with the same columns it takes headers, caption, unit and the open section; with the
    same headers it takes the unit alone.
    """
    if not tables:
        return []
    first, *others = tables
    if first.headers == before.headers and any(first.headers):
        return [first if first.scale else replace(first, scale=before.scale, unit=before.unit), *others]
    if any(first.headers) or not _same_columns(first, before):
        return list(tables)
    joined = replace(
        first,
        headers=before.headers,
        caption=before.caption,
        scale=first.scale or before.scale,
        unit=first.unit or before.unit,
        rows=_in_section(first.rows, before.rows[-1].section if before.rows else ""),
    )
    return [joined, *others]


def _same_columns(table: Table, before: Table) -> bool:
    edges = list(zip(table.columns, before.columns, strict=False))
    return len(table.columns) == len(before.columns) and all(abs(a[1] - b[1]) < SAME_EDGE for a, b in edges)


def _in_section(rows: Sequence[Row], section: str) -> tuple[Row, ...]:
    """The rows, those before the first section of their own in the given one."""
    own = next((n for n, row in enumerate(rows) if row.section), len(rows))
    return (*(replace(row, section=section) for row in rows[:own]), *rows[own:])

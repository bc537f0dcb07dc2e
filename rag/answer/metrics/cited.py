"""The cells that a value rests on -> sources to cite, and the rows that the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.answer.document_answer import cited_first, page_source
from rag.answer.figures.excerpt import as_printed
from rag.answer.metrics.compute import Used
from rag.records import Document, Source, TableExcerpt
from rag.store.rows import StoredPage

MAX_ROWS = 12  # of the table that is shown
MAX_COLUMNS = 8
MAX_LABEL_CHARACTERS = 160


def page_of(used: Used) -> StoredPage:
    """The page that a cell stands on."""
    return next(page for page in used.statement.pages if page.number == used.row.page)


def with_pages(used: Sequence[Used], documents: Mapping[str, Document], sources: Sequence[Source]) -> list[Source]:
    """The sources that hold the pages of the cells first, a new one for a page that none holds; numbered again."""
    return cited_first(used, sources, _holds, lambda one: page_source(documents[one.document], page_of(one)))


def _holds(source: Source, used: Used) -> bool:
    return source.document_id == used.document and source.first_page <= used.row.page <= source.last_page


def place_of(used: Used, sources: Sequence[Source]) -> tuple[Source, int]:
    """The source of a cell, and what its span in the page moves by to count from the source's start."""
    source = next(source for source in sources if _holds(source, used))
    return source, page_of(used).start - source.start


def rows_of(used: Sequence[Used]) -> TableExcerpt:
    """The rows, a column for each year of their statements."""
    years = sorted({year for one in used for year in one.statement.years}, reverse=True)[:MAX_COLUMNS]
    rows: list[tuple[str, ...]] = []
    marked: list[tuple[int, int]] = []
    places: dict[tuple[str, int, int], int] = {}
    for one in used:
        place = one.document, one.row.page, one.row.start
        if place not in places and len(rows) < MAX_ROWS:
            places[place] = len(rows)
            cells = (as_printed(one.row.cells[year].text) if year in one.row.cells else "" for year in years)
            rows.append((one.row.label[:MAX_LABEL_CHARACTERS], *cells))
        if place in places and one.year in years:
            marked.append((places[place], years.index(one.year)))
    units = {one.statement.unit for one in used}
    return TableExcerpt(
        units.pop() if len(units) == 1 else "", tuple(map(str, years)), tuple(rows), tuple(dict.fromkeys(marked))
    )

"""The tables on the pages of sources, each page looked at once for a question.

Finding the tables of a page takes about 2.5 ms, so they are not stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.pdf.table_pages import continued, lacks_headers
from rag.pdf.tables import MAX_WORDS as MAX_PAGE_WORDS
from rag.pdf.tables import Table, find_tables
from rag.records import Source
from rag.store.database import Store
from rag.store.rows import StoredPage

MAX_WORDS = 50_000  # on all pages whose tables are looked at for one question
MAX_PAGES = 20  # after the first, of one source
MAX_PAGES_BEFORE = 3  # of a table that goes on over pages


@dataclass(frozen=True, slots=True)
class PageTables:
    """A page and its tables."""

    page: StoredPage
    tables: tuple[Table, ...]


class SourceTables:
    """The tables on the pages of sources of one library."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store, self._owner = store, owner
        self._found: dict[tuple[str, int], PageTables] = {}  # by document and page
        self._words = 0

    def of(self, source: Source) -> list[PageTables]:
        """The pages a source stands on, from the first to the last, with their tables.

        Ends where MAX_WORDS are reached; empty where its document was removed in the meantime.
        """
        document = self._store.document(self._owner, source.document_id)
        if document is None:
            return []
        pages = [
            self._page(document.owner, document.id, number, MAX_PAGES_BEFORE)
            for number in range(source.first_page, min(source.last_page, source.first_page + MAX_PAGES) + 1)
        ]
        return [page for page in pages if page is not None]

    def _page(self, owner: str, document: str, number: int, before: int) -> PageTables | None:
        """The tables of a page; `before`: how many pages further up a table may begin."""
        if (document, number) in self._found:
            return self._found[document, number]
        pages = self._store.pages(owner, document, number, number)
        self._words += min(len(pages[0].words), MAX_PAGE_WORDS) if pages else 0
        if not pages or self._words > MAX_WORDS:
            return None
        tables = find_tables(pages[0].text, pages[0].words)
        if number and before and lacks_headers(tables):
            above = self._page(owner, document, number - 1, before - 1)
            if above is not None and above.tables:
                tables = continued(tables, above.tables[-1])
        found = self._found[document, number] = PageTables(pages[0], tuple(tables))
        return found

"""The tables on the pages of sources; those of the most recent pages are kept.

Finding the tables of a page takes about 2.5 ms, so they are not stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.answer.metrics.fiscal_years import fiscal_offset
from rag.kept import Kept
from rag.pdf.table_headers import continued, lacks_headers
from rag.pdf.tables import MAX_WORDS as MAX_PAGE_WORDS
from rag.pdf.tables import Table, find_tables
from rag.pdf.text_tables import find_text_tables
from rag.records import DocumentKey, Source, WordBoxes
from rag.store.database import Store
from rag.store.rows import StoredPage

MAX_WORDS = 50_000  # on all pages whose tables are looked at for one question
MAX_PAGES = 20  # after the first, of one source
MAX_PAGES_BEFORE = 3  # of a table that goes on over pages
KEPT_PAGES = 300  # about 60 KB each
KEPT_OFFSETS = 300  # documents
MAX_PAGES_READ = 1_000  # of a document, for what it calls its years


@dataclass(frozen=True, slots=True)
class PageTables:
    """A page and its tables."""

    page: StoredPage
    tables: tuple[Table, ...]


class KeptTables:
    """The most recent pages, each with the tables found on it alone. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: Kept[PageTables] = Kept(KEPT_PAGES)
        self._texts: Kept[PageTables] = Kept(KEPT_PAGES)
        self._offsets: Kept[tuple[int | None]] = Kept(KEPT_OFFSETS)

    def of(self, document: DocumentKey, number: int) -> PageTables | None:
        """A page and its tables; None if there is no such page."""
        return self._found(self._kept, find_tables, document, number)

    def texts_of(self, document: DocumentKey, number: int) -> PageTables | None:
        """A page and its tables of texts; None if there is no such page."""
        return self._found(self._texts, find_text_tables, document, number)

    def _found(
        self,
        kept: Kept[PageTables],
        find: Callable[[str, WordBoxes], list[Table]],
        document: DocumentKey,
        number: int,
    ) -> PageTables | None:
        moment = kept.moment
        found = kept.get(document, number)
        if found is None:
            for page in self.store.pages(*document, number, number):
                found = PageTables(page, tuple(find(page.text, page.words)))
                kept.keep(document, number, found, moment)
        return found

    def fiscal_offset(self, document: DocumentKey) -> int | None:
        """How a document's name for a fiscal year that ends in January differs from the calendar year."""
        moment = self._offsets.moment
        found = self._offsets.get(document, None)
        if found is None:
            texts = (text for _, text in self.store.page_texts(*document, 0, MAX_PAGES_READ - 1))
            found = (fiscal_offset(texts),)
            self._offsets.keep(document, None, found, moment)
        return found[0]

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)
        self._texts.forget(document)
        self._offsets.forget(document)


class SourceTables:
    """The tables on the pages of sources of one library, for one question."""

    def __init__(self, kept: KeptTables, owner: str) -> None:
        self._kept, self._owner = kept, owner
        self._found: dict[tuple[str, int], PageTables] = {}  # by document and page
        self._words = 0

    def of(self, source: Source) -> list[PageTables]:
        """The pages a source is on, from the first to the last, with their tables.

        Ends once MAX_WORDS are reached; empty if its document was removed in the meantime.
        """
        document = self._kept.store.document(self._owner, source.document_id)
        if document is None:
            return []
        pages = [
            self._page(document.owner, document.id, number, MAX_PAGES_BEFORE)
            for number in range(source.first_page, min(source.last_page, source.first_page + MAX_PAGES) + 1)
        ]
        return [page for page in pages if page is not None]

    def texts_of(self, source: Source) -> list[PageTables]:
        """The pages a source stands on, with their tables of texts; empty if its document was removed."""
        document = self._kept.store.document(self._owner, source.document_id)
        if document is None:
            return []
        numbers = range(source.first_page, min(source.last_page, source.first_page + MAX_PAGES) + 1)
        pages = (self._kept.texts_of((document.owner, document.id), number) for number in numbers)
        return [page for page in pages if page is not None]

    def fiscal_offset(self, source: Source) -> int | None:
        """By how much the document of a source calls its fiscal years, as above; None where that is not known."""
        document = self._kept.store.document(self._owner, source.document_id)
        return None if document is None else self._kept.fiscal_offset((document.owner, document.id))

    def _page(self, owner: str, document: str, number: int, before: int) -> PageTables | None:
        """The tables of a page; `before`: how many pages further up a table may begin."""
        if (document, number) in self._found:
            return self._found[document, number]
        alone = self._kept.of((owner, document), number)
        self._words += min(len(alone.page.words), MAX_PAGE_WORDS) if alone else 0
        if alone is None or self._words > MAX_WORDS:
            return None
        tables = list(alone.tables)
        if number and before and lacks_headers(tables):
            above = self._page(owner, document, number - 1, before - 1)
            if above is not None and above.tables:
                tables = continued(tables, above.tables[-1])
        found = self._found[document, number] = PageTables(alone.page, tuple(tables))
        return found

"""The pages of the library's documents: pictures, words, search, outline and file.

Every method takes the owner who asks, and raises NotInLibrary for a document that this owner cannot see, whether or not
it exists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.answer.summary.profile import outline_of
from rag.answer.view import Folding, find_spans, fold, open_view, wanted
from rag.errors import FileRefused, NotInLibrary, PasswordNeeded
from rag.pdf.render import PageImages, points_wide
from rag.records import Box, Citation, Document, Heading, Source, View
from rag.store.blobs import copy_name
from rag.store.database import Store
from rag.store.rows import StoredPage

if TYPE_CHECKING:  # the page imports this module for its records, and should not load the text splitter for that
    from rag.files import DocumentFiles

FIND_SECONDS = 2.0  # after which a search within a document ends with the pages done so far
FIND_PAGES = 200  # read from the store at once
MAX_MARKED = 1_000  # places found that are marked on one page


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn page."""

    png: bytes
    points_wide: float  # width of the page in points (1/72 inch); 0 if unknown


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a page, or a run of Chinese, with the white space that follows it."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Contents:
    """What people can jump to in a document."""

    labels: tuple[str, ...]  # of all pages
    outline: tuple[Heading, ...]
    protected: bool  # the file only opens with a password, but its pages are shown without
    found: bool = False  # whether the outline is made of headings found in the text, since the file has none


@dataclass(frozen=True, slots=True)
class Hits:
    """The places where a text occurs in a document."""

    pages: tuple[tuple[int, int], ...]  # (page, how often), in order, without pages that lack it
    searched: int  # pages searched, from the first; fewer than the document has if the time ran out


@dataclass(frozen=True, slots=True)
class OriginalFile:
    """A document's file as it was added."""

    path: Path
    name: str  # as given: untrusted text, never a path


class Pages:
    """The pages of all documents. Thread-safe."""

    def __init__(self, store: Store, images: PageImages, files: DocumentFiles) -> None:
        self._store, self._images, self._files = store, images, files

    def view(self, owner: str, source: Source, citation: Citation | None = None, page: int | None = None) -> View:
        """`page` of the source's document, with the parts of the source and citation on it marked.

        By default, the page where the citation begins or, without one, the source.
        """
        document = self._store.document(owner, source.document_id)
        if document is None:
            raise NotInLibrary("{document} is no longer in the library.", document=source.document)
        return open_view(self._store, document, source, citation, page)

    def picture_width(self, wanted: int) -> int:
        """The width in pixels at which `picture` draws a page if at least `wanted` pixels are needed."""
        return self._images.width(wanted)

    def picture(self, owner: str, document_id: str, page: int, wanted: int) -> Picture:
        """A page (from 0) as a picture `picture_width(wanted)` pixels wide.

        Also raises LimitExceeded and DamagedFile for a page that cannot be drawn.
        """
        document = self._document(owner, document_id)
        if not 0 <= page < document.pages:
            raise FileRefused("The document has no page {page:,}.", page=page + 1)
        name = copy_name(document.owner, document.id)
        try:
            png = self._images.page(name, self._files.to_render(document), page, wanted)
        except PasswordNeeded:
            png = self._images.page(name, self._files.remove_empty_password(document), page, wanted)
        return Picture(png, points_wide(png))

    def read(self, owner: str, document_id: str, first: int, last: int) -> tuple[StoredPage, ...]:
        """Pages first..last (from 0) with their text; fewer if the document ends earlier."""
        document = self._document(owner, document_id)
        return tuple(self._store.pages(document.owner, document_id, first, last))

    def words(self, owner: str, document_id: str, page: int) -> tuple[Word, ...]:
        """The words of a page in reading order; joined, they are its text without leading white space."""
        stored = self._page(owner, document_id, page)
        starts = [int(start) for start in stored.words.spans[:, 0]]
        ends = [*starts[1:], len(stored.text)]
        boxes = stored.words.boxes.tolist()
        return tuple(
            Word(stored.text[start:end], tuple(box)) for start, end, box in zip(starts, ends, boxes, strict=False)
        )

    def contents(self, owner: str, document_id: str) -> Contents:
        """A document's page labels, and its outline, or one made of the headings in its text."""
        document = self._document(owner, document_id)
        labels = self._store.page_labels(document.owner, document_id)
        outline, found = outline_of(self._store, document)
        return Contents(tuple(labels), outline, self._files.original(document)[1], found=found)

    def find(self, owner: str, document_id: str, text: str) -> Hits:
        """Where a text occurs in a document, ignoring case, width, white space and typographic quotes."""
        document, folding = self._document(owner, document_id), Folding()
        needle = wanted(text, folding)
        found, deadline, first = list[tuple[int, int]](), time.monotonic() + FIND_SECONDS, 0
        while needle and first < document.pages and time.monotonic() < deadline:
            for page, page_text in self._store.page_texts(document.owner, document_id, first, first + FIND_PAGES - 1):
                if count := fold(page_text, folding).count(needle):
                    found.append((page, count))
            first += FIND_PAGES
        return Hits(tuple(found), min(first, document.pages))

    def found_on(self, owner: str, document_id: str, page: int, text: str) -> tuple[tuple[Box, ...], ...]:
        """The boxes, one for each line, of each occurrence on a page that `find` counts; at most MAX_MARKED."""
        stored, folding = self._page(owner, document_id, page), Folding()
        spans = find_spans(stored.text, wanted(text, folding), folding)
        return tuple(tuple(stored.words.locate(start, end)) for start, end in spans[:MAX_MARKED])

    def file(self, owner: str, document_id: str) -> OriginalFile:
        """The PDF itself, as it was added."""
        document = self._document(owner, document_id)
        return OriginalFile(self._files.original(document)[0], document.name)

    def _document(self, owner: str, document_id: str) -> Document:
        document = self._store.document(owner, document_id)
        if document is None:
            raise NotInLibrary("The document is no longer in the library.")
        return document

    def _page(self, owner: str, document_id: str, page: int) -> StoredPage:
        document = self._document(owner, document_id)
        stored = next(iter(self._store.pages(document.owner, document_id, page, page)), None)
        if stored is None:
            raise FileRefused("The document has no page {page:,}.", page=page + 1)
        return stored

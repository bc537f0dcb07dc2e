"""The pages of a scripted engine's documents: made-up pictures, and words where the tests look for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rag.answer.view import Folding, find_spans, wanted
from rag.errors import NotInLibrary
from rag.pages import Contents, Hits, OriginalFile, Picture, Word
from rag.records import Box, Document, Heading, PageKind, WordBoxes
from rag.store.rows import StoredPage

LINES = 20  # on each page
WORDS = ("Revenue", "of", "page", "{page},", "line", "{line},", "grew", "by", "services.")


class FakePages:
    """Each page has LINES lines of WORDS, a point 12 high on a page of 612 by 792."""

    def __init__(self, documents: Callable[[str], tuple[Document, ...]], folder: Path, png: Callable[..., bytes]):
        self.documents, self.folder, self.png = documents, folder, png
        self.drawn: list[tuple[int, int]] = []  # (page, wanted width)
        self.outline: tuple[Heading, ...] = ()
        self.labels: tuple[str, ...] | None = None  # None: 1, 2, 3, …
        self.protected = False
        self.error: Exception | None = None
        self.pdf = b"%PDF-1.7 the file itself"

    def picture_width(self, wanted: int) -> int:
        return 300

    def picture(self, owner: str, document_id: str, page: int, wanted: int) -> Picture:
        self._own(owner, document_id)
        self.drawn.append((page, wanted))
        if self.error is not None:
            raise self.error
        return Picture(self.png(shade=255 - page % 12), 612.0)

    def read(self, owner: str, document_id: str, first: int, last: int) -> tuple[StoredPage, ...]:
        document = self._own(owner, document_id)
        shown = range(max(first, 0), min(last + 1, document.pages))
        return tuple(
            StoredPage(n, str(n + 1), PageKind.TEXT, n * 1000, f"Text of page {n + 1}.", WordBoxes.none(), None)
            for n in shown
        )

    def words(self, owner: str, document_id: str, page: int) -> tuple[Word, ...]:
        self._own(owner, document_id)
        found = []
        for line in range(LINES):
            left, top = 0.1, 0.1 + line * 0.04
            for number, word in enumerate(WORDS):
                text = word.format(page=page + 1, line=line + 1)
                right = left + len(text) * 0.01
                end = " " if number < len(WORDS) - 1 else "\n"
                found.append(Word(text + end, (left, top, right, top + 12 / 792)))
                left = right + 0.01
        return tuple(found)

    def contents(self, owner: str, document_id: str) -> Contents:
        document = self._own(owner, document_id)
        labels = self.labels or tuple(str(page + 1) for page in range(document.pages))
        return Contents(labels, self.outline, self.protected)

    def find(self, owner: str, document_id: str, text: str) -> Hits:
        document = self._own(owner, document_id)
        counts = [(page, len(self.found_on(owner, document_id, page, text))) for page in range(document.pages)]
        return Hits(tuple((page, count) for page, count in counts if count), document.pages)

    def found_on(self, owner: str, document_id: str, page: int, text: str) -> tuple[tuple[Box, ...], ...]:
        folding, words = Folding(), self.words(owner, document_id, page)
        whole = "".join(word.text for word in words)
        found = []
        for start, end in find_spans(whole, wanted(text, folding), folding):
            at, boxes = 0, []
            for word in words:
                if at < end and at + len(word.text) > start:
                    boxes.append(word.box)
                at += len(word.text)
            found.append(tuple(boxes))
        return tuple(found)

    def file(self, owner: str, document_id: str) -> OriginalFile:
        document = self._own(owner, document_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "original.pdf"
        path.write_bytes(self.pdf)
        return OriginalFile(path, document.name)

    def _own(self, owner: str, document_id: str) -> Document:
        for document in self.documents(owner):
            if document.id == document_id:
                return document
        raise NotInLibrary("The document is no longer in the library.")

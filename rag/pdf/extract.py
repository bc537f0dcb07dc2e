"""Reads all pages of a PDF: with PDFium first, with other readers for doubtful pages, keeping the better result.

Lays out each page as it arrives. Knows nothing of the document as a whole; `load` puts that together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rag.errors import DamagedFile, FileRefused, LimitExceeded, PasswordNeeded, WrongPassword
from rag.messages import Message
from rag.pdf.form_fields import with_fields
from rag.pdf.lines import lay_out, lay_out_plain
from rag.pdf.page_readers import (
    PDFIUM,
    PYPDF,
    ChildReader,
    OpenPdf,
    PageReader,
    PageReading,
    page_reading,
    read_bounds,
    read_command,
)
from rag.pdf.sandbox import MALFORMED, Crashed, Frame, frames
from rag.pdf.text_quality import DOUBTFUL_BELOW, visible_characters
from rag.settings import Limits

TRUNCATED_FROM = 32_000  # characters; PDFium truncates a string at 32,767 without any error
FEW_CHARACTERS = 100  # a page with fewer visible characters may have lost text
BETTER = 1.2  # times as much readable text: what another reader must find to replace a reading with word boxes
BETTER_THAN_TRUNCATED = 1.02  # the same for a page that PDFium may have truncated
COPYING_RESTRICTED = Message("Its owner restricts copying its text; here it is only read for searching.")
Progress = Callable[[int, int], None]  # pages read, pages in the document

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Reading:
    """What the child process has sent so far."""

    reader: ChildReader
    count: int = 0  # pages in the document
    pages: list[PageReading] = field(default_factory=list)
    characters: int = 0
    interned: dict[str, str] = field(default_factory=dict)  # every distinct word, so that each is kept once
    pages_done: bool = False
    info: dict[str, Any] = field(default_factory=dict)  # metadata, page labels and outline, unchecked
    notes: list[Message] = field(default_factory=list)
    xfa: bool = False


def read_document(pdf: OpenPdf, progress: Progress) -> Reading:
    """Read every page with PDFium, or with pypdf if PDFium crashes on the file or cannot open it."""
    try:
        return _read_with(PDFIUM, pdf, progress)
    except Crashed:
        log.info("PDFium crashed; pypdf reads the whole document")
        return _read_with(PYPDF, pdf, progress)


def _read_with(reader: ChildReader, pdf: OpenPdf, progress: Progress) -> Reading:
    reading = Reading(reader)

    def step() -> Message:
        if not reading.count:
            return Message("Reading the document")
        return Message("Reading page {page:,}", {"page": len(reading.pages) + 1})

    command = read_command(pdf, reader.engine)
    try:
        for frame in frames(pdf.file, command, read_bounds(pdf.limits), step=step, stop=pdf.stop):
            _add_frame(reading, frame, pdf)
            if frame.meta.get("kind") == "page":
                progress(len(reading.pages), reading.count)
    except (LimitExceeded, DamagedFile):
        if not reading.pages_done:
            raise
        # All pages are there, and the document is useful without the rest.
        reading.info = {"failed": ["outline", "labels", "metadata"]}
    if len(reading.pages) != reading.count or not reading.pages:
        raise DamagedFile(MALFORMED)
    return reading


def _add_frame(reading: Reading, frame: Frame, pdf: OpenPdf) -> None:
    """Add a frame to the reading. Raises the refusal that the child sends, and DamagedFile for a malformed frame."""
    match frame.meta.get("kind"):
        case "refused":
            raise _refusal(frame.meta, pdf)
        case "open":
            _start(reading, frame.meta, pdf.limits)
        case "page":
            expected = len(reading.pages)
            if frame.meta.get("number") != expected or expected >= reading.count:
                raise DamagedFile(MALFORMED)
            page = page_reading(frame, expected)
            reading.characters += len(page.text)
            if reading.characters > pdf.limits.document_characters:
                raise DamagedFile(MALFORMED)
            _lay_out(page, reading.interned)
            reading.pages.append(page)
        case "pages_done":
            reading.pages_done = True
        case "info":
            reading.info = frame.meta


def _start(reading: Reading, meta: dict[str, Any], limits: Limits) -> None:
    count = meta.get("pages")
    if not isinstance(count, int) or not 0 < count <= limits.pages or reading.count:
        raise DamagedFile(MALFORMED)
    reading.count = count
    reading.reader = PYPDF if meta.get("engine") == PYPDF.engine else PDFIUM
    reading.xfa = bool(meta.get("xfa"))
    if meta.get("locked"):
        reading.notes.append(COPYING_RESTRICTED)


def _refusal(meta: dict[str, Any], pdf: OpenPdf) -> FileRefused:
    """The error for a file that the child refuses to read."""
    value = meta.get("value")
    value = value if isinstance(value, int) else 0
    page = meta.get("page")
    page = page + 1 if isinstance(page, int) else 0
    match meta.get("why"):
        case "password" if pdf.password:
            return WrongPassword("The password given does not open it: type it again, or ask its author.")
        case "password":
            return PasswordNeeded("It is protected: type its password to add it.")
        case "certificate":
            return FileRefused(
                "It is protected by a certificate or by rights management, which no password opens: ask its author for "
                "a copy without that protection."
            )
        case "pages":
            return LimitExceeded(
                "It has {pages:,} pages, the limit is {limit:,}: split it, or start with a higher --max-pages.",
                pages=value,
                limit=pdf.limits.pages,
            )
        case "page_characters":
            return LimitExceeded(
                "Page {page:,} has {characters:,} characters, the limit for a page is {limit:,}: "
                "split the file, or print it to a new PDF.",
                page=page,
                characters=value,
                limit=pdf.limits.page_characters,
            )
        case "document_characters":
            return LimitExceeded(
                "It has {characters:,} characters up to page {page:,}, the limit is {limit:,}: split it.",
                characters=value,
                page=page,
                limit=pdf.limits.document_characters,
            )
        case "no_pages":
            return DamagedFile("It has no pages: the file is damaged or incomplete, download or export it again.")
    return DamagedFile(
        "It is damaged or cut off, and no page of it can be read: download it again or print it to a new PDF."
    )


def _lay_out(page: PageReading, interned: dict[str, str]) -> None:
    """Find the lines of the page; its word boxes are in the layout from then on."""
    if page.failed:
        return
    if page.words is None:
        text = "\n".join([page.text, *(field.text for field in page.fields)])
        page.layout = lay_out_plain(text, page.width, page.height)
    else:
        page.text, page.words = with_fields(page.text, page.words, page.fields)
        page.layout = lay_out(page.text, page.words.spans, page.words.boxes, page.width, page.height, interned)
        page.words = None


def second_opinion(reading: Reading, pdf: OpenPdf, reader: PageReader) -> None:
    """Have another reader read the pages that it may read better, and keep the better result for each."""
    if reader == reading.reader:
        return
    doubtful = [page.number for page in reading.pages if _is_doubtful(page)][: pdf.limits.fallback_reader_pages]
    if not doubtful:
        return
    try:
        for second in reader.read(pdf, doubtful):
            if second.number in doubtful:
                _keep_better(reading, second)
    except (LimitExceeded, DamagedFile) as exc:
        log.info("%s gave up: %s", reader.name, exc)


def _is_doubtful(page: PageReading) -> bool:
    """Whether text of the page may be lost or garbled, which happens without any error."""
    if page.failed or page.score < DOUBTFUL_BELOW or _shows_nothing(page):
        return True
    # Fewer characters than text objects: some objects came out empty.
    seen = visible_characters(page.text)
    if page.texts > 0 and (seen < min(page.texts, FEW_CHARACTERS) or not seen):
        return True
    # Only PDFium, the one reader with word boxes, truncates long strings.
    return page.layout is not None and page.layout.placed and len(page.text) >= TRUNCATED_FROM


def _shows_nothing(page: PageReading) -> bool:
    """Whether PDFium finds nothing at all on a page, because it is blank or damaged."""
    return not (page.failed or page.texts or page.images or page.paths or page.text.strip())


def _keep_better(reading: Reading, second: PageReading) -> None:
    """Replace the reading of a page if the second one is better."""
    first = reading.pages[second.number]
    if second.failed and _shows_nothing(first):
        first.failed, first.layout = True, None
    if not _is_better(second, first):
        return
    # Only PDFium counts objects, by which pages are classified.
    second.affine, second.fields = first.affine, first.fields
    second.texts, second.images, second.paths, second.cover = first.texts, first.images, first.paths, first.cover
    _lay_out(second, reading.interned)
    reading.pages[second.number] = second


def _is_better(second: PageReading, first: PageReading) -> bool:
    """Whether the second reading has so much more readable text that it is worth losing the first one's word boxes."""
    if second.failed:
        return False
    before, after = (visible_characters(page.text) * page.score**2 for page in (first, second))
    return after > (BETTER_THAN_TRUNCATED if len(first.text) >= TRUNCATED_FROM else BETTER) * before

"""PDF bytes in, pages out: text, words with their boxes, page labels, outline, and the kind of each page.

A child process (`child`) opens the file under limits, and `extract` collects what the readers of its pages found. Here
the pages are cleaned up and put together. Knows nothing of the library, and never puts a file's name in a message: the
caller does.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from rag.errors import LimitExceeded, NotAPdf, Stopped
from rag.messages import Message
from rag.pdf.extract import Reading, read_document, second_opinion
from rag.pdf.furniture import remove_running_lines
from rag.pdf.lines import PageLayout, join_lines
from rag.pdf.normalize import clean_line, iso_date, meaningful_title
from rag.pdf.notes import NEEDS_OCR, NOT_READ_YET, joined, listed, no_text, notes_on_kinds
from rag.pdf.page_breaks import ends_mid_sentence, starts_mid_sentence
from rag.pdf.page_readers import PYPDF, OpenPdf, PageReader, PageReading
from rag.pdf.sandbox import as_file
from rag.records import Heading, LoadedDocument, Page, PageKind, WordBoxes
from rag.settings import Limits

PART_NAMES = {"outline": Message("outline"), "labels": Message("page labels"), "metadata": Message("metadata")}
HEADER_BYTES = 1024  # "%PDF-" stands within these (Adobe's implementation note 13 to PDF 1.7)
MAX_OUTLINE = 5_000  # entries, as many as the child process sends
MAX_LEVEL = 16  # of an outline entry; those below count as of this level, as each passage keeps the path to its heading
XFA_CHARACTERS = 3_000  # mean per page below which an XFA form may be only its placeholder


def load(
    data: bytes | Path,
    *,
    limits: Limits,
    password: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    readers: Sequence[PageReader] = (PYPDF,),
    ocr: bool = False,
) -> LoadedDocument:
    """Read a PDF. `progress` is called with the pages read and the pages in all.

    `readers` are asked, one after the other, for pages that PDFium may have read badly; the most readable result is
    kept. Scanned and garbled pages are left to await OCR; `ocr` says that it comes next: then a document without any
    other page is accepted, and no note says that these pages cannot be searched.

    Raises NotAPdf, DamagedFile, NoText, LimitExceeded, PasswordNeeded, WrongPassword, and Stopped once `stop` is
    set; the messages are one sentence each, without the file's name.
    """
    with as_file(data) as file:
        _check_file(file, limits)
        pdf = OpenPdf(file, limits, password, stop)
        reading = read_document(pdf, progress or (lambda read, count: None))
        for reader in readers:
            second_opinion(reading, pdf, reader)
    deadline = time.monotonic() + limits.read_wall_seconds

    def check() -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise LimitExceeded(
                "Cleaning up its text took longer than the limit of {seconds} seconds: split the file, or print it to "
                "a new PDF.",
                seconds=limits.read_wall_seconds,
            )

    return _document(reading, check, limits.ocr_pages, ocr=ocr)


def _check_file(file: BinaryIO, limits: Limits) -> None:
    size = file.seek(0, 2)
    if size > limits.file_bytes:
        raise LimitExceeded(
            "It is {megabytes:,.1f} MB, the limit is {limit:,.1f} MB: split it, or start with a higher --max-file-mb.",
            megabytes=size / 1e6,
            limit=limits.file_bytes / 1e6,
        )
    if size == 0:
        raise NotAPdf("It is empty (0 bytes): the download or copy may have failed, download it again.")
    file.seek(0)
    head = file.read(HEADER_BYTES)
    if b"%PDF-" not in head:
        raise NotAPdf("It is {kind}, not a PDF: save or print it as a PDF and add that.", kind=_file_kind(head))


def _file_kind(head: bytes) -> Message:
    """What kind of file this seems to be, from its first bytes, if not a PDF."""
    known = (
        (b"PK\x03\x04", Message("a ZIP archive or an Office document")),
        (b"\xd0\xcf\x11\xe0", Message("an old Office document")),
        ((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0"), Message("a picture")),
        (b"%!PS", Message("a PostScript file")),
        (b"{\\rtf", Message("an RTF document")),
    )
    for start, kind in known:
        if head.startswith(start):
            return kind
    start = head.lstrip()[:15].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return Message("a web page or XML")
    return Message("plain text") if b"\0" not in head else Message("another kind of file")


def _document(reading: Reading, check: Callable[[], None], ocr_pages: int, *, ocr: bool) -> LoadedDocument:
    """Everything that was read, as one document, of which at most `ocr_pages` await OCR.

    `check` is called between pages and may raise.
    """
    kinds = [page.kind for page in reading.pages]
    waiting = {number for number, kind in enumerate(kinds) if kind in NEEDS_OCR}
    waiting = set(sorted(waiting)[:ocr_pages])
    if PageKind.TEXT not in kinds and not (ocr and waiting):
        raise no_text(kinds)
    layouts = {
        page.number: page.layout
        for page, kind in zip(reading.pages, kinds, strict=True)
        if page.layout is not None and kind in (PageKind.TEXT, PageKind.SCANNED) and page.number not in waiting
    }
    remove_running_lines(layouts)
    known_words = vocabulary(layouts)
    labels = _labels(reading)
    pages = []
    for page, kind in zip(reading.pages, kinds, strict=True):
        check()
        layout, following = layouts.get(page.number), layouts.get(page.number + 1)
        text, words = join_lines(layout, known_words) if layout is not None else ("", WordBoxes.none())
        pages.append(
            Page(
                number=page.number,
                label=labels[page.number],
                kind=kind,
                text=text,
                words=words,
                width=page.width,
                height=page.height,
                furniture="\n".join(layout.furniture) if layout is not None else "",
                flows_on=_flows_on(layout, following),
                note=NOT_READ_YET if page.number in waiting and ocr else _note(page, kind),
                awaits_ocr=page.number in waiting,
            )
        )
    metadata = reading.info.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return LoadedDocument(
        pages=tuple(pages),
        outline=tuple(_outline(reading)),
        title=meaningful_title(str(metadata.get("Title", ""))),
        author=meaningful_title(str(metadata.get("Author", ""))),
        created=iso_date(str(metadata.get("CreationDate", ""))),
        notes=tuple(_notes(reading, pages, hidden=waiting if ocr else set())),
    )


def _flows_on(layout: PageLayout | None, following: PageLayout | None) -> bool:
    """Whether a page ends in the middle of a sentence that the next page continues."""
    if layout is None or following is None:
        return False
    return ends_mid_sentence(layout) and starts_mid_sentence(following)


def vocabulary(layouts: Mapping[int, PageLayout]) -> set[str]:
    """Words on these pages in lower case, without the first and last of each line, which may be parts of a word."""
    known: set[str] = set()
    for layout in layouts.values():
        for line in layout.lines:
            known.update(layout.words[line.first + 1 : line.last - 1])
    return {word.strip(".,;:()[]\"'“”‘’").lower() for word in known}


def _labels(reading: Reading) -> list[str]:
    """A label for every page: the document's own if it has one, else its number counted from 1."""
    given = reading.info.get("labels")
    labels = [str(label) for label in given] if isinstance(given, list) else []
    labels = [clean_line(label, 40) for label in labels[: reading.count]]
    labels += [""] * (reading.count - len(labels))
    return [label or str(number + 1) for number, label in enumerate(labels)]


def _outline(reading: Reading) -> Iterator[Heading]:
    """Outline entries, except those that are malformed or lead to no page."""
    entries = reading.info.get("outline")
    for entry in entries[:MAX_OUTLINE] if isinstance(entries, list) else ():
        try:
            title, level, page, left, top = entry
            number, depth = int(page), int(level)
            x, y = (float(value) if value is not None else None for value in (left, top))
        except (TypeError, ValueError):
            continue
        title = clean_line(str(title))
        if title and 0 <= number < reading.count:
            yield Heading(title, min(max(depth, 1), MAX_LEVEL), number, _top(reading.pages[number], x, y))


def _top(page: PageReading, x: float | None, y: float | None) -> float:
    """Distance from the top of the page as shown, as a fraction of its height, of a point in the page's own space."""
    if y is None or len(page.affine) != 6 or not math.isfinite(y):
        return 0.0
    top = page.affine[1] * (x or 0.0) + page.affine[3] * y + page.affine[5]
    return min(max(top, 0.0), 1.0) if math.isfinite(top) else 0.0


def _note(page: PageReading, kind: PageKind) -> Message | None:
    """What is wrong with a page; None if nothing."""
    if kind is PageKind.FAILED:
        return Message("This page is damaged and could not be read.")
    if kind is PageKind.GARBLED:
        return Message("The fonts of this page do not say which characters they show; run OCR to make it searchable.")
    if kind is PageKind.SCANNED:
        return Message("This page is a scan without text; run OCR to make it searchable.")
    if page.cut:
        return Message(
            "Text is missing on this page: a piece of it has more than 32,767 characters, of which no more could be "
            "read."
        )
    if page.layout is not None and not page.layout.placed:
        return Message(
            "This page was read by a second reader that gives no word positions, so passages cannot be marked on it."
        )
    return None


def _notes(reading: Reading, pages: list[Page], *, hidden: Container[int]) -> Iterator[Message]:
    """Notes on the document as a whole; pages in `hidden` are about to be read by OCR."""
    yield from reading.notes
    yield from notes_on_kinds([(page.kind, page.label) for page in pages if page.number not in hidden], len(pages))
    cut = [page.label for page, read in zip(pages, reading.pages, strict=True) if read.cut]
    if cut:
        yield Message(
            "Text is missing on pages {labels}: a piece of it has more than 32,767 characters, of which no more could "
            "be read. Print the document to a new PDF and add that.",
            {"labels": listed(cut)},
        )
    if reading.xfa and sum(len(page.text) for page in pages) < XFA_CHARACTERS * len(pages) and _asks_to_wait(pages):
        yield Message(
            "It is an XFA form of which only the placeholder can be read: print the filled form to a new PDF."
        )
    failed = reading.info.get("failed")
    if isinstance(failed, list) and failed:
        parts = [name for part, name in PART_NAMES.items() if part in failed]
        if parts:
            yield Message("Not read, because damaged or too large: {parts}.", {"parts": joined(parts)})


def _asks_to_wait(pages: list[Page]) -> bool:
    return any("please wait" in page.text[:2_000].lower() for page in pages[:3])

"""PDF bytes in, pages out: text, words with their boxes, page labels, outline, and what kind each page is.

A child process (`child`) reads with PDFium and pypdf under limits, `reading` takes what it says; here the
pages are classed, cleaned up and put together. Knows nothing of the library, and never puts a file's name in a
message: the caller does.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import DamagedFile, LimitExceeded, NotAPdf, NoText
from rag.messages import Message, Value
from rag.pdf import furniture
from rag.pdf.extract import RawPage, Reading, look_again, read
from rag.pdf.lines import PageLayout, compose, ends_open, starts_open
from rag.pdf.normalize import clean_line, iso_date, worthy_title
from rag.pdf.sandbox import SPLIT, Stopped, opened
from rag.pdf.text_quality import kind_of
from rag.records import Heading, LoadedDocument, Page, PageKind, WordBoxes
from rag.settings import Limits

__all__ = ["Stopped", "load"]

PROBLEMS = {
    PageKind.SCANNED: Message("scanned without text and cannot be searched before OCR"),
    PageKind.GARBLED: Message("written in broken fonts and cannot be searched before OCR"),
    PageKind.FAILED: Message("damaged and could not be read"),
}
HEADER_BYTES = 1024  # the header stands somewhere in these (Adobe's implementation note 13 to PDF 1.7)


def load(
    data: bytes | Path,
    *,
    limits: Limits,
    password: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> LoadedDocument:
    """Read a PDF. `progress` is called with the pages read and the pages in all.

    Raises NotAPdf, DamagedFile, NoText, LimitExceeded, PasswordNeeded, WrongPassword, and Stopped once `stop` is
    set; the messages are one sentence each, without the file's name.
    """
    with opened(data) as file:
        _check_file(file, limits)
        reading = read(file, limits, password, progress or (lambda read, count: None), stop)
        look_again(reading, file, limits, password, stop)
    deadline = time.monotonic() + limits.read_wall_seconds

    def check() -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise LimitExceeded(
                f"putting it together took more than the limit of {limits.read_wall_seconds} seconds: {SPLIT}"
            )

    return _document(reading, check)


def _check_file(file: BinaryIO, limits: Limits) -> None:
    size = file.seek(0, 2)
    if size > limits.file_bytes:
        raise LimitExceeded(
            f"it has {size / 1e6:,.1f} MB, more than the limit of {limits.file_bytes / 1e6:,.1f} MB: "
            "split it, or start with a higher --max-file-mb"
        )
    if size == 0:
        raise NotAPdf("it is empty (0 bytes): the download or copy may have failed, fetch it again")
    file.seek(0)
    head = file.read(HEADER_BYTES)
    if b"%PDF-" not in head:
        raise NotAPdf(f"it is {_looks_like(head)}, not a PDF: save or print it as a PDF and add that")


def _looks_like(head: bytes) -> str:
    """What a file that is no PDF seems to be."""
    known = (
        (b"PK\x03\x04", "a ZIP archive or an Office document"), (b"\xd0\xcf\x11\xe0", "an old Office document"),
        (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"), (b"II*\0", "a picture"),
        (b"%!PS", "a PostScript file"), (b"{\\rtf", "an RTF document"),
    )  # fmt: skip
    for start, name in known:
        if head.startswith(start):
            return name
    start = head.lstrip()[:15].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "a web page or XML"
    return "plain text" if b"\0" not in head else "another kind of file"


def _document(reading: Reading, check: Callable[[], None]) -> LoadedDocument:
    """Everything that was read, as one document. `check` is called between pages and may raise."""
    kinds = [_kind(page) for page in reading.pages]
    if PageKind.TEXT not in kinds:
        raise _no_text(kinds)
    layouts = {
        page.number: page.layout
        for page, kind in zip(reading.pages, kinds, strict=True)
        if page.layout is not None and kind in (PageKind.TEXT, PageKind.SCANNED)
    }
    furniture.take_out(layouts)
    known = _vocabulary(layouts)
    labels = _labels(reading)
    pages = []
    for raw, kind in zip(reading.pages, kinds, strict=True):
        check()
        layout = layouts.get(raw.number)
        following = layouts.get(raw.number + 1)
        open_end = layout is not None and following is not None and ends_open(layout) and starts_open(following)
        text, words = compose(layout, known) if layout is not None else ("", WordBoxes.none())
        pages.append(
            Page(
                number=raw.number,
                label=labels[raw.number],
                kind=kind,
                text=text,
                words=words,
                width=raw.width,
                height=raw.height,
                furniture="\n".join(layout.furniture) if layout is not None else "",
                flows_on=open_end,
                note=_note(raw, kind),
            )
        )
    metadata = _mapping(reading.info.get("metadata"))
    return LoadedDocument(
        pages=tuple(pages),
        outline=tuple(_outline(reading)),
        title=worthy_title(str(metadata.get("Title", ""))),
        author=worthy_title(str(metadata.get("Author", ""))),
        created=iso_date(str(metadata.get("CreationDate", ""))),
        notes=tuple(_notes(reading, pages)),
    )


def _kind(page: RawPage) -> PageKind:
    if page.failed:
        return PageKind.FAILED
    return kind_of(page.text, page.score, images=page.images, paths=page.paths, cover=page.cover)


def _no_text(kinds: list[PageKind]) -> NoText | DamagedFile:
    """The refusal of a document without a page of text."""
    count = len(kinds)
    if kinds.count(PageKind.FAILED) == count:
        return DamagedFile(f"none of its pages ({count:,}) can be read: fetch it again or print it to a new PDF")
    said = {
        PageKind.SCANNED: "scanned pictures", PageKind.GARBLED: "text in broken fonts", PageKind.EMPTY: "empty",
        PageKind.FAILED: "damaged",
    }  # fmt: skip
    found = ", ".join(f"{kinds.count(kind):,} {name}" for kind, name in said.items() if kind in kinds)
    cure = "run OCR over it first, for example `ocrmypdf --force-ocr in.pdf out.pdf`, and add the result"
    if set(kinds) == {PageKind.EMPTY}:
        cure = "there is nothing to search in it"
    return NoText(f"it has no text that can be searched ({count:,} page{'s'[: count != 1]}: {found}): {cure}")


def _vocabulary(layouts: dict[int, PageLayout]) -> set[str]:
    """Words of the document in lower case, the last of each line left out."""
    known: set[str] = set()
    for layout in layouts.values():
        for line in layout.lines:
            known.update(layout.words[line.first + 1 : line.last - 1])
    return {word.strip(".,;:()[]\"'“”‘’").lower() for word in known}


def _labels(reading: Reading) -> list[str]:
    """A label for every page: the document's own where it has one, else counted from 1."""
    given = reading.info.get("labels")
    labels = [str(label) for label in given] if isinstance(given, list) else []
    labels = [clean_line(label, 40) for label in labels[: reading.count]]
    labels += [""] * (reading.count - len(labels))
    return [label or str(number + 1) for number, label in enumerate(labels)]


def _outline(reading: Reading) -> Iterator[Heading]:
    entries = reading.info.get("outline")
    for entry in entries if isinstance(entries, list) else ():
        try:
            title, level, page, left, top = entry
            number, depth = int(page), int(level)
            x, y = (float(value) if value is not None else None for value in (left, top))
        except (TypeError, ValueError):
            continue
        title = clean_line(str(title))
        if title and 0 <= number < reading.count:
            yield Heading(title, max(depth, 1), number, _top(reading.pages[number], x, y))


def _top(page: RawPage, x: float | None, y: float | None) -> float:
    """The fraction of the page, from its top as shown, of a place in its own points."""
    if y is None or len(page.map) != 6 or not math.isfinite(y):
        return 0.0
    top = page.map[1] * (x or 0.0) + page.map[3] * y + page.map[5]
    return min(max(top, 0.0), 1.0) if math.isfinite(top) else 0.0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(page: RawPage, kind: PageKind) -> Message | None:
    """What is wrong with a page; None if nothing."""
    if kind is PageKind.FAILED:
        return Message("This page is damaged and could not be read.")
    if kind is PageKind.GARBLED:
        return Message("The fonts of this page do not tell which letters they show; run OCR to make it searchable.")
    if kind is PageKind.SCANNED:
        return Message("This page is a scan without text; run OCR to make it searchable.")
    if page.layout is not None and not page.layout.placed:
        return Message(
            "The position of words on this page is unknown, because only the second PDF reader could read it; "
            "passages cannot be marked."
        )
    return None


def _notes(reading: Reading, pages: list[Page]) -> Iterator[Message]:
    """Notes on the document as a whole."""
    yield from reading.notes
    for kind, problem in PROBLEMS.items():
        labels = [page.label for page in pages if page.kind is kind]
        shown = ", ".join(labels[:10]) + (", …" if len(labels) > 10 else "")
        values: dict[str, Value] = {"count": len(labels), "pages": len(pages), "problem": problem, "labels": shown}
        if len(labels) == 1:
            yield Message("{count:,} of {pages:,} pages is {problem}: {labels}.", values)
        elif labels:
            yield Message("{count:,} of {pages:,} pages are {problem}: {labels}.", values)
    if reading.xfa and sum(len(page.text) for page in pages) < 3_000 * len(pages) and _asks_to_wait(pages):
        yield Message(
            "It is an XFA form of which only the placeholder can be read: print the filled form to a new PDF."
        )
    failed = reading.info.get("failed")
    if isinstance(failed, list) and failed:
        names = ", ".join(name for name in ("outline", "labels", "metadata") if name in failed)
        yield Message("Not read, because damaged or too large: {parts}.", {"parts": names})


def _asks_to_wait(pages: list[Page]) -> bool:
    return any("please wait" in page.text[:2_000].lower() for page in pages[:3])

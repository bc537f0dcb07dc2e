"""PDF bytes in, pages out: text, words with their boxes, page labels, outline, and what kind each page is.

A child process (`pdf_worker`) reads with PDFium and pypdf under limits; here its pages are checked, classed, cleaned
up and put together. Knows nothing of the library, and never puts a file's name in a message: the caller does.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rag import furniture
from rag.clean import clean_line, iso_date, worthy_title
from rag.errors import DamagedFile, LimitExceeded, NotAPdf, NoText, PasswordNeeded, WrongPassword
from rag.lines import Boxes, Layout, Spans, compose, ends_open, lay_out, lay_out_plain, starts_open
from rag.readable import DOUBTFUL_BELOW, kind_of, readability, visible
from rag.records import Heading, LoadedDocument, Page, PageKind, Words
from rag.settings import Limits
from rag.worker import NONSENSE, SPLIT, Bounds, Crashed, Frame, Stopped, frames, opened

__all__ = ["Stopped", "load"]

HEADER_BYTES = 1024  # the header stands somewhere in these (Adobe's implementation note 13 to PDF 1.7)
PDFIUM_STRING = 32_767  # characters at which PDFium cuts a string without a word
SHORT = 100  # visible characters under which a page may have lost text
WORD_BYTES = 40  # of a word in a frame: two int32 and eight float32

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _RawPage:
    """A page as the child gave it, or the better of two readings."""

    number: int
    text: str = ""
    layout: Layout | None = None
    width: float = 612.0
    height: float = 792.0
    map: tuple[float, ...] = ()  # affine, points of the page's space to fractions of it as shown
    images: int = 0
    paths: int = 0
    cover: float = 0.0
    texts: int = 0
    failed: bool = False
    looked_twice: bool = False
    _score: float | None = None

    @property
    def score(self) -> float:
        """Readability of its text, worked out once."""
        if self._score is None:
            self._score = readability(self.text)
        return self._score


@dataclass(slots=True)
class _Reading:
    """What has come from the child so far."""

    count: int = 0
    pages: list[_RawPage] = field(default_factory=list)
    done: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    by_pypdf: bool = False
    xfa: bool = False


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
        reading = _read(file, limits, password, progress or (lambda read, count: None), stop)
        _look_again(reading, file, limits, password, stop)
    return _document(reading)


def _check_file(file: BinaryIO, limits: Limits) -> None:
    size = file.seek(0, 2)
    if size > limits.file_bytes:
        raise LimitExceeded(
            f"it has {size / 1e6:,.1f} MB, more than the limit of {limits.file_bytes / 1e6:,.1f} MB: "
            "split it, or raise the limit"
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


def _bounds(limits: Limits) -> Bounds:
    text = limits.page_characters * 4  # bytes of UTF-8
    return Bounds(
        cpu_seconds=limits.read_cpu_seconds,
        wall_seconds=limits.read_wall_seconds,
        memory_bytes=limits.read_memory_bytes,
        text_bytes=text,
        words_bytes=limits.page_characters * WORD_BYTES,
    )


def _command(do: str, limits: Limits, password: str | None, **more: Any) -> dict[str, Any]:
    return {
        "do": do,
        "password": password,
        "pages": limits.pages,
        "page_characters": limits.page_characters,
        "document_characters": limits.document_characters,
        **more,
    }


def _read(
    file: BinaryIO,
    limits: Limits,
    password: str | None,
    progress: Callable[[int, int], None],
    stop: threading.Event | None,
) -> _Reading:
    """Every page once; by pypdf alone when PDFium crashes on the file."""
    try:
        return _read_once(file, _command("read", limits, password), limits, progress, stop)
    except Crashed:
        log.info("PDFium crashed; pypdf reads the document alone")
        command = _command("read", limits, password, only_pypdf=True)
        return _read_once(file, command, limits, progress, stop)


def _read_once(
    file: BinaryIO,
    command: dict[str, Any],
    limits: Limits,
    progress: Callable[[int, int], None],
    stop: threading.Event | None,
) -> _Reading:
    reading = _Reading()
    characters = 0
    try:
        for frame in frames(file, command, _bounds(limits), doing="Reading it", stop=stop):
            kind = frame.meta.get("kind")
            if kind == "refused":
                raise _refusal(frame.meta, limits, command["password"])
            if kind == "open":
                _open(reading, frame.meta, limits)
            elif kind == "page":
                page = _page(frame, expected=len(reading.pages), count=reading.count)
                characters += len(page.text)
                if characters > limits.document_characters:
                    raise DamagedFile(NONSENSE)
                reading.pages.append(page)
                command["doing"] = f"Reading page {len(reading.pages) + 1}"
                progress(len(reading.pages), reading.count)
            elif kind == "pages_done":
                reading.done = True
            elif kind == "info":
                reading.info = frame.meta
    except (LimitExceeded, DamagedFile):
        if not reading.done:
            raise
        reading.info = {"failed": ["outline", "labels", "metadata"]}  # the pages are whole: worth having without
    if len(reading.pages) != reading.count or not reading.pages:
        raise DamagedFile(NONSENSE)
    return reading


def _open(reading: _Reading, meta: dict[str, Any], limits: Limits) -> None:
    count = meta.get("pages")
    if not isinstance(count, int) or not 0 < count <= limits.pages or reading.count:
        raise DamagedFile(NONSENSE)
    reading.count = count
    reading.by_pypdf = meta.get("engine") == "pypdf"
    reading.xfa = bool(meta.get("xfa"))
    if meta.get("locked"):
        reading.notes.append("Its owner asks that its text not be copied; it is read here for searching all the same.")


def _refusal(meta: dict[str, Any], limits: Limits, password: str | None) -> Exception:
    """What the child would not read, as an error for the person."""
    value = meta.get("value")
    value = value if isinstance(value, int) else 0
    page = meta.get("page")
    where = f"page {page + 1}" if isinstance(page, int) else "a page"
    match meta.get("why"):
        case "password" if password:
            return WrongPassword("the password given does not open it: type it again, or ask its author")
        case "password":
            return PasswordNeeded("it is protected: type its password to add it")
        case "pages":
            return LimitExceeded(
                f"it has {value:,} pages, more than the limit of {limits.pages:,}: split it, or raise the limit"
            )
        case "page_characters":
            return LimitExceeded(
                f"{where} has {value:,} characters, more than the limit of {limits.page_characters:,} a page: {SPLIT}"
            )
        case "document_characters":
            return LimitExceeded(
                f"it has {value:,} characters up to {where}, more than the limit of "
                f"{limits.document_characters:,}: split it, or raise the limit"
            )
        case "no_pages":
            return DamagedFile("it has no pages: the file is damaged or unfinished, fetch or export it again")
    return DamagedFile("it is damaged or cut off, and no page of it can be read: fetch it again or print it anew")


def _page(frame: Frame, expected: int, count: int) -> _RawPage:
    """The frame checked and laid out. Raises DamagedFile for what no honest child sends."""
    meta = frame.meta
    if meta.get("number") != expected or expected >= count:
        raise DamagedFile(NONSENSE)
    page = _RawPage(expected, failed=bool(meta.get("failed")))
    if page.failed:
        return page
    try:
        page.text = frame.text.decode("utf-8")
        page.width, page.height = _length(meta["width"]), _length(meta["height"])
        page.map = tuple(float(number) for number in meta.get("map", ()))
        page.texts, page.images, page.paths = (int(meta.get(key, 0)) for key in ("texts", "images", "paths"))
        page.cover = float(meta.get("cover", 0))
        if len(page.map) == 6:
            spans, boxes = _words(frame.words, len(page.text), page.map)
            page.layout = lay_out(page.text, spans, boxes, page.width, page.height)
        else:
            page.layout = lay_out_plain(page.text, page.width, page.height)
    except (ValueError, TypeError, KeyError) as exc:
        raise DamagedFile(NONSENSE) from exc
    return page


def _length(value: Any) -> float:
    """A page's width or height in points; that of a letter page where it makes no sense."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and 0 < value < 1e7 else 612.0


def _words(data: bytes, length: int, affine: tuple[float, ...]) -> tuple[Spans, Boxes]:
    """Spans, checked to be ascending in a text of this length, and their boxes as fractions of the page."""
    count, rest = divmod(len(data), WORD_BYTES)
    spans = np.frombuffer(data, "<i4", count * 2).reshape(-1, 2)  # (n, 2)
    flat = spans.reshape(-1)
    if rest or (count and (flat[0] < 0 or flat[-1] > length or (flat[1:] < flat[:-1]).any())):
        raise ValueError("spans")
    if count and (spans[:, 0] == spans[:, 1]).any():
        raise ValueError("empty words")
    # FS_RECTF is left, top, right, bottom: two corners of the first and two of the last character.
    corners = np.frombuffer(data, "<f4", count * 8, offset=count * 8).reshape(-1, 4, 2)
    a, b, c, d, e, f = affine
    with np.errstate(all="ignore"):  # a hostile box may be anything; it is made sane below
        shown = corners @ np.array([[a, b], [c, d]], np.float32) + np.array([e, f], np.float32)
        low = np.minimum(np.minimum(shown[:, 0], shown[:, 1]), np.minimum(shown[:, 2], shown[:, 3]))
        high = np.maximum(np.maximum(shown[:, 0], shown[:, 1]), np.maximum(shown[:, 2], shown[:, 3]))
    boxes = np.clip(np.concatenate([low, high], axis=1), 0, 1)  # (n, 4)
    boxes[np.isnan(boxes)] = 0
    return spans, boxes


def _look_again(
    reading: _Reading, file: BinaryIO, limits: Limits, password: str | None, stop: threading.Event | None
) -> None:
    """Read the doubtful pages with pypdf too, and keep the better reading of each."""
    if reading.by_pypdf:
        return
    doubtful = [page.number for page in reading.pages if _doubtful(page)][: limits.second_look_pages]
    if not doubtful:
        return
    command = _command("again", limits, password, again=doubtful)
    try:
        for frame in frames(file, command, _bounds(limits), doing="Reading it again", stop=stop):
            number = frame.meta.get("number")
            if isinstance(number, int) and number in doubtful:
                second = _page(frame, expected=number, count=reading.count)
                first = reading.pages[number]
                first.looked_twice = True
                if _better(second, first):
                    reading.pages[number] = _keep_objects(second, first)
    except (LimitExceeded, DamagedFile) as exc:
        log.info("The second reader gave up: %s", exc)


def _doubtful(page: _RawPage) -> bool:
    """Whether PDFium may have lost or garbled the page (it never says so)."""
    if page.failed or page.score < DOUBTFUL_BELOW:
        return True
    seen = visible(page.text)
    return (page.texts > 0 and (seen < min(page.texts, SHORT) or not seen)) or len(page.text) >= PDFIUM_STRING


def _better(second: _RawPage, first: _RawPage) -> bool:
    """Whether pypdf's reading is worth losing the boxes for."""
    if second.failed:
        return False
    ours, theirs = (visible(page.text) * page.score**2 for page in (first, second))
    return theirs > 1.2 * ours


def _keep_objects(second: _RawPage, first: _RawPage) -> _RawPage:
    second.images, second.paths, second.cover, second.texts = first.images, first.paths, first.cover, first.texts
    second.map, second.looked_twice = first.map, True
    return second


# Putting it together -----------------------------------------------------------------------------------------


def _document(reading: _Reading) -> LoadedDocument:
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
        layout = layouts.get(raw.number)
        following = layouts.get(raw.number + 1)
        open_end = layout is not None and following is not None and ends_open(layout) and starts_open(following)
        text, words = compose(layout, known) if layout is not None else ("", Words.none())
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


def _kind(page: _RawPage) -> PageKind:
    if page.failed:
        return PageKind.FAILED
    return kind_of(page.text, page.score, images=page.images, paths=page.paths, cover=page.cover)


def _no_text(kinds: list[PageKind]) -> NoText | DamagedFile:
    """The refusal of a document without a page of text."""
    count = len(kinds)
    if kinds.count(PageKind.FAILED) == count:
        return DamagedFile(f"none of its {count:,} pages can be read: fetch it again or print it to a new PDF")
    said = {
        PageKind.SCANNED: "scanned pictures", PageKind.GARBLED: "text in broken fonts", PageKind.EMPTY: "empty",
        PageKind.FAILED: "damaged",
    }  # fmt: skip
    found = ", ".join(f"{kinds.count(kind):,} {name}" for kind, name in said.items() if kind in kinds)
    cure = "run OCR over it first, for example `ocrmypdf --force-ocr in.pdf out.pdf`, and add the result"
    if set(kinds) == {PageKind.EMPTY}:
        cure = "there is nothing to search in it"
    return NoText(f"it has no text that can be searched ({count:,} page{'s'[: count != 1]}: {found}): {cure}")


def _vocabulary(layouts: dict[int, Layout]) -> set[str]:
    """Words of the document in lower case, the last of each line left out."""
    known: set[str] = set()
    for layout in layouts.values():
        for line in layout.lines:
            known.update(layout.words[line.first + 1 : line.last - 1])
    return {word.strip(".,;:()[]\"'“”‘’").lower() for word in known}


def _labels(reading: _Reading) -> list[str]:
    """A label for every page: the document's own where it has one, else counted from 1."""
    given = reading.info.get("labels")
    labels = [str(label) for label in given] if isinstance(given, list) else []
    labels = [clean_line(label, 40) for label in labels[: reading.count]]
    labels += [""] * (reading.count - len(labels))
    return [label or str(number + 1) for number, label in enumerate(labels)]


def _outline(reading: _Reading) -> Iterator[Heading]:
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


def _top(page: _RawPage, x: float | None, y: float | None) -> float:
    """The fraction of the page, from its top as shown, of a place in its own points."""
    if y is None or len(page.map) != 6 or not math.isfinite(y):
        return 0.0
    top = page.map[1] * (x or 0.0) + page.map[3] * y + page.map[5]
    return min(max(top, 0.0), 1.0) if math.isfinite(top) else 0.0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(page: _RawPage, kind: PageKind) -> str:
    """What was wrong with a page, one sentence."""
    if kind is PageKind.FAILED:
        return "This page is damaged and could not be read."
    if kind is PageKind.GARBLED:
        return "The fonts of this page do not say which letters they show; it needs OCR to be searched."
    if kind is PageKind.SCANNED:
        return "This page is a picture without text; it needs OCR to be searched."
    if page.layout is not None and not page.layout.placed:
        return "This page was read by the second PDF reader, so passages cannot be marked on it."
    return ""


def _notes(reading: _Reading, pages: list[Page]) -> Iterator[str]:
    """Sentences about the document as a whole."""
    yield from reading.notes
    several = {
        PageKind.SCANNED: "scanned without text and cannot be searched before OCR",
        PageKind.GARBLED: "written in broken fonts and cannot be searched before OCR",
        PageKind.FAILED: "damaged and could not be read",
    }
    for kind, what in several.items():
        labels = [page.label for page in pages if page.kind is kind]
        if labels:
            shown = ", ".join(labels[:10]) + (", …" if len(labels) > 10 else "")
            yield f"{len(labels):,} of {len(pages):,} pages {'is' if len(labels) == 1 else 'are'} {what}: {shown}."
    if reading.xfa and sum(len(page.text) for page in pages) < 3_000 * len(pages) and _waits(pages):
        yield "It is an XFA form of which only the placeholder can be read: print the filled form to a new PDF."
    failed = reading.info.get("failed")
    if isinstance(failed, list) and failed:
        names = ", ".join(name for name in ("outline", "labels", "metadata") if name in failed)
        yield f"Not read, for the file is irregular or too large there: {names}."


def _waits(pages: list[Page]) -> bool:
    return any("please wait" in page.text[:2_000].lower() for page in pages[:3])

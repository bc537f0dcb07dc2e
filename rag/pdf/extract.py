"""What the child process says about a PDF, checked and laid out page by page, the better of two readings kept.

The child may have been taken over by the file, so nothing it says is believed: numbers are made sane, spans and
boxes checked, sizes bounded. Knows nothing of the document as a whole; `load` puts that together.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from rag.errors import DamagedFile, LimitExceeded, PasswordNeeded, WrongPassword
from rag.messages import Message
from rag.pdf.lines import Boxes, PageLayout, Spans, lay_out, lay_out_plain
from rag.pdf.sandbox import NONSENSE, SPLIT, Bounds, Crashed, Frame, frames
from rag.pdf.text_quality import DOUBTFUL_BELOW, readability, visible
from rag.settings import Limits

CUT = 32_000  # characters; PDFium cuts a string at 32,767 without a word
SHORT = 100  # visible characters under which a page may have lost text
COPYING_RESTRICTED = Message("Its owner restricts copying its text; here it is only read for searching.")
WORD_BYTES = 40  # of a word in a frame: two int32 and eight float32
Progress = Callable[[int, int], None]  # pages read, pages in all

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RawPage:
    """A page as the child gave it, or the better of two readings."""

    number: int
    text: str = ""
    layout: PageLayout | None = None
    width: float = 612.0
    height: float = 792.0
    map: tuple[float, ...] = ()  # affine, points of the page's space to fractions of it as shown
    images: int = 0
    paths: int = 0
    cover: float = 0.0
    texts: int = 0
    failed: bool = False
    _score: float | None = None

    @property
    def score(self) -> float:
        """Readability of its text, worked out once."""
        if self._score is None:
            self._score = readability(self.text)
        return self._score


@dataclass(slots=True)
class Reading:
    """What has come from the child so far."""

    count: int = 0
    pages: list[RawPage] = field(default_factory=list)
    characters: int = 0
    words: dict[str, str] = field(default_factory=dict)  # each word of the document once
    done: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    by_pypdf: bool = False
    xfa: bool = False


def _bounds(limits: Limits) -> Bounds:
    text = limits.page_characters * 4  # bytes of UTF-8
    return Bounds(
        cpu_seconds=limits.read_cpu_seconds,
        wall_seconds=limits.read_wall_seconds,
        memory_bytes=limits.read_memory_bytes,
        text_bytes=text,
        words_bytes=limits.page_characters * WORD_BYTES,
    )


def _command(limits: Limits, password: str | None, **more: Any) -> dict[str, Any]:
    return {
        "do": "read",
        "password": password,
        "pages": limits.pages,
        "page_characters": limits.page_characters,
        "document_characters": limits.document_characters,
        **more,
    }


def read(
    file: BinaryIO,
    limits: Limits,
    password: str | None,
    progress: Progress,
    stop: threading.Event | None,
) -> Reading:
    """Every page once; by pypdf alone when PDFium crashes on the file."""
    try:
        return _read_once(file, _command(limits, password), limits, progress, stop)
    except Crashed:
        log.info("PDFium crashed; pypdf reads the document alone")
        command = _command(limits, password, only_pypdf=True)
        return _read_once(file, command, limits, progress, stop)


def _read_once(
    file: BinaryIO,
    command: dict[str, Any],
    limits: Limits,
    progress: Progress,
    stop: threading.Event | None,
) -> Reading:
    reading = Reading()
    try:
        for frame in frames(file, command, _bounds(limits), doing="reading it", stop=stop):
            _take(reading, frame, command, limits)
            if frame.meta.get("kind") == "page":
                progress(len(reading.pages), reading.count)
    except (LimitExceeded, DamagedFile):
        if not reading.done:
            raise
        reading.info = {"failed": ["outline", "labels", "metadata"]}  # the pages are whole: worth having without
    if len(reading.pages) != reading.count or not reading.pages:
        raise DamagedFile(NONSENSE)
    return reading


def _take(reading: Reading, frame: Frame, command: dict[str, Any], limits: Limits) -> None:
    """Add what the frame says to the reading. Raises the child's refusal, and DamagedFile for nonsense."""
    match frame.meta.get("kind"):
        case "refused":
            raise _refusal(frame.meta, limits, command["password"])
        case "open":
            _open(reading, frame.meta, limits)
        case "page":
            page = _page(frame, reading, len(reading.pages))
            reading.characters += len(page.text)
            if reading.characters > limits.document_characters:
                raise DamagedFile(NONSENSE)
            reading.pages.append(page)
        case "pages_done":
            reading.done = True
        case "info":
            reading.info = frame.meta
    command["doing"] = f"reading page {len(reading.pages) + 1}"


def _open(reading: Reading, meta: dict[str, Any], limits: Limits) -> None:
    count = meta.get("pages")
    if not isinstance(count, int) or not 0 < count <= limits.pages or reading.count:
        raise DamagedFile(NONSENSE)
    reading.count = count
    reading.by_pypdf = meta.get("engine") == "pypdf"
    reading.xfa = bool(meta.get("xfa"))
    if meta.get("locked"):
        reading.notes.append(COPYING_RESTRICTED)


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
                f"it has {value:,} pages, more than the limit of {limits.pages:,}: split it, "
                "or start with a higher --max-pages"
            )
        case "page_characters":
            return LimitExceeded(
                f"{where} has {value:,} characters, more than the limit of {limits.page_characters:,} a page: {SPLIT}"
            )
        case "document_characters":
            return LimitExceeded(
                f"it has {value:,} characters up to {where}, more than the limit of "
                f"{limits.document_characters:,}: split it"
            )
        case "no_pages":
            return DamagedFile("it has no pages: the file is damaged or unfinished, fetch or export it again")
    return DamagedFile("it is damaged or cut off, and no page of it can be read: fetch it again or print it anew")


def _page(frame: Frame, reading: Reading, expected: int) -> RawPage:
    """The frame checked and laid out. Raises DamagedFile for what no honest child sends."""
    meta = frame.meta
    if meta.get("number") != expected or expected >= reading.count:
        raise DamagedFile(NONSENSE)
    page = RawPage(expected, failed=bool(meta.get("failed")))
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
            page.layout = lay_out(page.text, spans, boxes, page.width, page.height, reading.words)
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


def look_again(
    reading: Reading, file: BinaryIO, limits: Limits, password: str | None, stop: threading.Event | None
) -> None:
    """Read the doubtful pages with pypdf too, and keep the better reading of each."""
    if reading.by_pypdf:
        return
    doubtful = [page.number for page in reading.pages if _doubtful(page)][: limits.fallback_reader_pages]
    if not doubtful:
        return
    command = _command(limits, password, again=doubtful)
    try:
        for frame in frames(file, command, _bounds(limits), doing="reading it again", stop=stop):
            number = frame.meta.get("number")
            if isinstance(number, int) and number in doubtful:
                second = _page(frame, reading, number)
                first = reading.pages[number]
                if _better(second, first):
                    reading.pages[number] = _keep_objects(second, first)
    except (LimitExceeded, DamagedFile) as exc:
        log.info("The second reader gave up: %s", exc)


def _doubtful(page: RawPage) -> bool:
    """Whether PDFium may have lost or garbled the page (it never says so)."""
    if page.failed or page.score < DOUBTFUL_BELOW:
        return True
    seen = visible(page.text)
    return (page.texts > 0 and (seen < min(page.texts, SHORT) or not seen)) or len(page.text) >= CUT


def _better(second: RawPage, first: RawPage) -> bool:
    """Whether pypdf's reading is worth losing the boxes for."""
    if second.failed:
        return False
    ours, theirs = (visible(page.text) * page.score**2 for page in (first, second))
    return theirs > (1.02 if len(first.text) >= CUT else 1.2) * ours


def _keep_objects(second: RawPage, first: RawPage) -> RawPage:
    second.images, second.paths, second.cover, second.texts = first.images, first.paths, first.cover, first.texts
    second.map = first.map
    return second

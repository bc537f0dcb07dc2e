"""Page readers: PDFium and pypdf in the child process, and the protocol that OCR also implements.

A hostile PDF may have taken over the child, so numbers, spans and boxes that it sends are checked here before use.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import numpy as np

from rag.errors import DamagedFile
from rag.messages import Message
from rag.pdf.form_fields import Field
from rag.pdf.lines import Boxes, PageLayout, Spans
from rag.pdf.sandbox import MALFORMED, Bounds, Frame, frames
from rag.pdf.text_quality import classify, readability
from rag.records import PageKind, WordBoxes
from rag.settings import Limits

WORD_BYTES = 40  # of a word in a frame: two int32 and eight float32
DEFAULT_LENGTH = 612.0  # points; the width of a letter page


@dataclass(frozen=True, slots=True)
class OpenPdf:
    """A PDF being read, and what a reader must respect."""

    file: BinaryIO  # on disk: a child process opens it by its descriptor
    limits: Limits
    password: str | None = None
    stop: threading.Event | None = None  # set when the person cancels; a reader then raises Stopped


@dataclass(slots=True)
class PageReading:
    """One page as one reader read it."""

    number: int  # from 0
    text: str = ""  # a visual line ends with a line break
    words: WordBoxes | None = None  # runs without white space in `text`, ascending; None: positions are unknown
    width: float = DEFAULT_LENGTH  # points, as shown
    height: float = 792.0
    affine: tuple[float, ...] = ()  # from points of the page's own space to fractions of it as shown
    texts: int = 0  # text objects; counted only on pages with little text, as are images and paths
    images: int = 0
    paths: int = 0
    cover: float = 0.0  # share of the page that the largest image covers
    fields: tuple[Field, ...] = ()  # what people filled in; part of the text once it is laid out
    cut: bool = False  # the rest of a long string is missing in its text
    failed: bool = False
    problem: Message | None = None  # why OCR failed, to be told with "because"
    layout: PageLayout | None = None  # made by `extract` from text and words, or by OCR
    _score: float | None = field(default=None, repr=False)

    @property
    def score(self) -> float:
        """Readability of its text, 0 to 1, computed once."""
        if self._score is None:
            self._score = readability(self.text)
        return self._score

    @property
    def kind(self) -> PageKind:
        """What kind of page this reading makes it."""
        if self.failed:
            return PageKind.FAILED
        return classify(self.text, self.score, images=self.images, paths=self.paths, cover=self.cover)


class PageReader(Protocol):
    """Reads the text of single pages: a second PDF library, or OCR."""

    @property
    def name(self) -> str:
        """Its name, as in log lines."""

    def read(self, pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        """Readings of these pages (from 0), in any order; pages it cannot read may be left out.

        Raises LimitExceeded or DamagedFile when it gives up; the readings it has yielded are kept.
        """


@dataclass(frozen=True, slots=True)
class ChildReader:
    """A PDF library that runs in the child process."""

    name: str
    engine: str  # what the child process calls it

    def read(self, pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        """Readings of these pages, in order."""
        wanted = set(pages)
        command = read_command(pdf, self.engine, only=list(pages))
        limits = read_bounds(pdf.limits)
        for frame in frames(pdf.file, command, limits, step=lambda: Message("Reading pages again"), stop=pdf.stop):
            number = frame.meta.get("number")
            if isinstance(number, int) and number in wanted:
                yield page_reading(frame, number)


PDFIUM = ChildReader("PDFium", "pdfium")
PYPDF = ChildReader("pypdf", "pypdf")


def read_command(pdf: OpenPdf, engine: str, **more: Any) -> dict[str, Any]:
    """The command to the child process that reads text."""
    return {
        "do": "read",
        "engine": engine,
        "password": pdf.password,
        "pages": pdf.limits.pages,
        "page_characters": pdf.limits.page_characters,
        "document_characters": pdf.limits.document_characters,
        **more,
    }


def read_bounds(limits: Limits) -> Bounds:
    """Limits of a child process that reads text."""
    return Bounds(
        cpu_seconds=limits.read_cpu_seconds,
        wall_seconds=limits.read_wall_seconds,
        memory_bytes=limits.read_memory_bytes,
        text_bytes=limits.page_characters * 4,  # UTF-8
        words_bytes=limits.page_characters * WORD_BYTES,
    )


def page_reading(frame: Frame, number: int) -> PageReading:
    """The page in a frame, checked. Raises DamagedFile for values that the child never sends on its own."""
    meta = frame.meta
    page = PageReading(number, failed=bool(meta.get("failed")))
    if page.failed:
        return page
    try:
        page.text = frame.text.decode("utf-8")
        page.width, page.height = length_in_points(meta["width"]), length_in_points(meta["height"])
        page.affine = tuple(float(number) for number in meta.get("map", ()))
        page.texts, page.images, page.paths = (int(meta.get(key, 0)) for key in ("texts", "images", "paths"))
        page.cover, page.cut = float(meta.get("cover", 0)), bool(meta.get("cut"))
        if len(page.affine) == 6:
            page.words = WordBoxes(*_words(frame.words, len(page.text), page.affine))
            page.fields = tuple(_field(text, sides, page.affine) for text, *sides in meta.get("fields", ()))
    except (ValueError, TypeError, KeyError, OverflowError) as exc:
        raise DamagedFile(MALFORMED) from exc
    return page


def length_in_points(value: Any) -> float:
    """A page's width or height in points; a default where the value is senseless."""
    valid = isinstance(value, int | float) and math.isfinite(value) and 0 < value < 1e7
    return float(value) if valid else DEFAULT_LENGTH


def _field(text: str, sides: Sequence[float], affine: tuple[float, ...]) -> Field:
    """A filled-in value with its box, (left, top, right, bottom) in points of the page's space, as fractions of it.

    Raises ValueError and TypeError.
    """
    left, top, right, bottom = sides
    corners = np.array([[left, top], [right, bottom]] * 2, "<f4")
    _, boxes = _words(np.array([0, 1], "<i4").tobytes() + corners.tobytes(), 1, affine)
    text.encode("utf-8")
    return Field(text, *(float(side) for side in boxes[0]))


def _words(data: bytes, length: int, affine: tuple[float, ...]) -> tuple[Spans, Boxes]:
    """Spans (n, 2) int32 in a text of this length, and boxes (n, 4) float32 as fractions of the page as shown.

    Raises ValueError for spans that are empty, out of range or out of order.
    """
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
    with np.errstate(all="ignore"):  # hostile boxes may hold anything, NaN too; clipped below
        shown = corners @ np.array([[a, b], [c, d]], np.float32) + np.array([e, f], np.float32)
        low = np.minimum(np.minimum(shown[:, 0], shown[:, 1]), np.minimum(shown[:, 2], shown[:, 3]))
        high = np.maximum(np.maximum(shown[:, 0], shown[:, 1]), np.maximum(shown[:, 2], shown[:, 3]))
    boxes = np.clip(np.concatenate([low, high], axis=1), 0, 1)  # (n, 4)
    boxes[np.isnan(boxes)] = 0
    return spans, boxes

"""Puts together pages read by OCR like pages with text: without running lines, lines joined to paragraphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.pdf.furniture import remove_running_lines
from rag.pdf.lines import PageLayout, join_lines
from rag.pdf.load import vocabulary
from rag.pdf.notes import NOTHING_FOUND, TOO_LONG, failed_by_ocr
from rag.pdf.ocr import FAILS
from rag.pdf.page_readers import OpenPdf, PageReader, PageReading
from rag.pdf.sandbox import as_file
from rag.records import OCR_ROOM, Page, PageKind, WordBoxes


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """A page that awaits OCR."""

    number: int
    label: str
    kind: PageKind  # scanned or garbled


def read_scans(
    file: Path,
    waiting: Sequence[WaitingPage],
    reader: PageReader,
    open_pdf: Callable[..., OpenPdf],
    go_on: Callable[[int], bool],
) -> list[Page]:
    """Read pages by OCR; a page that fails is of its old kind, and its note says why.

    `open_pdf` gets the open file. `go_on` is called with the number of pages read so far; where it returns False, the
    rest is left for later. Raises OcrUnavailable, and Stopped.
    """
    with as_file(file) as opened:
        readings = _readings(reader.read(open_pdf(opened), [page.number for page in waiting]), go_on)
    layouts = {reading.number: reading.layout for reading in readings if reading.layout and reading.layout.words}
    remove_running_lines(layouts)
    known = vocabulary(layouts)
    return [_page(page, reading, known) for page, reading in zip(waiting, readings, strict=False)]


def _readings(found: Iterator[PageReading], go_on: Callable[[int], bool]) -> list[PageReading]:
    """The readings up to the one after which to stop; the reader's process ends with this function."""
    readings: list[PageReading] = []
    for reading in found:
        readings.append(reading)
        if not go_on(len(readings)):
            break
    return readings


def _page(waiting: WaitingPage, reading: PageReading, known: set[str]) -> Page:
    """The page that a reading makes."""
    kind, note, text, words = waiting.kind, None, "", WordBoxes.none()
    if reading.failed:
        note = failed_by_ocr(reading.problem or FAILS)
    elif reading.layout is None or not reading.layout.words:
        kind, note = PageKind.EMPTY, NOTHING_FOUND
    else:
        kind = PageKind.OCR
        text, words = join_lines(reading.layout, known)
        if len(text) > OCR_ROOM:
            note = TOO_LONG
            text, words = _cut(text, words)
    return Page(
        number=waiting.number,
        label=waiting.label,
        kind=kind,
        text=text,
        words=words,
        width=reading.width,
        height=reading.height,
        furniture=_furniture(reading.layout),
        note=note,
    )


def _furniture(layout: PageLayout | None) -> str:
    return "\n".join(layout.furniture) if layout is not None else ""


def _cut(text: str, words: WordBoxes) -> tuple[str, WordBoxes]:
    """The first OCR_ROOM characters of a page."""
    kept = words.spans[:, 1] < OCR_ROOM
    return text[: OCR_ROOM - 1] + "\n", WordBoxes(words.spans[kept], words.boxes[kept])

"""An OCR reader that recognises what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rag.errors import Stopped
from rag.messages import Message
from rag.pdf.ocr_lines import RecognisedLine, lay_out_recognised
from rag.pdf.page_readers import OpenPdf, PageReading

LINES = ("Quarterly sales rose to 1,204 million.", "季度销售额增长。")
GARBLED_SCAN = Message("it takes more time or memory than the limit")


class FakeOcr:
    """ "Recognises" lines on each page: by default the same two, with the number of the page above them."""

    name = "fake OCR"

    def __init__(self, lines: Callable[[int], Sequence[str] | None] | None = None) -> None:
        self.asked: list[list[int]] = []
        self.lines = lines or (lambda number: (f"Page {number + 1} of the scan", *LINES))
        self.gate = threading.Event()  # while cleared, pages wait
        self.gate.set()

    def read(self, pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        self.asked.append(list(pages))
        for number in pages:
            while not self.gate.wait(0.01):
                if pdf.stop is not None and pdf.stop.is_set():
                    raise Stopped
            lines = self.lines(number)
            if lines is None:
                yield PageReading(number, failed=True, problem=GARBLED_SCAN)
            else:
                text, layout = lay_out_recognised([line(text, row) for row, text in enumerate(lines)], 600, 800, 0)
                yield PageReading(number, text, width=600, height=800, layout=layout)


def line(text: str, row: int, left: float = 0.1, right: float = 0.9) -> RecognisedLine:
    """A line in a row of the page, counted from 0."""
    top = 0.1 + 0.05 * row
    corners = np.array([[left, top], [right, top], [right, top + 0.03], [left, top + 0.03]], np.float32)
    edges = np.linspace(0, 1, len(text) + 1, dtype=np.float32)
    return RecognisedLine(text, corners, np.stack([edges[:-1], edges[1:]], axis=1))

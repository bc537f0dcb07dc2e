"""OCR: pages that show their text as a picture are drawn and recognised in a child process under its own limits.

RapidOCR 3 (https://github.com/RapidAI/RapidOCR, Apache-2.0) with the PP-OCRv6 models in its package, for Chinese and
English, on ONNX Runtime. A hostile PDF may have taken over the child, so what it sends is checked here before use.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.errors import DamagedFile, LimitExceeded
from rag.messages import Message
from rag.pdf.ocr_lines import CORNER_BYTES, PLACE_BYTES, lay_out_recognised, recognised_lines
from rag.pdf.page_readers import OpenPdf, PageReading, length_in_points
from rag.pdf.sandbox import MALFORMED, Bounds, Frame, frames
from rag.settings import Limits, OcrSettings

SCRIPT = Path(__file__).with_name("ocr_child.py")
LIBRARIES = (
    "rapidocr", "onnxruntime", "cv2", "numpy", "PIL", "pypdfium2_raw", "pyclipper", "shapely", "omegaconf", "yaml",
    "six", "requests", "urllib3", "idna", "certifi", "charset_normalizer", "tqdm", "colorlog", "flatbuffers",
    "packaging",
)  # fmt: skip
MAX_LINES = 1_000  # that the detector reports of a page
START_SECONDS = 60  # CPU time to load the models
WAIT_FACTOR = 10  # elapsed time over CPU time: the child gives way to everything else
TOO_MUCH = Message("it takes more time or memory than the limit")
FAILS = Message("its picture cannot be drawn or recognised")

log = logging.getLogger(__name__)


class OcrUnavailable(Exception):
    """The models cannot be loaded on this machine; no page is at fault."""


def is_installed() -> bool:
    """Whether the packages that OCR needs are there."""
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


@dataclass(frozen=True, slots=True)
class OcrReader:
    """Reads pictures of pages; a `PageReader` for scanned and garbled pages."""

    settings: OcrSettings
    name: Final = "OCR"

    def read(self, pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        """A reading of each page, in order, with its layout; a page that fails says why in `problem`.

        Raises OcrUnavailable, and Stopped once the event is set.
        """
        left = list(pages)
        while left:
            yield from self._run(pdf, left)

    def _run(self, pdf: OpenPdf, left: list[int]) -> Iterator[PageReading]:
        """Read pages with one child process, until it ends; removes from `left` those that are done or have failed."""
        ready = False
        command = {
            "pages": left.copy(),
            "dots_per_inch": self.settings.dots_per_inch,
            "pixels": pdf.limits.ocr_page_pixels,
            "page_cpu": pdf.limits.ocr_page_cpu_seconds,
            "threads": self._threads(),
        }
        step = Message("Recognising the text")
        try:
            for frame in frames(
                pdf.file, command, _bounds(pdf.limits, len(left)), step=lambda: step, stop=pdf.stop, script=SCRIPT,
                libraries=LIBRARIES,
            ):  # fmt: skip
                ready = ready or frame.meta.get("kind") == "ready"
                if frame.meta.get("kind") == "page":
                    yield _reading(frame, left.pop(0))
            if left:
                raise DamagedFile(MALFORMED)
        except (LimitExceeded, DamagedFile) as exc:
            if not ready:
                raise OcrUnavailable(str(exc)) from exc
            if left:  # the page in progress is to blame; the others get another process
                log.info("OCR of page %d failed: %s", left[0] + 1, exc)
                problem = TOO_MUCH if isinstance(exc, LimitExceeded) else FAILS
                yield PageReading(left.pop(0), failed=True, problem=problem)

    def _threads(self) -> int:
        """Threads of the child: as set, by default half of the processors that this process may use, at most 4."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.settings.threads or max(1, min(4, processors // 2))


def _bounds(limits: Limits, pages: int) -> Bounds:
    seconds = START_SECONDS + pages * (limits.ocr_page_cpu_seconds + 1)
    return Bounds(
        cpu_seconds=seconds,
        wall_seconds=seconds * WAIT_FACTOR,
        memory_bytes=limits.ocr_memory_bytes,
        text_bytes=limits.page_characters * 4,  # UTF-8
        words_bytes=limits.page_characters * PLACE_BYTES + MAX_LINES * CORNER_BYTES,
    )


def _reading(frame: Frame, number: int) -> PageReading:
    """The page in a frame, checked. Raises DamagedFile for values that the child never sends on its own."""
    meta = frame.meta
    if meta.get("number") != number:
        raise DamagedFile(MALFORMED)
    if meta.get("failed"):
        return PageReading(number, failed=True, problem=TOO_MUCH if meta.get("why") == "memory" else FAILS)
    try:
        lines = recognised_lines(frame.text.decode("utf-8"), frame.words)
        turns = int(meta.get("turns", 0))
    except (ValueError, TypeError) as exc:
        raise DamagedFile(MALFORMED) from exc
    if len(lines) > MAX_LINES:
        raise DamagedFile(MALFORMED)
    width, height = length_in_points(meta.get("width")), length_in_points(meta.get("height"))
    text, layout = lay_out_recognised(lines, width, height, turns % 4)
    return PageReading(number, text=text, width=width, height=height, layout=layout)

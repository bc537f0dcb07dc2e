"""The child process that reads pictures of pages: PDFium draws a page, the models of RapidOCR find and read its lines.

Run as a script, isolated, never imported, like `child`, whose limits and frames it shares. For each page one frame: the
text, a line for each one recognised; for each line its four corners in order (8 float32, fractions of the picture), and
for each character where it begins and ends along the line (2 float32, 0 to 1). "turns": how many quarter turns, against
the clock, make the picture upright; the corners are those of the upright picture.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NICENESS = 19  # gives way to everything else on the machine
POINTS_PER_INCH = 72
MIN_SIDE = 1_000  # pixels of the longer side of a small page
MAX_SIDE = 6_000  # pixels of the longer side of a page, however narrow it is
DETECTION_SIDE = 1_440  # pixels of the longer side at which lines are looked for; they are read at full resolution
MIN_SCORE = 0.5  # mean probability of a line's characters, below which it is no text
SURE_SCORE = 0.9  # of a page, below which it may be upside down
CLEARLY_BETTER = 0.1  # by which the score of the turned picture must be higher
SAMPLE = 6  # longest lines that are read upside down, too
TALL = 1.5  # height / width of a line that runs up or down the page
Lines = list[tuple[str, Any, list[tuple[float, float]], float]]  # text, corners (4, 2), places of characters, score


class Recogniser:
    """RapidOCR's models, loaded once. Pictures are arrays (height, width, 3) uint8."""

    def __init__(self, threads: int) -> None:
        package = importlib.import_module("rapidocr")
        self.np: Any = importlib.import_module("numpy")
        self.cv2: Any = importlib.import_module("cv2")
        self.cv2.setNumThreads(threads)
        models = Path(str(package.__file__)).parent / "models"
        onnx = "EngineConfig.onnxruntime"
        self.engine = package.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.return_word_box": True,
                "Global.max_side_len": 1 << 16,  # the picture has its size already
                "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),  # given, so that none is downloaded
                "Det.limit_type": "max",
                "Det.limit_side_len": DETECTION_SIDE,
                "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
                "Rec.rec_batch_num": 1,  # several lines at once need half as much memory again and are no faster
                f"{onnx}.intra_op_num_threads": threads,
                f"{onnx}.inter_op_num_threads": 1,
            }
        )

    def read(self, picture: Any) -> tuple[int, Lines, Any]:
        """Quarter turns, lines, and the upright picture."""
        corners = self._find(picture)
        turns = 0
        if _mostly_tall(corners):
            picture, turns = self._turned(picture, 1), 1
            corners = self._find(picture)
        lines = self._read_lines(picture, corners)
        if lines and _mean_score(lines) < SURE_SCORE and self._is_upside_down(picture, lines):
            picture, turns = self._turned(picture, 2), turns + 2
            lines = self._read_lines(picture, self._find(picture))
        return turns, [line for line in lines if line[3] >= MIN_SCORE], picture

    def _turned(self, picture: Any, turns: int) -> Any:
        return self.np.ascontiguousarray(self.np.rot90(picture, turns))

    def _find(self, picture: Any) -> Sequence[Any]:
        """The corners (4, 2) of each line, in pixels, clockwise from where it begins."""
        found = self.engine(picture, use_det=True, use_cls=False, use_rec=False)
        return [] if found.boxes is None else list(found.boxes)

    def _read_lines(self, picture: Any, corners: Sequence[Any], *, upside_down: bool = False) -> Lines:
        """Lines with text, at these places."""
        crops = [self._crop(picture, quad) for quad in corners]
        if not crops:
            return []
        found = self.engine.recognize_txt([self._turned(crop, 2) for crop in crops] if upside_down else crops)
        lines: Lines = []
        for quad, crop, text, score, words in zip(
            corners, crops, found.txts, found.scores, found.word_results, strict=True
        ):
            if text.strip():
                shown = "".join(" " if character.isspace() else character for character in text)
                lines.append((shown, quad, self._places(shown, words, crop.shape[1]), float(score)))
        return lines

    def _crop(self, picture: Any, quad: Any) -> Any:
        """The part of the picture inside the corners, made a rectangle."""
        width, height = (max(int(length), 1) for length in _size(quad))
        target = self.np.array([[0, 0], [width, 0], [width, height], [0, height]], self.np.float32)
        matrix = self.cv2.getPerspectiveTransform(self.np.asarray(quad, self.np.float32), target)
        return self.cv2.warpPerspective(
            picture, matrix, (width, height), borderMode=self.cv2.BORDER_REPLICATE, flags=self.cv2.INTER_CUBIC
        )

    def _places(self, text: str, words: Any, width: int) -> list[tuple[float, float]]:
        """Where each character begins and ends along the line, 0 to 1; evenly spaced if the model does not say."""
        visible = [index for index, character in enumerate(text) if not character.isspace()]
        frame = self.np.array([[0, 0], [width, 0], [width, 1], [0, 1]])
        _, boxes, _ = self.engine.cal_rec_boxes.cal_ocr_word_box(text, frame, words, True)
        places = [(index / len(text), (index + 1) / len(text)) for index in range(len(text))]
        if len(boxes) == len(visible):
            for index, box in zip(visible, boxes, strict=True):
                places[index] = (box[0][0] / width, box[1][0] / width)
        return places

    def _is_upside_down(self, picture: Any, lines: Lines) -> bool:
        """Whether the longest lines read better when turned by 180 degrees."""
        sample = sorted(lines, key=lambda line: -_size(line[1])[0])[:SAMPLE]
        turned = self._read_lines(picture, [line[1] for line in sample], upside_down=True)
        return bool(turned) and _mean_score(turned) > _mean_score(sample) + CLEARLY_BETTER


def _size(quad: Any) -> tuple[float, float]:
    """Width and height of a line, in pixels."""
    sides = [((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5 for a, b in zip(quad, (*quad[1:], quad[0]), strict=True)]
    return max(sides[0], sides[2]), max(sides[1], sides[3])


def _mostly_tall(corners: Sequence[Any]) -> bool:
    """Whether most of the text, by length, runs up or down the page."""
    sizes = [_size(quad) for quad in corners]
    tall = sum(height for width, height in sizes if height > TALL * width)
    return tall > sum(width for width, height in sizes if width > TALL * height)


def _mean_score(lines: Lines) -> float:
    """Mean score of the characters of the lines."""
    return sum(line[3] * len(line[0]) for line in lines) / sum(len(line[0]) for line in lines)


def draw(pdfium: Any, np: Any, page: Any, command: dict[str, Any]) -> tuple[Any, tuple[float, float]]:
    """A page as pixels (height, width, 3) and its size in points."""
    points = [max(get(page), 1.0) for get in (pdfium.FPDF_GetPageWidthF, pdfium.FPDF_GetPageHeightF)]
    scale = max(command["dots_per_inch"] / POINTS_PER_INCH, MIN_SIDE / max(points))
    scale = min(scale, (command["pixels"] / (points[0] * points[1])) ** 0.5, MAX_SIDE / max(points))
    width, height = (max(int(length * scale), 1) for length in points)
    picture = np.full((height, width, 3), 255, np.uint8)
    bitmap = pdfium.FPDFBitmap_CreateEx(
        width, height, pdfium.FPDFBitmap_BGR, picture.ctypes.data_as(ctypes.c_void_p), width * 3
    )
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    pdfium.FPDFBitmap_Destroy(bitmap)
    return picture, (points[0], points[1])


def limit_page(command: dict[str, Any]) -> None:
    """Allow the next page its CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + command["page_cpu"]
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, hard), hard))


def send_page(recogniser: Recogniser, picture: Any, meta: dict[str, Any], output: Any) -> None:
    """Read the picture of a page, and send what it says."""
    turns, lines, upright = recogniser.read(picture)
    np, (height, width) = recogniser.np, upright.shape[:2]
    data = [
        block
        for _, quad, places, _ in lines
        for block in (
            (np.asarray(quad, np.float32) / np.array([width, height], np.float32)).astype("<f4").tobytes(),
            np.array(places, "<f4").tobytes(),
        )
    ]
    text = "\n".join(line[0] for line in lines)
    output.send({**meta, "turns": turns}, text.encode("utf-8", "replace"), b"".join(data))


def read_pages(child: Any, command: dict[str, Any], output: Any) -> None:
    """Draw and read the pages asked for, one after the other; one that fails costs no other."""
    pdfium = importlib.import_module("pypdfium2_raw")
    recogniser = Recogniser(command["threads"])
    document, _ = child.open_pdfium(pdfium, command["file"], None)
    output.send({"kind": "ready"})
    for number in command["pages"]:
        limit_page(command)
        meta = {"kind": "page", "number": number}
        page = document and pdfium.FPDF_LoadPage(document, number)
        if not page:
            output.send({**meta, "failed": True})
            continue
        try:
            picture, (width, height) = draw(pdfium, recogniser.np, page, command)
            send_page(recogniser, picture, {**meta, "width": width, "height": height}, output)
        except Exception as exc:  # noqa: BLE001 - whatever a page does to the models, the others are read
            output.send({**meta, "failed": True, "why": "memory" if _is_out_of_memory(exc) else "error"})
        pdfium.FPDF_ClosePage(page)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy, OpenCV or ONNX Runtime says that it got no memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "allocate" in text or "memory" in text or "bad_alloc" in text


def main() -> None:
    """Read the command, limit this process, carry the command out."""
    command = json.loads(sys.stdin.buffer.readline())
    sys.path.insert(0, str(Path(__file__).parent))
    child = importlib.import_module("child")
    importlib.import_module("lifeline").end_with_parent()
    del sys.path[0]  # other modules of this folder must not hide those of libraries
    child.limit_process(command)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    sys.path.extend(command["path"])
    output = child.Output()
    try:
        read_pages(child, command, output)
    except MemoryError:
        os._exit(child.OUT_OF_MEMORY)
    output.send({"kind": "end"})
    os._exit(0)


if __name__ == "__main__":
    main()

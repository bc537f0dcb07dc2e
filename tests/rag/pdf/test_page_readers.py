"""Page readers: PDFium and pypdf in the child process, and an OCR reader beside them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfWriter

from rag.errors import DamagedFile, LimitExceeded, NoText
from rag.pdf.load import load
from rag.pdf.page_readers import PDFIUM, PYPDF, OpenPdf, PageReader, PageReading, page_reading
from rag.pdf.render import draw_page
from rag.pdf.sandbox import Frame, as_file
from rag.records import Box, PageKind, WordBoxes
from tests.rag import pdfs
from tests.rag.samples import BOTH, ENGLISH, LIMITS, read, texts


class FakeOcr:
    """Draws each page and "recognises" the same two lines on it."""

    name = "fake OCR"
    reads_images = True
    LINES = ("Quarterly sales rose to 1,204 million.", "季度销售额增长。")

    def __init__(self, *, boxes: bool = True, text: str | None = None) -> None:
        self.asked: list[list[int]] = []
        self.text = "\n".join(self.LINES) if text is None else text
        self.boxes = boxes

    def read(self, pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        self.asked.append(list(pages))
        for number in pages:
            picture = Image.open(io.BytesIO(draw_page(pdf.file, number, 100, pdf.limits, pdf.password)))
            assert picture.width == 100
            yield PageReading(number, self.text, self.words() if self.boxes else None)

    def words(self) -> WordBoxes:
        words: list[tuple[int, int, Box]] = []
        start = 0
        for row, line in enumerate(self.text.split("\n")):
            for word in line.split(" "):
                end = start + len(word)
                left, width = 0.1 + 0.01 * (start % 39), 0.01 * len(word)
                words.append((start, end, (left, 0.1 + 0.05 * row, left + width, 0.13 + 0.05 * row)))
                start = end + 1
        return WordBoxes.of(words)


def with_scan(pdf: bytes = BOTH) -> bytes:
    """The PDF with a scanned page at its end."""

    def add(writer: PdfWriter) -> None:
        writer.append(io.BytesIO(pdfs.scanned_pdf(1)))

    return pdfs.rewritten(pdf, add)


def test_ocr_makes_a_scanned_page_text_with_boxes():
    ocr = FakeOcr()
    document = read(with_scan(), readers=(PYPDF, ocr))
    page = document.pages[3]
    assert ocr.asked == [[3]]
    assert page.kind is PageKind.TEXT
    assert page.text == "Quarterly sales rose to 1,204 million.\n季度销售额增长。\n"
    assert (page.note, document.notes) == (None, ())
    assert (page.width, page.height) == pytest.approx(pdfs.A4, abs=0.01)
    np.testing.assert_array_equal(page.words.boxes, ocr.words().boxes)
    assert page.text[slice(*page.words.spans[4])] == "1,204"
    assert texts(document)[:3] == texts(read(BOTH))


def test_ocr_without_boxes_makes_a_scanned_page_text_that_cannot_be_marked():
    page = read(with_scan(), readers=(FakeOcr(boxes=False),)).pages[3]
    assert page.kind is PageKind.TEXT
    assert page.text == "Quarterly sales rose to 1,204 million.\n季度销售额增长。\n"
    assert len(page.words) == 0
    assert "cannot be marked" in str(page.note)


def test_a_document_of_scans_only_is_accepted_with_ocr():
    data = pdfs.scanned_pdf(2)
    with pytest.raises(NoText):
        read(data)
    document = read(data, readers=(FakeOcr(),))
    assert [page.kind for page in document.pages] == [PageKind.TEXT] * 2


def test_ocr_that_finds_nothing_leaves_the_page_scanned():
    document = read(with_scan(), readers=(FakeOcr(text="", boxes=False),))
    assert document.pages[3].kind is PageKind.SCANNED
    assert len(document.notes) == 1


def test_ocr_reads_a_garbled_page_and_leaves_good_ones_alone():
    garbled = "".join(chr(ord(character) + 3) for character in ENGLISH)
    ocr = FakeOcr(text=ENGLISH, boxes=False)
    document = read(pdfs.content_pdf(pdfs.shown(garbled), pdfs.shown(ENGLISH)), readers=(PYPDF, ocr))
    assert ocr.asked == [[0]]
    assert texts(document) == [f"{ENGLISH}\n"] * 2
    assert [page.kind for page in document.pages] == [PageKind.TEXT] * 2


def test_a_page_that_pypdf_has_completed_is_not_doubtful_any_more():
    long = pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + f"{ENGLISH} ".encode() * 250 + b") Tj ET")
    ocr = FakeOcr()
    document = read(pdfs.content_pdf(long), readers=(PYPDF, ocr))
    assert len(document.pages[0].text) > 40_000
    assert ocr.asked == []


class Recorder:
    """A reader of text objects that records which pages it is asked for, and reads none."""

    name = "recorder"
    reads_images = False

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def read(self, _pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        self.asked.append(list(pages))
        yield from ()


def test_a_reader_of_text_is_not_asked_for_scans():
    recorder = Recorder()
    read(with_scan(), readers=(recorder,))
    assert recorder.asked == []


class Failing(FakeOcr):
    """Reads one page it was not asked for, then gives up."""

    def read(self, _pdf: OpenPdf, _pages: Sequence[int]) -> Iterator[PageReading]:
        yield PageReading(0, "Another text. " * 100)
        yield PageReading(99, "A page that does not exist.")
        raise LimitExceeded("It took too long.")


def test_a_reader_that_gives_up_or_reads_other_pages_changes_nothing():
    document = read(with_scan(), readers=(Failing(),))
    assert texts(document) == texts(read(with_scan()))


@pytest.mark.parametrize("reader", [PDFIUM, PYPDF], ids=lambda reader: reader.name)
@pytest.mark.parametrize("locked", [False, True], ids=["plain", "locked"])
def test_the_readers_in_the_child_read_the_pages_they_are_asked_for(reader: PageReader, locked):
    data = pdfs.encrypted(BOTH, "sesame") if locked else BOTH
    with as_file(data) as file:
        pages = list(reader.read(OpenPdf(file, LIMITS, "sesame" if locked else None), [0, 2]))
    assert [page.number for page in pages] == [0, 2]
    assert [page.text.split()[:2] for page in pages] == [["The", "company"]] * 2
    assert [page.words is not None for page in pages] == [reader is PDFIUM] * 2


def test_a_page_that_pypdf_cannot_read_is_failed_and_the_others_are_kept():
    data = pdfs.content_pdf(pdfs.stream(b"x", b"/Filter/Unknown"), pdfs.shown("A page that can be read."))
    with as_file(data) as file:
        pages = list(PYPDF.read(OpenPdf(file, LIMITS), [0, 1]))
    assert [page.failed for page in pages] == [True, False]
    assert pages[1].text.strip() == "A page that can be read."


def test_no_second_reader_is_required():
    assert texts(load(BOTH, limits=LIMITS, readers=())) == texts(read(BOTH))


@pytest.mark.parametrize("number", [float("inf"), float("nan"), "many", None])
def test_a_senseless_count_of_a_hijacked_child_is_a_damaged_file(number):
    with pytest.raises(DamagedFile):
        page_reading(Frame({"width": 100.0, "height": 100.0, "texts": number}, b"text", b""), 0)


def test_a_number_too_large_for_a_fraction_is_a_damaged_file():
    with pytest.raises(DamagedFile):
        page_reading(Frame({"width": 100.0, "height": 100.0, "cover": 10**400}, b"text", b""), 0)

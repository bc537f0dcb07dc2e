"""The models themselves, on pages drawn by the tests: accuracy, boxes, rotation, and limits."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader, PdfWriter

from benchmarks.scanned import scan_of, share_right
from rag.pdf.load import load
from rag.pdf.notes import failed_by_ocr
from rag.pdf.ocr import TOO_MUCH, OcrReader, OcrUnavailable, is_installed
from rag.pdf.page_readers import OpenPdf
from rag.pdf.scans import WaitingPage, read_scans
from rag.pdf.tables import find_tables
from rag.records import Page, PageKind
from rag.settings import Limits, OcrSettings
from tests.rag import pdfs

pytestmark = pytest.mark.skipif(not is_installed(), reason="OCR is not installed")

ENGLISH = (
    "The Harbour Bridge of Lindholm was designed by the engineer Anna Keller. It was opened to traffic in 1931 and "
    "carries two railway tracks.\nThe bridge is painted green every nine years, which costs 4,250,000 crowns."
)
CHINESE = "青石水库位于县城以西，大坝高度为六十八米，由李建国主持设计。\n水库每年供水三千万立方米，周围禁止钓鱼和游泳。"


ROWS = (("", "2023", "2022"), ("Net sales", "1,204", "998"), ("Cost of sales", "731", "640"), ("Profit", "473", "358"))
CHANGES = ({"angle": 2.0}, {"noise": 25.0}, {"turns": 1}, {"turns": 2}, {"turns": 3})


def read(file: Path, data: bytes, limits: Limits) -> list[Page]:
    """All pages of a scan, read by OCR."""
    file.write_bytes(data)
    count = len(PdfReader(file).pages)
    waiting = [WaitingPage(number, str(number + 1), PageKind.SCANNED) for number in range(count)]
    reader = OcrReader(OcrSettings(threads=1))
    return read_scans(file, waiting, reader, lambda opened: OpenPdf(opened, limits), lambda _: True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Page]:
    """English, Chinese, a table, and both languages on a page for each of CHANGES.

    Each of the latter is a file of its own: in one file, what all of them repeat would be a running header.
    """
    writer = PdfWriter()
    writer.append(io.BytesIO(scan_of(pdfs.text_pdf([ENGLISH, CHINESE]))))
    writer.append(io.BytesIO(scan_of(pdfs.table_pdf(ROWS, widths=(200, 90, 90)))))
    clean = io.BytesIO()
    writer.write(clean)
    changed = [scan_of(pdfs.text_pdf([f"{ENGLISH}\n{CHINESE}"]), **change) for change in CHANGES]
    folder = tmp_path_factory.mktemp("ocr")
    files = [clean.getvalue(), *changed]
    return [page for n, data in enumerate(files) for page in read(folder / f"{n}.pdf", data, Limits())]


def word_box(page: Page, word: str) -> np.ndarray:
    start = page.text.index(word)
    return np.array(page.words.locate(start, start + len(word))[0])


def test_clean_pages_are_read_in_both_languages(pages):
    english, chinese = pages[:2]
    assert share_right(english.text, ENGLISH) >= 0.97
    assert share_right(chinese.text, CHINESE) >= 0.97
    assert english.text.count("\n") == 2  # two paragraphs
    assert [page.kind for page in (english, chinese)] == [PageKind.OCR] * 2


def test_boxes_stand_where_a_text_layer_has_them(pages):
    original = load(pdfs.text_pdf([ENGLISH]), limits=Limits()).pages[0]
    for word in ("Lindholm", "1931", "4,250,000"):
        np.testing.assert_allclose(word_box(pages[0], word), word_box(original, word), atol=0.012)


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=[str(change) for change in CHANGES])
def test_skewed_noisy_and_turned_pages_are_read(pages, number):
    assert share_right(pages[3 + number].text, f"{ENGLISH}\n{CHINESE}") >= 0.92


def test_boxes_of_a_turned_page_stand_where_it_shows_the_words(pages):
    left, top, right, bottom = word_box(pages[0], "Lindholm")
    np.testing.assert_allclose(word_box(pages[5], "Lindholm"), [top, 1 - right, bottom, 1 - left], atol=0.012)


def test_rows_of_a_scanned_table_are_found(pages):
    (table,) = find_tables(pages[2].text, pages[2].words)
    assert table.headers == ("2023", "2022")
    found = [(row.label, *(cell.text for cell in row.cells if cell)) for row in table.rows]
    assert found == [tuple(row) for row in ROWS[1:]]


def picture_pdf(width: int, height: int, box: tuple[int, int] = (612, 792)) -> bytes:
    """A page with a grey picture of this many pixels, a few bytes long."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b"\x80" * width) for _ in range(height)) + packer.flush()
    extra = (
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode"
    )
    content = pdfs.stream(b"q %d 0 0 %d 0 0 cm /I Do Q" % box)
    return pdfs.raw_pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>" % box,
            content,
            pdfs.stream(data, extra % (width, height)),
        ]
    )


def test_a_page_that_takes_too_long_fails_and_the_next_one_is_read(tmp_path):
    tiny = "ab cd ef gh ij " * 1_500  # some thousand words of two letters
    data = scan_of(pdfs.text_pdf([tiny, ENGLISH], size=5))
    first, second = read(tmp_path / "x.pdf", data, replace(Limits(), ocr_page_cpu_seconds=3))
    assert (first.kind, first.note) == (PageKind.SCANNED, failed_by_ocr(TOO_MUCH))
    assert first.text == ""
    assert second.kind in (PageKind.OCR, PageKind.SCANNED)  # has its own seconds


def test_a_picture_bomb_and_a_huge_page_cost_no_more_than_the_limits(tmp_path):
    for data in (picture_pdf(30_000, 30_000), picture_pdf(10, 10, (14_400, 14_400)), picture_pdf(10, 10, (14_400, 3))):
        (page,) = read(tmp_path / "x.pdf", data, Limits())
        assert page.text == ""
        assert page.note is not None


def test_models_that_do_not_fit_into_memory_blame_no_page(tmp_path):
    with pytest.raises(OcrUnavailable):
        read(tmp_path / "x.pdf", scan_of(pdfs.text_pdf([ENGLISH])), replace(Limits(), ocr_memory_bytes=200 << 20))

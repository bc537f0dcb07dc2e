"""Page readers: PDFium and pypdf in the child process."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import pytest

from rag.errors import DamagedFile, LimitExceeded
from rag.pdf.load import load
from rag.pdf.page_readers import PDFIUM, PYPDF, OpenPdf, PageReader, PageReading, page_reading
from rag.pdf.sandbox import Frame, as_file
from tests.rag import pdfs
from tests.rag.samples import BOTH, LIMITS, read, texts


def with_scan(pdf: bytes = BOTH) -> bytes:
    """The PDF with a scanned page at its end."""
    return pdfs.rewritten(pdf, lambda writer: writer.append(io.BytesIO(pdfs.scanned_pdf(1))))


class Recorder:
    """A reader of text objects that records which pages it is asked for, and reads none."""

    name = "recorder"

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def read(self, _pdf: OpenPdf, pages: Sequence[int]) -> Iterator[PageReading]:
        self.asked.append(list(pages))
        yield from ()


def test_a_reader_of_text_is_not_asked_for_scans():
    recorder = Recorder()
    read(with_scan(), readers=(recorder,))
    assert recorder.asked == []


class Failing(Recorder):
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

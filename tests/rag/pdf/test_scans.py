"""What a recognised page becomes: its text, its kind, its notes; and lines that a hijacked child sends."""

from __future__ import annotations

import numpy as np
import pytest

from rag.pdf.notes import NOTHING_FOUND, TOO_LONG, failed_by_ocr
from rag.pdf.ocr_lines import lay_out_recognised, recognised_lines
from rag.pdf.page_readers import OpenPdf
from rag.pdf.scans import WaitingPage, read_scans
from rag.records import OCR_ROOM, PageKind
from rag.settings import Limits
from tests.rag import pdfs
from tests.rag.ocr import GARBLED_SCAN, FakeOcr, line


def read(folder, reader, count=1, go_on=lambda _: True):
    file = folder / "scan.pdf"
    file.write_bytes(pdfs.scanned_pdf(1))
    waiting = [WaitingPage(number, str(number + 1), PageKind.GARBLED) for number in range(count)]
    return read_scans(file, waiting, reader, lambda opened: OpenPdf(opened, Limits()), go_on)


def test_a_page_has_its_text_with_boxes(tmp_path):
    (page,) = read(tmp_path, FakeOcr(lambda _: ("Quarterly sales rose to 1,204 million.", "季度销售额增长。")))
    assert (page.kind, page.note, page.label) == (PageKind.OCR, None, "1")
    assert page.text == "Quarterly sales rose to 1,204 million.\n季度销售额增长。\n"
    assert page.text[slice(*page.words.spans[4])] == "1,204"
    (box,) = page.words.locate(*page.words.spans[4])
    assert box == pytest.approx((0.1 + 0.8 * 24 / 38, 0.1, 0.1 + 0.8 * 29 / 38, 0.13), abs=1e-3)


def test_a_page_that_fails_keeps_its_kind_and_says_why(tmp_path):
    (page,) = read(tmp_path, FakeOcr(lambda _: None))
    assert (page.kind, page.text, page.note) == (PageKind.GARBLED, "", failed_by_ocr(GARBLED_SCAN))


def test_a_page_without_text_is_empty(tmp_path):
    (page,) = read(tmp_path, FakeOcr(lambda _: ()))
    assert (page.kind, page.text, page.note) == (PageKind.EMPTY, "", NOTHING_FOUND)


def test_a_page_with_more_text_than_its_room_is_cut(tmp_path):
    (page,) = read(tmp_path, FakeOcr(lambda _: ["word " * 200] * 50))
    assert len(page.text) == OCR_ROOM
    assert page.note == TOO_LONG
    assert page.words.spans.max() < OCR_ROOM


def test_reading_stops_after_the_page_at_which_it_should(tmp_path):
    assert [page.number for page in read(tmp_path, FakeOcr(), 5, go_on=lambda read: read < 2)] == [0, 1]


def test_a_skewed_page_is_measured_straight_and_marked_as_it_lies():
    angle = np.radians(2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    size = np.array([600, 800], np.float32)
    lines = [line(f"Line {n} of a page that lies askew on the glass", n) for n in range(6)]
    for one in lines:
        one.corners[:] = ((one.corners * size - size / 2) @ turn + size / 2) / size
    _, layout = lay_out_recognised(lines, 600, 800, 0)
    first = layout.lines[0]
    assert np.ptp(layout.upright[first.first : first.last, 1]) < 0.002
    assert np.ptp(layout.boxes[first.first : first.last, 1]) > 0.01


@pytest.mark.parametrize(
    ("text", "data"),
    [("ab", b""), ("ab", b"\0" * 47), ("ab", b"\0" * 56), ("", b"\0" * 32), ("a\nb", b"\0" * 40)],
)
def test_data_that_does_not_fit_the_text_is_refused(text, data):
    with pytest.raises(ValueError, match=r"length|buffer"):
        recognised_lines(text, data)


def test_senseless_numbers_become_boxes_on_the_page():
    for value in (float("nan"), float("inf"), -1e30):
        lines = recognised_lines("ab cd", np.full(18, value, "<f4").tobytes())
        _, layout = lay_out_recognised(lines, 600, 800, 1)
        assert ((layout.boxes >= 0) & (layout.boxes <= 1)).all()

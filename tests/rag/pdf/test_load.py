"""Loading PDFs: text, word boxes, labels, outline, notes, and pages that PDFium reads badly."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfWriter
from pypdf.generic import Fit

from rag.errors import (
    DamagedFile,
    FileRefused,
    LimitExceeded,
    NotAPdf,
    NoText,
)
from rag.pdf.load import load
from rag.pdf.text_quality import DOUBTFUL_BELOW, GARBLED_BELOW, readability
from rag.records import PageKind
from tests.rag import pdfs
from tests.rag.samples import BOTH, CHINESE, ENGLISH, LIMITS, SHARED, patch_child, read, texts


def test_english_chinese_and_mixed_pages():
    document = read(BOTH)
    assert texts(document) == [f"{ENGLISH}\n", f"{CHINESE}\n", f"{ENGLISH}\n{CHINESE}\n"]
    assert [page.kind for page in document.pages] == [PageKind.TEXT] * 3
    assert [page.label for page in document.pages] == ["1", "2", "3"]
    assert (document.title, document.author, document.notes) == ("Annual report", "ACME", ())
    assert document.created.startswith("20")


@pytest.mark.parametrize("outline", [False, True], ids=["PDFium", "pypdf"])
def test_metadata_by_either_reader(outline):
    def add(writer: PdfWriter):
        if outline:
            writer.add_outline_item(title="x", page_number=0)

    data = pdfs.rewritten(pdfs.text_pdf([ENGLISH], title="年度报告 2024 – Über", author="张三"), add)
    assert (b"/Outlines" in data) == outline
    document = read(data)
    assert (document.title, document.author) == ("年度报告 2024 – Über", "张三")
    assert len(document.outline) == outline


def test_a_path_is_read_like_bytes(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(BOTH)
    assert texts(read(path)) == texts(read(BOTH))


def test_progress_counts_the_pages():
    seen = []
    read(BOTH, progress=lambda done, count: seen.append((done, count)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_word_boxes_are_where_the_words_are_shown():
    page = read(pdfs.content_pdf(pdfs.shown("Alpha beta", "gamma"))).pages[0]
    assert [page.text[start:end] for start, end in page.words.spans] == ["Alpha", "beta", "gamma"]
    points = page.words.boxes * np.array([612, 792, 612, 792])
    left, top, right, bottom = points[0]
    assert left == pytest.approx(72, abs=1.5)
    assert top < 792 - 720 - 8 < 792 - 720 < bottom < 792 - 720 + 6
    assert 20 < right - left < 40
    assert points[2][1] == pytest.approx(points[0][1] + 15, abs=0.5)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_rotated_page_has_its_boxes_rotated(angle):
    upright = read(pdfs.text_pdf([ENGLISH])).pages[0]
    turned = read(pdfs.rotated(pdfs.text_pdf([ENGLISH]), angle)).pages[0]
    assert turned.text == upright.text
    left, top, right, bottom = upright.words.boxes.T
    expected = {
        90: (1 - bottom, left, 1 - top, right),
        180: (1 - right, 1 - bottom, 1 - left, 1 - top),
        270: (top, 1 - right, bottom, 1 - left),
    }[angle]
    np.testing.assert_allclose(turned.words.boxes, np.stack(expected, axis=1), atol=2e-3)
    swapped = angle != 180
    assert (turned.width, turned.height) == (
        (upright.height, upright.width) if swapped else (upright.width, upright.height)
    )


def test_a_cropped_page_has_its_boxes_moved():
    whole = read(pdfs.text_pdf([ENGLISH])).pages[0]
    page = read(pdfs.cropped(pdfs.text_pdf([ENGLISH]), 50, 400, 560, 800)).pages[0]
    assert (page.width, page.height) == (510, 400)
    left = whole.words.boxes[:, 0] * whole.width - 50
    np.testing.assert_allclose(page.words.boxes[:, 0] * 510, left, atol=0.5)
    top = whole.words.boxes[:, 1] * whole.height - (whole.height - 800)
    np.testing.assert_allclose(page.words.boxes[:, 1] * 400, top, atol=0.5)


def test_characters_beyond_the_basic_plane_do_not_shift_the_boxes():
    content = pdfs.stream(b"BT /F2 12 Tf 72 720 Td (A B C CABC x) Tj ET")

    def page_with(mapping):
        font = pdfs.unicode_font(mapping, 6)
        return read(pdfs.content_pdf(content, fonts=b"/F2 6 0 R", more=font)).pages[0]

    page, plain = page_with({65: "😀", 66: "𠀀", 67: "x"}), page_with({65: "a", 66: "汉", 67: "x"})
    assert page.text == "😀 𠀀 x x😀𠀀x x\n"
    assert plain.text == "a 汉 x xa汉x x\n"
    assert [page.text[a:b] for a, b in page.words.spans] == ["😀", "𠀀", "x", "x😀", "𠀀", "x", "x"]
    np.testing.assert_allclose(page.words.boxes, plain.words.boxes, atol=1e-6)


def test_ligatures_and_invisible_characters_are_cleaned():
    font = pdfs.unicode_font({65: "ﬁ", 66: "\u200b", 67: "x", 68: "\u202e", 69: "ffl"}, 6)
    content = pdfs.stream(b"BT /F2 12 Tf 72 720 Td (AC CBC CDC CEC B) Tj ET")
    page = read(pdfs.content_pdf(content, fonts=b"/F2 6 0 R", more=font)).pages[0]
    assert page.text == "fix xx xx xfflx\n"
    assert len(page.words) == 4


def test_words_divided_at_line_ends_are_joined():
    lines = ("This is an inter-", "national agreement on long-", "term rates of an Anglo-", "American bank.")
    page = read(pdfs.content_pdf(pdfs.shown(*lines))).pages[0]
    assert page.text.startswith("This is an international agreement on long-term rates of an Anglo-")
    assert "\ufffe" not in page.text


def test_two_columns_are_read_one_after_the_other():
    left, right = f"LEFT {ENGLISH}", f"RIGHT {ENGLISH}"
    page = read(pdfs.text_pdf([f"{left}\f{right}"], columns=2)).pages[0]
    assert page.text == f"{left}\n{right}\n"


def test_table_rows_stay_on_their_lines():
    rows = [("Cash and cash equivalents", "1,011,315", "876,560"), ("Goodwill", "5,406,474", "5,366,881")]
    page = read(pdfs.table_pdf(rows, widths=(250, 90, 90))).pages[0]
    assert page.text == "Cash and cash equivalents 1,011,315 876,560\nGoodwill 5,406,474 5,366,881\n"


def test_running_headers_and_footers_are_kept_apart_from_the_text():
    bodies = [f"Page {word} tells its own story. {ENGLISH}" for word in ("one", "two", "three", "four", "five")]
    document = read(pdfs.text_pdf(bodies, header="ACME Report {page}", footer="- {page} -"))
    assert texts(document) == [body + "\n" for body in bodies]
    assert document.pages[3].furniture == "ACME Report 4\n- 4 -"


def test_a_page_that_ends_within_a_sentence_flows_on():
    lines = pdfs.wrapped(ENGLISH * 2, pdfs.LATIN_FONT, pdfs.SIZE, pdfs.A4[0] - 2 * pdfs.MARGIN)
    document = read(pdfs.text_pdf([" ".join(lines[:2]), " ".join(lines[2:])]))
    assert [page.flows_on for page in document.pages] == [True, False]
    whole = read(pdfs.text_pdf([ENGLISH, ENGLISH]))
    assert [page.flows_on for page in whole.pages] == [False, False]


def test_labels_and_outline():
    def add(writer: PdfWriter):
        writer.set_page_label(0, 1, style="/r", start=3)
        writer.set_page_label(2, 2, style="/D", prefix="A-")
        top = writer.add_outline_item(title="Part \u202eone", page_number=0, fit=Fit.xyz(top=700))
        writer.add_outline_item(title="Chapter", page_number=2, parent=top)

    document = read(pdfs.rewritten(BOTH, add))
    assert [page.label for page in document.pages] == ["iii", "iv", "A-1"]
    assert [(h.title, h.level, h.page) for h in document.outline] == [("Part one", 1, 0), ("Chapter", 2, 2)]
    assert document.outline[0].top == pytest.approx(1 - 700 / 841.89, abs=1e-3)


# Notes and second readings -----------------------------------------------------------------------------------


def test_a_scanned_page_among_text_is_noted():
    def add(writer: PdfWriter):
        writer.append(io.BytesIO(pdfs.scanned_pdf(1)))

    document = read(pdfs.rewritten(BOTH, add))
    assert [page.kind for page in document.pages][3] is PageKind.SCANNED
    assert "1 of 4 pages is scanned" in str(document.notes[0])
    assert "OCR" in str(document.pages[3].note)


FLATE = b"/Filter/FlateDecode"
PACKED = zlib.compress(b"BT /F1 12 Tf 72 720 Td (Words that were lost) Tj ET " * 40)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pdfs.stream(b"x", b"/Filter/Unknown"), id="unknown filter"),
        pytest.param(pdfs.stream(b"garbage" * 40, FLATE), id="no deflate data"),
        pytest.param(pdfs.stream(PACKED[: len(PACKED) // 2], FLATE), id="cut off"),
        pytest.param(pdfs.stream(b"\0" * 400), id="zeros"),
        pytest.param(b"null", id="missing"),
    ],
)
def test_a_page_whose_contents_are_damaged_is_not_called_empty(content):
    damaged, good = read(pdfs.content_pdf(content, pdfs.shown(ENGLISH))).pages
    assert (damaged.kind, good.kind) == (PageKind.FAILED, PageKind.TEXT)
    assert "damaged" in str(damaged.note)


@pytest.mark.parametrize("content", [b"", b"q Q\n", b"1 g 0 0 612 792 re f"])
def test_a_blank_page_is_empty_and_nothing_is_wrong_with_it(content):
    for stream in (pdfs.stream(content), pdfs.packed(content)):
        blank = read(pdfs.content_pdf(stream, pdfs.shown(ENGLISH))).pages[0]
        assert (blank.kind, blank.note) == (PageKind.EMPTY, None)


def test_a_string_that_pdfium_truncates_is_read_by_pypdf():
    words = " ".join(f"{ENGLISH} {n}" for n in range(250))
    assert len(words) > 40_000
    page = read(pdfs.content_pdf(pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + words.encode() + b") Tj ET"))).pages[0]
    assert page.text.split()[-1] == "249"
    assert len(page.words) == 0
    assert "second reader" in str(page.note)


def test_a_doubtful_page_that_pypdf_reads_no_better_keeps_its_boxes():
    half_lost = ENGLISH + " /g12 /g34 /g56 /g78"
    assert GARBLED_BELOW < readability(half_lost) < DOUBTFUL_BELOW
    page = read(pdfs.content_pdf(pdfs.shown(*half_lost.split(". ")))).pages[0]
    assert len(page.words) == len(half_lost.split())
    assert page.note is None


def test_the_number_of_pages_read_by_pypdf_too_is_limited():
    cut = pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + b"one two three " * 2_500 + b") Tj ET")
    document = load(pdfs.content_pdf(cut, cut, cut), limits=replace(LIMITS, fallback_reader_pages=1))
    assert ["second reader" in str(page.note) for page in document.pages] == [True, False, False]
    assert ["Text is missing" in str(page.note) for page in document.pages] == [False, True, True]


def test_pypdf_reads_the_document_when_pdfium_crashes(monkeypatch, tmp_path):
    patch_child(monkeypatch, tmp_path, "child.open_pdfium = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)")
    document = read(BOTH)
    assert [page.text.split()[0] for page in document.pages] == ["The", CHINESE.split()[0], "The"]
    assert all(len(page.words) == 0 for page in document.pages)


def test_a_form_that_only_says_please_wait_is_noted():
    form = pdfs.content_pdf(
        pdfs.shown("Please wait... If this message is not eventually replaced, your viewer cannot show the form."),
        catalog=b"/AcroForm<</Fields[]/XFA 6 0 R>>/NeedsRendering true",
        more=[pdfs.stream(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>")],
    )
    assert any("XFA" in str(note) for note in read(form).notes)


# Whole reports -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    return read(pdfs.report_pdf())


def test_a_balance_sheet_is_read_row_by_row(report):
    rows = "".join(" ".join(cell for cell in row if cell) + "\n" for row in pdfs.REPORT_ROWS)
    assert report.pages[5].text == f"CONSOLIDATED BALANCE SHEETS\n{rows}"


def test_a_page_of_prose_is_read_in_paragraphs(report):
    (first, second), (title, subtitle) = pdfs.REPORT_PROSE, pdfs.report_titles(3)
    assert report.pages[3].text == f"{title}\n{first}\n{subtitle}\n{second}\n"


def test_every_page_of_a_report_has_its_header_footer_and_outline_entry(report):
    assert [page.furniture.split("\n") for page in report.pages] == [
        ["Table of Contents", "ACME SYSTEMS INCORPORATED", str(number)] for number in range(1, 10)
    ]
    assert [(heading.title, heading.page) for heading in report.outline] == [(f"Part {n + 1}", n) for n in range(9)]


def test_every_word_of_a_report_is_where_its_span_says(report):
    for page in report.pages:
        joined = "".join(page.text[start:end] for start, end in page.words.spans)
        assert joined == "".join(page.text.split())


def test_a_chinese_paragraph_is_read_without_line_breaks():
    text = CHINESE.replace("联盟", "联盟 (NFL)") * 5
    page = read(pdfs.text_pdf([text])).pages[0]
    assert len({round(float(top), 2) for top in page.words.boxes[:, 1]}) > 5  # that many lines at least
    assert page.text == text + "\n"


def test_a_published_report_is_read_as_well():
    path = SHARED / "financebench" / "pdfs" / "ADOBE_2016_10K.pdf"
    if not path.exists():
        pytest.skip("the reports of FinanceBench are not beside the repository")
    report = read(path)
    assert "\nCash and cash equivalents $ 1,011,315 $ 876,560\nShort-term investments 3," in report.pages[60].text
    assert "61" in report.pages[60].furniture.split("\n")
    assert "\nCatastrophic events may disrupt our business.\nWe are a highly automated" in report.pages[30].text
    assert len(report.outline) > 50
    for page in report.pages:
        assert "".join(page.text[a:b] for a, b in page.words.spans) == "".join(page.text.split())


def test_every_refusal_is_a_file_refused():
    assert all(issubclass(error, FileRefused) for error in (DamagedFile, LimitExceeded, NotAPdf, NoText))

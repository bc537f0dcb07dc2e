"""Text that PDF readers lose or turn round: filled forms, spaced-out Chinese, Arabic ligatures, very long strings."""

from __future__ import annotations

import pytest
from pypdf.generic import NameObject, NumberObject

from rag.index.tokenize import terms
from tests.rag import pdfs
from tests.rag.invariants import check_document
from tests.rag.samples import ENGLISH, read, texts

PRODUCTIVITY = "الإنتاجية"


def test_values_filled_into_a_form_stand_beside_their_labels():
    document = read(pdfs.form_pdf())
    check_document(document)
    assert document.pages[0].text.splitlines() == [
        "Name of the applicant: Maria Kowalska",
        "Country: Poland",
        "☑ Married ☐ Single",
        "Remarks:",
        "The pump leaks since May.",
        "The office returns this form to the applicant within thirty days.",
    ]


def test_a_value_can_be_marked_where_it_stands():
    page = read(pdfs.form_pdf()).pages[0]
    start = page.text.index("Maria")
    (box,) = page.words.locate(start, start + len("Maria Kowalska"))
    left, top, right, bottom = (side * length for side, length in zip(box, (page.width, page.height) * 2, strict=True))
    assert 199.9 <= left < right <= 400
    assert page.height - 774 <= top < bottom <= page.height - 752


def test_a_hidden_field_is_not_read():
    def hide(writer):
        for annotation in writer.pages[0]["/Annots"]:
            annotation.get_object()[NameObject("/F")] = NumberObject(2)

    (text,) = texts(read(pdfs.rewritten(pdfs.form_pdf(), hide)))
    assert "Maria" not in text
    assert "applicant" in text


def test_a_text_typed_onto_a_page_is_read():
    note = b"<</Type/Annot/Subtype/FreeText/Rect[72 600 300 630]/Contents(Paid on 3 May 2021)/DA(/F1 12 Tf)>>"
    pdf = pdfs.content_pdf(pdfs.shown(ENGLISH), page=b"/Annots[6 0 R]", more=[note])
    assert "Paid on 3 May 2021" in texts(read(pdf))[0]


@pytest.mark.parametrize(
    ("spaced", "words"),
    [
        ("中 国 银 行 股 份 有 限 公 司 的 净 利 润 为 3.5 亿 元 。", "中国银行股份有限公司的净利润为 3.5 亿元。"),
        ("日 本 銀 行 は 東 京 に あ り ま す 。", "日本銀行は東京にあります。"),
        ("中\u3000国\u3000银\u3000行", "中国银行"),
        ("合 计 1,577 1,409", "合计 1,577 1,409"),
        ("苍鹭 在 湖边 筑巢", "苍鹭 在 湖边 筑巢"),
    ],
)
def test_spaces_after_every_character_are_dropped(spaced, words):
    (page,) = read(pdfs.text_pdf([spaced])).pages
    assert page.text == f"{words}\n"
    assert len(page.words) == len(spaced.split())
    assert terms(page.text) == terms(words)


@pytest.mark.parametrize("ligature", ["لإ", "\ufef9"], ids=["mapped to both letters", "mapped to its own form"])
def test_lam_and_alef_of_a_ligature_are_in_order(ligature):
    glyphs = [PRODUCTIVITY[0], ligature, *PRODUCTIVITY[3:]]
    codes = {glyph: 65 + number for number, glyph in enumerate(dict.fromkeys(glyphs))}
    drawn = bytes(codes[glyph] for glyph in reversed(glyphs))  # from left to right
    font = pdfs.unicode_font({code: glyph for glyph, code in codes.items()}, 6)
    content = pdfs.stream(b"BT /F2 12 Tf 72 720 Td (%s) Tj ET" % drawn)
    assert texts(read(pdfs.content_pdf(content, fonts=b"/F2 6 0 R", more=font))) == [f"{PRODUCTIVITY}\n"]


def test_a_long_string_is_read_whole_or_said_to_be_cut():
    pdf = pdfs.content_pdf(pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + b"abcd efgh " * 5_000 + b") Tj ET"))
    whole = read(pdf)
    assert len(whole.pages[0].text) >= 49_999
    assert "missing" not in str(whole.pages[0].note)
    cut = read(pdf, readers=())
    assert len(cut.pages[0].text) < 33_000
    assert "more than 32,767 characters" in str(cut.pages[0].note)
    assert any("Text is missing on pages 1" in str(note) for note in cut.notes)


def test_a_long_page_of_short_strings_is_not_said_to_be_cut():
    assert not read(pdfs.long_page(50_000), readers=()).notes

"""Readable text is told from gibberish, and pages are classified."""

from __future__ import annotations

import pytest

from rag.pdf.text_quality import GARBLED_BELOW, classify, readability
from rag.records import PageKind
from tests.rag.layouts import CHINESE, ENGLISH

SHIFTED = "".join(chr(ord(c) + 3) if c.isalpha() else c for c in ENGLISH)
CODES = "BQXZ JKWV VYFH HDGP CPLM XQJZ KWVB GHYU ZZQX WVKJ BPGF HDMU YCLT JXQV KKWZ"  # names of letters, as no word has
LATIN_MOJIBAKE = CHINESE.encode("gbk").decode("latin-1")
DRAWING = (
    "— oe ~ ¢ eS = = es SS Ss a ee ee ee ae a ed ew ‘ | ' ._ Pe | i 4 ~— a : { ? =o re he en ) ~~ Fe Ws Yr } bE nS"
)
NUMBERED = "".join(chr(33 + sorted(set(ENGLISH)).index(c)) if c.isalpha() else c for c in ENGLISH)
CODE = "for (i = 0; i < n; ++i) { a[i] = b[i] + c; if (x != y) z -= 1; } "
MOJIBAKE = CHINESE.encode("utf-8").decode("gbk", "ignore")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ENGLISH, id="English"),
        pytest.param(CHINESE, id="Chinese"),
        pytest.param(ENGLISH + CHINESE, id="mixed"),
        pytest.param("Der Vorstand hat im Geschäftsjahr über die Prüfung berichtet und Maßnahmen " * 3, id="German"),
        pytest.param("1,234 5,678 (9,012) 3.4% $ 56" * 20, id="numbers"),
        pytest.param("国際連合は、平和と安全を維持するために設立された国際機関である。" * 3, id="Japanese"),
        pytest.param("國際聯合組織成立於一九四五年，總部設於紐約，宗旨是維護國際和平與安全。" * 3, id="traditional"),
        pytest.param("Компания признаёт выручку, когда контроль над товарами передан покупателю." * 3, id="Russian"),
        pytest.param(CHINESE * 6 + CODES * 2, id="Chinese with codes"),
        pytest.param("Компания признаёт выручку, когда товары переданы. " * 9 + CODES * 2, id="Russian with codes"),
        pytest.param(" ".join(f"{n * 7919}{code}" for n, code in enumerate(CODES.split() * 9)), id="part numbers"),
        pytest.param("hello hello hello " * 30, id="few letters over and over"),
        pytest.param("Η εταιρεία αναγνωρίζει έσοδα όταν ο έλεγχος των αγαθών μεταβιβάζεται. " * 3 + CODES, id="Greek"),
        pytest.param("تعترف الشركة بالإيرادات عندما تنتقل السيطرة على السلع إلى عملائها. " * 3 + CODES, id="Arabic"),
        pytest.param("कंपनी राजस्व को तब मान्यता देती है जब माल का नियंत्रण हस्तांतरित होता है। " * 3 + CODES, id="Hindi"),
        pytest.param("บริษัทรับรู้รายได้เมื่อมีการโอนการควบคุมสินค้าที่สัญญาไว้ " * 3 + CODES, id="Thai"),
        pytest.param("S a l p a k P t y L t d. A u s t r a l i a\n" * 5, id="letters spaced out"),
        pytest.param(CODE * 6, id="program"),
        pytest.param("∑ x_i = ∫ f(x) dx, ∂u/∂t = α ∇²u, λ ≥ 0, ∀ x ∈ ℝ: |x| ≥ 0. " * 8, id="formulas"),
        pytest.param(
            "Introduction . . . . . . . . . . . . . . 1\nScope ............................. 2\n" * 5, id="contents"
        ),
        pytest.param("Balance sheet\nRevenue 1,577 1,409\nNet income (912) —\n", id="few words"),
        pytest.param("", id="nothing"),
    ],
)
def test_text_is_readable(text):
    assert readability(text) > 0.85


def test_a_few_words_of_a_language_with_other_pairs_of_letters_are_not_taken_for_gibberish():
    assert readability("Mae'r cwmni yn cydnabod refeniw pan fydd rheolaeth dros y nwyddau") >= GARBLED_BELOW


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SHIFTED, id="shifted letters"),
        pytest.param(SHIFTED * 3 + CHINESE, id="shifted letters with some Chinese"),
        pytest.param(LATIN_MOJIBAKE, id="GBK read as Latin-1"),
        pytest.param(MOJIBAKE, id="UTF-8 read as GBK"),
        pytest.param("/g12/g34/g56/g78 " * 20, id="glyph names"),
        pytest.param("(cid:12)(cid:345)" * 20, id="character numbers"),
        pytest.param("\x01\x02\x03 \x04\x05" * 20, id="controls"),
        pytest.param(SHIFTED[:60], id="few shifted letters"),
        pytest.param(DRAWING * 2, id="a drawing, as OCR reads it"),
        pytest.param(NUMBERED, id="letters numbered from the first printable character on"),
        pytest.param("\ue001\ue002\ue003" * 20, id="private use"),
        pytest.param("\ufffd" * 50 + "some words", id="replacement characters"),
    ],
)
def test_gibberish_is_not(text):
    assert readability(text) < GARBLED_BELOW


@pytest.mark.parametrize(
    ("text", "objects", "kind"),
    [
        (ENGLISH, {}, PageKind.TEXT),
        (SHIFTED, {}, PageKind.GARBLED),
        ("", {"images": 1, "cover": 1.0}, PageKind.SCANNED),
        ("", {"paths": 500}, PageKind.SCANNED),
        ("", {}, PageKind.EMPTY),
        ("", {"paths": 2}, PageKind.EMPTY),
        ("12", {"images": 1, "cover": 0.95}, PageKind.SCANNED),
        ("12", {"images": 1, "cover": 0.1}, PageKind.TEXT),
        (ENGLISH, {"images": 1, "cover": 1.0}, PageKind.TEXT),
    ],
)
def test_kinds_of_pages(text, objects, kind):
    assert classify(text, readability(text), **objects) is kind

"""Loading: real documents, damaged ones, hostile ones, and a child that lies."""

from __future__ import annotations

import io
import os
import resource
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfWriter
from pypdf.generic import Fit

from rag import worker
from rag.errors import (
    DamagedFile,
    FileRefused,
    LimitExceeded,
    NotAPdf,
    NoText,
    PasswordNeeded,
    WrongPassword,
)
from rag.load import Stopped, load
from rag.records import PageKind
from rag.settings import Limits

sys.path.insert(0, str(Path(__file__).parent))  # for pdfs, whatever the import mode
import pdfs

LIMITS = Limits()
SHARED = Path(__file__).parents[2].parent / "shared" / "eval"
ENGLISH = (
    "The company recognises revenue when control of the promised goods is transferred to its customers in an "
    "amount that reflects the consideration it expects to receive in exchange for them."
)
CHINESE = "黑豹队的防守只丢了 308 分，在联赛中排名第六，同时也以 24 次拦截领先国家橄榄球联盟，并且四次入选职业碗。"
BOTH = pdfs.text_pdf([ENGLISH, CHINESE, f"{ENGLISH}\n{CHINESE}"], title="Annual report", author="ACME")


def read(data, **changes):
    return load(data, limits=LIMITS, **changes)


def texts(document):
    return [page.text for page in document.pages]


def test_english_chinese_and_both():
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


def test_words_stand_where_they_are_shown():
    page = read(pdfs.content_pdf(pdfs.shown("Alpha beta", "gamma"))).pages[0]
    assert [page.text[start:end] for start, end in page.words.spans] == ["Alpha", "beta", "gamma"]
    points = page.words.boxes * np.array([612, 792, 612, 792])
    left, top, right, bottom = points[0]
    assert left == pytest.approx(72, abs=1.5)
    assert top < 792 - 720 - 8 < 792 - 720 < bottom < 792 - 720 + 6
    assert 20 < right - left < 40
    assert points[2][1] == pytest.approx(points[0][1] + 15, abs=0.5)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_page_has_its_boxes_turned(angle):
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


def test_characters_beyond_the_first_plane_do_not_shift_the_boxes():
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


def test_hyphens_at_line_ends_are_mended():
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


def test_running_lines_become_furniture():
    bodies = [f"Page {word} tells its own story. {ENGLISH}" for word in ("one", "two", "three", "four", "five")]
    document = read(pdfs.text_pdf(bodies, header="ACME Report {page}", footer="- {page} -"))
    assert texts(document) == [body + "\n" for body in bodies]
    assert document.pages[3].furniture == "ACME Report 4\n- 4 -"


def test_a_sentence_that_goes_on_over_the_page():
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


# Passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
def test_passwords(algorithm):
    locked = pdfs.encrypted(BOTH, "sésame 密码" if algorithm == "AES-256" else "sesame", algorithm=algorithm)
    with pytest.raises(PasswordNeeded, match="type its password"):
        read(locked)
    with pytest.raises(WrongPassword, match="does not open"):
        read(locked, password="open")
    for password in ("sésame 密码" if algorithm == "AES-256" else "sesame", "owner"):
        assert texts(read(locked, password=password)) == texts(read(BOTH))


def test_the_password_is_in_no_message_and_no_command_line(monkeypatch):
    commands = []
    popen = worker.subprocess.Popen
    monkeypatch.setattr(
        worker.subprocess, "Popen", lambda *args, **more: (commands.append((args, more)), popen(*args, **more))[1]
    )
    with pytest.raises(WrongPassword) as caught:
        read(pdfs.encrypted(BOTH, "sesame"), password="hunter2")
    assert "hunter2" not in str(caught.value)
    assert commands
    assert "hunter2" not in str(commands)


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_an_owner_who_forbids_copying_is_named(algorithm):
    document = read(pdfs.encrypted(BOTH, "", algorithm=algorithm, copy=False))
    assert texts(document) == texts(read(BOTH))
    assert "owner" in document.notes[0]


# Files that are refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        pytest.param(b"", NotAPdf, "empty", id="empty file"),
        pytest.param(b"Dear Sir or Madam,\n", NotAPdf, "plain text", id="text"),
        pytest.param(b"PK\x03\x04" + bytes(100), NotAPdf, "ZIP", id="docx"),
        pytest.param(b"<!DOCTYPE html><p>", NotAPdf, "web page", id="html"),
        pytest.param(b"\x89PNG\r\n\x1a\n", NotAPdf, "picture", id="png"),
        pytest.param(b"%PDF-1.7\n" + bytes(1000), DamagedFile, "damaged or cut off", id="only a header"),
        pytest.param(BOTH[: len(BOTH) * 6 // 10], DamagedFile, "damaged or cut off", id="truncated"),
        pytest.param(
            pdfs.raw_pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 0/Kids[]>>"]),
            DamagedFile, "no pages", id="zero pages",
        ),
        pytest.param(
            pdfs.raw_pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[2 0 R]>>"]),
            DamagedFile, "damaged|can be read", id="pages that hold themselves",
        ),
        pytest.param(pdfs.scanned_pdf(3), NoText, "3 pages: 3 scanned pictures.*ocrmypdf", id="scanned"),
        pytest.param(pdfs.text_pdf(["", ""]), NoText, "2 pages: 2 empty", id="blank"),
        pytest.param(
            pdfs.content_pdf(pdfs.shown("".join(chr(ord(character) + 3) for character in ENGLISH))),
            NoText, "1 page: 1 text in broken fonts", id="garbled",
        ),
    ],
)  # fmt: skip
def test_files_that_are_refused(data, error, match):
    with pytest.raises(error, match=match) as caught:
        read(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"file_bytes": 1_000}, r"0\.\d MB, more than the limit of 0\.0 MB"),
        ({"pages": 2}, "3 pages, more than the limit of 2"),
        ({"page_characters": 100}, r"page 1 has \d+ characters, more than the limit of 100 a page"),
        ({"document_characters": 300}, r"has \d+ characters up to page 3, more than the limit of 300"),
        ({"read_memory_bytes": 40 * 2**20}, "more than the limit of 40 MB of memory"),
        ({"read_wall_seconds": 0}, "longer than the limit of 0 seconds"),
    ],
)
def test_limits_are_named_with_their_values(change, match):
    with pytest.raises(LimitExceeded, match=match):
        load(BOTH, limits=replace(LIMITS, **change))


def test_a_page_of_ten_million_characters_is_refused_and_costs_nothing():
    data = pdfs.long_page(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="Reading page 1 needs"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a_page_over_the_characters_is_refused_by_its_number():
    with pytest.raises(LimitExceeded, match=r"page 2 has 2\d\d,\d\d\d characters, more than the limit of 100,000"):
        load(
            pdfs.content_pdf(pdfs.shown("fine"), pdfs.long_content(200_000)),
            limits=replace(LIMITS, page_characters=100_000),
        )


def test_a_flate_bomb_costs_one_child():
    data = pdfs.flate_bomb(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="limit of 256 MB of memory"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_processor_time_is_limited():
    with pytest.raises(LimitExceeded, match="limit of 1 seconds of processor time"):
        load(
            pdfs.content_pdf(*[pdfs.packed(b"0 0 m 1 1 l S " * 700_000)] * 60),
            limits=replace(LIMITS, read_cpu_seconds=1),
        )


def test_labels_that_crash_pdfium_are_read_by_pypdf():
    document = read(pdfs.label_cycle())
    assert texts(document) == ["The labels of this page never end.\n"]
    assert document.pages[0].label == "1"


def test_an_outline_in_a_circle_ends():
    document = read(pdfs.outline_cycle())
    assert 1 <= len(document.outline) <= 4
    assert document.outline[0].title == "First"


def test_a_claim_of_many_pages_is_refused_at_once():
    with pytest.raises(LimitExceeded, match="999,999 pages, more than the limit of 10,000"):
        read(pdfs.content_pdf(pdfs.shown("hello")).replace(b"/Count 1/", b"/Count 999999/"))


@pytest.mark.parametrize(
    "box", [b"/MediaBox[0 0 1e38 -1e38]", b"/MediaBox[0 0 0 0]", b"/MediaBox[5 5 5 5]/Rotate 45"]
)
def test_senseless_pages_have_sane_boxes(box):
    page = read(pdfs.content_pdf(pdfs.shown("hello there"), page=box)).pages[0]
    assert page.text == "hello there\n"
    assert np.isfinite(page.words.boxes).all()
    assert page.words.boxes.min() >= 0
    assert page.words.boxes.max() <= 1
    assert page.width > 0
    assert page.height > 0


# Pages that are lost, read twice, or noted -------------------------------------------------------------------


def test_a_scanned_page_among_text_is_noted():
    def add(writer: PdfWriter):
        writer.append(io.BytesIO(pdfs.scanned_pdf(1)))

    document = read(pdfs.rewritten(BOTH, add))
    assert [page.kind for page in document.pages][3] is PageKind.SCANNED
    assert "1 of 4 pages is scanned" in document.notes[0]
    assert "OCR" in document.pages[3].note


def test_a_string_that_pdfium_cuts_is_read_by_pypdf():
    words = " ".join(f"{ENGLISH} {n}" for n in range(250))
    assert len(words) > 40_000
    page = read(pdfs.content_pdf(pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + words.encode() + b") Tj ET"))).pages[0]
    assert page.text.split()[-1] == "249"
    assert len(page.words) == 0
    assert "second PDF reader" in page.note


def test_only_so_many_pages_are_looked_at_twice():
    cut = pdfs.stream(b"BT /F1 1 Tf 72 720 Td (" + b"one two three " * 2_500 + b") Tj ET")
    document = load(pdfs.content_pdf(cut, cut, cut), limits=replace(LIMITS, second_look_pages=1))
    assert [bool(page.note) for page in document.pages] == [True, False, False]


def test_a_crash_of_pdfium_leaves_the_document_to_pypdf(monkeypatch, tmp_path):
    source = worker.SCRIPT.read_text().replace(
        "    pdfium.FPDF_InitLibrary()\n", "    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    script = tmp_path / "pdf_worker.py"
    script.write_text(source)
    monkeypatch.setattr(worker, "SCRIPT", script)
    document = read(BOTH)
    assert [page.text.split()[0] for page in document.pages] == ["The", CHINESE.split()[0], "The"]
    assert all(len(page.words) == 0 for page in document.pages)


def test_a_form_that_only_says_please_wait_is_noted():
    form = pdfs.content_pdf(
        pdfs.shown("Please wait... If this message is not eventually replaced, your viewer cannot show the form."),
        catalog=b"/AcroForm<</Fields[]/XFA 6 0 R>>/NeedsRendering true",
        more=[pdfs.stream(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>")],
    )
    assert any("XFA" in note for note in read(form).notes)


# The child is not trusted ------------------------------------------------------------------------------------


def fake_child(monkeypatch, tmp_path, body):
    """Put a script that writes frames of its own in the place of the child."""
    script = tmp_path / "child.py"
    script.write_text(
        "import json, os, struct, sys, time, signal\n"
        "def send(meta, text=b'', words=b''):\n"
        "    head = json.dumps(meta).encode()\n"
        "    sizes = struct.pack('<III', len(head), len(text), len(words))\n"
        "    sys.stdout.buffer.write(sizes + head + text + words)\n"
        "    sys.stdout.buffer.flush()\n"
        "command = json.load(sys.stdin)\n"
        "page = dict(kind='page', number=0, width=612, height=792, map=[.001, 0, 0, -.001, 0, 1])\n"
        "plain = dict(kind='page', number=0, width=612, height=792)\n" + body
    )
    monkeypatch.setattr(worker, "SCRIPT", script)


OPEN = "send(dict(kind='open', pages=1))\n"
END = "send(dict(kind='pages_done')); send(dict(kind='end'))\n"
WORDS = "struct.pack('<ii8f', {}, {}, *[{}] * 8)"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 2**32 - 1, 0, 0))", id="4 GB of JSON announced"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 2, 2**32 - 1, 0) + b'{}')", id="4 GB of text"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 3, 0, 0) + b'abc')", id="no JSON"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 9000, 0, 0) + b'[' * 9000)", id="deep JSON"),
        pytest.param("sys.stdout.buffer.write(b'Hello')", id="no frame"),
        pytest.param("send([1, 2])", id="no object"),
        pytest.param("send(dict(kind='end'))", id="nothing"),
        pytest.param("send(dict(kind='open', pages=10**9))\n" + END, id="too many pages"),
        pytest.param("send(dict(kind='open', pages='1'))\n" + END, id="pages as a string"),
        pytest.param(OPEN + OPEN, id="opened twice"),
        pytest.param(OPEN + END, id="a page missing"),
        pytest.param(OPEN + "send(page, b'x'); send(page, b'x')\n" + END, id="a page too many"),
        pytest.param(OPEN + "send(page | dict(number=7), b'x')\n" + END, id="another page"),
        pytest.param(OPEN + "send(page, b'\\xff')\n" + END, id="no UTF-8"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(0, 9, 1.0)})\n" + END, id="a span too long"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(-1, 2, 1.0)})\n" + END, id="a span before"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(2, 1, 1.0)})\n" + END, id="a span backwards"),
        pytest.param(OPEN + "send(page, b'word', b'abc')\n" + END, id="half a word"),
        pytest.param(OPEN + "send(page | dict(map=['a'] * 6), b'word')\n" + END, id="a map of letters"),
        pytest.param(OPEN + "send(dict(kind='page', number=0), b'word')\n" + END, id="no size"),
        pytest.param("raise SystemExit(3)", id="dead"),
    ],
)
def test_a_lying_child_is_a_damaged_file(monkeypatch, tmp_path, body):
    fake_child(monkeypatch, tmp_path, body)
    with pytest.raises(DamagedFile):
        read(BOTH)


@pytest.mark.parametrize("number", ["float('nan')", "float('inf')", "-1e30", "3e38"])
def test_boxes_of_a_lying_child_are_made_sane(monkeypatch, tmp_path, number):
    fake_child(monkeypatch, tmp_path, OPEN + f"send(page, b'word', {WORDS.format(0, 4, number)})\n" + END)
    boxes = read(BOTH).pages[0].words.boxes
    assert ((boxes >= 0) & (boxes <= 1)).all()


@pytest.mark.parametrize(
    "info",
    [
        "dict(kind='info', labels=5, outline=7, metadata=[])",
        "dict(kind='info', labels=[None, 3, {}], outline=[1, [], ['a'] * 5, ['t', 1, 10**9, 0, 0]], failed=3)",
        "dict(kind='info', labels=['x' * 10**6], outline=[['t\\u202e' * 999, -5, 0, float('nan'), 9e999]])",
        "dict(kind='info', metadata=dict(Title='\\0' * 1000, Author=3, CreationDate=[]))",
    ],
)
def test_information_of_a_lying_child_is_left_out(monkeypatch, tmp_path, info):
    fake_child(monkeypatch, tmp_path, OPEN + f"send(plain, b'word')\nsend({info})\n" + END)
    document = read(BOTH)
    assert texts(document) == ["word\n"]
    assert len(document.pages[0].label) <= 40
    assert all(len(heading.title) <= 300 and 0 <= heading.top <= 1 for heading in document.outline)


def test_a_page_that_cannot_be_read_is_kept_as_failed(monkeypatch, tmp_path):
    body = (
        "if 'again' not in command:\n"
        "    send(dict(kind='open', pages=3))\n"
        "    send(plain, b'The first page.')\n"
        "    send(dict(kind='page', number=1, failed=True))\n"
        "    send(plain | dict(number=2), b'The third page.')\n"
        "    send(dict(kind='pages_done'))\n"
        "send(dict(kind='end'))\n"
    )
    fake_child(monkeypatch, tmp_path, body)
    document = read(BOTH)
    assert texts(document) == ["The first page.\n", "", "The third page.\n"]
    assert document.pages[1].kind is PageKind.FAILED
    assert document.notes == ("1 of 3 pages is damaged and could not be read: 2.",)


def test_pages_are_kept_when_the_child_dies_over_the_outline(monkeypatch, tmp_path):
    body = OPEN + "send(plain, b'word')\nsend(dict(kind='pages_done'))\nos.kill(os.getpid(), signal.SIGKILL)"
    fake_child(monkeypatch, tmp_path, body)
    document = read(BOTH)
    assert texts(document) == ["word\n"]
    assert "outline" in document.notes[-1]


@pytest.mark.parametrize(
    ("body", "error", "match"),
    [
        ("os.abort()", LimitExceeded, "256 MB of memory"),
        ("raise SystemExit(77)", LimitExceeded, "256 MB of memory"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", LimitExceeded, "20 seconds of processor time"),
        (OPEN + "os.abort()", LimitExceeded, "Reading page 1 needs"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", DamagedFile, "crashes"),
    ],
)
def test_a_dead_child_is_explained(monkeypatch, tmp_path, body, error, match):
    fake_child(monkeypatch, tmp_path, body)
    with pytest.raises(error, match=match):
        read(BOTH)


def test_a_silent_child_is_killed(monkeypatch, tmp_path):
    mark = tmp_path / "pid"
    fake_child(monkeypatch, tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    with pytest.raises(LimitExceeded, match="longer than the limit of 1 seconds"):
        load(BOTH, limits=replace(LIMITS, read_wall_seconds=1))
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_stop_kills_the_child_at_once(monkeypatch, tmp_path):
    fake_child(monkeypatch, tmp_path, "time.sleep(600)")
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped):
        read(BOTH, stop=stop)


REPORT = """
def report():
    names = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_FSIZE")
    limits = [resource.getrlimit(getattr(resource, name))[0] for name in names]
    Output().send({"environment": dict(os.environ), "folder": os.getcwd(), "limits": limits,
                   "isolated": sys.flags.isolated, "open": os.listdir("/proc/self/fd")})
"""


def test_the_child_is_bounded_and_sees_nothing(monkeypatch, tmp_path):
    source = worker.SCRIPT.read_text().replace("    gc.disable()", "    report()\n    gc.disable()")
    script = tmp_path / "pdf_worker.py"
    script.write_text(source.replace("\nif __name__", REPORT + "\nif __name__"))
    monkeypatch.setattr(worker, "SCRIPT", script)
    monkeypatch.setenv("SECRET", "hunter2")
    bounds = worker.Bounds(20, 60, LIMITS.read_memory_bytes, 1_000, 1_000)
    with worker.opened(BOTH) as file:
        seen = next(iter(worker.frames(file, {"do": "read"}, bounds, doing=""))).meta
    assert not seen["environment"].keys() - {"LC_ALL", "LC_CTYPE"}
    assert (seen["folder"], seen["isolated"]) == ("/", 1)
    assert seen["limits"] == [LIMITS.read_memory_bytes, 20, 0, 0]
    assert len(seen["open"]) == 6  # the standard three, the PDF, the output once more, the listing itself


# Real documents ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    path = SHARED / "financebench" / "pdfs" / "ADOBE_2016_10K.pdf"
    if not path.exists():
        pytest.skip("the reports of FinanceBench are not beside the repository")
    return read(path)


def test_a_balance_sheet_is_read_row_by_row(report):
    page = report.pages[60]
    assert (
        "\nCash and cash equivalents $ 1,011,315 $ 876,560\nShort-term investments 3,749,985 3,111,524\n"
        in page.text
    )
    assert "61" in page.furniture.split("\n")
    assert not page.text.endswith("61\n")


def test_a_page_of_prose_is_read_in_paragraphs(report):
    text = report.pages[30].text
    assert (
        "\nCatastrophic events may disrupt our business.\nWe are a highly automated business and rely on " in text
    )
    assert "sales activities. In addition, some of our businesses rely on" in text
    assert len(report.outline) > 50


def test_every_word_of_the_report_is_where_its_span_says(report):
    for page in report.pages:
        joined = "".join(page.text[start:end] for start, end in page.words.spans)
        assert joined == "".join(page.text.split())


def test_a_chinese_document_is_read_without_line_breaks():
    path = SHARED / "xquad" / "pdfs" / "xquad_zh_000.pdf"
    if not path.exists():
        pytest.skip("the paragraphs of XQuAD are not beside the repository")
    document = read(path)
    assert document.pages[0].text.count("\n") == 1
    assert "同时也以 24 次拦截领先国家橄榄球联盟 (NFL)，并且四次入选职业碗。" in document.pages[0].text


def test_every_refusal_is_a_file_refused():
    assert all(issubclass(error, FileRefused) for error in (DamagedFile, LimitExceeded, NotAPdf, NoText))

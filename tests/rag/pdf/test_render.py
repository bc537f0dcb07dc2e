"""Drawing pages, and the cache of drawn pages."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rag.errors import DamagedFile, LimitExceeded, PasswordNeeded, WrongPassword
from rag.pdf import render
from rag.pdf.load import load
from rag.pdf.render import PageImages, draw_page
from rag.settings import Limits, RenderSettings
from tests.rag import pdfs

LIMITS = Limits()
TEXT = pdfs.text_pdf(["First page, with some words on it.", "Second page.", "第三页的内容。"])


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))  # (height, width)


@pytest.fixture
def pdf(tmp_path):
    path = tmp_path / "document.pdf"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def drawn(monkeypatch):
    """Numbers of the pages drawn so far; drawing itself is replaced by a quick fake."""
    calls = []

    def fake(pdf, page, pixels_wide, limits, password=None):
        calls.append(page)
        return render.PNG + bytes([page]) * 992  # 1,000 bytes

    monkeypatch.setattr(render, "draw_page", fake)
    return calls


ID, OTHER = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()


def test_a_page_is_drawn_as_wide_as_asked():
    picture = pixels(draw_page(TEXT, 0, 700, LIMITS))
    assert picture.shape == pytest.approx((990, 700), abs=1)
    assert picture.max() == 255
    assert 0.0001 < (picture < 128).mean() < 0.1


def test_words_lie_in_their_boxes():
    page = load(TEXT, limits=LIMITS).pages[0]
    ink = pixels(draw_page(TEXT, 0, 1100, LIMITS)) < 160
    height, width = ink.shape
    inside = np.zeros_like(ink)
    for left, top, right, bottom in page.words.boxes:
        box = np.s_[int(top * height) : int(bottom * height) + 2, int(left * width) - 1 : int(right * width) + 2]
        inside[box] = True
        assert ink[box].any()
    assert (ink & ~inside).sum() < 0.02 * ink.sum()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_words_of_rotated_pages_lie_in_their_boxes(angle):
    data = pdfs.cropped(pdfs.rotated(TEXT, angle), 40, 300, 580, 830)
    page = load(data, limits=LIMITS).pages[0]
    ink = pixels(draw_page(data, 0, 1100, LIMITS)) < 160
    height, width = ink.shape
    assert width / height == pytest.approx(page.width / page.height, abs=0.01)
    for left, top, right, bottom in page.words.boxes:
        assert ink[int(top * height) : int(bottom * height) + 2, int(left * width) : int(right * width) + 2].any()


def test_annotations_are_drawn():
    content, square = (
        pdfs.stream(b""),
        pdfs.stream(b"1 0 0 rg 0 0 100 100 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]"),
    )
    note = b"<</Type/Annot/Subtype/Square/Rect[100 100 200 200]/F 4/AP<</N 7 0 R>>>>"
    data = pdfs.content_pdf(content, page=b"/Annots[6 0 R]", more=[note, square])
    picture = pixels(draw_page(data, 0, 612, LIMITS))
    assert picture[792 - 150, 150] < 128
    assert picture[792 - 250, 150] == 255


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        (b"/MediaBox[0 0 10 14400]", (400, 1)),
        (b"/MediaBox[0 0 14400 10]", (1, 100)),
        (b"/MediaBox[0 0 14400 14400]/UserUnit 100", (100, 100)),
    ],
)
def test_pictures_of_pages_of_any_size_are_limited_in_size(box, shape):
    picture = pixels(draw_page(pdfs.content_pdf(pdfs.shown("x"), page=box), 0, 100, LIMITS))
    assert picture.shape == pytest.approx(shape, abs=1)


def test_a_password_is_asked_for_and_used():
    locked = pdfs.encrypted(TEXT, "sesame")
    with pytest.raises(PasswordNeeded):
        draw_page(locked, 0, 100, LIMITS)
    with pytest.raises(WrongPassword):
        draw_page(locked, 0, 100, LIMITS, "x")
    assert (pixels(draw_page(locked, 0, 300, LIMITS, "sesame")) == pixels(draw_page(TEXT, 0, 300, LIMITS))).all()


@pytest.mark.parametrize("page", [3, 10**6, -1])
def test_a_page_that_does_not_exist(page):
    with pytest.raises(DamagedFile, match="does not exist"):
        draw_page(TEXT, page, 100, LIMITS)


def test_drawing_is_limited():
    with pytest.raises(LimitExceeded, match="Drawing page 1 needs more than the limit of 60 MiB"):
        draw_page(TEXT, 0, 4_000, replace(LIMITS, render_memory_bytes=60 * 2**20))
    endless = pdfs.content_pdf(pdfs.packed(b"0 0 m 600 700 l 20 30 l S " * 500_000))
    message = r"Drawing page 1 took (more|longer) than the limit of .* higher limits\.render_cpu_seconds in the file of"
    with pytest.raises(LimitExceeded, match=message):
        draw_page(endless, 0, 1_000, replace(LIMITS, render_cpu_seconds=1))


def test_a_page_is_drawn_once_and_then_read_from_disk(tmp_path, pdf):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(max_pixels_wide=200), LIMITS)
    first = pictures.page(ID, pdf, 1)
    pdf.unlink()
    assert pictures.page(ID, pdf, 1) == first
    assert PageImages(tmp_path / "pictures", RenderSettings(max_pixels_wide=200), LIMITS).page(ID, pdf, 1) == first


def test_the_least_recently_used_picture_is_dropped_first(tmp_path, pdf, drawn):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(cache_bytes=3_000), LIMITS)
    for page in (0, 1, 2, 0, 3):
        pictures.page(ID, pdf, page)
    assert drawn == [0, 1, 2, 3]
    assert sum(path.stat().st_size for path in (tmp_path / "pictures").glob("*/*")) == 3_000
    pictures.page(ID, pdf, 0)
    pictures.page(ID, pdf, 1)
    assert drawn == [0, 1, 2, 3, 1]


def test_the_order_of_use_survives_a_restart(tmp_path, pdf, drawn):
    settings, folder = RenderSettings(cache_bytes=3_000), tmp_path / "pictures"
    before = PageImages(folder, settings, LIMITS)
    for page in (0, 1, 2):
        before.page(ID, pdf, page)
        os.utime(folder / ID / f"{page}-1280.png", (page + 1, page + 1))
    os.utime(folder / ID / "0-1280.png", (9, 9))
    (folder / ID / "tmp1.part").write_bytes(b"half")
    after = PageImages(folder, settings, LIMITS)
    after.page(OTHER, pdf, 5)
    assert sorted(path.name for path in folder.glob("*/*")) == ["0-1280.png", "2-1280.png", "5-1280.png"]


def test_a_picture_larger_than_the_cache_is_not_kept(tmp_path, pdf, drawn):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(cache_bytes=500), LIMITS)
    assert len(pictures.page(ID, pdf, 0)) == 1_000
    assert not list((tmp_path / "pictures").glob("*/*"))


def test_a_damaged_picture_is_drawn_again(tmp_path, pdf, drawn):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)
    picture = pictures.page(ID, pdf, 0)
    (tmp_path / "pictures" / ID / "0-1280.png").write_bytes(b"")
    assert pictures.page(ID, pdf, 0) == picture
    (tmp_path / "pictures" / ID / "0-1280.png").unlink()
    assert pictures.page(ID, pdf, 0) == picture
    assert drawn == [0, 0, 0]


def test_forgetting_removes_one_document_from_the_disk(tmp_path, pdf, drawn):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)
    pictures.page(ID, pdf, 0)
    pictures.page(OTHER, pdf, 0)
    pictures.forget(ID)
    pictures.forget(ID)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [OTHER]
    pictures.page(ID, pdf, 0)
    assert drawn == [0, 0, 0]


def test_a_picture_being_drawn_when_its_document_is_forgotten_is_not_kept(tmp_path, pdf, monkeypatch):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)
    started, go_on = threading.Event(), threading.Event()

    def slow(*_):
        started.set()
        assert go_on.wait(10)
        return render.PNG

    monkeypatch.setattr(render, "draw_page", slow)
    thread = threading.Thread(target=pictures.page, args=(ID, pdf, 0))
    thread.start()
    assert started.wait(10)
    pictures.forget(ID)
    go_on.set()
    thread.join()
    assert not list((tmp_path / "pictures").glob("*"))


def test_two_who_ask_for_the_same_page_have_it_drawn_once(tmp_path, pdf, monkeypatch):
    calls, lock = [], threading.Barrier(4)

    def slow(pdf, page, *_):
        calls.append(page)
        threading.Event().wait(0.05)
        return render.PNG + bytes([page])

    monkeypatch.setattr(render, "draw_page", slow)
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)

    def ask():
        lock.wait()
        for page in (0, 1, 0):
            assert pictures.page(ID, pdf, page) == render.PNG + bytes([page])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == [0, 1]


def test_a_failed_drawing_leaves_no_file(tmp_path, pdf):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)
    for _ in range(2):
        with pytest.raises(DamagedFile):
            pictures.page(ID, pdf, 99)
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize("bad", ["", "..", "../" + "a" * 61, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64])
def test_an_id_that_is_not_a_hash_is_never_used_as_a_path(tmp_path, pdf, bad):
    pictures = PageImages(tmp_path / "pictures", RenderSettings(), LIMITS)
    with pytest.raises(ValueError, match="64 hexadecimal"):
        pictures.page(bad, pdf, 0)
    with pytest.raises(ValueError, match="64 hexadecimal"):
        pictures.forget(bad)


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_png_holds_the_pixels_it_was_made_from(width, height, random):
    coloured = random.random() < 0.5
    rgb = random.randbytes(width * height * 3) if coloured else random.randbytes(1) * (width * height * 3)
    coloured = any(rgb[at] != rgb[at + 1] or rgb[at] != rgb[at + 2] for at in range(0, len(rgb), 3))
    picture = Image.open(io.BytesIO(render.png(width, height, rgb)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB" if coloured else "L", (width, height))
    assert picture.convert("RGB").tobytes() == rgb


@pytest.mark.parametrize(("width", "height"), [(2, 2), (0, 0), (-1, -4), (None, 1), (10**9, 10**9), (1.0, 4)])
def test_pixels_that_do_not_fit_their_size_are_refused(width, height):
    with pytest.raises(DamagedFile):
        render.png(width, height, b"abc")

"""PDFs that are refused, or read in spite of hostile content: passwords, damage, limits, bombs."""

from __future__ import annotations

import resource
from dataclasses import replace

import numpy as np
import pytest

from rag.errors import (
    DamagedFile,
    FileRefused,
    LimitExceeded,
    NotAPdf,
    NoText,
    PasswordNeeded,
    WrongPassword,
)
from rag.pdf import sandbox
from rag.pdf.load import load
from tests.rag import pdfs
from tests.rag.samples import BOTH, ENGLISH, LIMITS, read, texts


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
    popen = sandbox.subprocess.Popen
    monkeypatch.setattr(
        sandbox.subprocess, "Popen", lambda *args, **more: (commands.append((args, more)), popen(*args, **more))[1]
    )
    with pytest.raises(WrongPassword) as caught:
        read(pdfs.encrypted(BOTH, "sesame"), password="hunter2")
    assert "hunter2" not in str(caught.value)
    assert commands
    assert "hunter2" not in str(commands)


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_restriction_on_copying_is_noted(algorithm):
    document = read(pdfs.encrypted(BOTH, "", algorithm=algorithm, copy=False))
    assert texts(document) == texts(read(BOTH))
    assert "owner" in str(document.notes[0])


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
            DamagedFile, "damaged|can be read", id="page tree that contains itself",
        ),
        pytest.param(pdfs.scanned_pdf(3), NoText, "pages: 3 scanned.*ocrmypdf", id="scanned"),
        pytest.param(pdfs.text_pdf(["", ""]), NoText, r"all of its pages \(2\) are empty", id="blank"),
        pytest.param(
            pdfs.content_pdf(pdfs.shown("".join(chr(ord(character) + 3) for character in ENGLISH))),
            NoText, "pages: 1 in broken fonts", id="garbled",
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
        ({"file_bytes": 1_000}, r"0\.\d MB, the limit is 0\.0 MB"),
        ({"pages": 2}, "3 pages, the limit is 2:"),
        ({"page_characters": 100}, r"Page 1 has \d+ characters, the limit for a page is 100:"),
        ({"document_characters": 300}, r"has \d+ characters up to page 3, the limit is 300:"),
        ({"read_memory_bytes": 40 * 2**20}, "more than the limit of 40 MiB of memory"),
        ({"read_wall_seconds": 0}, "longer than the limit of 0 seconds"),
    ],
)
def test_limits_are_named_with_their_values(change, match):
    with pytest.raises(LimitExceeded, match=match):
        load(BOTH, limits=replace(LIMITS, **change))


def test_a_page_of_ten_million_characters_is_refused_without_using_memory_here():
    data = pdfs.long_page(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="Reading page 1 needs"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_the_page_with_too_many_characters_is_named():
    with pytest.raises(LimitExceeded, match=r"Page 2 has 2\d\d,\d\d\d characters, the limit for a page is 100,000:"):
        load(
            pdfs.content_pdf(pdfs.shown("fine"), pdfs.long_content(200_000)),
            limits=replace(LIMITS, page_characters=100_000),
        )


def test_a_compression_bomb_is_refused_without_using_memory_here():
    data = pdfs.flate_bomb(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="limit of 256 MiB of memory"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_cpu_time_is_limited():
    with pytest.raises(LimitExceeded, match="limit of 1 seconds of CPU time"):
        load(
            pdfs.content_pdf(*[pdfs.packed(b"0 0 m 1 1 l S " * 700_000)] * 60),
            limits=replace(LIMITS, read_cpu_seconds=1),
        )


def test_labels_that_crash_pdfium_are_read_by_pypdf():
    document = read(pdfs.label_cycle())
    assert texts(document) == ["The labels of this page never end.\n"]
    assert document.pages[0].label == "1"


def test_a_circular_outline_ends():
    document = read(pdfs.outline_cycle())
    assert 1 <= len(document.outline) <= 4
    assert document.outline[0].title == "First"


def test_a_file_that_claims_too_many_pages_is_refused():
    with pytest.raises(LimitExceeded, match="999,999 pages, the limit is 10,000:"):
        read(pdfs.content_pdf(pdfs.shown("hello")).replace(b"/Count 1/", b"/Count 999999/"))


@pytest.mark.parametrize("box", [b"/MediaBox[0 0 1e38 -1e38]", b"/MediaBox[0 0 0 0]", b"/MediaBox[5 5 5 5]/Rotate 45"])
def test_pages_of_senseless_size_have_valid_boxes(box):
    page = read(pdfs.content_pdf(pdfs.shown("hello there"), page=box)).pages[0]
    assert page.text == "hello there\n"
    assert np.isfinite(page.words.boxes).all()
    assert page.words.boxes.min() >= 0
    assert page.words.boxes.max() <= 1
    assert page.width > 0
    assert page.height > 0


def test_a_certificate_is_told_apart_from_a_password():
    locked = pdfs.encrypted(BOTH, "sesame", algorithm="AES-128")
    at = locked.index(b"/Standard")
    with pytest.raises(FileRefused, match="a certificate or by rights management"):
        read(locked[:at] + b"/Adobe.PubSec" + locked[at + len(b"/Standard") :])

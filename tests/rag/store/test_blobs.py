from __future__ import annotations

import errno
import hashlib
import os

import pytest

from rag.errors import FileRefused, LimitExceeded, NotAPdf
from rag.settings import Limits
from rag.store.blobs import (
    copy_to_partial,
    file_to_render,
    original_file,
    replace_file,
    unlocked_file,
)

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 9000  # more than two blocks
ID = "a" * 64


@pytest.mark.parametrize("given", [lambda path: PDF, lambda path: path], ids=["bytes", "path"])
def test_a_copy_has_the_same_bytes_and_their_digest(tmp_path, given):
    source, folder = tmp_path / "in.pdf", tmp_path / "files"
    source.write_bytes(PDF)
    folder.mkdir()
    digest, partial = copy_to_partial(given(source), folder, Limits())
    assert digest == hashlib.sha256(PDF).hexdigest()
    assert partial.read_bytes() == PDF
    assert source.read_bytes() == PDF


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        pytest.param(b"", NotAPdf, "empty", id="empty"),
        pytest.param(b" " * 1024 + PDF, NotAPdf, "not a PDF", id="header too late"),
        pytest.param(PDF, LimitExceeded, r"is 2\.3 MB, the limit is 1\.0 MB.*--max-file-mb", id="too large"),
    ],
)
def test_refused_bytes_leave_no_file(tmp_path, data, error, sentence):
    with pytest.raises(error, match=sentence):
        copy_to_partial(data, tmp_path, Limits(file_bytes=1_000_000 if error is LimitExceeded else 1 << 30))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_partial_copy(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileRefused, match=r"cannot be copied \(No space left"):
        copy_to_partial(PDF, tmp_path, Limits())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("document_id", ["", "../x", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64])
def test_only_a_digest_is_a_file_name(tmp_path, document_id):
    for path_of in (
        original_file,
        lambda *of: unlocked_file(of[0], "", of[1]),
        lambda *of: file_to_render(of[0], "ann", of[1]),
    ):
        with pytest.raises(ValueError, match="not a document id"):
            path_of(tmp_path, document_id)


def test_pages_are_drawn_from_the_unlocked_copy_where_there_is_one(tmp_path):
    original_file(tmp_path, ID).write_bytes(PDF)
    assert file_to_render(tmp_path, "ann", ID) == original_file(tmp_path, ID)
    replace_file(unlocked_file(tmp_path, "ann", ID), b"open")
    assert file_to_render(tmp_path, "ann", ID).read_bytes() == b"open"
    assert original_file(tmp_path, ID).read_bytes() == PDF
    for other in ("", "ben"):  # who has not given the password
        assert file_to_render(tmp_path, other, ID) == original_file(tmp_path, ID)

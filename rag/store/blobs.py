"""The PDF files, each stored once under its SHA-256. File names given by people are never used as paths."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from rag.errors import FileRefused, LimitExceeded, NotAPdf
from rag.settings import MB, Limits

log = logging.getLogger(__name__)

BLOCK = 1 << 20  # bytes copied at a time
HEADER_BYTES = 1024  # PDF readers look for %PDF- within these bytes: PDF 1.7, appendix H, note 13
SHA256 = re.compile(r"[0-9a-f]{64}")
PARTIAL_PREFIX, PARTIAL_SUFFIX = "adding-", ".part"  # suffix of a copy that is not complete yet
UNLOCKED_SUFFIX = ".open"


def original_file(folder: Path, document_id: str) -> Path:
    """Path of a document's original bytes. Raises ValueError if the id is not a SHA-256."""
    if not SHA256.fullmatch(document_id):
        raise ValueError(f"not a document id: {document_id!r}")
    return folder / f"{document_id}.pdf"


def copy_name(owner: str, document_id: str) -> str:
    """Name of what is made from a document for its owner (unlocked copy, pictures): 64 hexadecimal digits.

    Owners who added the same file share the file but nothing made from it. Otherwise, the time something takes would
    reveal that somebody else has the file. Copies of shared documents are named like the file.
    """
    if not owner:
        return document_id
    return hashlib.sha256(f"{document_id} {owner}".encode("utf-8", "surrogatepass")).hexdigest()


def unlocked_file(folder: Path, owner: str, document_id: str) -> Path:
    """Path of a protected document's copy without its password; other documents have none."""
    return original_file(folder, copy_name(owner, document_id)).with_suffix(UNLOCKED_SUFFIX)


def file_to_render(folder: Path, owner: str, document_id: str) -> Path:
    """Path of the file to draw pages from: the unlocked copy if there is one."""
    unlocked = unlocked_file(folder, owner, document_id)
    return unlocked if unlocked.exists() else original_file(folder, document_id)


def stored_bytes(folder: Path, document_id: str) -> int:
    """Size of a document's file; 0 if there is none."""
    try:
        return original_file(folder, document_id).stat().st_size
    except FileNotFoundError:
        return 0


def move_into_place(partial: Path, path: Path) -> None:
    """Give a complete copy its name, and sync the folder so that the name survives a power cut."""
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def copy_to_partial(data: Path | bytes, folder: Path, limits: Limits) -> tuple[str, Path]:
    """Copy a PDF into `folder` under a temporary name and sync it to disk; returns its SHA-256 and the path.

    Raises LimitExceeded and NotAPdf before anything is written, and FileRefused if copying fails.
    """
    try:
        _check_size(data.stat().st_size if isinstance(data, Path) else len(data), limits)
        with data.open("rb") if isinstance(data, Path) else BytesIO(data) as source:
            head = source.read(BLOCK)
            _check_header(head)
            return _write_partial(folder, itertools.chain([head], iter(lambda: source.read(BLOCK), b"")))
    except OSError as exc:
        raise FileRefused(
            "the file cannot be copied ({reason}): check the disk, then add it again.",
            reason=exc.strerror or str(exc),
        ) from exc


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.file_bytes:
        raise LimitExceeded(
            "the file is {size:.1f} MB, the limit is {limit:.1f} MB: split it, or start with a higher --max-file-mb.",
            size=size / MB,
            limit=limits.file_bytes / MB,
        )


def _check_header(head: bytes) -> None:
    if not head:
        raise NotAPdf("the file is empty: choose another one.")
    if b"%PDF-" not in head[:HEADER_BYTES]:
        raise NotAPdf("this is not a PDF: choose a PDF file.")


def _write_partial(folder: Path, blocks: Iterator[bytes]) -> tuple[str, Path]:
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=folder, prefix=PARTIAL_PREFIX, suffix=PARTIAL_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as target:
            for block in blocks:
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
    except OSError:
        Path(name).unlink()
        raise
    return digest.hexdigest(), Path(name)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see either the old content or the new."""
    _, partial = _write_partial(path.parent, iter([data]))
    move_into_place(partial, path)


def delete(path: Path) -> None:
    """Delete a file or a folder; a failure is logged."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as exc:
        log.error("%s cannot be deleted (%s): delete it yourself.", path, exc.strerror or exc)

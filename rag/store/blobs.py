"""The PDFs themselves, each kept once under its SHA-256. Names given by people are never paths."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import tempfile
from io import BytesIO
from pathlib import Path

from rag.errors import FileRefused, LimitExceeded, NotAPdf, StoreError
from rag.settings import MB, Limits

BLOCK = 1 << 20  # bytes copied at a time


SHA256 = re.compile(r"[0-9a-f]{64}")


def kept_file(folder: Path, document_id: str) -> Path:
    """Where the bytes of a document lie, as they were given. Raises ValueError for what is no SHA-256."""
    if not SHA256.fullmatch(document_id):
        raise ValueError(f"not the id of a document: {document_id!r}")
    return folder / f"{document_id}.pdf"


def unlocked_file(folder: Path, document_id: str) -> Path:
    """Where a protected document lies without its password; there is none for others."""
    return kept_file(folder, document_id).with_suffix(".open")


def shown_file(folder: Path, document_id: str) -> Path:
    """The file to draw pages from."""
    unlocked = unlocked_file(folder, document_id)
    return unlocked if unlocked.exists() else kept_file(folder, document_id)


def forget_file(folder: Path, document_id: str) -> None:
    """Delete a document's bytes."""
    kept_file(folder, document_id).unlink(missing_ok=True)
    unlocked_file(folder, document_id).unlink(missing_ok=True)


def drop_unfinished(folder: Path) -> None:
    """Delete copies that a crash left unfinished. Whole documents are never deleted here."""
    for file in folder.glob("adding-*.part"):
        file.unlink()


def make_folders(data: Path, files: Path) -> None:
    """The data folder and its folder of files, for this user alone. Raises StoreError."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.mkdir(exist_ok=True, mode=0o700)
        drop_unfinished(files)
    except OSError as exc:
        raise StoreError(f"The data folder {data} cannot be used ({exc.strerror}): choose another --data-dir.") from exc


def take_in(data: Path | bytes, folder: Path, limits: Limits) -> tuple[str, Path]:
    """Copy the bytes into `folder` under a temporary name, safely on the disk; their SHA-256 and that name.

    Raises LimitExceeded and NotAPdf, before anything is written, and FileRefused where it cannot be copied.
    """
    try:
        return _take_in(data, folder, limits)
    except OSError as exc:
        raise FileRefused(f"the file cannot be copied ({exc.strerror}): see to the disk, then add it again.") from exc


def _take_in(data: Path | bytes, folder: Path, limits: Limits) -> tuple[str, Path]:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.file_bytes:
        raise LimitExceeded(
            f"the file has {size / MB:.1f} MB, the limit is {limits.file_bytes / MB:.1f} MB: "
            "split it, or start with a higher --max-file-mb."
        )
    digest = hashlib.sha256()
    with data.open("rb") if isinstance(data, Path) else BytesIO(data) as source:
        head = source.read(BLOCK)
        if not head:
            raise NotAPdf("the file is empty: choose another one.")
        if b"%PDF-" not in head[:1024]:  # where readers look for it: PDF 1.7, appendix H, note 13
            raise NotAPdf("this is not a PDF: choose a PDF file.")
        handle, name = tempfile.mkstemp(dir=folder, prefix="adding-", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as target:
                for block in itertools.chain([head], iter(lambda: source.read(BLOCK), b"")):
                    digest.update(block)
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
        except OSError:
            Path(name).unlink()
            raise
    return digest.hexdigest(), Path(name)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file anew in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="adding-", suffix=".part")
    with os.fdopen(handle, "wb") as part:
        part.write(data)
    Path(name).replace(path)

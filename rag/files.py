"""The PDFs themselves, each kept once under its SHA-256. Names given by people are never paths."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from io import BytesIO
from pathlib import Path

from rag.errors import LimitExceeded, NotAPdf
from rag.settings import MB, Limits

BLOCK = 1 << 20  # bytes copied at a time


def kept_file(folder: Path, document_id: str) -> Path:
    """Where the bytes of a document lie."""
    return folder / f"{document_id}.pdf"


def take_in(data: Path | bytes, folder: Path, limits: Limits) -> tuple[str, Path]:
    """Copy the bytes into `folder` under a temporary name, safely on the disk; their SHA-256 and that name.

    Raises LimitExceeded and NotAPdf, before anything is written.
    """
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
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "wb") as target:
            for block in itertools.chain([head], iter(lambda: source.read(BLOCK), b"")):
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
    return digest.hexdigest(), Path(name)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file anew in one step."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)

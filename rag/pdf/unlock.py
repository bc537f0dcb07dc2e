"""A protected PDF -> the same without its password, so that the password itself need not be kept.

What is stored beside it, text and pictures, is no better protected than the file; so nothing is given away by it.
"""

from __future__ import annotations

from pathlib import Path

from rag.errors import DamagedFile
from rag.pdf.sandbox import Bounds, frames
from rag.settings import MB, Limits


def unlock(pdf: Path, password: str, limits: Limits) -> bytes:
    """The bytes of `pdf` without encryption, written by PDFium in a child process.

    Raises DamagedFile where PDFium cannot, LimitExceeded where it takes too long or too much memory.
    """
    size = pdf.stat().st_size
    bounds = Bounds(
        cpu_seconds=limits.render_cpu_seconds,
        wall_seconds=limits.render_cpu_seconds * 3,
        memory_bytes=limits.render_memory_bytes,
        text_bytes=2 * size + MB,
        words_bytes=0,
    )
    command = {"do": "unlock", "password": password}
    with pdf.open("rb") as file:
        for frame in frames(file, command, bounds, doing="Unlocking it"):
            if frame.meta.get("kind") == "unlocked":
                return frame.text
    raise DamagedFile("it cannot be unlocked: print it to a new PDF without a password and add that.")

"""A protected PDF -> the same PDF without its password, so that the password need not be stored.

Its text and pictures are stored unprotected anyway, so this reveals nothing more.
"""

from __future__ import annotations

from pathlib import Path

from rag.errors import DamagedFile
from rag.messages import Message
from rag.pdf.sandbox import Bounds, frames
from rag.settings import MB, Limits


def unlock(pdf: Path, password: str, limits: Limits) -> bytes:
    """The bytes of `pdf` without encryption, written by pypdf in a child process.

    Raises DamagedFile if pypdf cannot do it, LimitExceeded if it takes too long or too much memory.
    """
    size = pdf.stat().st_size
    bounds = Bounds(
        cpu_seconds=limits.render_cpu_seconds,
        wall_seconds=limits.render_cpu_seconds * 3,
        memory_bytes=limits.render_memory_bytes,
        text_bytes=2 * size + MB,
        words_bytes=0,
        cpu_option="limits.render_cpu_seconds in the file of --config",
        memory_option="limits.render_memory_bytes in the file of --config",
    )
    command = {"do": "unlock", "password": password}
    with pdf.open("rb") as file:
        for frame in frames(file, command, bounds, step=lambda: Message("Removing its password")):
            if frame.meta.get("kind") == "unlocked":
                return frame.text
    raise DamagedFile("Its password cannot be removed: print it to a new PDF without a password and add that.")

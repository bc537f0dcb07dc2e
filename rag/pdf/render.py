"""Pictures of pages, drawn on request and cached on disk up to a number of bytes, least recently used first out.

A child process (`child`) draws under limits. Each document's pictures have a folder of their own, so that removing
the document removes them. Knows nothing of the library, or of what is marked on a picture.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from rag.errors import DamagedFile, PasswordNeeded, WrongPassword
from rag.messages import Message
from rag.pdf.sandbox import MALFORMED, Bounds, as_file, frames
from rag.settings import Limits, RenderSettings

PNG = b"\x89PNG\r\n\x1a\n"
MAX_ASPECT = 4  # height / width of a picture; longer pages are drawn narrower
MAX_CHILDREN = 2  # drawing at the same time
DOCUMENT_ID = re.compile(r"[0-9a-f]{64}\Z")

_Key = tuple[str, str]  # document id, file name


class PageImages:
    """A cache of drawn pages; safe to use from several threads, survives restarts, may be deleted at any time."""

    def __init__(self, folder: Path, settings: RenderSettings, limits: Limits) -> None:
        self._folder = folder
        self._settings = settings
        self._limits = limits
        self._lock = threading.Lock()  # guards the next four
        self._sizes: OrderedDict[_Key, int] | None = None  # bytes, least recently used first; None: not listed yet
        self._bytes = 0
        self._forgotten: defaultdict[str, int] = defaultdict(int)  # how often each document was forgotten
        self._drawing: dict[_Key, threading.Lock] = {}
        self._slots = threading.BoundedSemaphore(MAX_CHILDREN)

    def page(self, document_id: str, pdf: Path, page: int, password: str | None = None) -> bytes:
        """The page, counted from 0, as a PNG file as wide as the settings say.

        Raises LimitExceeded, DamagedFile, PasswordNeeded, WrongPassword; ValueError if the id is not a SHA-256.
        """
        key = (_checked(document_id), f"{int(page)}-{self._settings.pixels_wide}.png")
        with self._lock:
            drawing = self._drawing.setdefault(key, threading.Lock())
            times_forgotten = self._forgotten[document_id]
        with drawing:  # when two ask for the same page, the second finds it in the cache
            try:
                picture = self._find(key)
                if picture is None:
                    with self._slots:
                        picture = draw_page(pdf, page, self._settings.pixels_wide, self._limits, password)
                    self._keep(key, picture, times_forgotten)
            finally:
                with self._lock:
                    self._drawing.pop(key, None)
        return picture

    def forget(self, document_id: str) -> None:
        """Remove the document's pictures from the disk at once; one that is being drawn will not be kept."""
        folder = self._folder / _checked(document_id)
        with self._lock:
            self._forgotten[document_id] += 1
            sizes = self._listed()
            for key in [key for key in sizes if key[0] == document_id]:
                self._bytes -= sizes.pop(key)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _find(self, key: _Key) -> bytes | None:
        """The cached picture, marked as just used; None if it is missing or damaged."""
        path = self._folder.joinpath(*key)
        with self._lock:
            sizes = self._listed()
            if key not in sizes:
                return None
            try:
                picture = path.read_bytes()
                os.utime(path)
            except OSError:
                picture = b""
            if picture.startswith(PNG):
                sizes.move_to_end(key)
                return picture
            self._drop(key)
        return None

    def _keep(self, key: _Key, picture: bytes, times_forgotten: int) -> None:
        """Write the picture in one step, and make room for it."""
        folder = self._folder / key[0]
        with self._lock:
            if self._forgotten[key[0]] != times_forgotten or len(picture) > self._settings.cache_bytes:
                return
            sizes = self._listed()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
                    file.write(picture)
                Path(file.name).replace(folder / key[1])
            except OSError:  # full or read-only disk: shown, but not cached
                return
            self._bytes += len(picture) - sizes.pop(key, 0)
            sizes[key] = len(picture)
            while self._bytes > self._settings.cache_bytes:
                self._drop(next(iter(sizes)))

    def _drop(self, key: _Key) -> None:
        """Remove one picture; the lock is held."""
        self._bytes -= self._listed().pop(key, 0)
        path = self._folder.joinpath(*key)
        with contextlib.suppress(OSError):
            path.unlink()
            path.parent.rmdir()

    def _listed(self) -> OrderedDict[_Key, int]:
        """Pictures on disk and their bytes, least recently used first; listed once; the lock is held."""
        if self._sizes is None:
            found = []
            for path in self._folder.glob("*/*"):
                if path.suffix == ".png" and DOCUMENT_ID.match(path.parent.name):
                    status = path.stat()
                    found.append((status.st_mtime_ns, (path.parent.name, path.name), status.st_size))
                elif path.suffix == ".part":  # left by a crash while writing
                    path.unlink(missing_ok=True)
            self._sizes = OrderedDict((key, size) for _, key, size in sorted(found))
            self._bytes = sum(self._sizes.values())
        return self._sizes


def draw_page(
    pdf: Path | bytes | BinaryIO, page: int, pixels_wide: int, limits: Limits, password: str | None = None
) -> bytes:
    """The page, counted from 0, as a PNG file this many pixels wide, drawn in a child process.

    Raises LimitExceeded, DamagedFile, PasswordNeeded, WrongPassword.
    """
    bounds = Bounds(
        cpu_seconds=limits.render_cpu_seconds,
        wall_seconds=limits.render_cpu_seconds * 3,
        memory_bytes=limits.render_memory_bytes,
        text_bytes=3 * MAX_ASPECT * pixels_wide**2,
        words_bytes=0,
    )
    command = {"do": "draw", "page": page, "pixels_wide": pixels_wide, "max_aspect": MAX_ASPECT, "password": password}
    step = Message("Drawing page {page:,}", {"page": page + 1})
    with as_file(pdf) as file:
        for frame in frames(file, command, bounds, step=lambda: step):
            if frame.meta.get("why") == "password":
                if password:
                    raise WrongPassword("The password given does not open it: type it again.")
                raise PasswordNeeded("It is protected: type its password to see its pages.")
            if frame.meta.get("kind") == "refused":
                raise DamagedFile("Page {page:,} cannot be drawn: it is damaged or does not exist.", page=page + 1)
            return png(frame.meta.get("width"), frame.meta.get("height"), frame.text)
    raise DamagedFile(MALFORMED)


def png(width: object, height: object, rgb: bytes) -> bytes:
    """Rows of RGB pixels, from the top, as a PNG file. Raises DamagedFile if the size does not fit the pixels.

    Encoded here and not in the child, so that a browser is sent a valid picture even if the child was taken over.
    """
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and len(rgb) == width * height * 3):
        raise DamagedFile(MALFORMED)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), rgb).save(file, "PNG")
    return file.getvalue()


def _checked(document_id: str) -> str:
    if not DOCUMENT_ID.match(document_id):
        raise ValueError("a document id is the SHA-256 of its bytes, 64 hexadecimal digits")
    return document_id

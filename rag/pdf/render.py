"""Pictures of pages, drawn when asked for and kept on disk up to a number of bytes (the least recently used go).

Drawing happens in a child process (`child`) under limits. A document's pictures lie in a folder of its own,
so that removing a document removes them. Knows nothing of the library, or of what is marked on a picture.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
import tempfile
import threading
import zlib
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np

from rag.errors import DamagedFile, PasswordNeeded, WrongPassword
from rag.pdf.sandbox import NONSENSE, Bounds, frames, opened
from rag.settings import Limits, RenderSettings

PNG = b"\x89PNG\r\n\x1a\n"
TALLEST = 4  # times as high as wide, pictures of longer pages are narrower
AT_ONCE = 2  # children drawing at the same time
DOCUMENT_ID = re.compile(r"[0-9a-f]{64}\Z")

_Key = tuple[str, str]  # document id, file name


class PageImages:
    """A cache of drawn pages; safe to use from several threads, survives restarts, may be deleted at any time."""

    def __init__(self, folder: Path, settings: RenderSettings, limits: Limits) -> None:
        self._folder = folder
        self._settings = settings
        self._limits = limits
        self._lock = threading.Lock()  # over the four below
        self._sizes: OrderedDict[_Key, int] | None = None  # bytes, least recently used first; None: not yet looked
        self._bytes = 0
        self._forgotten: defaultdict[str, int] = defaultdict(int)  # how often a document was forgotten
        self._drawing: dict[_Key, threading.Lock] = {}
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def page(self, document_id: str, pdf: Path, page: int, password: str | None = None) -> bytes:
        """The page, counted from 0, as a PNG file as wide as the settings say.

        Raises LimitExceeded, DamagedFile, PasswordNeeded, WrongPassword; ValueError for what is no SHA-256.
        """
        key = (_checked(document_id), f"{int(page)}-{self._settings.pixels_wide}.png")
        with self._lock:
            drawing = self._drawing.setdefault(key, threading.Lock())
            times_forgotten = self._forgotten[document_id]
        with drawing:  # two who ask for the same page: the second finds it in the cache
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
        """Remove the document's pictures from the disk, now; one being drawn is not kept either."""
        folder = self._folder / _checked(document_id)
        with self._lock:
            self._forgotten[document_id] += 1
            sizes = self._known()
            for key in [key for key in sizes if key[0] == document_id]:
                self._bytes -= sizes.pop(key)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _find(self, key: _Key) -> bytes | None:
        """The picture on disk, marked as just used."""
        path = self._folder.joinpath(*key)
        with self._lock:
            sizes = self._known()
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
        """Write the picture, whole or not at all, and make room for it."""
        folder = self._folder / key[0]
        with self._lock:
            if self._forgotten[key[0]] != times_forgotten or len(picture) > self._settings.cache_bytes:
                return
            sizes = self._known()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
                    file.write(picture)
                Path(file.name).replace(folder / key[1])
            except OSError:  # a full or read-only disk: the picture is shown, only not kept
                return
            self._bytes += len(picture) - sizes.pop(key, 0)
            sizes[key] = len(picture)
            while self._bytes > self._settings.cache_bytes:
                self._drop(next(iter(sizes)))

    def _drop(self, key: _Key) -> None:
        """Remove one picture; the lock is held."""
        self._bytes -= self._known().pop(key, 0)
        path = self._folder.joinpath(*key)
        with contextlib.suppress(OSError):
            path.unlink()
            path.parent.rmdir()

    def _known(self) -> OrderedDict[_Key, int]:
        """What is on disk, least recently used first; looked up once, the lock is held."""
        if self._sizes is None:
            found = []
            for path in self._folder.glob("*/*"):
                if path.suffix == ".png" and DOCUMENT_ID.match(path.parent.name):
                    status = path.stat()
                    found.append((status.st_mtime_ns, (path.parent.name, path.name), status.st_size))
                elif path.suffix == ".part":  # the program died while writing it
                    path.unlink(missing_ok=True)
            self._sizes = OrderedDict((key, size) for _, key, size in sorted(found))
            self._bytes = sum(self._sizes.values())
        return self._sizes


def draw_page(pdf: Path | bytes, page: int, pixels_wide: int, limits: Limits, password: str | None = None) -> bytes:
    """The page, counted from 0, as a PNG file this many pixels wide, drawn in a child process.

    Raises LimitExceeded, DamagedFile, PasswordNeeded, WrongPassword.
    """
    bounds = Bounds(
        cpu_seconds=limits.render_cpu_seconds,
        wall_seconds=limits.render_cpu_seconds * 3,
        memory_bytes=limits.render_memory_bytes,
        text_bytes=3 * TALLEST * pixels_wide**2,
        words_bytes=0,
    )
    command = {"do": "draw", "page": page, "pixels_wide": pixels_wide, "tallest": TALLEST, "password": password}
    with opened(pdf) as file:
        for frame in frames(file, command, bounds, doing=f"drawing page {page + 1}"):
            if frame.meta.get("why") == "password":
                if password:
                    raise WrongPassword("the password given does not open it: type it again")
                raise PasswordNeeded("it is protected: type its password to see its pages")
            if frame.meta.get("kind") == "refused":
                raise DamagedFile(f"page {page + 1} cannot be drawn: it is damaged or does not exist")
            return png(frame.meta.get("width"), frame.meta.get("height"), frame.text)
    raise DamagedFile(NONSENSE)


def png(width: object, height: object, rgb: bytes) -> bytes:
    """Rows of RGB pixels as a PNG file (ISO/IEC 15948), each row less the one above it.

    Made here and not in the child, so that what goes to a browser is a picture whatever the child has become.
    """
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and len(rgb) == width * height * 3):
        raise DamagedFile(NONSENSE)
    rows = np.frombuffer(rgb, np.uint8).reshape(height, width * 3)
    filtered = np.empty((height, 1 + width * 3), np.uint8)
    filtered[:, 0] = 2  # "Up": white below white is nothing
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return PNG + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _checked(document_id: str) -> str:
    if not DOCUMENT_ID.match(document_id):
        raise ValueError("a document's id is the SHA-256 of its bytes: 64 hexadecimal digits")
    return document_id

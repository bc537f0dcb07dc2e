"""Pictures of pages, drawn on request and cached on disk up to a number of bytes; the least recently used go first.

A child process (`child`) draws under limits. Pictures come in a few widths, so that one serves many screens. Each
document's pictures have a folder of their own, so that removing the document removes them. Knows nothing of the
library, or of what is marked on a picture.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
import threading
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from rag.errors import DamagedFile, FileRefused, LimitExceeded, PasswordNeeded, WrongPassword
from rag.messages import Message
from rag.pdf.sandbox import MALFORMED, Bounds, as_file, frames
from rag.settings import Limits, RenderSettings

PNG = b"\x89PNG\r\n\x1a\n"
MAX_ASPECT = 4  # height / width of a picture; longer pages are drawn narrower
WIDTHS = (160, 320, 640, 960, 1_280, 1_600, 2_400, 3_200)  # pixels; a picture is drawn in the next one up
THUMBNAIL = 320  # widest picture that is drawn in the slot for thumbnails
MAX_CHILDREN = 2  # drawing pages at the same time; one more draws thumbnails
FAILURE_SECONDS = 600  # before a page that could not be drawn is tried again
MAX_FAILURES = 1_000  # remembered
POINTS_PER_INCH = 72
COMPRESSION = 3  # zlib level of the PNG files: 6 takes twice as long and saves nothing on pages of text
DOCUMENT_ID = re.compile(r"[0-9a-f]{64}\Z")

_Key = tuple[str, str]  # document id, file name


@dataclass(frozen=True, slots=True)
class _Failure:
    """A page that could not be drawn."""

    width: int  # pixels
    until: float  # on the monotonic clock; then it is tried again
    error: FileRefused


class PageImages:
    """A cache of drawn pages; safe to use from several threads, survives restarts, may be deleted at any time."""

    def __init__(self, folder: Path, settings: RenderSettings, limits: Limits) -> None:
        self._folder = folder
        self._settings = settings
        self._limits = limits
        self._lock = threading.Lock()  # guards the next five
        self._sizes: OrderedDict[_Key, int] | None = None  # bytes, least recently used first; None: not listed yet
        self._bytes = 0
        self._forgotten: defaultdict[str, int] = defaultdict(int)  # how often each document was forgotten
        self._drawing: dict[_Key, threading.Lock] = {}
        self._failures: OrderedDict[tuple[str, int], _Failure] = OrderedDict()  # by document id and page, oldest first
        self._slots = threading.BoundedSemaphore(MAX_CHILDREN)
        self._thumbnail_slot = threading.BoundedSemaphore(1)

    def width(self, wanted: int) -> int:
        """The width in pixels in which a picture of at least `wanted` pixels is drawn, within the settings' limit."""
        most = self._settings.max_pixels_wide
        return min(next((width for width in WIDTHS if width >= wanted), most), most)

    def page(self, document_id: str, pdf: Path, page: int, wanted: int = 1_280, password: str | None = None) -> bytes:
        """The page, counted from 0, as a PNG file of `width(wanted)` pixels whose resolution tells the page's size.

        Raises LimitExceeded and DamagedFile, again without drawing for FAILURE_SECONDS; PasswordNeeded and
        WrongPassword; ValueError if the id is not a SHA-256.
        """
        width = self.width(wanted)
        key = (_checked(document_id), f"{int(page)}-{width}.png")
        with self._lock:
            drawing = self._drawing.setdefault(key, threading.Lock())
            times_forgotten = self._forgotten[document_id]
        with drawing:  # if two requests are for the same page, the second finds it in the cache
            try:
                picture = self._find(key)
                if picture is None:
                    picture = self._draw(document_id, pdf, page, width, password)
                    self._keep(key, picture, times_forgotten)
            finally:
                with self._lock:
                    self._drawing.pop(key, None)
        return picture

    def _draw(self, document_id: str, pdf: Path, page: int, width: int, password: str | None) -> bytes:
        """Draw the page, unless that failed a short while ago at this width or a smaller one."""
        with self._lock:
            failure = self._failures.get((document_id, page))
        if failure and failure.width <= width and time.monotonic() < failure.until:
            raise failure.error.with_traceback(None)
        try:
            with self._thumbnail_slot if width <= THUMBNAIL else self._slots:
                return draw_page(pdf, page, width, self._limits, password)
        except (LimitExceeded, DamagedFile) as error:
            with self._lock:
                self._failures.pop((document_id, page), None)
                self._failures[document_id, page] = _Failure(width, time.monotonic() + FAILURE_SECONDS, error)
                while len(self._failures) > MAX_FAILURES:
                    self._failures.popitem(last=False)
            raise

    def forget(self, document_id: str) -> None:
        """Remove the document's pictures from the disk at once; one that is being drawn will not be kept."""
        folder = self._folder / _checked(document_id)
        with self._lock:
            self._forgotten[document_id] += 1
            for failed in [failed for failed in self._failures if failed[0] == document_id]:
                del self._failures[failed]
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
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        cpu_option="limits.render_cpu_seconds in the file of --config",
        memory_option="limits.render_memory_bytes in the file of --config",
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
            return png(frame.meta.get("width"), frame.meta.get("height"), frame.text, frame.meta.get("points"))
    raise DamagedFile(MALFORMED)


def png(width: object, height: object, rgb: bytes, points: object = None) -> bytes:
    """Rows of RGB pixels, from the top, as a PNG file. Raises DamagedFile if the size does not fit the pixels.

    `points`: width and height of the page, which the file's resolution then tells. Encoded here and not in the child,
    so that a browser is sent a valid picture even if the child was taken over.
    """
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and len(rgb) == width * height * 3):
        raise DamagedFile(MALFORMED)
    image = Image.frombytes("RGB", (width, height), rgb)
    red, green, blue = (channel.tobytes() for channel in image.split())
    if red == green == blue:
        image = image.convert("L")
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=COMPRESSION, **_resolution(width, height, points))
    return file.getvalue()


def _resolution(width: int, height: int, points: object) -> dict[str, tuple[float, float]]:
    """Pixels per inch across and down, as Pillow takes them; nothing if the page's size in points makes no sense."""
    match points:
        case [int() | float() as across, int() | float() as down] if 1 <= across < 1e5 and 1 <= down < 1e5:
            return {"dpi": (width * POINTS_PER_INCH / across, height * POINTS_PER_INCH / down)}
    return {}


def points_wide(picture: bytes) -> float:
    """Width in points of the page that a picture of `PageImages` shows; 0 if the file does not tell."""
    image = Image.open(io.BytesIO(picture))
    dots = float(image.info.get("dpi", (0, 0))[0])
    return image.width * POINTS_PER_INCH / dots if dots else 0.0


def _checked(document_id: str) -> str:
    if not DOCUMENT_ID.match(document_id):
        raise ValueError("a document id is the SHA-256 of its bytes, 64 hexadecimal digits")
    return document_id

"""Runs `child.py` as a child process with limits and takes its frames one by one.

The child is not trusted either: a hostile PDF may have taken it over. So every size it names is capped before
anything is stored. Knows the frames' outer form; `reading` and `draw` know, and check, what they mean.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import DamagedFile, LimitExceeded

SCRIPT = Path(__file__).with_name("child.py")
HEAD = struct.Struct("<III")  # bytes of JSON, of text, of words
MOST_JSON = 16_000_000  # bytes: 10,000 page labels and 5,000 headings fit many times
OUT_OF_MEMORY = 77  # exit status of a child that ran out of memory in Python
PIPE_BYTES = 1 << 20  # so that the child reads on while the parent cleans up
POLL_SECONDS = 0.1  # how soon a stop is noticed

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The caller's stop event was set; the child is dead and nothing is wrong with the file."""


class Crashed(DamagedFile):
    """The child died of a signal that no limit sends: a fault in PDFium."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the child."""

    meta: dict[str, Any]
    text: bytes
    words: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one child may use, and the largest frame it may send."""

    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int
    text_bytes: int
    words_bytes: int


@contextlib.contextmanager
def opened(data: bytes | Path) -> Iterator[BinaryIO]:
    """The PDF as a file on disk: itself, or a nameless temporary copy of the bytes."""
    if isinstance(data, Path):
        with data.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file


def frames(
    file: BinaryIO, command: dict[str, Any], bounds: Bounds, *, doing: str, stop: threading.Event | None = None
) -> Iterator[Frame]:
    """Run the command on the file and yield the child's frames up to its end.

    `doing` says in a message what took too long or too much: "reading page 3"; the caller may change
    `command["doing"]` on the way. Raises LimitExceeded, DamagedFile, Stopped. Closing the iterator kills the
    child.
    """
    deadline = time.monotonic() + bounds.wall_seconds
    command["doing"] = doing
    process = _start(file, command, bounds)
    try:
        assert process.stdout is not None
        source = _Pipe(process.stdout.fileno(), deadline, stop)
        while (frame := _next_frame(source, bounds)) is not None:
            if frame.meta.get("kind") == "end":
                return
            yield frame
        code = process.wait(timeout=max(deadline - time.monotonic(), 0.1))
        raise _death(code, command["doing"], bounds)
    except (TimeoutError, subprocess.TimeoutExpired) as exc:
        raise LimitExceeded(
            f"{command['doing']} took longer than the limit of {bounds.wall_seconds:g} seconds: {SPLIT}"
        ) from exc
    finally:
        process.kill()
        process.wait()
        process.communicate()  # closes the pipes


SPLIT = "split the file, or print it to a new PDF"


def _start(file: BinaryIO, command: dict[str, Any], bounds: Bounds) -> subprocess.Popen[bytes]:
    number = file.fileno()
    order = {
        **command,
        "file": f"/proc/self/fd/{number}",
        "path": _library_folders(),
        "cpu": bounds.cpu_seconds,
        "memory": bounds.memory_bytes,
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(SCRIPT)],  # isolated; it is told where its libraries are
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        pass_fds=(number,),
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # a smaller pipe only makes it slower
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with contextlib.suppress(BrokenPipeError):  # dead already: its exit status tells
        process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    process.stdin = None
    return process


def _library_folders() -> list[str]:
    """Where the child finds its libraries: isolated, it sees neither PYTHONPATH nor the user's own packages."""
    specs = (importlib.util.find_spec(name) for name in ("pypdfium2", "pypdfium2_raw", "pypdf", "cryptography"))
    return sorted({str(Path(spec.origin).parent.parent) for spec in specs if spec and spec.origin})


class _Pipe:
    """Exactly so many bytes from a file descriptor, until a deadline or a stop."""

    def __init__(self, number: int, deadline: float, stop: threading.Event | None) -> None:
        self._number = number
        self._deadline = deadline
        self._stop = stop
        self._poll = select.poll()
        self._poll.register(number, select.POLLIN)

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer when the child closed its end. Raises TimeoutError, Stopped."""
        data = bytearray()
        while len(data) < size:
            if self._stop is not None and self._stop.is_set():
                raise Stopped
            if time.monotonic() > self._deadline:
                raise TimeoutError
            if not self._poll.poll(POLL_SECONDS * 1000):
                continue
            piece = os.read(self._number, min(size - len(data), PIPE_BYTES))
            if not piece:
                break
            data += piece
        return bytes(data)


def _next_frame(source: _Pipe, bounds: Bounds) -> Frame | None:
    """The next frame, None at the end. Raises DamagedFile on what is no frame, or larger than it may be."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    sizes = HEAD.unpack(head)
    if any(size > most for size, most in zip(sizes, (MOST_JSON, bounds.text_bytes, bounds.words_bytes), strict=True)):
        raise DamagedFile(NONSENSE)
    body = source.read(sum(sizes))
    if len(body) < sum(sizes):
        return None
    meta, text, words = body[: sizes[0]], body[sizes[0] : sizes[0] + sizes[1]], body[sizes[0] + sizes[1] :]
    try:
        parsed = json.loads(meta)
    except (ValueError, RecursionError) as exc:
        raise DamagedFile(NONSENSE) from exc
    if not isinstance(parsed, dict):
        raise DamagedFile(NONSENSE)
    return Frame(parsed, text, words)


NONSENSE = "the PDF makes its reader answer nonsense, so it is not trusted: print it to a new PDF and add that"


def _death(code: int, doing: str, bounds: Bounds) -> LimitExceeded | DamagedFile:
    """What a child that ended without its last frame died of."""
    log.info("The PDF worker ended with status %d while %s", code, doing)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return LimitExceeded(
            f"{doing} took more than the limit of {bounds.cpu_seconds} seconds of processor time: {SPLIT}, "
            "or start with a higher --max-seconds"
        )
    if code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE):
        return Crashed(f"{doing} crashes the PDF reader: the file is damaged, print it to a new PDF and add that")
    if code >= 0 and code != OUT_OF_MEMORY:
        return DamagedFile(f"{doing} fails: the file is damaged, print it to a new PDF and add that")
    return LimitExceeded(
        f"{doing} needs more than the limit of {bounds.memory_bytes / 2**20:g} MB of memory: {SPLIT}, "
        "or start with a higher --max-memory-mb"
    )

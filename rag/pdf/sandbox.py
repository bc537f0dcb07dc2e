"""Runs `child.py` as a child process under limits and reads the frames that it sends.

A hostile PDF may have taken over the child, so every size it announces is capped before anything is stored. Knows only
how frames are delimited; `readers`, `extract`, `render` and `unlock` check their contents.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import DamagedFile, LimitExceeded, Stopped
from rag.messages import Message

SCRIPT = Path(__file__).with_name("child.py")
LIBRARIES = ("pypdfium2", "pypdfium2_raw", "pypdf", "cryptography")
HEAD = struct.Struct("<III")  # bytes of JSON, of text, of words
MAX_JSON_BYTES = 16_000_000  # many times what 10,000 page labels and 5,000 headings take
ENDED_BY_OTHERS = (-signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT, -signal.SIGQUIT)
OUT_OF_MEMORY = 77  # exit status of a child that ran out of memory in Python
PIPE_BYTES = 1 << 20  # a large buffer lets the child read ahead while the parent lays pages out
POLL_SECONDS = 0.1  # longest delay until a stop is noticed
MALFORMED = "The PDF reader sent malformed output and is not trusted: print the file to a new PDF and add that."

log = logging.getLogger(__name__)


class Crashed(DamagedFile):
    """The child was killed by a signal that no limit sends: a bug in PDFium."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message from the child: a JSON object and two blocks of bytes."""

    meta: dict[str, Any]
    text: bytes
    words: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one child process, and the largest blocks a frame of it may hold."""

    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int
    text_bytes: int
    words_bytes: int
    cpu_option: str = "--max-seconds"  # raises the limit of CPU time, as the error says
    memory_option: str = "--max-memory-mb"  # raises that of memory


@contextlib.contextmanager
def as_file(pdf: bytes | Path | BinaryIO) -> Iterator[BinaryIO]:
    """The PDF as an open file on disk: the file itself, or an unnamed temporary copy of the bytes."""
    if isinstance(pdf, Path):
        with pdf.open("rb") as file:
            yield file
    elif isinstance(pdf, bytes):
        with tempfile.TemporaryFile() as file:
            file.write(pdf)
            file.flush()
            yield file
    else:
        yield pdf


def frames(
    file: BinaryIO,
    command: dict[str, Any],
    bounds: Bounds,
    *,
    step: Callable[[], Message],
    stop: threading.Event | None = None,
    script: Path | None = None,
    libraries: Sequence[str] = LIBRARIES,
) -> Iterator[Frame]:
    """Run the command on the file and yield the child's frames, up to and without the one of kind "end".

    `script` is the child to run, by default SCRIPT, with these libraries. `step` is called when the child fails or
    exceeds a limit, and tells what it was doing: "Reading page 3". Raises LimitExceeded, DamagedFile, Stopped. Closing
    the iterator kills the child.
    """
    began = time.monotonic()
    deadline = began + bounds.wall_seconds
    process = _start(file, {**command, "path": _library_folders(libraries)}, bounds, script or SCRIPT)
    try:
        assert process.stdout is not None
        source = _Pipe(process.stdout.fileno(), deadline, stop)
        while (frame := _next_frame(source, bounds)) is not None:
            if frame.meta.get("kind") == "end":
                return
            yield frame
        code = process.wait(timeout=max(deadline - time.monotonic(), 0.1))
        raise exit_error(code, step(), bounds, time.monotonic() - began)
    except (TimeoutError, subprocess.TimeoutExpired) as exc:
        raise LimitExceeded(
            "{step} took longer than the limit of {seconds:g} seconds: split the file, print it to a new PDF, or start "
            "with a higher {option}.",
            step=step(),
            seconds=bounds.wall_seconds,
            option=bounds.cpu_option,
        ) from exc
    finally:
        process.kill()
        process.wait()
        process.communicate()  # closes the pipes


def _start(file: BinaryIO, command: dict[str, Any], bounds: Bounds, script: Path) -> subprocess.Popen[bytes]:
    descriptor = file.fileno()
    full_command = {
        **command,
        "file": f"/proc/self/fd/{descriptor}",
        "cpu": bounds.cpu_seconds,
        "memory": bounds.memory_bytes,
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(script)],  # isolated: finds its libraries by the folders in the command
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        pass_fds=(descriptor,),
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # not allowed: a smaller pipe is only slower
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with contextlib.suppress(BrokenPipeError):  # already dead: its exit status says why
        process.stdin.write(json.dumps(full_command).encode() + b"\n")
    return process  # its standard input stays open: once this process is gone, the kernel ends the child


def _library_folders(names: Sequence[str]) -> list[str]:
    """Folders the child imports its libraries from: isolated, it sees neither PYTHONPATH nor user site-packages."""
    specs = map(importlib.util.find_spec, names)
    return sorted({str(Path(spec.origin).parent.parent) for spec in specs if spec and spec.origin})


class _Pipe:
    """Reads a given number of bytes from a file descriptor, until a deadline or a stop event."""

    def __init__(self, descriptor: int, deadline: float, stop: threading.Event | None) -> None:
        self._descriptor = descriptor
        self._deadline = deadline
        self._stop = stop
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

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
            piece = os.read(self._descriptor, min(size - len(data), PIPE_BYTES))
            if not piece:
                break
            data += piece
        return bytes(data)


def _next_frame(source: _Pipe, bounds: Bounds) -> Frame | None:
    """The next frame; None at the end of the output. Raises DamagedFile if it is malformed or too large."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    sizes = HEAD.unpack(head)
    if any(
        size > limit for size, limit in zip(sizes, (MAX_JSON_BYTES, bounds.text_bytes, bounds.words_bytes), strict=True)
    ):
        raise DamagedFile(MALFORMED)
    body = source.read(sum(sizes))
    if len(body) < sum(sizes):
        return None
    meta, text, words = body[: sizes[0]], body[sizes[0] : sizes[0] + sizes[1]], body[sizes[0] + sizes[1] :]
    try:
        parsed = json.loads(meta)
    except (ValueError, RecursionError) as exc:
        raise DamagedFile(MALFORMED) from exc
    if not isinstance(parsed, dict):
        raise DamagedFile(MALFORMED)
    return Frame(parsed, text, words)


def exit_error(code: int, step: Message, bounds: Bounds, seconds: float) -> LimitExceeded | DamagedFile:
    """The error for a child that ended before its last frame, from its exit status (negative: the signal).

    `seconds`: how long it ran. A child that is killed before it can have used up its CPU time was killed by others.
    """
    log.info("The PDF child process ended with status %d: %s", code, step)
    if code in ENDED_BY_OTHERS or (code == -signal.SIGKILL and seconds < bounds.cpu_seconds):
        return LimitExceeded(
            "{step} was interrupted: its process was ended from outside, as happens when the machine runs out of "
            "memory. Try again.",
            step=step,
        )
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return LimitExceeded(
            "{step} took more than the limit of {seconds} seconds of CPU time: split the file, print it to a new PDF, "
            "or start with a higher {option}.",
            step=step,
            seconds=bounds.cpu_seconds,
            option=bounds.cpu_option,
        )
    if code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE):
        return Crashed(
            "{step} crashes the PDF reader: the file is damaged, print it to a new PDF and add that.", step=step
        )
    if code >= 0 and code != OUT_OF_MEMORY:
        return DamagedFile("{step} fails: the file is damaged, print it to a new PDF and add that.", step=step)
    return LimitExceeded(
        "{step} needs more than the limit of {megabytes:g} MiB of memory: split the file, print it to a new PDF, "
        "or start with a higher {option}.",
        step=step,
        megabytes=bounds.memory_bytes / 2**20,
        option=bounds.memory_option,
    )

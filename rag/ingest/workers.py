"""Prepares documents in separate processes, one for each, under limits of time and memory.

They are forked by a `fork_server`, which is started when first needed: a worker is there within milliseconds, and
shares the memory of the modules and the tokenizer with all others.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any, Final

from rag.child_process import start_module
from rag.embed.embedder import Embedder
from rag.errors import AskError, LimitExceeded, Stopped, StoreError
from rag.ingest.chunk import fitting
from rag.ingest.fork_server import LENGTH, WorkerFailed
from rag.ingest.preparing import FileToRead, IndexedPassages, Prepared, Preparing, PreparingHere
from rag.ingest.transfer import (
    Packet,
    pack_document,
    unpack_error,
    unpack_indexed,
    unpack_prepared,
)
from rag.messages import Message
from rag.pdf.sandbox import OUT_OF_MEMORY, Bounds, exit_error
from rag.records import LoadedDocument
from rag.settings import ChunkSettings, Limits, Settings
from rag.store.database import Store

CPU_FACTOR: Final = 15  # limit of CPU time, as a multiple of that for reading alone: Python does the rest
MEMORY_FACTOR: Final = 8  # limit of memory, as a multiple of that for reading alone
PIPE_BYTES: Final = 1 << 20  # lets a worker continue while this process is busy
POLL_SECONDS: Final = 0.1  # longest delay until a stop is noticed
END_SECONDS: Final = 5  # to wait for the fork server to end by itself
SERVER: Final = "rag.ingest.fork_server"

log = logging.getLogger(__name__)


def preparing(embedder: Embedder, settings: Settings) -> Preparing:
    """Workers; for an embedder whose tokenizer cannot be passed to them, this process."""
    if embedder.folder is None:
        return PreparingHere(embedder, settings.chunking)
    return Workers(embedder, settings.chunking, settings.limits)


class Workers:
    """Prepares documents in other processes, for an embedder with a tokenizer. Thread-safe."""

    def __init__(self, embedder: Embedder, chunking: ChunkSettings, limits: Limits) -> None:
        self._embedder = embedder
        self._cpu_seconds = CPU_FACTOR * limits.read_cpu_seconds
        self._memory_bytes = MEMORY_FACTOR * limits.read_memory_bytes  # beyond what the modules take
        self._chunking = asdict(fitting(chunking, embedder.max_tokens))
        self._lock = threading.Lock()  # held while the server is started, or is sent something
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._has_tokenizer = False

    def file(self, file: FileToRead, progress: Callable[[int, int], None], stop: threading.Event) -> Prepared:
        """Read a file and chunk it. Raises FileRefused, Stopped and WorkerFailed."""
        meta = {
            "do": "file",
            "path": str(file.path.resolve()),
            "password": file.password,
            "ocr": file.ocr,
            "limits": asdict(file.limits),
        }
        packets = []
        for packet in self._packets(Packet(meta | self._bounds()), stop):
            if packet.meta["kind"] == "progress":
                progress(packet.meta["read"], packet.meta["pages"])
            else:
                packets.append(packet)
        return unpack_prepared(packets)

    def document(self, document: LoadedDocument, places: Sequence[int] | None, stop: threading.Event) -> Prepared:
        """Chunk a document that has been read. Raises LimitExceeded, Stopped and WorkerFailed."""
        meta = {"do": "document", "places": None if places is None else list(places)}
        pages = [packet.to_bytes() for packet in pack_document(document)]
        return unpack_prepared(list(self._packets(Packet(meta | self._bounds(), pages), stop)))

    def stored(self, store: Store, stop: threading.Event) -> Iterator[IndexedPassages]:
        """All stored passages that have a vector, in batches ordered by id. Raises StoreError and Stopped."""
        meta = {"do": "stored", "database": str(store.path.resolve()), "cpu": None}
        try:
            yield from map(unpack_indexed, self._packets(Packet(self._bounds() | meta), stop))
        except LimitExceeded as exc:
            raise StoreError(
                "The library cannot be opened: the process that reads it was ended. Start the program again."
            ) from exc

    def close(self) -> None:
        """End the server."""
        with self._lock:
            self._end_server()

    def _bounds(self) -> dict[str, Any]:
        return {
            "chunking": self._chunking,
            "cpu": self._cpu_seconds,
            "memory": self._memory_bytes,
        }

    def _packets(self, command: Packet, stop: threading.Event) -> Iterator[Packet]:
        """What a worker sends while it carries out a command. Closing the iterator ends the worker."""
        with ExitStack() as ours:
            source, status = self._start(command, ours)
            while True:
                while not source.poll(POLL_SECONDS):
                    if stop.is_set():
                        raise Stopped
                try:
                    packet = Packet.from_bytes(source.recv_bytes())
                except (EOFError, OSError):
                    raise self._death(status) from None
                match packet.meta["kind"]:
                    case "end":
                        return
                    case "error":
                        raise unpack_error(packet)
                    case "bug":
                        raise WorkerFailed(packet.meta["traceback"])
                yield packet

    def _start(self, command: Packet, ours: ExitStack) -> tuple[Connection, int]:
        """Start a worker; returns the connection for its packets and that for its exit status.

        It ends when `ours` is closed.
        """
        (source, output), (theirs, lifeline), (status, told) = os.pipe(), os.pipe(), os.pipe()
        connection = ours.enter_context(Connection(source, writable=False))
        ours.callback(os.close, lifeline)
        ours.callback(os.close, status)
        with suppress(OSError):  # not allowed: a smaller pipe is only slower
            fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            self._tell(command, [output, theirs, told])
        finally:
            for descriptor in (output, theirs, told):
                os.close(descriptor)
        return connection, status

    def _tell(self, command: Packet, descriptors: Sequence[int]) -> None:
        """Send the server a command, after starting it if it is not running."""
        with self._lock:
            try:
                self._send(command, descriptors)
            except OSError:
                log.warning("The process that starts workers has ended, and is started again")
                self._end_server()
                self._send(command, descriptors)

    def _send(self, command: Packet, descriptors: Sequence[int]) -> None:
        """Like `_tell`. Raises OSError if the server has ended."""
        if self._control is None:
            self._start_server()
        assert self._control is not None
        if command.meta["do"] != "stored" and not self._has_tokenizer:
            tokenizer = Packet({"do": "tokenizer"}, [self._embedder.tokenizer().encode()]).to_bytes()
            self._control.sendall(LENGTH.pack(len(tokenizer)))
            self._control.sendall(tokenizer)
            self._has_tokenizer = True
        data = command.to_bytes()
        socket.send_fds(self._control, [LENGTH.pack(len(data))], descriptors)
        self._control.sendall(data)

    def _start_server(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._server = start_module(SERVER, theirs, new_session=True)

    def _end_server(self) -> None:
        control, server = self._control, self._server
        self._control, self._server, self._has_tokenizer = None, None, False
        if control is None or server is None:
            return
        control.close()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def _death(self, status: int) -> AskError | WorkerFailed:
        """The error for a worker that ended before it was done."""
        told = os.read(status, 16)
        code = int(told) if told else -signal.SIGKILL
        if code >= 0 and code != OUT_OF_MEMORY:
            return WorkerFailed(f"exit status {code}")
        bounds = Bounds(self._cpu_seconds, math.inf, self._memory_bytes, text_bytes=0, words_bytes=0)
        return exit_error(code, Message("Splitting its text"), bounds, seconds=0)

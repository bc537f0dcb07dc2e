"""The process started by `workers`: forks a worker for each document, with modules and tokenizer already loaded.

A worker does one piece of work under limits, and ends together with the process that asked for it. Commands arrive
through standard input, which is a socket: a length, a packet and, with most of them, three descriptors. The worker
writes its packets to the first; the second closes when nobody wants them any more; its exit status is written to the
third.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import sqlite3
import struct
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from rag.bugs import bugs_become
from rag.embed.embedder import plain_tokenizer
from rag.errors import AskError
from rag.ingest.preparing import FileToRead, chunked, read_and_chunk, ready_for_index
from rag.ingest.transfer import Packet, pack_error, pack_indexed, pack_prepared, unpack_document
from rag.pdf.lifeline import end_with_parent
from rag.pdf.sandbox import OUT_OF_MEMORY
from rag.settings import ChunkSettings, Limits
from rag.store.connection import READ_ONLY, uri_of

LENGTH: Final = struct.Struct("<Q")  # size of the packet that follows, in bytes
GRACE_SECONDS: Final = 5  # of CPU time, from reaching the limit until the worker is killed


class WorkerFailed(Exception):
    """A worker met a bug in the program, or was killed by a signal that no limit sends."""


@dataclass
class ForkServer:
    """Forks a worker for each command."""

    control: socket.socket
    tokenizer: Any = None
    workers: dict[int, int] = field(default_factory=dict)  # by process id: where to write its exit status

    def run(self) -> None:
        """Carry out commands until the process that gives them is gone."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.freeze()  # workers share the memory of what is loaded
        while True:
            ready = select.select([self.control.fileno(), woken], [], [])[0]
            if woken in ready:
                os.read(woken, 1024)
                self._tell_statuses()
            if self.control.fileno() in ready and not self._command():
                return

    def _command(self) -> bool:
        """Read a command and carry it out; False if there are no more."""
        head, descriptors, *_ = socket.recv_fds(self.control, LENGTH.size, 3, socket.MSG_WAITALL)
        if len(head) < LENGTH.size:
            return False
        packet = Packet.from_bytes(received(self.control, *LENGTH.unpack(head)))
        if packet.meta["do"] == "tokenizer":
            self.tokenizer = plain_tokenizer(packet.blocks[0].decode())
        else:
            self._fork(packet, *descriptors)
        return True

    def _fork(self, packet: Packet, output: int, lifeline: int, status: int) -> None:
        process = os.fork()
        if not process:
            self._become_worker(packet, output, lifeline, status)
        self.workers[process] = status
        os.close(output)
        os.close(lifeline)

    def _become_worker(self, packet: Packet, output: int, lifeline: int, status: int) -> None:
        """Carry out a command in this process, which then ends."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(lifeline, 0)  # closes the socket
            for descriptor in (lifeline, status, *self.workers.values()):
                os.close(descriptor)
            end_with_parent()
            limit_process(packet.meta["cpu"], packet.meta["memory"])
            code = work(packet, self.count_tokens, Connection(output, readable=False))
        finally:
            os._exit(code)

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens, as the embedder counts them."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _tell_statuses(self) -> None:
        while self.workers:
            process, code = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            status = self.workers.pop(process)
            with suppress(BrokenPipeError):  # nobody waits for it
                os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
            os.close(status)


def received(control: socket.socket, size: int) -> bytes:
    """Read `size` bytes from the socket. Raises EOFError if it ends before."""
    data = bytearray()
    while len(data) < size:
        piece = control.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def limit_process(cpu_seconds: int | None, memory_bytes: int) -> None:
    """Limit memory beyond what is loaded and, if given, CPU time; forbid core dumps and writing files."""
    loaded = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (loaded + memory_bytes, loaded + memory_bytes))
    if cpu_seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + GRACE_SECONDS))


def work(packet: Packet, count_tokens: Callable[[str], int], output: Connection) -> int:
    """Carry out a command and send the results; returns the exit status."""

    def send(one: Packet) -> None:
        output.send_bytes(one.to_bytes())

    try:
        with bugs_become(WorkerFailed(), MemoryError):
            for one in DO[packet.meta["do"]](packet, count_tokens, send):
                send(one)
            send(Packet({"kind": "end"}))
    except AskError as error:
        send(pack_error(error))
    except MemoryError:
        return OUT_OF_MEMORY
    except WorkerFailed:  # this process has no log; the one that asked for the work logs it
        send(Packet({"kind": "bug", "traceback": traceback.format_exc()}))
    return 0


Send = Callable[[Packet], None]


def prepare_file(packet: Packet, count_tokens: Callable[[str], int], send: Send) -> Iterator[Packet]:
    """Read a file and chunk it."""
    meta = packet.meta
    file = FileToRead(Path(meta["path"]), meta["password"], meta["ocr"], Limits(**meta["limits"]))

    def progress(read: int, pages: int) -> None:
        send(Packet({"kind": "progress", "read": read, "pages": pages}))

    return pack_prepared(read_and_chunk(file, count_tokens, ChunkSettings(**meta["chunking"]), progress))


def prepare_document(packet: Packet, count_tokens: Callable[[str], int], _: Send) -> Iterator[Packet]:
    """Chunk a document that has been read."""
    document = unpack_document(map(Packet.from_bytes, packet.blocks))
    chunking, places = ChunkSettings(**packet.meta["chunking"]), packet.meta["places"]
    return pack_prepared(chunked(document, count_tokens, chunking, places))


def read_stored(packet: Packet, _: Any, __: Send) -> Iterator[Packet]:
    """Stored passages, in the form that the indexes take."""
    sql = sqlite3.connect(uri_of(Path(packet.meta["database"]), READ_ONLY), uri=True, isolation_level=None)
    sql.row_factory = sqlite3.Row

    def rows(query: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        return sql.execute(query, values).fetchall()

    return map(pack_indexed, ready_for_index(rows))


DO: Final = {"file": prepare_file, "document": prepare_document, "stored": read_stored}


if __name__ == "__main__":
    with socket.socket(fileno=0) as given:
        ForkServer(given).run()

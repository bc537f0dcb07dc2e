"""Connections whose request never becomes complete."""

import asyncio
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import ClientDisconnect

from tests.apart import run_apart
from tests.webui.fake_engine import FakeEngine
from webui.server import connections
from webui.server.connections import timed

HEAD = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def url(tmp_path, served, monkeypatch):
    """A server that waits a second for the head of a request, and as long for its body."""
    monkeypatch.setattr("webui.server.serve.HEAD_SECONDS", 1.0)
    monkeypatch.setattr(connections, "BODY_SECONDS", 1.0)
    return served(FakeEngine(tmp_path / "data"), logins={"ann": "a"})


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", id="half of the head"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\nusername=ann", id="half of the body"),
        pytest.param(b"POST /library/add HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n%PDF", id="refused"),
    ],
)
def test_a_connection_that_does_not_finish_its_request_is_closed(url, sent):
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as line:
        line.sendall(sent)
        while line.recv(65536):  # a time-out of the socket would raise
            pass


def test_a_connection_that_asks_again_and_again_stays(url):
    with httpx.Client(base_url=url) as client:
        first = client.get("/robots.txt").extensions["network_stream"]
        for _ in range(8):
            time.sleep(0.4)
            assert client.get("/robots.txt").extensions["network_stream"] is first


def test_what_comes_after_the_body_has_no_time_limit(monkeypatch):
    """Whoever waits for a client's disconnecting waits as long as the answer takes."""
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.1)

    async def body_then_silence():
        messages = [{"type": "http.request", "body": b"x", "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.sleep(0.5)
            return {"type": "http.disconnect"}

        limited = timed(receive, 1)
        return await limited(), await limited()

    assert run_apart(body_then_silence())[1] == {"type": "http.disconnect"}


def test_a_body_that_does_not_come_ends_like_a_client_that_went_away(monkeypatch):
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.1)

    async def silence():
        await timed(asyncio.Event().wait, 0)()

    with pytest.raises(ClientDisconnect):
        run_apart(silence())

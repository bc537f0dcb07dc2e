"""A model server whose answers a test writes: OpenAI's protocol, streamed, as much of it as the program asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[str], Iterable[str]]  # prompt -> pieces


class BrokenOff(Exception):
    """To be raised by an answer: the connection ends there."""


@contextmanager
def model_server(answer: Answer, *, context: int = 16_384) -> Iterator[str]:
    """The address of a server whose only model is called glm and has a context of so many tokens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._begin()
            self.wfile.write(json.dumps({"data": [{"id": "glm", "max_model_len": context}]}).encode())

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._begin()
            try:
                for piece in answer("\n".join(message["content"] for message in asked["messages"])):
                    self._send({"content": piece}, None)
                self._send({}, "stop")
            except (BrokenOff, ConnectionError):  # by the answer, or because the client has left
                self.close_connection = True

        def _begin(self) -> None:
            self.send_response(200)
            self.end_headers()

        def _send(self, delta: dict[str, str], reason: str | None) -> None:
            event = {"choices": [{"delta": delta, "finish_reason": reason}]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()

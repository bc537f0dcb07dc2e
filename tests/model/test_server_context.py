"""What each kind of server tells of itself: the context of a model, and whether requests may have a salt."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from model.remote import DEFAULT_CONTEXT, RemoteReader
from model.server_context import ServerFacts, ask_server


@contextmanager
def server(pages):
    """A server with these JSON pages by path; gives its address and the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(json.dumps(pages.get(self.path)).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()


VLLM = {"id": "glm", "object": "model", "owned_by": "vllm", "max_model_len": 32_768}
LLAMA = {"id": "/models/glm.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131_072}}


@pytest.mark.parametrize(
    ("pages", "context"),
    [
        pytest.param({"/v1/models": {"data": [{"id": "other", "max_model_len": 4_096}, VLLM]}}, 32_768, id="vLLM"),
        pytest.param(
            {"/v1/models": {"data": [LLAMA]}, "/props": {"default_generation_settings": {"n_ctx": 4_096}}},
            4_096,
            id="llama.cpp",
        ),
        pytest.param({"/v1/models": {"data": [LLAMA]}}, 131_072, id="llama.cpp, of which nothing else is reached"),
        pytest.param(
            {"/v1/models": {"data": [{"id": "glm"}]}, "/get_server_info": {"context_length": 65_536}},
            65_536,
            id="SGLang",
        ),
        pytest.param({"/v1/models": {"data": [{"id": "glm", "context_length": 128_000}]}}, 128_000, id="OpenRouter"),
        pytest.param({"/v1/models": {"data": [{"id": "glm"}]}}, DEFAULT_CONTEXT, id="one that does not tell"),
        pytest.param({"/v1/models": {"data": [VLLM | {"max_model_len": True}]}}, DEFAULT_CONTEXT, id="nonsense"),
        pytest.param({"/v1/models": ["x"], "/props": [1]}, DEFAULT_CONTEXT, id="other nonsense"),
    ],
)
def test_the_server_is_asked_for_its_context(pages, context):
    with server(pages) as (url, _):
        assert RemoteReader(url, "glm").context_tokens == context


def test_it_is_asked_once_and_not_where_the_context_is_set():
    with server({"/v1/models": {"data": [VLLM]}}) as (url, asked):
        reader = RemoteReader(url, "glm")
        assert (reader.context_tokens, reader.context_tokens) == (32_768, 32_768)
        assert asked == ["/v1/models"]
        assert RemoteReader(url, "glm", context_tokens=4_096).context_tokens == 4_096
        assert asked == ["/v1/models"]


def test_a_server_that_is_down_is_asked_again_later(monkeypatch):
    with server({"/v1/models": {"data": [VLLM]}}) as (url, _):
        pass
    reader = RemoteReader(url, "glm", fallback_context=2_048)
    assert reader.context_tokens == 2_048
    monkeypatch.setattr("model.remote.ask_server", lambda *_: ServerFacts(32_768, reached=True))
    assert reader.context_tokens == 2_048
    reader._ask_at = 0.0
    assert reader.context_tokens == 32_768


@pytest.mark.parametrize(
    ("owner", "takes_salt"),
    [("vllm", True), ("sglang", True), ("llamacpp", False), ("openai", False), (["vllm"], False)],
)
def test_it_is_known_which_servers_take_a_salt(owner, takes_salt):
    with server({"/v1/models": {"data": [VLLM | {"owned_by": owner}]}}) as (url, _):
        assert ask_server(f"{url}/v1", "glm", {}).takes_salt is takes_salt

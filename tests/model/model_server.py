"""A server on this machine that lists models as OpenAI's API does."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def model_server(*models: dict, key: str = ""):
    """A running server with these entries of `GET /v1/models`; gives its address. It wants `key` where there is one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            allowed = not key or self.headers.get("Authorization") == f"Bearer {key}"
            body = {"data": list(models)} if allowed else {"error": {"message": "bad key"}}
            found = self.path == "/v1/models"
            self.send_response(200 if found and allowed else 401 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

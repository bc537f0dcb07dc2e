"""A model hub on this machine, as far as huggingface_hub's client looks: for tests of downloading."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of one folder as the repository `owner/name`."""

    daemon_threads = True

    def __init__(self, repository: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repository = repository
        self.folder = folder
        self.requests: list[tuple[str, str, str]] = []  # method, path, Range
        self.break_after: dict[str, int] = {}  # bytes of a file after which the connection breaks, once
        self.hold_after: dict[str, int] = {}  # bytes of a file after which nothing comes until `go_on`, once
        self.go_on = threading.Event()
        self.garble: set[str] = set()  # files served with a wrong last byte

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers the three kinds of request a download makes."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.requests.append((self.command, path, self.headers.get("Range", "")))
        repository = self.server.repository
        if path.startswith(f"/api/models/{repository}/tree/"):
            self._json([self._entry(file) for file in sorted(self.server.folder.iterdir())])
        elif path.startswith(f"/api/models/{repository}"):
            siblings = [{"rfilename": file.name} for file in sorted(self.server.folder.iterdir())]
            self._json({"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings})
        elif path.startswith(f"/{repository}/resolve/{COMMIT}/"):
            self._file(self.server.folder / path.rpartition("/")[2])
        else:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _entry(self, file: Path) -> dict:
        data = file.read_bytes()
        entry = {"type": "file", "path": file.name, "size": len(data), "oid": git_hash(data)}
        if is_large(file):
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return entry

    def _file(self, file: Path) -> None:
        data = file.read_bytes()
        tag = hashlib.sha256(data).hexdigest() if is_large(file) else git_hash(data)
        if file.name in self.server.garble:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{tag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if (held := self.server.hold_after.pop(file.name, None)) is not None:
            self.wfile.write(data[start : start + held])
            self.wfile.flush()
            self.server.go_on.wait(60)
            start += held
        limit = self.server.break_after.pop(file.name, None)
        self.wfile.write(data[start : None if limit is None else start + limit])
        if limit is not None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

    def _json(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def git_hash(data: bytes) -> str:
    """The hash git names a blob by, which the hub gives for small files."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(file: Path) -> bool:
    """Whether the hub keeps a file in its large file storage."""
    return file.suffix in (".safetensors", ".bin", ".model")


@contextmanager
def hub_of(repository: str, folder: Path):
    """A running hub with one repository."""
    server = Hub(repository, folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

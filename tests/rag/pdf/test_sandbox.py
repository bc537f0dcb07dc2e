"""The child process: limits, isolation, and what happens when its output is malformed or it dies."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from rag.errors import (
    DamagedFile,
    LimitExceeded,
    Stopped,
)
from rag.messages import Message
from rag.pdf import sandbox
from rag.pdf.load import load
from rag.records import PageKind
from tests.rag.samples import BOTH, LIMITS, patch_child, read, texts


def replace_child(monkeypatch, tmp_path, body):
    """Replace the child by a script that sends frames of its own."""
    script = tmp_path / "child.py"
    script.write_text(
        "import json, os, struct, sys, time, signal\n"
        "def send(meta, text=b'', words=b''):\n"
        "    head = json.dumps(meta).encode()\n"
        "    sizes = struct.pack('<III', len(head), len(text), len(words))\n"
        "    sys.stdout.buffer.write(sizes + head + text + words)\n"
        "    sys.stdout.buffer.flush()\n"
        "command = json.loads(sys.stdin.readline())\n"
        "page = dict(kind='page', number=0, width=612, height=792, map=[.001, 0, 0, -.001, 0, 1])\n"
        "plain = dict(kind='page', number=0, width=612, height=792)\n" + body
    )
    monkeypatch.setattr(sandbox, "SCRIPT", script)


OPEN = "send(dict(kind='open', pages=1))\n"
END = "send(dict(kind='pages_done')); send(dict(kind='end'))\n"
WORDS = "struct.pack('<ii8f', {}, {}, *[{}] * 8)"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 2**32 - 1, 0, 0))", id="4 GB of JSON announced"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 2, 2**32 - 1, 0) + b'{}')", id="4 GB of text"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 3, 0, 0) + b'abc')", id="no JSON"),
        pytest.param("sys.stdout.buffer.write(struct.pack('<III', 9000, 0, 0) + b'[' * 9000)", id="deep JSON"),
        pytest.param("sys.stdout.buffer.write(b'Hello')", id="no frame"),
        pytest.param("send([1, 2])", id="no object"),
        pytest.param("send(dict(kind='end'))", id="nothing"),
        pytest.param("send(dict(kind='open', pages=10**9))\n" + END, id="too many pages"),
        pytest.param("send(dict(kind='open', pages='1'))\n" + END, id="pages as a string"),
        pytest.param(OPEN + OPEN, id="opened twice"),
        pytest.param(OPEN + END, id="a page missing"),
        pytest.param(OPEN + "send(page, b'x'); send(page, b'x')\n" + END, id="a page too many"),
        pytest.param(OPEN + "send(page | dict(number=7), b'x')\n" + END, id="another page"),
        pytest.param(OPEN + "send(page, b'\\xff')\n" + END, id="no UTF-8"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(0, 9, 1.0)})\n" + END, id="a span too long"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(-1, 2, 1.0)})\n" + END, id="a span before"),
        pytest.param(OPEN + f"send(page, b'word', {WORDS.format(2, 1, 1.0)})\n" + END, id="a span backwards"),
        pytest.param(OPEN + "send(page, b'word', b'abc')\n" + END, id="half a word"),
        pytest.param(OPEN + "send(page | dict(map=['a'] * 6), b'word')\n" + END, id="a map of letters"),
        pytest.param(OPEN + "send(dict(kind='page', number=0), b'word')\n" + END, id="no size"),
        pytest.param("raise SystemExit(3)", id="dead"),
    ],
)
def test_malformed_output_makes_the_file_damaged(monkeypatch, tmp_path, body):
    replace_child(monkeypatch, tmp_path, body)
    with pytest.raises(DamagedFile):
        read(BOTH)


@pytest.mark.parametrize("number", ["float('nan')", "float('inf')", "-1e30", "3e38"])
def test_senseless_boxes_are_clipped_to_the_page(monkeypatch, tmp_path, number):
    replace_child(monkeypatch, tmp_path, OPEN + f"send(page, b'word', {WORDS.format(0, 4, number)})\n" + END)
    boxes = read(BOTH).pages[0].words.boxes
    assert ((boxes >= 0) & (boxes <= 1)).all()


@pytest.mark.parametrize(
    "info",
    [
        "dict(kind='info', labels=5, outline=7, metadata=[])",
        "dict(kind='info', labels=[None, 3, {}], outline=[1, [], ['a'] * 5, ['t', 1, 10**9, 0, 0]], failed=3)",
        "dict(kind='info', labels=['x' * 10**6], outline=[['t\\u202e' * 999, -5, 0, float('nan'), 9e999]])",
        "dict(kind='info', metadata=dict(Title='\\0' * 1000, Author=3, CreationDate=[]))",
    ],
)
def test_malformed_information_is_ignored(monkeypatch, tmp_path, info):
    replace_child(monkeypatch, tmp_path, OPEN + f"send(plain, b'word')\nsend({info})\n" + END)
    document = read(BOTH)
    assert texts(document) == ["word\n"]
    assert len(document.pages[0].label) <= 40
    assert all(len(heading.title) <= 300 and 0 <= heading.top <= 1 for heading in document.outline)


def test_a_page_that_cannot_be_read_is_kept_as_failed(monkeypatch, tmp_path):
    body = (
        "if 'only' not in command:\n"
        "    send(dict(kind='open', pages=3))\n"
        "    send(plain, b'The first page.')\n"
        "    send(dict(kind='page', number=1, failed=True))\n"
        "    send(plain | dict(number=2), b'The third page.')\n"
        "    send(dict(kind='pages_done'))\n"
        "send(dict(kind='end'))\n"
    )
    replace_child(monkeypatch, tmp_path, body)
    document = read(BOTH)
    assert texts(document) == ["The first page.\n", "", "The third page.\n"]
    assert document.pages[1].kind is PageKind.FAILED
    assert [str(note) for note in document.notes] == ["1 of 3 pages is damaged and could not be read: 2."]


def test_pages_are_kept_when_the_child_dies_over_the_outline(monkeypatch, tmp_path):
    body = OPEN + "send(plain, b'word')\nsend(dict(kind='pages_done'))\nos.kill(os.getpid(), signal.SIGKILL)"
    replace_child(monkeypatch, tmp_path, body)
    document = read(BOTH)
    assert texts(document) == ["word\n"]
    assert "outline" in str(document.notes[-1])


@pytest.mark.parametrize(
    ("body", "error", "match"),
    [
        ("os.abort()", LimitExceeded, "256 MiB of memory"),
        ("raise SystemExit(77)", LimitExceeded, "256 MiB of memory"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", LimitExceeded, "20 seconds of CPU time"),
        (OPEN + "os.abort()", LimitExceeded, "Reading page 1 needs"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", DamagedFile, "crashes"),
        ("os.kill(os.getpid(), signal.SIGKILL)", LimitExceeded, "ended from outside"),
        (OPEN + "os.kill(os.getpid(), signal.SIGTERM)", LimitExceeded, "Reading page 1 was interrupted"),
    ],
)
def test_the_error_tells_why_the_child_died(monkeypatch, tmp_path, body, error, match):
    replace_child(monkeypatch, tmp_path, body)
    with pytest.raises(error, match=match):
        read(BOTH)


def test_a_child_that_hangs_is_killed(monkeypatch, tmp_path):
    mark = tmp_path / "pid"
    replace_child(monkeypatch, tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    with pytest.raises(LimitExceeded, match="longer than the limit of 1 seconds"):
        load(BOTH, limits=replace(LIMITS, read_wall_seconds=1))
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_stop_kills_the_child_at_once(monkeypatch, tmp_path):
    replace_child(monkeypatch, tmp_path, "time.sleep(600)")
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped):
        read(BOTH, stop=stop)


REPORT = """
def report(command, output):
    names = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_FSIZE")
    limits = [resource.getrlimit(getattr(resource, name))[0] for name in names]
    output.send({"environment": dict(os.environ), "folder": os.getcwd(), "limits": limits,
                 "isolated": sys.flags.isolated, "open": os.listdir("/proc/self/fd")})
child.read_document = report
"""


def test_stop_is_noticed_between_pages(monkeypatch, tmp_path):
    stop = threading.Event()
    replace_child(monkeypatch, tmp_path, OPEN + "send(plain, b'word')\n" + END)
    with pytest.raises(Stopped):
        read(BOTH, stop=stop, progress=lambda done, count: stop.set())


def test_the_child_has_limits_and_no_access_to_environment_or_files(monkeypatch, tmp_path):
    patch_child(monkeypatch, tmp_path, REPORT)
    monkeypatch.setenv("SECRET", "hunter2")
    bounds = sandbox.Bounds(20, 60, LIMITS.read_memory_bytes, 1_000, 1_000)
    with sandbox.as_file(BOTH) as file:
        seen = next(iter(sandbox.frames(file, {"do": "read"}, bounds, step=lambda: Message("")))).meta
    assert not seen["environment"].keys() - {"LC_ALL", "LC_CTYPE"}
    assert (seen["folder"], seen["isolated"]) == ("/", 1)
    assert seen["limits"] == [LIMITS.read_memory_bytes, 20, 0, 0]
    assert len(seen["open"]) == 6  # the standard three, the PDF, the output once more, the listing itself

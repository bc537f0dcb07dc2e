import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import app
from tests.webui.fake_engine import FakeEngine
from webui.options import OPTIONS, parse

ROOT = Path(app.__file__).parent


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_importing_it_starts_nothing_and_loads_nothing_heavy():
    done = python("import sys, app; print(sorted(sys.modules))")
    assert done.returncode == 0, done.stderr
    for heavy in ("torch", "gradio", "faiss", "transformers", "pypdf"):
        assert f"'{heavy}'" not in done.stdout
    assert done.stderr == ""


def test_help_names_every_option_and_its_variable():
    done = subprocess.run([sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for option in OPTIONS:
        assert option.flag in text
        assert f"[{option.variable}]" in text
    for flag in ("--host", "--port", "--data-dir", "--add", "--reader", "--model", "--precision", "--embedder",
                 "--server", "--auth", "--share", "--list-models", "--log-level", "--allow-download"):  # fmt: skip
        assert flag in text


def test_main_says_it_in_one_line_and_leaves(capsys, monkeypatch):
    assert app.main(["--port", "x"]) == 2
    assert capsys.readouterr().err == "--port takes a whole number from 0 to 65535, not 'x'.\n"


def test_nothing_is_reported_and_nothing_fetched_unless_wanted():
    environment = {"TOKENIZERS_PARALLELISM": "true"}
    app.prepare_environment(parse([], {}), environment)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["TOKENIZERS_PARALLELISM"] == "true"
    environment = {}
    app.prepare_environment(parse(["--allow-download"], {}), environment)
    assert "HF_HUB_OFFLINE" not in environment


def test_only_a_space_is_reached_by_any_name():
    options = parse(["--host-name", "ask.example.org"], {})
    assert not app.access_of(options, {}).knows("evil.example")
    assert app.access_of(options, {}).knows("ask.example.org")
    space = app.access_of(options, {"SPACE_ID": "a/b"})
    assert space.knows("a-b.hf.space")
    assert "huggingface.co" in space.frames


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--auth", "ann:a"], {}),
        (["--server", "http://localhost:8000/v1", "--model", "m"], {}),
        ([], {"SPACE_ID": "a/b"}),
    ],
)
def test_with_logins_a_server_or_on_a_space_the_page_picks_no_model(arguments, environment):
    assert app.picking_for(None, parse(arguments, environment), environment) is None


@pytest.mark.parametrize(
    ("arguments", "folders"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--share"], False),
        (["--host-name", "ask.example.org"], False),  # a proxy before it lets others in
    ],
)
def test_the_page_names_folders_only_where_nobody_else_reaches_it(arguments, folders):
    picking = app.picking_for(None, parse(arguments, {}), {})
    assert picking.folders is folders
    assert picking.downloads is False
    assert app.picking_for(None, parse([*arguments, "--allow-download"], {}), {}).downloads is True


def test_folders_are_added_as_shared_documents_and_refusals_do_not_stop_it(tmp_path, caplog):
    folder = tmp_path / "pdfs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.pdf").write_bytes(b"%PDF-1.4")
    (folder / "b.pdf").write_bytes(b"GIF89a")
    (folder / "deep" / "c.PDF").write_bytes(b"%PDF-1.5")
    (folder / "notes.txt").write_text("no")
    engine = FakeEngine(tmp_path / "data")
    app.add_files(engine, [folder, tmp_path / "missing"], threading.Event())
    assert [(owner, name) for owner, name, _ in engine.received] == [("", "a.pdf"), ("", "b.pdf"), ("", "c.PDF")]
    assert "b.pdf” is not a PDF" in caplog.text
    assert "there is no" in caplog.text


PROGRAM = """
import json, sys, threading, urllib.request
from pathlib import Path
import app
from tests.webui.fake_engine import FakeEngine
engine = FakeEngine(Path(sys.argv[1]))
app.open_engine_for = lambda options, environment: engine
stopped = threading.Event()
engine.close = stopped.set
report = app.report
def visit(engine):
    report(engine)
    import os, signal
    url = f"http://127.0.0.1:{sys.argv[2]}/"
    print(json.dumps({"status": urllib.request.urlopen(url).status}), flush=True)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
app.report = visit
status = app.main(["--port", sys.argv[2], "--data-dir", sys.argv[1]])
print(json.dumps({"left": status, "closed": stopped.is_set()}), flush=True)
"""


def test_the_program_says_where_it_is_and_what_it_picked_and_closes_on_a_signal(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = python(PROGRAM, str(tmp_path), port)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [{"status": 200}, {"left": 0, "closed": True}], done.stderr
    assert f"Open http://127.0.0.1:{port}/" in done.stderr
    assert "reader: Quote reader (no GLM on this machine: answers are sentences of the sources)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = python(PROGRAM, str(tmp_path), port)
    assert json.loads(done.stdout) == {"left": 2, "closed": True}
    assert done.stderr == f"Port {port} on 127.0.0.1 cannot be used: choose another one with --port.\n"

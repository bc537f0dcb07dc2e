import errno
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import app
from model.servers import Connection, ConnectionFile
from rag.errors import SettingRefused
from rag.options import OPTIONS, parse
from rag.reader import Sampling
from tests.waiting import until
from tests.webui.fake_engine import FakeEngine
from webui.accounts.accounts import Accounts
from webui.commands import accounts_of
from webui.server import serve

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


def test_main_prints_a_wrong_option_in_one_line_and_exits(capsys, monkeypatch):
    assert app.main(["--port", "x"]) == 2
    assert capsys.readouterr().err == "--port takes a whole number from 0 to 65535, not 'x'.\n"
    assert app.main(["--config", "missing.toml"]) == 2
    assert capsys.readouterr().err == "missing.toml cannot be read (No such file or directory): check --config.\n"


def test_telemetry_is_off_and_nothing_is_downloaded_unless_allowed():
    environment = {"TOKENIZERS_PARALLELISM": "true"}
    app.prepare_environment(parse([], {}), environment)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["TOKENIZERS_PARALLELISM"] == "true"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
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
    ("host", "environment", "listens"),
    [
        ("127.0.0.1", {}, "127.0.0.1"),
        ("::1", {}, "[::1]"),
        ("[::1]", {}, "[::1]"),
        ("127.0.0.1", {"SPACE_ID": "a/b"}, "0.0.0.0"),
        ("10.0.0.1", {"SPACE_ID": "a/b"}, "10.0.0.1"),
    ],
)
def test_the_address_to_listen_on(host, environment, listens):
    assert app.host_of(parse(["--host", host], {}), environment) == listens


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--auth", "ann:a"], {}),
        (["--server", "http://localhost:8000/v1", "--model", "m"], {}),
        ([], {"SPACE_ID": "a/b"}),
    ],
)
def test_with_logins_a_server_or_on_a_space_the_page_picks_no_model(tmp_path, arguments, environment):
    options = parse(["--data-dir", str(tmp_path), *arguments], {})
    assert app.picking_for(None, None, options, environment, accounts_of(options, environment)) is None


@pytest.mark.parametrize(
    ("arguments", "alone"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--share"], False),
        (["--host-name", "ask.example.org"], False),  # a proxy before it lets others in
    ],
)
def test_the_page_names_folders_and_downloads_only_where_nobody_else_reaches_it(tmp_path, arguments, alone):
    arguments = ["--data-dir", str(tmp_path), *arguments]
    picking = app.picking_for(None, None, parse(arguments, {}), {}, Accounts())
    assert (picking.folders, picking.servers, picking.downloads) == (alone, alone, alone)
    assert app.picking_for(None, None, parse([*arguments, "--allow-download"], {}), {}, Accounts()).downloads is True
    assert app.picking_for(None, None, parse(arguments, {}), {"HF_HUB_OFFLINE": "1"}, Accounts()).downloads is False


def test_a_server_connected_to_on_the_page_is_used_again_unless_another_reader_is_named(tmp_path):
    options = parse(["--data-dir", str(tmp_path)], {})
    ConnectionFile(tmp_path / "server.json").save(Connection("http://localhost:8000", "glm", 4_096))
    assert app.reader_for(options, {})[0].name == "glm · localhost"
    for others in (["--reader", "quote"], ["--host", "0.0.0.0"], ["--auth", "ann:a"]):
        assert app.reader_for(parse(["--data-dir", str(tmp_path), *others], {}), {})[0].name.startswith("Quote reader")


@pytest.mark.parametrize("address", ["http://HOST:PORT", "localhost:8000", "nonsense"])
def test_a_server_that_is_no_address_is_refused(address):
    with pytest.raises(
        SettingRefused, match="--server takes an address such as http://localhost:8000, not "
    ) as refused:
        app.reader_for(parse(["--server", address, "--model", "m"], {}), {})
    assert address in str(refused.value)


def test_the_context_of_a_server_is_an_option():
    arguments = ["--server", "http://localhost:8000", "--model", "m"]
    assert app.reader_for(parse(arguments, {}), {})[0].context_tokens == 8192
    assert app.reader_for(parse([*arguments, "--context", "32768"], {}), {})[0].context_tokens == 32768


@pytest.mark.parametrize(("device", "told"), [("cuda:9", "This machine has no cuda:9"), ("mps", "no mps")])
def test_a_device_that_this_machine_lacks_is_refused_before_anything_is_opened(tmp_path, monkeypatch, device, told):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    folder = tmp_path / "data"
    with pytest.raises(SettingRefused, match=told):
        app.open_engine_for(parse(["--device", device, "--data-dir", str(folder)], {}), {})
    assert not folder.exists()


def test_device_and_length_of_answers_reach_the_model(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr("rag.engine.Engine", lambda settings, **options: given.update(options))
    options = parse(["--device", "cpu", "--max-tokens", "77", "--data-dir", str(tmp_path)], {})
    app.open_engine_for(options, {})
    assert given["sampling"] == Sampling(max_tokens=77)
    assert app.loading_for(FakeEngine(tmp_path), options).settings.device == "cpu"


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
    assert "does not exist" in caplog.text


PROGRAM = """
import json, sys, threading, urllib.request
from pathlib import Path
import app
from rag.errors import SettingRefused
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


@pytest.mark.slow
def test_the_program_logs_its_address_and_choices_and_closes_on_a_signal(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = python(PROGRAM, str(tmp_path), port)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [{"status": 200}, {"left": 0, "closed": True}], done.stderr
    assert f"Open http://127.0.0.1:{port}/" in done.stderr
    assert "reader: Quote reader (no GLM on this machine: answers are sentences of the sources)" in done.stderr
    assert "Traceback" not in done.stderr


ANSWERING = """
import os, sys, threading, time
from pathlib import Path
import app
from tests.webui.fake_engine import FakeEngine, document
engine = FakeEngine(Path(sys.argv[1]), step=float(sys.argv[3]))
engine.library, engine.answer = [document("a.pdf")], [("Revenue grew.", (1,)), ("Costs fell.", (1,))]
app.open_engine_for = lambda options, environment: engine
sys.exit(app.main(["--port", sys.argv[2], "--data-dir", sys.argv[1]]))
"""


@pytest.fixture
def answering(tmp_path):
    """A function that starts the program, asks it something, and gives the process, its address and the response."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    started = []

    def start(step):
        command = [sys.executable, "-c", ANSWERING, str(tmp_path), port, str(step)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        started.append(process)
        until(lambda: health(url) == "ready")
        threads = ThreadPoolExecutor()
        response = threads.submit(httpx.post, f"{url}/api/ask", json={"question": "Did it grow?"}, timeout=60)
        time.sleep(1)  # it arrives
        return process, url, response

    yield start
    for process in started:
        process.kill()
        process.communicate()


def health(url):
    """What a program says of itself; "" while nothing listens."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/health").json()["status"]
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_answer_in_flight_finish_and_refuses_the_next_question(answering, number):
    process, url, response = answering(1.0)
    process.send_signal(number)
    until(lambda: health(url) == "stopping")
    refused = httpx.post(f"{url}/api/ask", json={"question": "And costs?"})
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert response.result().json()["text"] == "Revenue grew.[1] Costs fell.[1]"
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_a_second_signal_ends_the_program_at_once(answering):
    process, url, response = answering(30.0)
    process.send_signal(signal.SIGTERM)
    until(lambda: health(url) == "stopping")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    assert isinstance(response.exception(), httpx.TransportError)


@pytest.mark.slow
def test_a_port_in_use_is_reported_in_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = python(PROGRAM, str(tmp_path), port)
    assert json.loads(done.stdout) == {"left": 2, "closed": True}
    assert done.stderr == f"Port {port} on 127.0.0.1 cannot be used: choose another with --port.\n"


ADDRESSES = """
from webui.server import serve
for host in ("192.0.2.1", "[2001:db8::1]", "a..b"):  # the first two are kept for documentation
    print(serve.cannot_serve(host, 7860, OSError("Cannot find empty port")))
"""


def test_a_host_that_is_not_this_machine_is_not_reported_as_a_port():
    done = python(ADDRESSES)
    wrong = done.stdout.splitlines()
    assert len(wrong) == 3, done.stderr
    for host, told in zip(("192.0.2.1", "[2001:db8::1]", "a..b"), wrong, strict=True):
        assert told.startswith(
            f"--host takes an address of this machine, not {host!r}: 127.0.0.1 for this machine only"
        )


def test_a_page_that_cannot_be_served_is_reported_in_one_sentence_about_its_host(tmp_path, monkeypatch):
    def serve(*_, **__):  # as Gradio fails, with nothing of the reason
        raise OSError("Cannot find empty port in range: 7860-7860.")

    monkeypatch.setattr(app, "open_engine_for", lambda options, environment: FakeEngine(tmp_path))
    monkeypatch.setattr(
        "webui.server.serve.refusal_to_listen", lambda host, port: OSError(errno.EADDRNOTAVAIL, "no such address")
    )
    monkeypatch.setattr("webui.server.serve.serve", serve)
    with pytest.raises(SettingRefused, match=r"^--host takes an address of this machine, not '192\.0\.2\.1'"):
        app.run(parse(["--host", "192.0.2.1"], {}), {})


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "--host takes an address of this machine"),
        (
            OSError(errno.EADDRINUSE, "Address already in use"),
            "Port 80 on h cannot be used: choose another with --port",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "Port 80 on h is reserved for administrators: .* with --port",
        ),
        (None, "Port 80 on h cannot be used: choose another with --port"),
    ],
)
def test_why_the_page_cannot_be_served_names_the_option(reason, message, monkeypatch):
    monkeypatch.setattr("webui.server.serve.refusal_to_listen", lambda host, port: reason)
    assert re.match(message, str(serve.cannot_serve("h", 80, OSError("no port"))))


def test_the_system_is_asked_for_the_reason():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve.refusal_to_listen("127.0.0.1", port).errno == errno.EADDRINUSE
    assert serve.refusal_to_listen("127.0.0.1", 0) is None


def test_a_folder_that_cannot_be_written_is_not_reported_as_a_port():
    error = PermissionError(errno.EACCES, "Permission denied", "/data/incoming")
    told = str(serve.cannot_serve("127.0.0.1", 7860, error))
    assert told == "/data/incoming cannot be used (Permission denied): choose another folder with --data-dir."


def test_api_tokens_are_made_listed_and_revoked_on_the_command_line(tmp_path, capsys):
    from webui.server.api.tokens import ApiTokens

    folder = ["--data-dir", str(tmp_path)]
    assert app.main(["--api-token", "ann", *folder]) == 0
    made = capsys.readouterr()
    token = made.out.strip()
    assert "not shown again" in made.err
    assert ApiTokens(tmp_path).user(token) == "ann"
    assert app.main(["--list-api-tokens", *folder]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("  ann")
    assert token not in line
    assert app.main(["--revoke-api-token", line.split()[0], *folder]) == 0
    assert ApiTokens(tmp_path).user(token) is None
    assert app.main(["--revoke-api-token", "ann", *folder]) == 2
    assert capsys.readouterr().err == "There is no API token 'ann': --list-api-tokens lists them.\n"


def test_a_token_for_somebody_who_cannot_log_in_is_refused(tmp_path, capsys):
    arguments = ["--api-token", "eve", "--auth", "ann:secret", "--data-dir", str(tmp_path)]
    assert app.main(arguments) == 2
    assert capsys.readouterr().err == "There is no user 'eve': choose one that can log in.\n"
    assert list(tmp_path.iterdir()) == []

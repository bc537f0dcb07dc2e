"""The server as a stranger meets it: routes, headers, uploads."""

import json
import re
import resource
import socket
from ipaddress import ip_network
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from rag.records import Job, JobState
from rag.settings import Limits, Settings
from tests.webui.client import PDF, add, call, client_of
from tests.webui.fake_engine import FakeEngine, document
from webui.server.guard import Access, Guard
from webui.server.proxies import Proxies

LOCAL = {"host": "127.0.0.1:7860"}
SPACE = Access(any_name=True, proxies=Proxies(everybody=True))
BEHIND = Access(names={"me-ask.hf.space"}, proxies=Proxies((ip_network("10.0.0.0/24"),)))


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf")]
    return engine


def request_of(client, headers):
    raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (client, 1), "scheme": "http", "headers": raw_headers}


def raw(url, path, host=None):
    """A GET whose path no client has tidied up; gives the status line and the rest."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or place.netloc}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while part := line.recv(65536):
            data += part
    return data.split(b"\r\n", 1)


def test_the_page_loads_nothing_from_outside_and_runs_only_its_own_scripts(engine, served):
    answer = httpx.get(served(engine))
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["connect-src"] == "'self'"
    assert "unsafe-inline" not in policy["script-src"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    nonce = policy["script-src"].split("'nonce-")[1].split("'")[0]
    assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce}"') > 0
    for attribute in (
        'src="http',
        "src='http",
        'href="http',
        "url(http",
        "@import",
        "fonts.googleapis",
        'og:image"',
    ):
        assert attribute not in answer.text
    assert httpx.get(served(engine)).headers["content-security-policy"] != answer.headers["content-security-policy"]


def test_the_script_of_all_parts_comes_once_and_what_never_changes_is_asked_for_once(engine, served):
    url = served(engine)
    page = httpx.get(url).text
    assert page.count("function mergeChildren(") == 2  # for the viewer, and for all other parts
    asset = page.split('src="./assets/')[1].split('"')[0]
    assert "immutable" in httpx.get(f"{url}/assets/{asset}").headers["cache-control"]
    for changing in ("", "/config", "/theme.css", "/assets/none-12345678.js"):
        assert "immutable" not in httpx.get(f"{url}{changing}").headers.get("cache-control", "")


def test_no_analytics(engine, served):
    config = httpx.get(f"{served(engine)}/config").json()
    assert config["analytics_enabled"] is False
    assert config["space_id"] is None


FORBIDDEN = [
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=app.py",
    "/gradio_api/file=data/library.sqlite",
    "/gradio_api/file/../../etc/passwd",
    "/gradio_api/file=file:///etc/passwd",
    "/gradio_api/file=/proc/self/environ",
    "/gradio_api/proxy=http://127.0.0.1:9/",
    "/gradio_api/upload",
    "/gradio_api/upload_progress?upload_id=x",
    "/gradio_api/call/search",
    "/gradio_api/openapi.json",
    "/gradio_api/component_server",
    "/gradio_api/stream/x/1/2/playlist.m3u8",
    "/gradio_api/custom_component/1/client/component/..%2f..%2fx",
    "/gradio_api/dev/reload",
    "/gradio_api/token",
    "/gradio_api/vibe-code/",
    "/gradio_api/queue/../file=/etc/passwd",
    "/gradio_api/run/../file=/etc/passwd",
    "/file=/etc/passwd",
    "/monitoring",
    "/docs",
    "/assets/../../../../app.py",
    "/assets/%2e%2e/%2e%2e/%2e%2e/routes.py",
    "/assets/..%5c..%5croutes.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "//etc/passwd",
    "/library.sqlite",
]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_nothing_but_the_page_is_served(standing, path):
    _, url = standing
    status, rest = raw(url, path)
    assert status.split()[1] in (b"404", b"403", b"400"), (path, status)
    assert b"root:" not in rest
    assert b"import " not in rest


@given(path=st.text(alphabet=st.sampled_from(list("./\\%2e5cf=:~ABC0\0")), max_size=40))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_at_all_gets_out_of_the_folders_served(path):
    guard = Guard(None, Access())
    refused = guard.refusal("GET", "/" + path, Headers(LOCAL))
    assert refused is None or refused[0] == 404
    if refused is None:
        assert path in ("", "config", "login", "logout") or re.fullmatch(r"c/[0-9A-Za-z_-]+", path)  # a conversation


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", None),
        ("localhost:7860", None),
        ("[::1]:7860", None),
        ("192.168.1.5:7860", None),
        ("ask.example.org", None),
        ("ASK.example.org.:443", None),
        ("evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_a_name_that_is_not_ours_is_refused(host, status):
    guard = Guard(None, Access(names={"ask.example.org"}))
    refused = guard.refusal("GET", "/", Headers({"host": host}))
    assert (refused and refused[0]) == status


@pytest.mark.parametrize(
    ("method", "path", "headers", "refused"),
    [
        ("GET", "/", {"sec-fetch-site": "cross-site"}, False),  # a link to the page
        ("GET", "/logout", {"sec-fetch-site": "cross-site"}, True),
        ("GET", "/gradio_api/queue/data", {"sec-fetch-site": "cross-site"}, True),
        ("POST", "/gradio_api/queue/join", {"origin": "http://evil.example"}, True),
        ("POST", "/gradio_api/run/predict", {"origin": "null"}, True),
        ("POST", "/login", {"origin": "http://127.0.0.1:1"}, True),
        ("POST", "/library/add", {"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, True),
        ("POST", "/library/add", {"sec-fetch-site": "cross-site"}, True),
        ("POST", "/library/add", {"sec-fetch-site": "same-site"}, True),  # another port, or a sibling domain
        ("GET", "/logout", {"sec-fetch-site": "same-site"}, True),
        ("POST", "/library/add", {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}, False),
        ("POST", "/library/add", {}, False),  # no browser
    ],
)
def test_other_sites_cannot_drive_the_page(method, path, headers, refused):
    answer = Guard(None, Access()).refusal(method, path, Headers({**LOCAL, **headers}))
    assert (answer is not None) is refused
    if answer:
        assert answer[0] == 403


NEAR, FAR, PROXY = "127.0.0.1", "203.0.113.9", "10.0.0.7"


@pytest.mark.parametrize(
    ("access", "client", "host", "refused"),
    [
        pytest.param(SPACE, FAR, "me-ask.hf.space", False, id="behind the proxy of Spaces"),
        pytest.param(SPACE, FAR, "evil.example", True, id="another site behind that proxy"),
        pytest.param(BEHIND, PROXY, "me-ask.hf.space", False, id="a proxy that was named"),
        pytest.param(BEHIND, FAR, "me-ask.hf.space", True, id="past the proxy"),
        pytest.param(BEHIND, NEAR, "me-ask.hf.space", True, id="this machine, which was not named"),
        pytest.param(Access(names={"ask.example.org"}), FAR, "me-ask.hf.space", True, id="no proxy"),
    ],
)
def test_forwarded_headers_count_only_from_a_proxy_that_was_named(access, client, host, refused):
    headers = {**LOCAL, "x-forwarded-host": host, "origin": "https://me-ask.hf.space", "sec-fetch-site": "same-origin"}
    seen = access.proxies.applied(request_of(client, headers))
    answer = Guard(None, access).refusal("POST", "/library/add", Headers(scope=seen))
    assert (answer is not None) is refused


@pytest.mark.parametrize(
    ("access", "client", "forwarded", "known_as"),
    [
        (BEHIND, PROXY, "198.51.100.1", "198.51.100.1"),
        (BEHIND, PROXY, "1.1.1.1, 198.51.100.1, 10.0.0.8", "198.51.100.1"),  # the first was made up by the client
        (BEHIND, FAR, "198.51.100.1", FAR),
        (Access(), NEAR, "198.51.100.1", NEAR),
        (SPACE, PROXY, "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        (BEHIND, PROXY, "", PROXY),
    ],
)
def test_a_client_cannot_make_up_its_address(access, client, forwarded, known_as):
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    seen = access.proxies.applied(request_of(client, headers))
    assert seen["client"][0] == known_as
    assert (seen["scheme"] == "https") is access.proxies.includes(client)


def test_no_other_origin_may_read_a_response(engine, served):
    """Gradio lets every port of this machine, with the cookies of the person."""
    url = served(engine)
    origin = {"origin": "http://localhost:3000"}
    for answer in (
        httpx.get(url, headers=origin),
        httpx.get(f"{url}/config", headers=origin),
        httpx.options(f"{url}/config", headers=origin | {"access-control-request-method": "GET"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("number", "status"),
    [("-1", 404), ("99999", 404), ("1e400", 400), ("-1e400", 400), ("NaN", 400), ("1.5", 422), ('"0"', 422),
     ("true", 422), ("[]", 422), ("null", 404)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["run/predict", "queue/join"])
def test_an_event_that_does_not_exist_is_refused_in_a_sentence(standing, caplog, path, number, status):
    _, url = standing
    body = f'{{"data": [], "session_hash": "s", "fn_index": {number}}}'
    answer = httpx.post(f"{url}/gradio_api/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == (400 if (path, number) == ("queue/join", "null") else status)
    assert "Traceback" not in answer.text + caplog.text


def test_a_body_of_many_empty_lists_is_refused_before_gradio_parses_it(standing):
    _, url = standing
    body = b'{"data":[' + b"[]," * 2_000_000 + b"[]]}"
    answer = httpx.post(f"{url}/gradio_api/run/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_rebound_names_and_foreign_origins_are_refused_by_the_real_server(engine, served):
    url = served(engine)
    assert raw(url, "/", host="evil.example")[0].split()[1] == b"421"
    answer = add(url, "x.pdf", origin="http://evil.example")
    assert answer.status_code == 403
    assert engine.received == []


NAMES = [
    "<img src=x onerror=alert(1)>.pdf",
    "quo\"te's.pdf",
    "../../../etc/passwd.pdf",
    "a/b\\c.pdf",
    "C:\\x.pdf",
    "📄 报告 2023.pdf",
    "n" * 300,
    "line\r\nX-Injected: 1.pdf",
    "100%.pdf",
    "+plus &amp;.pdf",
    "CON",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_reaches_the_engine_as_given_and_no_path_is_made_of_it(standing, name):
    engine, url = standing
    answer = add(url, name)
    assert answer.json() == {"refused": ""}
    assert engine.received[-1] == ("", name, PDF)
    assert "x-injected" not in answer.headers
    around = engine.settings.data_dir.parent
    assert [path.name for path in around.rglob("*")] == ["data", "incoming"]


def test_each_file_is_refused_on_its_own(tmp_path, served):
    engine = FakeEngine(tmp_path, settings=Settings(tmp_path, limits=Limits(file_bytes=100)))
    url = served(engine)
    assert "is not a PDF" in add(url, "a.pdf", b"GIF89a").json()["refused"]
    assert "limit is 0.0001 MB" in add(url, "b.pdf", PDF * 10).json()["refused"]
    assert add(url, "c.pdf").json() == {"refused": ""}
    assert [name for _, name, _ in engine.received] == ["a.pdf", "c.pdf"]


def test_a_body_without_a_length_is_held_to_the_limit_too(tmp_path, served):
    engine = FakeEngine(tmp_path, settings=Settings(tmp_path, limits=Limits(file_bytes=100)))
    answer = httpx.post(f"{served(engine)}/library/add", content=iter([PDF] * 50), headers={"x-file-name": "a.pdf"})
    assert "the limit is" in answer.json()["refused"]
    assert engine.received == []


@pytest.fixture
def full_disk():
    """No file of this process may grow over 100 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_for_which_there_is_no_room_is_refused_and_leaves_nothing(engine, served, full_disk):
    url = served(engine)
    refused = add(url, "a.pdf", PDF + bytes(1_000_000)).json()["refused"]
    assert refused.startswith("“a.pdf” could not be saved")
    assert "File too large" in refused
    assert "\n" not in refused
    assert list((engine.settings.data_dir / "incoming").iterdir()) == []
    assert engine.received == []
    assert add(url, "b.pdf").json() == {"refused": ""}


def test_an_unexpected_error_tells_nothing_of_the_inside(engine, served, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(engine, "add", broken)
    answer = add(served(engine), "a.pdf")
    assert "/secret" not in answer.text
    assert "An unexpected error occurred" in answer.json()["refused"]


ODD = "lone \ud800"


@pytest.mark.parametrize("handler", ["in_library", "in_conversation", "in_viewer", "in_head", "in_evaluation"])
@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "close",
        7,
        True,
        ["do", "remove"],
        {"do": None},
        {"do": ["x"]},
        {"do": "remove", "document": ["x"]},
        {"do": "remove", "document": ODD},
        {"do": "cancel", "job": "1; drop"},
        {"do": "cancel", "job": 10**30},
        {"do": "unlock", "job": {}, "password": None},
        {"do": "choose", "document": {"a": 1}, "chosen": 1},
        {"do": "turn", "page": 10**30},
        {"do": "language", "language": ODD},
        {"exchange": 10**30, "number": ODD},
        {"do": "view", "view": "evaluation"},
        {"do": "right", "page": 10**30},
        {"do": "run", "run": ODD},
        {"do": "show", "question": 10**30, "page": [1]},
        {"do": "line", "line": {"a": 1}},
    ],
)
def test_a_browser_may_send_anything(standing, caplog, handler, event):
    engine, url = standing
    before = {found.id for found in engine.documents("")}
    client = client_of(url)
    answer = call(client, handler, event=event)
    assert answer.status_code == 200
    assert "An unexpected error occurred" not in answer.text
    assert "Traceback" not in caplog.text
    assert call(client, "load").status_code == 200
    assert before <= {found.id for found in engine.documents("")}


def test_polling_sends_only_what_changed(engine, served):
    client = client_of(served(engine))
    call(client, "load")
    quiet = call(client, "poll").json()["data"]
    assert all(isinstance(part, dict) for part in quiet)  # updates without a value
    assert "value" not in json.dumps(quiet)
    engine.library.append(document("new.pdf"))
    engine.change()
    assert "new.pdf" in call(client, "poll").text
    engine.running.append(Job(1, "", "", "job.pdf", JobState.WAITING))
    engine.change()
    polled = call(client, "poll").text
    assert "job.pdf" in polled
    assert "new.pdf" not in polled  # the list of documents, which may be long, is the same


@pytest.mark.parametrize(
    ("path", "headers", "refused"),
    [
        ("/gradio_api/queue/join", {"content-length": "7999999"}, False),
        ("/gradio_api/queue/join", {"content-length": "8000001"}, True),
        ("/gradio_api/run/predict", {"content-length": "-1"}, True),
        ("/login", {"transfer-encoding": "chunked"}, True),
        ("/library/add", {"content-length": "199000000"}, False),
    ],
)
def test_only_files_may_be_large(path, headers, refused):
    answer = Guard(None, Access()).refusal("POST", path, Headers({**LOCAL, **headers}))
    assert (answer is not None) is refused


def test_a_shared_address_is_known_and_loads_nothing_from_outside(engine, served, monkeypatch):
    monkeypatch.setattr("gradio.networking.setup_tunnel", lambda **_: "https://abcdef.gradio.live")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert served(engine, share=True, port=port) == "https://abcdef.gradio.live"
    answer = httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "abcdef.gradio.live"})
    assert answer.status_code == 200
    assert "amazonaws" not in answer.text
    assert httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "other.gradio.live"}).status_code == 421

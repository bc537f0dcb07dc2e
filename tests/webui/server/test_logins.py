"""Logins: who sees what, and whose a session is."""

import re

import httpx
import pytest

from tests.apart import run_apart
from tests.webui.client import PDF, add, call, client_of, log_in
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.fake_evaluations import run
from webui.accounts.accounts import Accounts
from webui.server.guard import Access, Guard
from webui.server.sessions import SessionLogins


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf")]
    return engine


def test_without_login_nothing_is_told_or_taken(engine, served):
    url = served(engine, logins={"ann": "a", "bob": "b"})
    assert "a.pdf" not in httpx.get(url).text
    assert httpx.get(f"{url}/config").status_code == 401
    assert add(url, "x.pdf").status_code == 401
    assert call(client_of(url), "load").status_code == 401
    assert log_in(url, "ann", "b")[1] == 400
    assert log_in(url, "eve", "")[1] in (400, 422)
    assert engine.received == []


@pytest.fixture
def guarded(engine, served):
    """Ann and Bob, logged in."""
    url = served(engine, logins={"ann": "a", "bob": "b"})
    return log_in(url, "ann", "a")[0], log_in(url, "bob", "b")[0]


def test_users_see_their_own_and_shared_documents_only(engine, served):
    engine.library = [document("shared.pdf"), document("canary-ann.pdf", "ann"), document("canary-bob.pdf", "bob")]
    url = served(engine, logins={"ann": "a", "bob": "b"})
    ann, status = log_in(url, "ann", "a")
    assert status == 200
    bob, _ = log_in(url, "bob", "b")
    seen = call(ann, "load", "same").text
    assert "canary-ann" in seen
    assert "shared.pdf" in seen
    assert "canary-bob" not in seen
    assert "canary-ann" not in call(bob, "load", "other").text
    wanted = engine.library[1].id
    answer = call(bob, "in_library", "other", {"do": "remove", "document": wanted})
    assert "canary" not in answer.text.replace("canary-bob", "")
    assert len(engine.library) == 3
    answer = ann.post("/library/add", content=PDF, headers={"x-file-name": "mine.pdf"})
    assert answer.json() == {"refused": ""}
    assert engine.received[0][0] == "ann"


def test_kept_questions_and_runs_are_their_owners_alone(engine, guarded):
    ann, bob = guarded
    engine.evaluations.save("ann", "What is the canary's name?", engine.library[0].id, 0)
    engine.evaluations.made["ann"] = [run(7, {1: 1}, embedder="canary-embedder")]
    shown = {"do": "view", "view": "evaluation"}
    seen = call(ann, "in_evaluation", "anns", shown).text
    assert "canary&#39;s name" in seen
    assert "canary-embedder" in seen
    assert "canary" not in call(bob, "in_evaluation", "bobs", shown).text
    for sent in ({"do": "show", "question": 1}, {"do": "forget", "question": 1}, {"do": "forget-run", "run": 7}):
        assert "canary" not in call(bob, "in_evaluation", "bobs", sent).text
    assert "canary" not in call(bob, "in_evaluation", "anns", shown).text
    assert len(engine.evaluations.saved("ann")) == len(engine.evaluations.runs("ann")) == 1


NAMING_A_SESSION = [
    ("GET", "/gradio_api/queue/data?session_hash=anns", None),
    ("GET", "/gradio_api/queue/data?session_hash=bobs&session_hash=anns", None),
    ("GET", "/gradio_api/heartbeat/anns", None),
    ("POST", "/gradio_api/cancel", {"session_hash": "anns", "fn_index": 0, "event_id": "x"}),
    ("POST", "/gradio_api/run/predict", {"data": [], "fn_index": 0, "session_hash": "anns"}),
    ("POST", "/gradio_api/queue/join", {"data": ["?"], "fn_index": 0, "session_hash": "anns"}),
    ("POST", "/gradio_api/queue/join", {"data": ["?"], "fn_index": 0, "session_hash": "x" * 101}),
]


@pytest.mark.parametrize(("method", "path", "body"), NAMING_A_SESSION)
def test_a_session_is_its_first_users_alone(guarded, method, path, body):
    ann, bob = guarded
    assert call(ann, "load", "anns").status_code == 200
    answer = bob.request(method, path, json=body)
    assert (answer.status_code, answer.text) == (403, "This session is not yours.")
    assert call(ann, "load", "anns").status_code == 200
    assert call(bob, "load", "bobs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [*NAMING_A_SESSION, ("POST", "/gradio_api/reset", {"event_id": "x"})],
)
def test_a_stranger_is_asked_to_log_in(guarded, method, path, body):
    assert httpx.request(method, str(guarded[0].base_url.join(path)), json=body).status_code == 401


@pytest.mark.parametrize("path", ["/gradio_api/run/predict", "/gradio_api/queue/join", "/gradio_api/reset", "/login"])
def test_nothing_of_a_strangers_large_body_is_read(path):
    """Parsing 8 MB of nested lists takes seconds, which sixteen strangers at once need not be given."""
    read = []

    async def receive():
        read.append("body")
        return {"type": "http.request", "body": b"[" * 1_000_000, "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    async def gradio(scope, receive, send):
        read.append("Gradio")

    gradio.auth, gradio.tokens, gradio.cookie_id = True, Accounts(quick={"ann": "a"}), "1"
    headers = [(b"host", b"localhost"), (b"content-length", b"7800000")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "app": gradio}
    run_apart(Guard(gradio, Access())(scope, receive, send))
    assert sent[0]["status"] in (401, 413)
    assert (b"connection", b"close") in [(name.lower(), value) for name, value in sent[0]["headers"]]
    assert read == []


def test_an_answer_comes_through_the_guard_to_whoever_asked(guarded):
    ann, bob = guarded
    config = ann.get("/config").json()
    asking = next(d["id"] for d in config["dependencies"] if d["api_name"] == "ask_1")  # "ask" is the public one
    body = {"data": ["How much?"], "fn_index": asking, "session_hash": "anns"}
    assert ann.post("/gradio_api/queue/join", json=body).status_code == 200
    assert bob.get("/gradio_api/queue/data", params={"session_hash": "anns"}).status_code == 403
    told = ann.get("/gradio_api/queue/data", params={"session_hash": "anns"}).text
    assert "How much?" in told
    assert "process_completed" in told


@pytest.mark.parametrize("body", [b"{", b"[" * 40_000, b"\xff"])
def test_what_cannot_be_read_is_refused(guarded, body):
    assert guarded[0].post("/gradio_api/cancel", content=body).status_code == 400


def test_nobody_pushes_out_anothers_session():
    logins = SessionLogins(most=2)
    assert logins.claim("ann", "anns")
    assert all(logins.claim("bob", f"bobs {number}") for number in range(5))
    assert not logins.claim("bob", "anns")
    assert not logins.claim("ann", "bobs 4")
    assert logins.claim("ann", "bobs 0")  # forgotten


def browser(url):
    return client_of(url, headers={"accept": "text/html", "accept-language": "en"}, follow_redirects=True)


def test_a_stranger_gets_the_login_page_and_comes_to_what_they_asked_for(engine, served):
    with browser(served(engine, logins={"ann": "a"})) as ann:
        asked = ann.get("/c/some-conversation")
        assert 'name="password"' in asked.text
        assert '<base href="../">' in asked.text
        assert "askPart" not in asked.text
        form = {"username": "ann", "password": "a", "to": re.search(r'name="to"[^>]*value="([^"]*)"', asked.text)[1]}
        assert str(ann.post("/login", data=form).url).endswith("/c/some-conversation")
        assert "askPart" in ann.get("/").text
        cookie = ann.cookies.jar
        assert all("HttpOnly" in one._rest for one in cookie if one.name.startswith("access-token"))


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "c/../../x", "\\evil", "c/x\n", "<b>"])
def test_a_login_leads_to_no_other_site(engine, served, to):
    with browser(served(engine, logins={"ann": "a"})) as ann:
        ann.follow_redirects = False
        answer = ann.post("/login", data={"username": "ann", "password": "a", "to": to})
        assert answer.headers["location"] == "./"


def test_wrong_passwords_wait_longer_and_longer_and_are_told_in_the_persons_language(engine, served):
    url = served(engine, logins={"ann": "a", "bob": "b"})
    with browser(url) as stranger:
        form = {"username": "ann", "password": "x"}
        answers = [stranger.post("/login", data=form) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429, 429]
        assert "The name or the password is wrong." in answers[0].text
        assert "There were too many wrong passwords" in answers[4].text
        assert answers[4].headers["retry-after"] == "1"
        assert 'value="ann"' in answers[4].text
        chinese = stranger.post("/login", data=form, headers={"accept-language": "zh-CN"})
        assert "密码错误次数过多" in chinese.text
        assert log_in(url, "ann", "a")[1] == 429  # the right one waits, too
        assert log_in(url, "bob", "b")[1] == 200


def test_logging_out_ends_the_session_and_everywhere_all_of_them(engine, served):
    url = served(engine, logins={"ann": "a"})
    first, second = (log_in(url, "ann", "a")[0] for _ in range(2))
    kept = dict(first.cookies)
    assert first.get("/logout").status_code == 303
    assert httpx.get(f"{url}/config", cookies=kept).status_code == 401
    assert second.get("/config").status_code == 200
    third = log_in(url, "ann", "a")[0]
    assert third.post("/account", data={"do": "log-out-everywhere"}).status_code == 303
    assert second.get("/config").status_code == 401


@pytest.mark.parametrize("body", [b"", b"&" * 15_000, b"username=ann", b"\xff\x00=%ff", b"[" * 15_000])
def test_a_login_may_be_sent_anything(engine, served, body):
    url = served(engine, logins={"ann": "a"})
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert httpx.post(f"{url}/login", content=body, headers=kind).status_code == 400

"""Who gets in: with a token, without one, from another site, for somebody else's documents."""

import httpx
import pytest

from tests.webui.fake_engine import FakeEngine, document
from webui.accounts.accounts import Accounts
from webui.server.api.tokens import ApiTokens
from webui.server.guard import Access
from webui.server.serve import Serving

ANNS = document("canary-ann.pdf", "ann").id
QUESTION = {"question": "How much?"}
CHAT = {"model": "ask-your-pdfs", "messages": [{"role": "user", "content": "How much?"}]}
TOOL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_documents", "arguments": {}}}
PDF = b"%PDF-1.4 not much of one"

EVERY_ROUTE = [
    ("POST", "/api/search", {"json": QUESTION}),
    ("POST", "/api/ask", {"json": QUESTION}),
    ("POST", "/api/ask", {"json": {**QUESTION, "stream": True}}),
    ("GET", "/api/documents", {}),
    ("POST", "/api/documents?name=x.pdf", {"content": PDF}),
    ("GET", f"/api/documents/{ANNS}", {}),
    ("DELETE", f"/api/documents/{ANNS}", {}),
    ("POST", f"/api/documents/{ANNS}/unlock", {"json": {"password": "sesame"}}),
    ("PUT", f"/api/documents/{ANNS}/collection", {"json": {"collection": None}}),
    ("GET", "/api/collections", {}),
    ("GET", f"/api/documents/{ANNS}/pages/1", {}),
    ("GET", f"/api/documents/{ANNS}/pages/1/picture", {}),
    ("GET", "/v1/models", {}),
    ("GET", "/v1/models/ask-your-pdfs", {}),
    ("POST", "/v1/chat/completions", {"json": CHAT}),
    ("POST", "/mcp", {"json": TOOL, "headers": {"accept": "application/json, text/event-stream"}}),
    ("GET", "/mcp", {}),
    ("DELETE", "/mcp", {}),
]
MANUAL = ["/api/docs", "/api/openapi.json"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every route that the applications have, as method and path."""
    from webui.server.api.asking import Asking
    from webui.server.api.chat import chat_app
    from webui.server.api.rest import api_app

    engine = FakeEngine(tmp_path_factory.mktemp("routes"))
    apps = {
        "/api": api_app(engine, Asking(engine), engine.settings.data_dir),
        "/v1": chat_app(engine, Asking(engine)),
    }
    return {
        (method, prefix + path)
        for prefix, app in apps.items()
        for path, methods in app.openapi()["paths"].items()
        for method in (name.upper() for name in methods)
    }


def test_the_table_of_these_tests_has_every_route(everything):
    known = {(method, path.split("?")[0]) for method, path, _ in EVERY_ROUTE if path != "/mcp"}
    filled = {(method, path.format(document_id=ANNS, number=1, name="ask-your-pdfs")) for method, path in everything}
    assert filled == known


def test_with_logins_no_route_answers_without_a_valid_token(people):
    revoked = people.tokens.create("ann")
    people.tokens.revoke(people.tokens.all()[-1].id)
    gone = people.tokens.create("eve")  # no user any more
    wrong = ["Bearer", "Bearer x", "Basic YTph", "Bearer ask-ü", f"Bearer {revoked}", f"Bearer {gone}", "Bearer a b"]
    for method, path, request in EVERY_ROUTE:
        for header in ({}, *({"authorization": one.encode()} for one in wrong)):
            headers = [*request.get("headers", {}).items(), *header.items()]
            answer = people.stranger.request(method, path, **{**request, "headers": headers})
            assert answer.status_code == 401, (method, path, header)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "canary" not in answer.text
    assert (people.engine.asked, people.engine.received, len(people.engine.library)) == ([], [], 3)


def test_a_password_of_the_page_is_no_token(people):
    assert people.stranger.get("/api/documents", headers={"authorization": "Bearer a"}).status_code == 401
    assert people.stranger.post("/login", data={"username": "ann", "password": "a"}).status_code == 200
    assert people.stranger.get("/api/documents").status_code == 401
    assert [people.stranger.get(path).status_code for path in MANUAL] == [200, 200]


def test_the_manual_is_for_people_who_may_see_the_page_and_for_programs_with_a_token(people):
    assert [people.stranger.get(path).status_code for path in MANUAL] == [401, 401]
    assert [people.ann.get(path).status_code for path in MANUAL] == [200, 200]


OF_A_DOCUMENT = [(method, path, request) for method, path, request in EVERY_ROUTE if ANNS in path]


@pytest.mark.parametrize(("method", "path", "request_"), OF_A_DOCUMENT)
def test_somebody_elses_document_is_not_found(people, method, path, request_):
    answer = people.bob.request(method, path, **request_)
    assert answer.status_code == 404
    assert answer.json()["error"] in ("There is no such document.", "There is no such page.")
    assert people.ann.get(f"/api/documents/{ANNS}").json()["name"] == "canary-ann.pdf"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/search", {**QUESTION, "documents": [ANNS]}),
        ("/api/ask", {**QUESTION, "documents": [ANNS]}),
        ("/v1/chat/completions", {**CHAT, "documents": [ANNS]}),
    ],
)
def test_somebody_elses_document_is_not_searched(people, path, body):
    assert people.bob.post(path, json=body).status_code == 404
    assert people.engine.asked == []
    assert people.ann.post(path, json=body).status_code == 200
    assert people.engine.asked[0][:3] == ("ann", "How much?", (ANNS,))


def test_each_owner_is_listed_and_asked_alone(people):
    names = {document["name"] for document in people.bob.get("/api/documents").json()["documents"]}
    assert names == {"shared.pdf", "canary-bob.pdf"}
    for path, body in (("/api/search", QUESTION), ("/api/ask", QUESTION), ("/v1/chat/completions", CHAT)):
        assert "canary-ann" not in people.bob.post(path, json=body).text
    assert {asked[0] for asked in people.engine.asked} == {"bob"}


OTHER_SITES = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},  # another program of this machine
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("sent", OTHER_SITES)
def test_a_page_of_another_site_cannot_use_a_server_that_needs_no_token(engine, url, sent):
    for method, path, request in EVERY_ROUTE:
        answer = httpx.request(method, url + path, **{**request, "headers": {**request.get("headers", {}), **sent}})
        assert answer.status_code == 403, (method, path)
        assert answer.headers.get("access-control-allow-origin") in (None, "http://127.0.0.1:1")
    assert (engine.asked, engine.received) == ([], [])
    assert httpx.get(url + MANUAL[0], headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link


def test_a_name_that_is_not_ours_is_refused_as_json(url):
    answer = httpx.get(f"{url}/api/documents", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "does not know itself" in answer.json()["error"]
    answer = httpx.get(f"{url}/v1/models", headers={"host": "evil.example"})
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("serving", "private"),
    [
        (Serving(), True),
        (Serving(host="localhost"), True),
        (Serving(host="[::1]"), True),
        (Serving(host="0.0.0.0"), False),
        (Serving(host="[::]"), False),
        (Serving(host="192.168.1.5"), False),
        (Serving(host="ask.example.org"), False),
        (Serving(share=True), False),
        (Serving(accounts=Accounts(quick={"ann": "a"})), False),
        (Serving(access=Access(names={"ask.example.org"})), False),  # a proxy lets others in
        (Serving(access=Access(any_name=True)), False),
    ],
)
def test_only_where_nobody_else_can_come_no_token_is_needed(serving, private):
    assert serving.is_private is private


def test_a_server_that_others_reach_needs_a_token_without_logins_too(tmp_path, served):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("shared.pdf"), document("anns.pdf", "ann")]
    url = served(engine, access=Access(names={"ask.example.org"}))
    assert httpx.get(f"{url}/api/documents").status_code == 401
    token = ApiTokens(engine.settings.data_dir).create("backup script")
    answer = httpx.get(f"{url}/api/documents", headers={"authorization": f"bearer {token}"})
    assert [document["name"] for document in answer.json()["documents"]] == ["shared.pdf"]

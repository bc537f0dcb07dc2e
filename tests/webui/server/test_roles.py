"""Every route and every event of the page, for every role."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests.webui.client import PDF, call, log_in
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.fake_models import FakeModels, FakeOffer
from tests.webui.handling import handlers, sent
from webui.accounts.accounts import Accounts
from webui.accounts.roles import Role
from webui.accounts.users import Users
from webui.server.api.tokens import ApiTokens

PASSWORD = "correct horse"
WEBUI = Path(__file__).parents[3] / "webui"
HANDLERS = ["in_library", "in_head", "in_drawer", "in_conversation", "in_viewer", "in_evaluation"]
OFFER = FakeOffer("zai-org/GLM-4-9B-0414", "GLM-4-9B-0414")
ADDS, PICKS, MANAGES = {Role.EDITOR, Role.ADMINISTRATOR}, {Role.ADMINISTRATOR}, {Role.ADMINISTRATOR}
# Everything that buttons and scripts send.
SENT = sorted(
    {
        name
        for kind, pattern in (("*.html", r'data-do="([\w-]+)"'), ("*.js", r"\bdo: '([\w-]+)'"))
        for path in WEBUI.rglob(kind)
        for name in re.findall(pattern, path.read_text("utf-8"))
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server, its engine and models, a client and an API token for each role."""
    from webui.server.serve import Serving, serve

    folder = tmp_path_factory.mktemp("roles") / "data"
    folder.mkdir()
    engine, models = FakeEngine(folder), FakeModels(OFFER)
    accounts = Accounts(Users(folder))
    for role in Role:
        accounts.add_user(role.value, PASSWORD, role)
    page, url = serve(engine, Serving(port=0, accounts=Accounts(Users(folder))), models=models)
    url = url.rstrip("/")
    clients = {role: log_in(url, role.value, PASSWORD)[0] for role in Role}
    tokens = {role: ApiTokens(folder).create(role.value) for role in Role}
    yield engine, models, url, clients, tokens
    engine.close()
    page.close(verbose=False)


@pytest.fixture
def engine(server):
    """Each role has a document of its own."""
    server[0].library = [document("shared.pdf"), *(document(f"{role}.pdf", role.value) for role in Role)]
    server[0].received.clear()
    return server[0]


def test_the_events_are_found():
    assert {"remove", "sample", "pick", "connect", "choose", "rate"} <= set(SENT)


@pytest.mark.parametrize("role", Role)
def test_no_event_does_what_the_role_may_not(engine, role):
    """Each action is sent to each handler, as a stranger's script would."""
    models, mine = FakeModels(OFFER), next(one for one in engine.library if one.owner == role)
    page = handlers(engine, models, role)
    request = SimpleNamespace(cookies={}, headers={}, username=role.value, session_hash="s")
    page.load("", request)
    removed = False
    for do in SENT:
        event = sent(do=do, document=mine.id, documents=[mine.id], model=OFFER.name, precision="auto", job=1)
        for handler in HANDLERS:
            getattr(page, handler)(event, request)
        removed |= bool(engine.removals.pending(role))
    assert removed is (role in ADDS)
    assert bool(engine.received) is (role in ADDS)  # the sample
    assert (bool(models.picked), bool(models.done), bool(models.looked)) == (role in PICKS,) * 3


@pytest.mark.parametrize("role", Role)
def test_the_page_shows_only_what_the_role_may_do(server, engine, role):
    shown = call(server[3][role], "load", f"{role}s").text
    assert ('data-do=\\"remove\\"' in shown) is (role in ADDS)
    assert ('class=\\"drop\\"' in shown) is (role in ADDS)
    assert ('data-do=\\"models\\"' in shown) is (role in PICKS)
    assert ("your role cannot add any" in shown) is (role not in ADDS)


@pytest.mark.parametrize("role", Role)
def test_no_route_adds_or_removes_for_a_reader(server, engine, role):
    _, _, url, clients, tokens = server
    mine = next(one for one in engine.library if one.owner == role)
    answer = clients[role].post("/library/add", content=PDF, headers={"x-file-name": "a.pdf"})
    assert (answer.json() == {"refused": ""}) is (role in ADDS)
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {tokens[role]}"}) as program:
        assert program.get("/api/documents").status_code == 200
        assert program.post("/api/search", json={"question": "how much?"}).status_code == 200
        changing = [
            program.post("/api/documents", content=PDF, headers={"content-type": "application/pdf"}),
            program.delete(f"/api/documents/{mine.id}"),
            program.post(f"/api/documents/{mine.id}/password", json={"password": "x"}),
        ]
    assert {answer.status_code == 403 for answer in changing} == {role not in ADDS}
    assert bool(engine.received) is (role in ADDS)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "form",
    [
        {"do": "add", "name": "eve", "new": PASSWORD, "role": "administrator"},
        {"do": "role", "name": "eve", "role": "reader"},
        {"do": "remove", "name": "eve"},
    ],
    ids=lambda form: form["do"],
)
def test_only_administrators_manage_users(server, role, form):
    answer = server[3][role].post("/account", data=form)
    assert (answer.status_code == 200) is (role in MANAGES), answer.text
    assert ("Add a user" in answer.text) is (role in MANAGES)


def test_an_administrator_cannot_lock_everybody_out(server):
    for form in ({"do": "remove"}, {"do": "role", "role": "reader"}):
        answer = server[3][Role.ADMINISTRATOR].post("/account", data={"name": "administrator", **form})
        assert answer.status_code == 400
        assert "You cannot change your own role" in answer.text


def test_a_role_that_changes_counts_at_once(server, engine):
    users = Users(engine.settings.data_dir)
    users.set_role("editor", Role.READER)
    try:
        answer = server[3][Role.EDITOR].post("/library/add", content=PDF, headers={"x-file-name": "a.pdf"})
        assert "Your role on this server does not allow that" in answer.json()["refused"]
    finally:
        users.set_role("editor", Role.EDITOR)


def test_what_was_sent_to_the_page_by_others_is_refused(server):
    """Other sites cannot manage users with an administrator's cookies."""
    administrator = server[3][Role.ADMINISTRATOR]
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        form = {"do": "remove", "name": "reader"}
        assert administrator.post("/account", data=form, headers=headers).status_code == 403
    assert json.dumps([user.name for user in Users(server[0].settings.data_dir).all()]).count("reader") == 1

"""Shared collections on the page, its routes and the API, as people and as attackers use them."""

import re

import httpx
import pytest

from rag.store.access import collection_owner
from tests.webui.client import PDF, call, log_in
from tests.webui.fake_engine import FakeEngine, document
from webui.accounts.accounts import Accounts
from webui.accounts.roles import Role
from webui.accounts.users import Users
from webui.server.api.tokens import ApiTokens

PASSWORD = "correct horse"
ROLES = {"ann": Role.EDITOR, "bob": Role.EDITOR, "rita": Role.READER, "ada": Role.ADMINISTRATOR, "eve": Role.EDITOR}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An engine, the address of its page, and by name a client and an API token."""
    from webui.server.serve import Serving, serve

    folder = tmp_path_factory.mktemp("shared") / "data"
    folder.mkdir()
    engine, accounts = FakeEngine(folder), Accounts(Users(folder))
    for name, role in ROLES.items():
        accounts.add_user(name, PASSWORD, role)
    page, url = serve(engine, Serving(port=0, accounts=Accounts(Users(folder))))
    url = url.rstrip("/")
    clients = {name: log_in(url, name, PASSWORD)[0] for name in ROLES}
    tokens = {name: {"Authorization": f"Bearer {ApiTokens(folder).create(name)}"} for name in ROLES}
    yield engine, url, clients, tokens
    engine.close()
    page.close(verbose=False)


@pytest.fixture
def shared(server):
    """A collection of ann's that bob and rita may read, with one document."""
    engine = server[0]
    number = engine.collections.create("ann", f"Canary {len(engine.collections.of('ann'))}")
    for person in ("bob", "rita"):
        engine.collections.grant("ann", number, person, editor=person == "rita")  # whose role is less than that
    engine.library = [document("canary-plan.pdf", collection_owner(number)), document("anns.pdf", "ann")]
    engine.received.clear()
    return number


def post(client, url, **form):
    return client.post(f"{url}/collections", data=form, headers={"accept": "text/html"})


def test_each_sees_what_was_granted_to_them_on_the_page_and_through_the_api(server, shared):
    engine, url, clients, tokens = server
    for name in ROLES:
        granted = name in ("ann", "bob", "rita")
        assert ("canary-plan.pdf" in call(clients[name], "load", f"{name}{shared}").text) is granted
        listed = httpx.get(f"{url}/api/documents", headers=tokens[name]).json()["documents"]
        assert ([one["collection"] for one in listed if one["name"] == "canary-plan.pdf"] == [shared]) is granted
        seen = httpx.get(f"{url}/api/documents/{engine.library[0].id}", headers=tokens[name])
        assert seen.status_code == (200 if granted else 404)
        numbers = [
            one["number"] for one in httpx.get(f"{url}/api/collections", headers=tokens[name]).json()["collections"]
        ]
        assert (shared in numbers) is granted
        about = clients[name].get(f"{url}/collections").text
        assert ("Canary" in about) is (granted or name == "ada")
    assert "Canary" not in httpx.get(f"{url}/collections").text


def test_whoever_may_only_read_changes_nothing_by_any_way(server, shared):
    engine, url, clients, tokens = server
    wanted = engine.library[0].id
    for name in ("bob", "rita", "eve"):
        call(clients[name], "in_library", f"{name}{shared}x", {"do": "remove", "document": wanted})
        call(clients[name], "in_library", f"{name}{shared}x", {"do": "move", "document": wanted, "collection": 0})
        added = clients[name].post(
            f"{url}/library/add", content=PDF, headers={"x-file-name": "x.pdf", "x-collection": str(shared)}
        )
        assert added.json()["refused"]
        api = f"{url}/api/documents"
        assert httpx.post(f"{api}?collection={shared}", content=PDF, headers=tokens[name]).status_code == 403
        moved = httpx.put(f"{api}/{wanted}/collection", json={"collection": None}, headers=tokens[name])
        removed = httpx.delete(f"{api}/{wanted}", headers=tokens[name])
        assert moved.status_code == removed.status_code == (404 if name == "eve" else 403)
        for form in (
            {"do": "grant", "name": name, "role": "editor"},
            {"do": "revoke", "person": "ann"},
            {"do": "rename", "title": "Mine"},
            {"do": "delete"},
        ):
            assert post(clients[name], url, collection=str(shared), **form).status_code == 400
    assert engine.library[0].owner == collection_owner(shared)
    assert engine.received == []
    assert engine.removals.pending("bob") == engine.removals.pending("eve") == set()
    (known,) = [one for one in engine.collections.of("ann") if one.number == shared]
    assert {member.person: member.editor for member in known.members} == {"ann": True, "bob": False, "rita": True}


def test_a_collection_of_others_and_none_are_answered_alike(server, shared):
    _, url, clients, tokens = server

    def answers(number):
        yield post(clients["eve"], url, do="grant", collection=number, name="eve", role="editor").text
        yield (
            clients["eve"]
            .post(f"{url}/library/add", content=PDF, headers={"x-file-name": "x.pdf", "x-collection": number})
            .text
        )
        yield httpx.post(f"{url}/api/documents?collection={number}", content=PDF, headers=tokens["eve"]).text

    def without_nonce(text):
        return re.sub(r'nonce="[^"]*"', "", text)

    assert [*map(without_nonce, answers(str(shared)))] == [*map(without_nonce, answers("987654321"))]


def test_an_editor_makes_one_shares_it_adds_to_it_and_takes_it_back(server, shared):
    engine, url, clients, tokens = server
    assert "has been created" in post(clients["eve"], url, do="create", title="  Leases \n 2024 ").text
    (made,) = [one for one in engine.collections.of("eve") if one.name == "Leases 2024"]
    unknown = post(clients["eve"], url, do="grant", collection=str(made.number), name="nobody", role="reader")
    assert "There is no user nobody" in unknown.text
    assert "Shared with bob" in post(clients["eve"], url, do="grant", collection=str(made.number), name="bob").text
    added = httpx.post(
        f"{url}/api/documents?name=lease.pdf&collection={made.number}", content=PDF, headers=tokens["eve"]
    )
    assert added.json()["collection"] == made.number
    assert "Leases 2024" in clients["bob"].get(f"{url}/collections").text
    post(clients["bob"], url, do="revoke", collection=str(made.number), person="bob")  # everybody may leave
    assert "Leases 2024" not in clients["bob"].get(f"{url}/collections").text


def test_a_document_is_moved_on_the_page_and_through_the_api(server, shared):
    engine, url, clients, tokens = server
    own = engine.library[1].id
    call(clients["ann"], "in_library", f"ann{shared}m", {"do": "move", "document": own, "collection": shared})
    assert engine.library[1].owner == collection_owner(shared)
    back = httpx.put(f"{url}/api/documents/{own}/collection", json={"collection": None}, headers=tokens["ann"])
    assert back.json()["collection"] is None
    assert engine.library[1].owner == "ann"


def test_hostile_names_stay_text(server, shared):
    _, url, clients, _ = server
    name = '<script>alert("x")</script>'
    shown = post(clients["ann"], url, do="rename", collection=str(shared), title=name).text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in call(clients["bob"], "load", f"bob{shared}h").text


def test_another_site_cannot_share_what_somebody_has(server, shared):
    engine, url, clients, _ = server
    forged = clients["ann"].post(
        f"{url}/collections",
        data={"do": "grant", "collection": str(shared), "name": "eve", "role": "reader"},
        headers={"origin": "https://evil.example"},
    )
    assert forged.status_code == 403
    assert shared not in [one.number for one in engine.collections.of("eve")]

"""Gradio's own API, used with gradio_client: two named endpoints, and nothing else of the page."""

import re

import gradio_client
import httpx
import pytest

from tests.webui.fake_engine import FakeEngine, document


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf"), document("canary-ann.pdf", "ann"), document("bobs.pdf", "bob")]
    engine.answer = [("Revenue grew.", (1,)), ("Costs fell.", (1,))]
    return engine


@pytest.fixture
def connect(engine, served):
    """A function that gives a client; all are closed with the test."""
    clients = []

    def start(**options):
        url = served(engine, logins={"ann": "a", "bob": "b"} if "auth" in options else {})
        client = gradio_client.Client(url, verbose=False, analytics_enabled=False, download_files=False, **options)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()


def test_only_search_and_ask_are_listed_with_their_types(connect):
    listed = connect().view_api(return_format="dict")
    assert sorted(listed["named_endpoints"]) == ["/ask", "/search"]
    assert listed["unnamed_endpoints"] == {}
    types = {one["parameter_name"]: one["type"] for one in listed["named_endpoints"]["/search"]["parameters"]}
    assert types["question"] == {"type": "string"}
    assert types["limit"] == {"type": "integer"}
    assert all(one["description"] for one in listed["named_endpoints"].values())


def test_a_client_searches_and_asks(connect):
    client = connect()
    (found,) = client.predict("revenue", limit=1, api_name="/search")
    assert (found["document"], found["page"]) == ("a.pdf", 5)
    job = client.submit("Did revenue grow?", api_name="/ask")
    assert job.result()["text"] == "Revenue grew.[1] Costs fell.[1]"
    assert [one["state"] for one in job.outputs()] == ["writing", "writing", "answer"]


REFUSED = [
    ("/search", {"question": {"a": 1}}, "question: "),
    ("/search", {"question": "x", "limit": 10_000}, "limit: "),
    ("/search", {"question": "x", "documents": ["../etc"]}, "documents.0: "),
    ("/ask", {"question": "x", "documents": ["0" * 64]}, "There is no document"),
    ("/ask", {"question": "x" * 5_000}, "The question is too long."),
    ("/ask", {"question": "x", "history": [{"a": "b"}]}, "history.0"),
]


def test_what_is_refused_is_refused_in_a_sentence(connect):
    client = connect()
    for endpoint, sent, told in REFUSED:
        with pytest.raises(gradio_client.exceptions.AppError, match=re.escape(told)):
            client.predict(**sent, api_name=endpoint)


def test_with_logins_only_a_user_gets_an_answer_and_from_their_own_documents(engine, connect):
    bob = connect(auth=("bob", "b"))
    assert "canary" not in str(bob.predict("revenue", api_name="/ask"))
    anns = engine.library[1].id
    with pytest.raises(gradio_client.exceptions.AppError, match="There is no document"):
        bob.predict("revenue", [anns], api_name="/search")
    assert {asked[0] for asked in engine.asked} == {"bob"}
    assert httpx.get(f"{bob.src}gradio_api/info").status_code == 401

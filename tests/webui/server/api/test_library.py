"""The interfaces over a real library: a PDF goes in, a cited answer and its page come out, for its owner alone."""

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, PUMP
from tests.waiting import until
from tests.webui.client import client_of
from webui.server.api.tokens import ApiTokens


@pytest.fixture
def owners(tmp_path, served):
    """Ann and Bob over one library."""
    engine = Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader())
    url = served(engine, logins={"ann": "a", "bob": "b"})
    tokens = ApiTokens(engine.settings.data_dir)
    clients = [
        client_of(url, headers={"authorization": f"Bearer {tokens.create(name)}"}, timeout=60)
        for name in ("ann", "bob")
    ]
    yield clients
    for client in clients:
        client.close()


def test_a_pdf_goes_in_and_a_cited_answer_comes_out_for_its_owner_alone(owners):
    ann, bob = owners
    added = ann.post("/api/documents?name=pump.pdf", content=FIRST)
    assert added.status_code == 202
    path = f"/api/documents/{added.json()['id']}"
    until(lambda: ann.get(path).json()["state"] == "ready", 60)

    question = {"question": "When was the red pump built?"}
    answer = ann.post("/api/ask", json=question).json()
    assert answer["state"] == "answer"
    (cited, *_) = answer["citations"]
    assert (cited["document"], cited["page"], cited["page_label"]) == ("pump.pdf", 1, "1")
    assert cited["quote"] in PUMP.replace("\n", " ")
    assert "1931" in cited["quote"]
    assert PUMP.split(".")[0] in ann.get(f"{path}/pages/1").json()["text"]
    assert ann.get(f"{path}/pages/2/picture").content.startswith(b"\x89PNG")
    assert ann.get(f"{path}/pages/3").status_code == 404

    for suffix in ("", "/pages/1", "/pages/1/picture"):
        assert bob.get(path + suffix).status_code == 404
    assert bob.delete(path).status_code == 404
    assert bob.post("/api/search", json={**question, "documents": [added.json()["id"]]}).status_code == 404
    refused = bob.post("/api/ask", json=question)
    assert (refused.status_code, refused.json()["error"]) == (
        422,
        "There is no document to search yet: add a PDF first.",
    )
    assert bob.get("/api/documents").json() == {"documents": []}

    assert ann.delete(path).status_code == 204
    assert ann.get(path).status_code == 404

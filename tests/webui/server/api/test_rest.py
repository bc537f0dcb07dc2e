"""The HTTP API over real HTTP: what it answers, what it refuses and with which words, and how an answer is stopped."""

import json
import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from rag.errors import AskError, QuestionRefused, ReaderError, StoreError, TooManyWaiting
from rag.records import AnswerState, Citation, PageKind, ShortAnswer, WordBoxes
from rag.store.rows import StoredPage
from tests.waiting import until
from tests.webui.client import PDF
from tests.webui.fake_engine import FakeEngine, document, source
from webui.server.api.present import AnswerShapes
from webui.server.api.rest import MAX_NAME_CHARACTERS

SHARED = document("a.pdf").id


@pytest.fixture
def engine(engine):
    engine.library = [document("a.pdf")]
    return engine


@pytest.fixture
def api(engine, url):
    with httpx.Client(base_url=f"{url}/api", timeout=60) as client:
        yield client


# ---- searching and asking


def test_a_search_gives_passages_with_their_pages_counted_from_1(engine, api):
    engine.passages = ["One.", "Two.", "Three."]
    found = api.post("/search", json={"question": "revenue", "limit": 2}).json()["sources"]
    assert [one["text"] for one in found] == ["One.", "Two."]
    assert (found[0]["document"], found[0]["page"], found[0]["page_label"]) == ("a.pdf", 5, "5")  # page 4, from 0


def test_an_answer_has_its_marks_and_the_words_they_stand_for(api):
    answer = api.post("/ask", json={"question": "Did revenue grow?"}).json()
    assert (answer["state"], answer["text"]) == ("answer", "Revenue grew.[1] Costs fell.[1]")
    (cited,) = answer["citations"]
    assert (cited["number"], cited["document"], cited["page"]) == (1, "a.pdf", 5)
    assert cited["quote"] == "Revenue for the year grew to 4,218 million euros."
    assert [one["citations"][0]["number"] for one in answer["sentences"]] == [1, 1]


def test_a_short_answer_comes_first(engine, api):
    engine.short = ShortAnswer(("4,218",), "million", ("Revenue", "2023"), "", (Citation(1, 29, 34),))
    answer = api.post("/ask", json={"question": "How much?"}).json()
    assert answer["text"].startswith("4,218 million (Revenue · 2023) [1]\n\nRevenue grew.")
    assert answer["short"]["citations"][0]["quote"] == "4,218"


def test_what_is_not_in_the_documents_is_said_in_the_language_asked_for(engine, api):
    engine.answer = None
    asked = {"question": "Who?"}
    assert api.post("/ask", json=asked).json()["text"].startswith("Not in these documents: ")
    chinese = api.post("/ask", json=asked, headers={"accept-language": "zh-CN"}).json()
    assert (chinese["state"], chinese["text"]) == ("none", "这些文档中没有答案：请换个说法再问，或查看最接近的段落。")


def events(text):
    blocks = [block.split("\n", 1) for block in text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


def test_a_streamed_answer_ends_with_the_same_as_a_whole_one(api):
    asked = {"question": "Did revenue grow?"}
    streamed = api.post("/ask", json={**asked, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    told = events(streamed.text)
    assert [kind for kind, _ in told] == ["found", "piece", "piece", "answer"]
    assert told[-1][1] == api.post("/ask", json=asked).json()
    assert "".join(data["text"] for kind, data in told if kind == "piece") == "Revenue grew.[1] Costs fell.[1] "


def test_a_streamed_question_that_waits_is_told_its_place(engine, api):
    engine.places = (2, 1)
    told = events(api.post("/ask", json={"question": "Did revenue grow?", "stream": True}).text)
    assert told[:2] == [("waiting", {"place": 2}), ("waiting", {"place": 1})]
    assert [kind for kind, _ in told[2:]] == ["found", "piece", "piece", "answer"]


def test_history_and_scope_reach_the_engine(engine, api):
    turns = [{"question": "Revenue in 2022?", "answer": "4 million."}]
    api.post("/ask", json={"question": "And 2023?", "history": turns, "documents": [SHARED], "anyway": True})
    owner, question, scope, history = engine.asked[0]
    assert (owner, question, scope) == ("", "And 2023?", (SHARED,))
    assert [(turn.question, turn.answer) for turn in history] == [("Revenue in 2022?", "4 million.")]
    assert engine.options.anyway


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QuestionRefused("The question is empty: type one."), 422),
        (TooManyWaiting("The server is busy, {count} questions are waiting: ask again in a moment.", count=200), 503),
        (ReaderError("The model failed."), 502),
        (StoreError("The disk is full."), 503),
        (AskError("Something else."), 500),
    ],
)
def test_an_error_is_its_sentence_with_a_status_that_fits(engine, api, error, status):
    engine.error = error
    for path in ("/search", "/ask"):
        answer = api.post(path, json={"question": "Who?"})
        assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
    streamed = events(api.post("/ask", json={"question": "Who?", "stream": True}).text)
    assert streamed == [("error", {"error": str(error)})]


def test_an_unexpected_error_tells_nothing_of_itself(engine, api):
    engine.error = RuntimeError("secret of the program")
    for asked in ({"question": "Who?"}, {"question": "Who?", "stream": True}):
        answer = api.post("/ask", json=asked)
        assert "unexpected error" in answer.text
        assert "secret" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"question"',
        b'{"question": 5}',
        b'{"question": null}',
        b'{"question": ["a"]}',
        b'{"question": "a", "limit": 0}',
        b'{"question": "a", "limit": 51}',
        b'{"question": "a", "limit": "many"}',
        b'{"question": "a", "documents": []}',
        b'{"question": "a", "documents": "all"}',
        b'{"question": "a", "documents": ["../../etc/passwd"]}',
        b'{"question": "a", "documents": [{"$ne": 1}]}',
        b'{"question": "a", "owner": "bob"}',
        b'{"question": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 400_000,
        b'{"question":' * 80_000,
        b'{"question": "a", "\\ud800": 1}',
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(engine, api, body):
    answer = api.post("/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]
    assert len(answer.text) < 500
    assert engine.asked == []


def test_a_body_that_is_not_said_to_be_json_is_told_what_to_say(api):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = api.post("/search", content=b'{"question": "a"}', headers={"content-type": kind})
        assert answer.status_code == 422
        assert "Content-Type: application/json" in answer.json()["error"]


def test_large_bodies_are_refused_before_they_are_read(engine, api):
    answer = api.post("/ask", json={"question": "a" * 1_000_001})
    assert answer.status_code == 413
    assert "1,000,000 bytes" in answer.json()["error"]
    chunked = api.post("/ask", content=iter([b"{}"]))
    assert chunked.status_code == 413
    assert engine.asked == []


def test_a_question_over_the_limit_gets_the_engines_own_sentence(engine, api):
    answer = api.post("/ask", json={"question": "a" * 4_001})
    assert (answer.status_code, answer.json()) == (422, {"error": "The question is too long."})


# ---- stopping


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_its_answer(engine, api, stream):
    engine.step = 0.2
    engine.answer = [("More.", (1,))] * 1_000
    place = urlsplit(str(api.base_url))
    body = json.dumps({"question": "How much?", "stream": stream})
    with socket.create_connection((place.hostname, place.port), timeout=20) as line:
        head = f"POST /api/ask HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        until(lambda: engine.stops)
        assert not engine.stops[0].wait(0.5)
    until(engine.stops[0].is_set)


# ---- documents


def test_a_document_is_added_watched_read_and_removed(engine, api):
    engine.library = []
    added = api.post("/documents", params={"name": "报告 2023.pdf"}, content=PDF)
    assert (added.status_code, added.json()["state"]) == (202, "waiting")
    assert engine.received == [("", "报告 2023.pdf", PDF)]
    assert list((engine.settings.data_dir / "incoming").iterdir()) == []
    until(lambda: engine.library)
    (listed,) = api.get("/documents").json()["documents"]
    assert (listed["name"], listed["state"], listed["pages"]) == ("报告 2023.pdf", "ready", 12)
    document_id = listed["id"]
    details = api.get(f"/documents/{document_id}").json()
    assert details.items() >= listed.items()
    page = api.get(f"/documents/{document_id}/pages/12").json()
    assert (page["number"], page["text"]) == (12, "Text of page 12.")
    picture = api.get(f"/documents/{document_id}/pages/12/picture")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert api.get(f"/documents/{document_id}/pages/13").status_code == 404
    assert api.get(f"/documents/{document_id}/pages/13/picture").status_code == 404
    assert api.delete(f"/documents/{document_id}").status_code == 204
    assert api.get(f"/documents/{document_id}").status_code == 404
    assert api.delete(f"/documents/{document_id}").json() == {"error": "There is no such document."}


def test_the_state_of_ingestion_is_told_and_a_job_can_be_stopped(engine, api):
    engine.step = 0.5
    document_id = api.post("/documents", params={"name": "slow.pdf"}, content=PDF).json()["id"]
    until(lambda: api.get(f"/documents/{document_id}").json()["state"] == "reading")
    told = api.get(f"/documents/{document_id}").json()
    assert told["pages"] == 12
    assert told["ingestion"]["seconds_left"] == 7.0
    assert api.delete(f"/documents/{document_id}").status_code == 204
    assert api.get(f"/documents/{document_id}").status_code == 404


def test_a_locked_document_waits_for_its_password(engine, api):
    document_id = api.post("/documents", params={"name": "x.pdf"}, content=PDF + b"/Encrypt").json()["id"]
    path = f"/documents/{document_id}"
    until(lambda: api.get(path).json()["state"] == "locked")
    assert api.post(f"{path}/unlock", json={"password": "wrong"}).status_code == 202
    until(lambda: "does not open it" in api.get(path).json()["ingestion"]["message"])
    assert api.post(f"{path}/unlock", json={"password": "sesame"}).status_code == 202
    until(lambda: len(engine.library) == 2)
    assert api.post(f"/documents/{SHARED}/unlock", json={"password": "sesame"}).status_code == 409


def test_what_is_no_pdf_or_is_there_already_is_refused(engine, api):
    refused = api.post("/documents", params={"name": "cat.gif"}, content=b"GIF89a")
    assert refused.status_code == 415
    assert "“cat.gif” is not a PDF" in refused.json()["error"]
    assert api.post("/documents", params={"name": "a.pdf"}, content=PDF).status_code == 409
    form = api.post("/documents", files={"file": ("a.pdf", PDF)})
    assert form.status_code == 415
    assert "as the body" in form.json()["error"]
    long = api.post("/documents", params={"name": "x" * (MAX_NAME_CHARACTERS + 1)}, content=PDF)
    assert long.status_code == 422


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(tmp_path, served):
    from rag.settings import Limits, Settings

    engine = FakeEngine(tmp_path, settings=Settings(data_dir=tmp_path / "data", limits=Limits(file_bytes=1_000)))
    url = served(engine)
    answer = httpx.post(f"{url}/api/documents?name=big.pdf", content=PDF * 100)
    assert answer.status_code == 413
    assert "the limit is 0.001 MB" in answer.json()["error"]
    chunked = httpx.post(f"{url}/api/documents?name=big.pdf", content=iter([PDF] * 100))
    assert chunked.status_code == 413
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_a_shared_document_is_changed_by_whoever_runs_the_server_alone(people):
    wanted = people.engine.library[0].id
    assert people.ann.get(f"/api/documents/{wanted}").json()["shared"] is True
    answer = people.ann.delete(f"/api/documents/{wanted}")
    assert answer.status_code == 403
    assert "shared" in answer.json()["error"]
    assert len(people.engine.library) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/documents/..%2f..%2fetc%2fpasswd",
        "/documents/%00",
        "/documents/" + "a" * 5_000,
        f"/documents/{SHARED}/pages/0",
        f"/documents/{SHARED}/pages/-1",
        f"/documents/{SHARED}/pages/1.5",
        f"/documents/{SHARED}/pages/1e3",
        f"/documents/{SHARED}/pages/{10**30}",
        f"/documents/{SHARED}%0a/pages/1",
        f"/documents/{SHARED.upper()}",
        "/nothing",
        "/docs/",
        "//documents",
    ],
)
def test_a_path_that_leads_nowhere_is_told_so_in_json(api, path):
    answer = api.get(path)
    assert answer.status_code in (404, 422), path
    assert answer.json()["error"]
    assert "root:" not in answer.text


# ---- the manual


def test_the_manual_describes_every_operation_and_loads_nothing(api):
    described = api.get("/openapi.json").json()
    assert described["servers"] == [{"url": "/api"}]
    page = api.get("/docs")
    for path, methods in described["paths"].items():
        assert f"/api{path}" in page.text
        for method, operation in methods.items():
            assert method.upper() in page.text
            assert operation["description"].split(".")[0].replace("`", "") in re.sub("<[^>]+>", "", page.text)
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href)="(?!#|/api/)', page.text) == []


def test_where_gradio_shows_its_manual_is_a_link_to_ours(api):
    page = httpx.get(str(api.base_url.join("/?view=api")), follow_redirects=True)
    assert page.url.path == "/api/docs"


# ---- citations


def test_a_quote_is_told_with_the_page_it_is_on(engine):
    """A source may go over pages, and what a short answer cites may lie outside its source's text."""
    pages = [StoredPage(n, f"p{n}", PageKind.TEXT, n * 100, f"{n}" * 100, WordBoxes.none(), None) for n in range(3)]
    engine.pages.read = lambda owner, document_id, first, last: tuple(pages[first : last + 1])
    text = "0" * 50 + "1" * 100 + "2" * 50
    over = source(1, engine.library[0], text, page=0, last_page=2, start=50, end=250, page_label="p0")
    from rag.records import Answer, Found, Sentence

    cited = [Citation(1, 10, 20), Citation(1, 60, 70), Citation(1, 205, 210)]
    answer = Answer((Sentence("S.", tuple(cited)),), "r", state=AnswerState.ANSWER)
    made = AnswerShapes(engine, "", "?", Found((over,), "?"), answer).citations()
    assert [(one.page, one.page_label, one.quote) for one in made] == [
        (1, "p0", "0" * 10),
        (2, "p1", "1" * 10),
        (3, "p2", "2" * 5),
    ]


def test_the_refusals_of_the_api_are_said_in_chinese(api):
    answer = api.get(f"/documents/{'0' * 64}", headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert answer.json() == {"error": "没有这个文档。"}

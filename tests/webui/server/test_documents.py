"""The viewer's routes: whose documents they answer for, what they send, and what nobody can make them do."""

from __future__ import annotations

import json

import httpx
import pytest

from rag.errors import LimitExceeded
from rag.messages import Message
from rag.records import Heading
from tests.webui.client import log_in
from tests.webui.fake_engine import FakeEngine, document

ROUTES = ("page/0", "page/0/words", "page/0/hits?text=a", "find?text=a", "contents", "pdf")


def get(url: str, **headers: str) -> tuple[int, httpx.Headers, bytes]:
    """Status, headers and body."""
    answer = httpx.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=20)
    return answer.status_code, answer.headers, answer.content


@pytest.fixture(scope="module")
def report(standing):
    engine, url = standing
    engine.library = [document('annual "report" 年报.pdf'), document("private.pdf", owner="ann")]
    return engine, f"{url}/document/{engine.library[0].id}"


def test_a_picture_is_kept_by_the_browser_and_asked_for_again(report):
    engine, base = report
    status, headers, body = get(f"{base}/page/3?width=640")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert body.startswith(b"\x89PNG")
    assert headers["cache-control"] == "private, no-cache"
    assert headers["x-points-wide"] == "612.00"
    drawn = list(engine.pages.drawn)
    status, _, body = get(f"{base}/page/3?width=640", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")
    assert engine.pages.drawn == drawn


@pytest.mark.parametrize("width", ["", "?width=", "?width=x", "?width=-1", "?width=²", "?width=99999999", "?width=1e3"])
def test_any_width_is_answered(report, width):
    assert get(f"{report[1]}/page/0{width}")[0] == 200


def test_words_places_found_and_contents(report):
    engine, base = report
    engine.pages.outline = (Heading("<b>Results</b>", 1, 4),)
    words = json.loads(get(f"{base}/page/2/words")[2])
    assert words[0] == ["Revenue ", 0.1, 0.1, 0.17, pytest.approx(0.11515)]
    found = json.loads(get(f"{base}/find?text=PAGE%203")[2])
    assert found == {"pages": [[2, 20]], "searched": 12}
    assert len(json.loads(get(f"{base}/page/2/hits?text=page%203")[2])) == 20
    contents = json.loads(get(f"{base}/contents")[2])
    assert contents["labels"] == [str(page) for page in range(1, 13)]
    assert contents["outline"] == [["<b>Results</b>", 1, 4]]
    assert contents["protected"] is False


def test_the_pdf_runs_nothing_and_has_its_name(report):
    status, headers, body = get(f"{report[1]}/pdf")
    assert (status, body) == (200, b"%PDF-1.7 the file itself")
    assert headers["content-type"] == "application/pdf"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["content-disposition"] == "inline; filename*=utf-8''annual%20%22report%22%20%E5%B9%B4%E6%8A%A5.pdf"
    assert get(f"{report[1]}/pdf?download")[1]["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize("route", ROUTES)
def test_a_document_of_another_owner_is_not_found(standing, report, route):
    engine, url = standing
    foreign, missing = (get(f"{url}/document/{id}/{route}") for id in (engine.library[1].id, "0" * 64))
    assert foreign[0] == missing[0] == 404
    assert foreign[2] == missing[2]


@pytest.mark.parametrize("route", ROUTES)
def test_each_login_sees_its_own_and_the_shared_documents(tmp_path, served, route):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("shared.pdf"), document("private.pdf", owner="ann")]
    url = served(engine, logins={"ann": "a", "ben": "b"})
    ann, ben = (log_in(url, name, name[0])[0] for name in ("ann", "ben"))
    shared, private = (f"/document/{found.id}/{route}" for found in engine.library)
    asked = [one.get(path).status_code for one in (ann, ben) for path in (shared, private)]
    assert asked == [200, 200, 200, 404]
    assert get(url + shared)[0] == 401


@pytest.mark.parametrize("route", ROUTES)
def test_another_site_cannot_ask_whether_a_document_is_here(report, route):
    for sent in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "http://evil.example"}):
        assert get(f"{report[1]}/{route}", **sent)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "document/x/page/0", f"document/{'A' * 64}/page/0", f"document/{'a' * 64}/page/-1",
        f"document/{'a' * 64}/page/0/", f"document/{'a' * 64}/page/99999999", f"document/{'a' * 64}/pdf/x",
        f"document/{'a' * 64}/page/٣", f"document/{'a' * 63}/pdf", f"document/{'a' * 64}%0a/pdf",
    ],
)  # fmt: skip
def test_other_paths_are_closed(standing, path):
    assert get(f"{standing[1]}/{path}")[0] == 404


@pytest.mark.parametrize(("language", "said"), [("en", "Drawing page 3 took longer"), ("zh", "45 秒的上限")])
def test_a_page_that_cannot_be_drawn_says_why(report, language, said):
    engine, base = report
    engine.pages.error = LimitExceeded(
        "{step} took longer than the limit of {seconds:g} seconds: split the file, print it to a new PDF, or start "
        "with a higher {option}.",
        step=Message("Drawing page {page:,}", {"page": 3}), seconds=45, option="--max-draw-seconds",
    )  # fmt: skip
    try:
        status, headers, body = get(f"{base}/page/2", cookie=f"language={language}")
    finally:
        engine.pages.error = None
    assert (status, headers["cache-control"]) == (422, "no-store")
    assert said in json.loads(body)["problem"]

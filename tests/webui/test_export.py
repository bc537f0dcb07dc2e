"""Exported conversations: what is in them, that nothing in them runs, and who gets them."""

import json
from html.parser import HTMLParser

import httpx
import pytest

from rag.records import Answer, AnswerState, Citation, ClaimState, Found, Sentence, ShortAnswer
from tests.webui.client import log_in
from tests.webui.fake_engine import PASSAGE, FakeEngine, document, png, source
from tests.webui.safe import NASTY
from webui.conversation import Conversation, Exchange
from webui.export import as_html, as_json, as_markdown
from webui.own_conversations import OwnConversations
from webui.server.visitors import COOKIE, conversation_owner
from webui.strings import say

SOURCE = source(1, document("annual_report.pdf"))
SECRET = "s" * 43


def answered(number, question="How much?", *, plain=True, **changes):
    sentences = (Sentence("Revenue grew by 12 *percent*.", (Citation(1, 0, 49),)),)
    answer = Answer(**{"sentences": sentences, "reader": "r", **changes})
    return Exchange(number, question, found=Found((SOURCE,), question, writes_markdown=not plain), answer=answer)


def pictured(engine):
    return lambda source, citation: (engine.view("", source, citation), png(40, 50))


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual_report.pdf")]
    engine.answer = [("Revenue grew.", (1,))]
    yield engine
    engine.close()


def test_markdown_has_questions_as_headings_and_citations_as_footnotes():
    short = ShortAnswer(("$197",), "million", ("Revenue", "2022"), "", (Citation(1, 40, 44),))
    text = as_markdown(Conversation([answered(1), answered(2, "# And *now*?", short=short)], title="Growth"), "en")
    assert text.startswith("# Growth\n\n## How much?\n\nRevenue grew by 12 \\*percent\\*.[^1-1]\n\n")
    assert "[^1-1]: annual\\_report.pdf, p. 5" in text
    assert "## \\# And \\*now\\*?" in text
    assert "**$197 million (Revenue · 2022)**[^2-1]" in text


def test_an_export_names_files_that_were_not_searched():
    exchange = answered(1)
    exchange.unread = ("a.pdf", "b.pdf", "c.pdf", "d.pdf")
    assert "still being read: a.pdf, b.pdf, c.pdf…" in as_markdown(Conversation([exchange]), "en").replace("\\", "")


def test_markdown_of_a_model_stays_markdown():
    assert "Revenue grew by 12 *percent*.[^1-1]" in as_markdown(Conversation([answered(1, plain=False)]), "en")


def test_html_links_each_citation_to_its_page_which_is_there_once_with_its_marks(engine):
    page = as_html(Conversation([answered(1), answered(2)], title="Growth"), "en", pictured(engine))
    assert page.count('<a href="#page-1">[1]</a>') == 2
    assert page.count("data:image/png;base64,") == page.count('<figure id="page-1">') == 1
    assert page.count("<span style=") == 1


def test_what_is_in_doubt_is_said_in_both_forms(engine):
    wrong = Sentence("It fell.", (Citation(1, 0, 3),), "", ClaimState.CONTRADICTED)
    doubted = answered(1, sentences=(wrong,), state=AnswerState.CLOSEST)
    stopped = Exchange(2, "And?", text="Half an ans", stopped=True)
    conversation = Conversation([doubted, stopped])
    page = as_html(conversation, "en", pictured(engine))
    for text in (page, as_markdown(conversation, "en")):
        assert say("en", "state_closest") in text
        assert "Half an ans" in text
        assert "Stopped" in text
    assert say("en", "conflict_hint") in page


def test_a_page_whose_document_is_gone_is_named_without_a_picture():
    page = as_html(Conversation([answered(1)]), "zh", lambda source, citation: None)
    assert "annual_report.pdf" in page
    assert "data:image" not in page


def test_json_has_every_branch_and_can_be_read_again():
    conversation = Conversation([answered(1), answered(2), answered(3)], title="T")
    conversation.parents[3] = 1
    data = json.loads(as_json(conversation))
    assert data["shown"] == [1, 3]
    assert [Exchange.from_json(json.dumps(one)) for one in data["exchanges"]] == conversation.exchanges


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("plain", [True, False])
def test_hostile_text_stays_text_in_an_exported_page(engine, text, plain):
    hostile = source(1, document(text), text + " " * 60)
    engine.library = [document(text)]
    answer = Answer((Sentence(text, (Citation(1, 0, 5),)),), text)
    exchange = Exchange(1, text, found=Found((hostile,), text, writes_markdown=not plain), answer=answer)
    tags = _Tags()
    tags.feed(as_html(Conversation([exchange], title=text), "en", pictured(engine)))
    names = {tag for tag, _ in tags.found}
    assert names.isdisjoint({"script", "iframe", "object", "embed", "form", "svg", "base"})
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
    for tag, attributes in tags.found:
        address = attributes.get("href") or attributes.get("src") or "#"
        assert address.startswith(("#", "data:image/png;base64,")), (tag, address)


# ---- the route


def stored(engine, person, *exchanges, title=""):
    own, conversation = OwnConversations(engine.conversations, person), Conversation()
    for exchange in exchanges:
        conversation.add(exchange)
        own.keep_exchange(conversation, exchange)
    if title:
        own.rename(conversation.id, title)
    return conversation.id


@pytest.mark.parametrize(
    ("kind", "content_type", "holds"),
    [
        ("md", "text/markdown", "## How much?"),
        ("html", "text/html", "data:image/png"),
        ("json", "application/json", '"q'),
    ],
)
def test_an_export_is_a_file_named_after_its_title(engine, served, kind, content_type, holds):
    url = served(engine)
    person = conversation_owner("", {COOKIE: SECRET})
    conversation = stored(engine, person, answered(1), title='Growth / "年报"')
    answer = httpx.get(f"{url}/c/{conversation}.{kind}", cookies={COOKIE: SECRET})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''Growth%20")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert holds in answer.text
    assert PASSAGE not in answer.text or kind == "json"


def test_one_turn_can_be_exported_alone(engine, served):
    url = served(engine)
    conversation = stored(engine, conversation_owner("", {COOKIE: SECRET}), answered(1), answered(2, "How few?"))
    answer = httpx.get(f"{url}/c/{conversation}.md?turn=2", cookies={COOKIE: SECRET})
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''How%20few")
    assert [line for line in answer.text.splitlines() if line.startswith("##")] == ["## How few?"]
    for turn in ("3", "-1", "two", ""):
        assert httpx.get(f"{url}/c/{conversation}.md?turn={turn}", cookies={COOKIE: SECRET}).status_code == 404


def test_nobody_else_gets_an_export(engine, served):
    url = served(engine)
    conversation = stored(engine, conversation_owner("", {COOKIE: SECRET}), answered(1))
    for cookies in ({}, {COOKIE: "t" * 43}, {COOKIE: "short"}):
        assert httpx.get(f"{url}/c/{conversation}.json", cookies=cookies).status_code == 404
    for name in ("nobody.md", f"{conversation}.exe", f"..%2f{conversation}.md"):
        assert httpx.get(f"{url}/c/{name}", cookies={COOKIE: SECRET}).status_code == 404


def test_an_export_is_its_logins_alone(engine, served):
    url = served(engine, logins={"ann": "a", "bob": "b"})
    conversation = stored(engine, conversation_owner("ann", {}), answered(1))
    assert log_in(url, "ann", "a")[0].get(f"/c/{conversation}.json").status_code == 200
    assert log_in(url, "bob", "b")[0].get(f"/c/{conversation}.json").status_code == 404
    assert httpx.get(f"{url}/c/{conversation}.json").status_code == 401

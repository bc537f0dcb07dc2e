"""The page on a phone, in a real browser: one row of panels, words for fingers, a head in one line."""

from itertools import pairwise

import pytest

from rag.messages import Message
from rag.records import Choice
from tests.browser.test_page import answered, ask, ready
from tests.webui.fake_engine import FakeEngine, document

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"size": (390, 844), "has_touch": True, "is_mobile": True}


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,))]
    return engine


def shown(page, selector):
    return [text for text in page.locator(f"{selector}:visible").all_inner_texts() if text]


def test_one_row_of_panels_has_all_views_once(engine, served, visit, screenshot):
    page = ready(visit(served(engine), **PHONE))
    wanted = ["Documents", "Conversation", "Source", "Evaluate"]
    assert shown(page, "#head .panels button, .tabs button") == wanted
    ask(page)
    answered(page)
    page.tap(".panels [data-view=evaluation]")
    page.wait_for_selector("#evaluation-scroll h2:visible")
    assert not page.locator("#asking").is_visible()
    screenshot(page, "phone-evaluate")
    page.tap(".panels [data-panel=library]")
    page.wait_for_selector(".document:visible")
    page.tap(".panels [data-view=talk]")
    page.wait_for_selector(".turn.over:visible")
    assert page.is_visible("#new")
    screenshot(page, "phone-conversation")


def test_nothing_is_dropped_with_a_finger(engine, served, visit):
    url = served(engine)
    phone = ready(visit(url, **PHONE))
    phone.tap(".panels [data-panel=library]")
    assert "Add PDFs" in phone.inner_text(".drop")
    assert "Drop" not in phone.inner_text(".drop")
    assert ready(visit(url)).locator(".drop .by-mouse").is_visible()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_head_stays_in_its_lines_while_something_loads(engine, served, visit, locale):
    loading = Choice("embedder", "45%", Message("{name} is being loaded"), ready=False)
    engine.picked = tuple(loading if one.what == "embedder" else one for one in engine.picked)
    page = ready(visit(served(engine), locale=locale, **PHONE))
    boxes = [page.locator(f"#head {part}").bounding_box() for part in (".drawer-button", "h1", ".choices", ".tools")]
    for box, after in pairwise(boxes):
        assert box["x"] + box["width"] <= after["x"] + 0.5
        assert abs(box["y"] + box["height"] / 2 - after["y"] - after["height"] / 2) < 8
    assert page.locator("#head h1 svg").bounding_box()["width"] > 15
    assert boxes[-1]["x"] + boxes[-1]["width"] <= 390
    assert page.locator(".panels").bounding_box()["y"] < 96

"""Conversation and viewer side by side, in a real browser: opening a source moves nothing that somebody reads."""

from __future__ import annotations

import pytest

from rag.records import Citation, ShortAnswer, TableExcerpt
from tests.browser.test_page import answered, ask, ready
from tests.webui.fake_engine import FakeEngine, document

pytestmark = [pytest.mark.browser, pytest.mark.slow]

YEARS = tuple(str(year) for year in range(2024, 2017, -1))
ROW = ("Productivity and business processes", *(f"$ 2{year},915" for year in YEARS))
LONG = "Growth came from services, which rose by 12 percent in all regions while costs of materials fell. " * 4


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    engine.answer = [(LONG.strip(), (1,)), ("Revenue grew to 4,218 million euros.", (1,))]
    table = TableExcerpt("In millions", YEARS, (ROW,), ((0, 6),))
    engine.short = ShortAnswer(
        ("$22,018,915",), "million", ("Revenue", "2018"), "", (Citation(1, 30, 49),), table=table
    )
    return engine


def test_a_clicked_citation_stays_where_it_is_while_the_viewer_opens_and_closes(engine, served, visit, screenshot):
    page = ready(visit(served(engine)))
    for count in (1, 2, 3):
        ask(page, f"{'How much did revenue grow in all regions of the group? ' * 3}{count}")
        answered(page, count)
    cite = page.locator(".turn").nth(1).locator(".answer .cite").last
    for width, height in ((1440, 900), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        cite.scroll_into_view_if_needed()
        before = cite.bounding_box()
        cite.click()
        page.wait_for_selector("#viewer mark")
        assert page.evaluate("document.querySelector('#talk-panel').clientWidth") < 0.6 * width  # there is less room
        assert cite.bounding_box()["y"] == pytest.approx(before["y"], abs=3)
        page.keyboard.press("Escape")
        page.wait_for_selector("#viewer mark", state="hidden")
        assert cite.bounding_box() == pytest.approx(before, abs=3)
        assert cite.evaluate("e => e === document.activeElement")

    cite.click()
    button = page.get_by_role("button", name="Answers my question")
    assert button.inner_text() == "Answers my question"
    assert button.bounding_box()["width"] > 100
    rows, cell = page.locator(".rows").nth(1), page.locator(".rows mark").nth(1)
    assert rows.evaluate("e => e.scrollWidth > e.clientWidth")
    inside, outside = cell.bounding_box(), rows.bounding_box()
    assert outside["x"] + outside["width"] <= page.locator("#viewer-panel").bounding_box()["x"]
    assert outside["x"] < inside["x"] < inside["x"] + inside["width"] <= outside["x"] + outside["width"] + 1
    screenshot(page, "beside")


def test_a_source_drawn_out_of_sight_on_a_phone_shows_its_mark_once_it_is_looked_at(engine, served, visit):
    page = ready(visit(served(engine), size=(390, 844), has_touch=True, is_mobile=True))
    ask(page)
    answered(page)
    page.tap(".answer .cite >> nth=0")
    page.wait_for_selector(".sentence-box")
    page.tap(".panels [data-view=talk]")
    page.reload()
    ready(page)
    page.wait_for_selector(".sentence-box", state="attached")
    page.wait_for_selector(".turn.over:visible")
    page.tap(".panels [data-panel=viewer]")
    mark = (
        "() => { const at = document.querySelector('.sentence-box').getBoundingClientRect();"
        " return at.top > 240 && at.top < 800 && at.right > 0 && at.left < 390; }"
    )
    page.wait_for_function(mark)
    page.evaluate("document.querySelector('.desk').scrollTo(0, 99999)")
    page.tap(".panels [data-view=talk]")
    page.tap(".answer .cite >> nth=0")
    page.wait_for_function(mark)

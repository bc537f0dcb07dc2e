"""What documents are called, in a real browser: one name everywhere, as much of it as there is room for."""

from dataclasses import replace

import pytest

from rag.records import DocumentDetails, PageKind
from tests.browser.test_page import answered, ask, ready
from tests.webui.fake_engine import FakeEngine, document

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,))]
    return engine


def test_a_document_has_one_name_everywhere(engine, served, visit):
    titled = replace(engine.library[0], title="Annual Report of Lindholm AB")
    engine.library = [titled, document("other.pdf")]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".cite")
    page.wait_for_selector("#viewer mark")
    name = "Annual Report of Lindholm AB"
    for place in (".document .name", ".chip .name", "#viewer h2"):
        assert page.locator(place).first.text_content() == name, place
    assert "annual.pdf" in page.locator(".chip").first.get_attribute("title")
    assert page.locator("#viewer h2 bdi").get_attribute("title") == f"{name} (annual.pdf)"


def test_a_page_opened_from_the_details_is_open_after_a_reload(engine, served, visit):
    details = DocumentDetails("", "", (), (), page_kinds=(PageKind.TEXT,) * 12)
    engine.document_details[engine.library[0].id] = details
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".document .info")
    page.locator(".thumbnails button").nth(2).click()
    page.wait_for_function("document.querySelector('.sheet')?.dataset.page === '2'")
    page.click("#viewer [data-do=turn] >> nth=1")
    page.wait_for_function("document.querySelector('.sheet')?.dataset.page === '3'")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelector('.sheet')?.dataset.page === '3'")
    assert page.evaluate("document.body.dataset.viewer") == "open"


def test_long_names_in_the_list_take_more_lines_before_they_are_cut(engine, served, visit, screenshot):
    names = ["AMERICANWATERWORKS_2020_10K.pdf", "Consolidated Annual Report and Accounts 2021.pdf"]
    engine.library = [document(name) for name in (*names, "annual_" * 12 + "2022.pdf")]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".cite")
    page.wait_for_selector("#viewer mark")
    cut = "e => e.scrollHeight > e.clientHeight + 1"
    starts = page.locator(".document .name .start")
    assert [starts.nth(at).evaluate(cut) for at in range(3)] == [False, False, True]
    assert starts.nth(0).text_content() == "AMERICANWATERWORKS"  # no "_" that would stand on a line of its own
    assert page.locator(".document .name").nth(2).inner_text().endswith("2022.pdf")
    page.set_viewport_size({"width": 1440, "height": 900})
    screenshot(page, "library-long-names")

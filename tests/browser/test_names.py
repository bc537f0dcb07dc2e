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


def test_a_long_name_in_the_list_has_at_most_two_lines_and_keeps_its_end(engine, served, visit, screenshot):
    reports = ("FOOTLOCKER_2022_8K_dated-2022-05-20.pdf", "FOOTLOCKER_2022_8K_dated-2022-08-19.pdf")
    titled = replace(
        document("annual_" * 12 + "2022.pdf"), title="Consolidated Annual Report and Accounts of the Group 2021"
    )
    engine.library = [*map(document, ("3M_2018_10K.pdf", "ADOBE_2016_10K.pdf", *reports)), titled]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".cite")
    page.wait_for_selector("#viewer mark")
    screenshot(page, "library-long-names")
    names, line = page.locator(".document .name"), page.locator(".document .name").first.bounding_box()["height"]
    heights = [names.nth(at).bounding_box()["height"] / line for at in range(5)]
    assert heights == pytest.approx([1, 2, 2, 2, 2], abs=0.1)
    ends = page.locator(".document .name .end")
    whole = "e => e.scrollWidth <= e.clientWidth"
    ended = ["10K.pdf", "2016_10K.pdf", "2022-05-20.pdf", "2022-08-19.pdf", "the Group 2021"]
    assert ends.all_text_contents() == ended
    assert [ends.nth(at).evaluate(whole) for at in range(5)] == [True] * 5
    assert page.locator(".document .file .end").evaluate(whole)
    row = page.locator(".document").nth(1)
    before = row.bounding_box()
    row.hover()
    assert row.locator(".only").is_visible()
    assert row.bounding_box() == before

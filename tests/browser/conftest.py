"""A real Chromium before the page. Every request it makes is recorded and must go to the page's own server."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.webui.conftest import imported, pytest_collection_modifyitems, served, standing  # noqa: F401

playwright_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")

SCREENSHOTS = Path(__file__).with_name("screenshots")
# What draws pop-ups under the address bar takes nearly as long to load in each fresh window as the page. The others are
# those of Playwright's own list that matter here: of two lists Chromium takes the last one.
OFF = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "AimEnabled", "DestroyProfileOnBrowserClose",
       "HttpsUpgrades", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding",
       "PreconnectToSearch")  # fmt: skip
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", f"--disable-features={','.join(OFF)}"]  # fmt: skip

TROUBLES = ("Security Policy", "Error executing js_on_load")  # what the console says of them


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with playwright_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        except playwright_api.Error as error:
            pytest.skip(f"no Chromium to drive: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens an address in a fresh browser and gives the page; errors there fail the test."""
    contexts, requests, troubles = [], [], []

    def open_page(url, *, size=(1440, 900), locale="en-US", **options):
        width, height = size
        context = chromium.new_context(viewport={"width": width, "height": height}, locale=locale, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.extend(line.text for said in TROUBLES if said in line.text))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            # With a time limit, which `evaluate` has not: a page that waits for a lost server would hang the tests.
            page.wait_for_function("window.__xss === undefined", timeout=15_000)
        context.close()
    outside = [url for url in requests if urlsplit(url).hostname not in ("127.0.0.1", None)]
    assert requests
    assert outside == []
    assert troubles == []


@pytest.fixture
def screenshot():
    """A function that leaves a picture of the page in tests/browser/screenshots, where people look at it."""

    def take(page, name):
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take

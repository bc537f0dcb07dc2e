"""Prints `sample.html` to `sample.pdf`, the document for trying out the program: `python webui/sample/make.py`.

Needs playwright (tests/requirements.txt), Chromium, and the Noto CJK fonts, parts of which are embedded in the PDF.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent


def make() -> None:
    """Write the PDF, with an outline made from the headings."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((HERE / "sample.html").as_uri())
        page.pdf(path=HERE / "sample.pdf", prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
        browser.close()


if __name__ == "__main__":
    make()

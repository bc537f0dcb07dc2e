"""Takes the pictures of README and docs from the app as it is: `python -m benchmarks.pictures`.

Asks about the sample of the first run and `benchmarks/data/report.html`, an annual report made up for this. Needs
playwright, a Chromium, pillow and the Noto CJK fonts. Pictures go to `docs/`, with few colours so that they stay small.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import ROOT, WAIT_MS, launched, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS, SAMPLE = ROOT / "docs", ROOT / "webui" / "sample" / "sample.pdf"
REPORT = Path(__file__).with_name("data") / "report.html"
COLOURS = 256
MARGIN = "What was the gross margin of Nordmark in 2024?"
EARLIER = (
    "How many passengers did the Kalven line carry in 2024?",
    "Who will lead Nordmark after Ingrid Halvorsen?",
    "最后一艘柴油渡轮什么时候退役？",
)
MARKED = (
    "What was Nordmark's net income in 2024?",
    "Where did Nordmark open a plant in May?",
    "How much does the second charging station cost?",
)


def save(page: Page, name: str) -> None:
    """Keep what the page shows as `docs/<name>.png`."""
    from PIL import Image

    page.mouse.move(0, 0)
    page.wait_for_timeout(1_500)  # fades end, a sharper page picture comes
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    few = taken.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(DOCS / f"{name}.png", optimize=True)


def visit(
    browser: Browser, url: str, *, size: tuple[int, int] = (1440, 900), locale: str = "en-US", phone: bool = False
) -> Page:
    """A page in a browser of its own, once it can be used."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=locale, is_mobile=phone, has_touch=phone,
        device_scale_factor=2 if phone else 1,
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.wait_for_function("document.querySelector('#question textarea')?.placeholder.length > 3")
    return page


def add(page: Page, files: Sequence[Path]) -> None:
    """Drop files and wait until they can be asked about."""
    page.set_input_files("#library input[type=file]", [str(file) for file in files])
    page.wait_for_function(
        f"document.querySelectorAll('.document').length === {len(files)} && !document.querySelector('.job')"
    )


def ask(page: Page, question: str) -> None:
    """Ask and wait for the answer."""
    count = page.locator(".turn").count()
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_function(f"document.querySelectorAll('.turn.over').length === {count + 1}")
    page.wait_for_timeout(3_000)  # suggested questions come a little later


def open_citation(page: Page) -> None:
    """Open what the last answer cites first, and wait for the picture of the page."""
    page.locator(".turn").last.locator(".short .cite, .answer .cite").first.click()
    page.wait_for_function(
        "document.querySelector('#viewer .paper img')?.naturalWidth > 0"
        " && !!document.querySelector('.marks > *') && !document.querySelector('#viewer.opening')"
    )


def answer_and_drawer(browser: Browser, url: str, files: Sequence[Path]) -> None:
    """A computed answer with its cell marked, and the drawer beside it."""
    page = visit(browser, url)
    add(page, files)
    for question in EARLIER:
        ask(page, question)
        page.click("#new")
        page.wait_for_selector(".welcome")
    ask(page, MARGIN)
    open_citation(page)
    save(page, "answer")
    page.click("#head [data-do=drawer]")
    page.wait_for_selector("#drawer .talk")
    save(page, "drawer")


def phone(browser: Browser, url: str) -> None:
    """The viewer on a phone, at its mark."""
    page = visit(browser, url, size=(390, 844), phone=True)
    ask(page, EARLIER[0])
    open_citation(page)
    save(page, "phone")


def chinese(browser: Browser, url: str) -> None:
    """The page in Chinese."""
    page = visit(browser, url, locale="zh-CN")
    ask(page, "渡轮公司2024年的客运量是多少？")
    open_citation(page)
    save(page, "chinese")


def evaluation(browser: Browser, url: str) -> None:
    """Questions that were kept with their pages, after two runs."""
    page = visit(browser, url)
    for question in MARKED:
        ask(page, question)
        open_citation(page)
        page.click("#viewer [data-do=right]")
        page.wait_for_selector("#viewer [data-do=right][aria-pressed=true]")
        page.keyboard.press("Escape")
        page.wait_for_selector("#viewer .sheet", state="detached")
    page.click(".tabs [data-view=evaluation]")
    for runs in (1, 2):
        page.click("#evaluation [data-do=run]")
        page.wait_for_function(f"document.querySelectorAll('#evaluation .runs tbody tr').length === {runs}")
    save(page, "evaluate")


def print_pdf(browser: Browser, file: Path) -> None:
    """Print the made report."""
    page = browser.new_page()
    page.goto(REPORT.as_uri())
    page.pdf(path=file, prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    page.close()


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, launched() as browser:
        report, ferries = Path(temporary) / "Nordmark 2024.pdf", Path(temporary) / "Lindholm ferries.pdf"
        print_pdf(browser, report)
        ferries.write_bytes(SAMPLE.read_bytes())
        data = Path(temporary) / "data"
        data.mkdir()
        with running(data, arguments.cache_dir) as url:
            answer_and_drawer(browser, url, [report, ferries])
            phone(browser, url)
            chinese(browser, url)
            evaluation(browser, url)


if __name__ == "__main__":
    main()

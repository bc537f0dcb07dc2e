"""Speed that people feel, in a real browser before the real app: opening, asking, sources, page pictures, scrolling.

    python -m benchmarks.page [--folder FOLDER] [--rounds N]

Needs playwright and a Chromium. Times are taken in the page, from the input event to the frame in which the result is
there. Each round asks one question in a new conversation and one at the end of a conversation of 300 turns, opens the
page that the answer cites, which nobody has opened before, and turns to the next one; libraries are made by
`benchmarks/made_library.py`. Prints a table with the targets and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.baseline import machine
from benchmarks.made_library import build, question, report_html
from webui.server.visitors import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[1]
SMALL, LARGE, TURNS = 200, 1_000, 300  # documents of the two libraries, turns of the long conversation
FIRST_HALL = 10  # asked about in the first round; those before it are in the long conversation
WAIT_MS = 120_000  # for anything in the browser, on a busy machine
SCROLL_MS = 3_000
# What is measured -> (target, unit). Frames a second and nothing else are better when higher.
TARGETS = {
    "usable, first visit": (1.5, "s"),
    "usable, later visit": (1.5, "s"),
    "echo": (0.1, "s"),
    "first source": (0.3, "s"),
    "page picture": (0.4, "s"),
    "next page": (0.4, "s"),
    "answer, 300 turns / first": (1.2, "x"),
    "scrolling": (30.0, "frames/s"),
}

# Times named conditions from the next event of a type, each to the first frame in which it holds.
ARM = """([type, conditions]) => {
  const tests = Object.entries(conditions).map(([name, code]) => [name, new Function('return ' + code)]);
  window.measured = new Promise((done) => addEventListener(type, (event) => {
    const times = {};
    const look = (now) => {
      for (const [name, holds] of tests) if (!(name in times) && holds()) times[name] = (now - event.timeStamp) / 1000;
      if (Object.keys(times).length < tests.length) requestAnimationFrame(look); else done(times);
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true }));
}"""
# When the page can be used: the question box has its words, and all documents are listed.
USABLE = """
window.opened = new Promise((done) => {
  const look = (now) => {
    const ready = document.querySelector('#question textarea')?.placeholder.length > 3
      && document.querySelectorAll('.document').length === COUNT;
    if (!ready) return requestAnimationFrame(look);
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const sum = (of) => loaded.reduce((total, one) => total + one[of], 0);
    done({ seconds: now / 1000, requests: loaded.length, sent: sum('transferSize'), decoded: sum('decodedBodySize') });
  };
  requestAnimationFrame(look);
});"""
SCROLL = """(length) => new Promise((done) => {
  const list = document.querySelector('#library-panel');
  const bottom = list.scrollHeight - list.clientHeight;
  let began = 0, last = 0, frames = 0, longest = 0;
  const step = (now) => {
    if (!began) began = last = now;
    else { frames += 1; longest = Math.max(longest, now - last); last = now; }
    if (now - began >= length) return done({ rate: 1000 * frames / (now - began), longest: longest / 1000, bottom });
    list.scrollTop = bottom * (now - began) / length;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
LAST = "[...document.querySelectorAll('.turn')].at(-1)"
PICTURE = "document.querySelector('#viewer .paper img')"


@contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def running(folder: Path, cache: Path) -> Iterator[str]:
    """The app in a process of its own; gives its address once questions can be answered."""
    with app_process(folder, cache) as (url, _):
        yield url


@contextmanager
def app_process(folder: Path, cache: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of the app, once questions can be answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), "--data-dir", str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "ASK_CACHE_DIR": str(cache)}
    with (folder / "app.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_searchable(url, process)
            yield url, process
        finally:
            process.terminate()
            process.wait()


def _wait_until_searchable(url: str, process: subprocess.Popen[bytes]) -> None:
    body = json.dumps({"question": question(1)}).encode()
    request = urllib.request.Request(f"{url}/api/search", body, {"Content-Type": "application/json"})
    while process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=WAIT_MS / 1000):
                return
        except urllib.error.HTTPError:  # there is nothing to search yet
            return
        except urllib.error.URLError:
            time.sleep(0.2)
    raise SystemExit("The app ended; see app.log in its data folder.")


def open_page(context: BrowserContext, url: str, documents: int) -> tuple[Page, dict[str, float]]:
    """A page that can be used, and what opening it took."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.add_init_script(USABLE.replace("COUNT", str(documents)))
    page.goto(url)
    return page, page.evaluate("window.opened")


def timed(page: Page, event: str, conditions: dict[str, str], act: Any) -> dict[str, float]:
    """Seconds from an event of `act` until each condition holds."""
    page.evaluate(ARM, [event, conditions])
    act()
    times: dict[str, float] = page.evaluate("window.measured")
    return times


def ask(page: Page, hall: int) -> dict[str, float]:
    """Ask about a hall: seconds to the echo, the first source, and the whole answer."""
    text = question(hall)
    turn = f"{LAST}?.querySelector('.question')?.innerText === {json.dumps(text)}"
    conditions = {
        "echo": turn,
        "first source": f"{turn} && !!{LAST}.querySelector('.sources .chip')",
        "answer": f"{turn} && {LAST}.classList.contains('over')",
    }
    page.bring_to_front()
    page.fill("#question textarea", text)
    return timed(page, "keydown", conditions, lambda: page.press("#question textarea", "Enter"))


def look(page: Page) -> dict[str, float]:
    """Open what the last answer cites, turn the page, and close: seconds to each picture."""
    page.bring_to_front()  # a page behind another one gets a frame a second
    page.evaluate(f"window.before = {PICTURE}?.src")
    shown = f"{PICTURE}?.naturalWidth > 0 && {PICTURE}.src !== window.before"
    cite = page.locator(".turn").last.locator(".answer .cite, .short .cite").first
    opened = timed(page, "click", {"page picture": f"{shown} && !!document.querySelector('.marks > *')"}, cite.click)
    page.wait_for_timeout(1_500)  # as somebody reads, the next page is drawn
    page.evaluate(f"window.before = {PICTURE}.src")
    turned = timed(page, "keydown", {"next page": shown}, lambda: page.keyboard.press("ArrowRight"))
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    return opened | turned


def visits(browser: Browser, url: str, documents: int, rounds: int) -> dict[str, Any]:
    """First and later visits, each with an empty browser cache at first."""
    first: list[dict[str, float]] = []
    later: list[dict[str, float]] = []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        for seen in (first, later):
            page, opened = open_page(context, url, documents)
            seen.append(opened)
            page.close()
        context.close()
    return {
        "usable, first visit": [one["seconds"] for one in first],
        "usable, later visit": [one["seconds"] for one in later],
        "loaded": {"first": first[-1], "later": later[-1]},
    }


def conversations(browser: Browser, url: str, secret: str, conversation: str, rounds: int) -> dict[str, Any]:
    """Questions in turn in a new conversation and in the long one, and the pages they cite."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": COOKIE, "value": secret, "url": url}])
    new, _ = open_page(context, url, SMALL + 1)
    long, _ = open_page(context, f"{url}/c/{conversation}", SMALL + 1)
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, page in (("first", new), ("300 turns", long)):
            asked = ask(page, FIRST_HALL + 4 * number)
            times.setdefault(f"answer, {name}", []).append(asked.pop("answer"))
            for what, seconds in asked.items():
                times.setdefault(what, []).append(seconds)
        for what, seconds in look(new).items():
            times.setdefault(what, []).append(seconds)
    context.close()
    medians = [statistics.median(times[f"answer, {name}"]) for name in ("300 turns", "first")]
    return times | {"answer, 300 turns / first": [medians[0] / medians[1]]}


def scrolling(browser: Browser, url: str, rounds: int) -> dict[str, Any]:
    """Frames a second while the list of all documents is scrolled from top to bottom, and the longest frame."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, opened = open_page(context, url, LARGE + 1)
    runs = [page.evaluate(SCROLL, SCROLL_MS) for _ in range(rounds)]
    context.close()
    return {
        "usable, 1,000 documents": [opened["seconds"]],
        "scrolling": [run["rate"] for run in runs],
        "longest frame": [run["longest"] for run in runs],
    }


def print_pdf(browser: Browser, file: Path) -> None:
    """Print the PDF that is asked about."""
    page = browser.new_page()
    page.set_content(report_html())
    page.pdf(path=file, format="A4")
    page.close()


def libraries(browser: Browser, folder: Path, cache: Path) -> tuple[str, str]:
    """Make both libraries unless they are there. Returns the owner's secret and the id of the long conversation."""
    made = folder / "conversation.json"
    if not made.exists():
        pdf = folder / "pdf" / "halls.pdf"
        pdf.parent.mkdir(parents=True, exist_ok=True)
        print_pdf(browser, pdf)
        build(folder / "large", pdf, LARGE, 0, cache)
        made.write_text(json.dumps(build(folder / "small", pdf, SMALL, TURNS, cache)), "utf-8")
    secret, conversation = json.loads(made.read_text("utf-8"))
    return secret, conversation


def measure(folder: Path, cache: Path, rounds: int) -> dict[str, Any]:
    """All measurements: name -> values."""
    with launched() as browser:
        secret, conversation = libraries(browser, folder, cache)
        with running(folder / "small", cache) as url:
            result = visits(browser, url, SMALL + 1, rounds)
            result |= conversations(browser, url, secret, conversation, rounds)
        with running(folder / "large", cache) as url:
            result |= scrolling(browser, url, rounds)
    return result


def show(result: dict[str, Any]) -> list[str]:
    """Print the table; returns what misses its target."""
    missed = []
    print(f"{'':28}{'median':>10}{'least':>10}{'most':>10}{'target':>18}")
    for name, values in result.items():
        if name == "loaded":
            continue
        median, (target, unit) = statistics.median(values), TARGETS.get(name, (None, "s"))
        fails = target is not None and (median < target if unit == "frames/s" else median > target)
        missed += [name] if fails else []
        wanted = "" if target is None else f"{target} {unit}{' missed' if fails else ''}"
        print(f"{name:28}{median:>10.3f}{min(values):>10.3f}{max(values):>10.3f}{wanted:>18}")
    for visit, loaded in result["loaded"].items():
        print(
            f"{visit} visit: {loaded['requests']} requests, {loaded['sent'] / 1e3:,.0f} kB sent,"
            f" {loaded['decoded'] / 1e3:,.0f} kB unpacked"
        )
    return missed


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the libraries are made, and kept; by default none are kept")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        load = os.getloadavg()[0]
        result = measure(arguments.folder or Path(temporary), arguments.cache_dir, arguments.rounds)
    loads = {"cores": os.cpu_count(), "load_before": load, "load_after": os.getloadavg()[0]}
    missed = show(result)
    print(f"load {load:.1f} before, {loads['load_after']:.1f} after, on {loads['cores']} cores")
    print(json.dumps({**machine(), **loads, **result, "missed": missed}))


if __name__ == "__main__":
    main()

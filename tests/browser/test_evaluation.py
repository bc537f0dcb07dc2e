"""The Evaluate view in a real browser: from an answer to a saved question, to runs, to what was lost and won."""

import json
import threading
from pathlib import Path

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.evaluation.question_file import Question
from rag.records import Signal
from rag.settings import RetrievalSettings, Settings
from tests.browser.layout import faults
from tests.browser.test_page import answered, ask, ready
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import text_pdf
from tests.webui import fake_engine
from tests.webui.fake_engine import PASSAGE, FakeEngine, document
from tests.webui.fake_evaluations import run
from tests.webui.safe import NASTY

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PUMP, VALVE = "When was the red pump built?", "How heavy is the blue valve?"
MANUAL = text_pdf(
    [
        "The red pump was built in 1931. It stands in the northern hall and is painted once a year by the crew there.",
        "The blue valve weighs 12 kg: this is how heavy it is. It is kept in the southern hall, where it is dry.",
    ]
)
RIVALS = text_pdf([f"{PUMP} {PUMP} {PUMP} {PUMP} {PUMP} Plant number {n}." for n in range(6)])


@pytest.fixture
def library(tmp_path):
    """A real engine over an empty library; a search gives three sources."""
    settings = Settings(data_dir=tmp_path / "data", retrieval=RetrievalSettings(sources=3))
    return Engine(settings, embedder=ExactEmbedder, reader=QuoteReader())


def add(page, count, **files):
    payload = [{"name": name, "mimeType": "application/pdf", "buffer": data} for name, data in files.items()]
    page.set_input_files("#library input[type=file]", payload)
    page.wait_for_function(
        f"document.querySelectorAll('.document').length === {count} && !document.querySelector('.job')"
    )


def remove(page, name):
    page.click(f"[aria-label='Remove {name}']")
    page.wait_for_selector(f".document:has-text('{name}')", state="detached")


def mark(page, question, count):
    """Keep a question with two clicks: on the citation, and on the mark."""
    ask(page, question)
    answered(page, count)
    page.locator(".turn").last.locator(".answer .cite").first.click()
    page.wait_for_function(
        "(n) => document.querySelector('#viewer .number')?.textContent && document.querySelector('#viewer .sheet')"
        " && !document.querySelector('#viewer.opening')",
        arg=count,
    )
    page.click("#viewer [data-do=right][aria-pressed=false]")
    page.wait_for_selector("#viewer [data-do=right][aria-pressed=true]")


def run_all(page, count):
    page.click("#evaluation [data-do=run]")
    page.wait_for_function(f"document.querySelectorAll('#evaluation .runs tbody tr').length === {count}")
    return page.locator("#evaluation .runs tbody tr").first.locator("td").all_inner_texts()


def test_from_an_answer_to_what_a_change_lost_and_won(library, served, visit):
    page = ready(visit(served(library)))
    add(page, 1, **{"manual.pdf": MANUAL})
    mark(page, PUMP, 1)
    mark(page, VALVE, 2)
    page.click("#viewer [data-do=evaluate]")
    page.wait_for_selector("#evaluation .saved li >> nth=1")
    assert page.is_hidden("#question")
    assert [one.inner_text() for one in page.locator("#evaluation .saved .asked").all()] == [PUMP, VALVE]

    assert run_all(page, 1)[:3] == ["1.00", "1.00", "1.00"]  # recall@1, recall@3, MRR
    assert page.locator("#evaluation .plot .l0 circle").count() == 1
    assert page.locator("#evaluation .changes").count() == 0

    add(page, 2, **{"rivals.pdf": RIVALS})
    assert run_all(page, 2)[:3] == ["0.50", "0.50", "0.50"]
    assert page.inner_text("#evaluation .lost li") == f"{PUMP}\n1 → not found"
    assert page.locator("#evaluation .won li").count() == 0
    assert "documents 1 → 2" in page.inner_text("#evaluation .changes")
    heights = [float(dot.get_attribute("cy")) for dot in page.locator("#evaluation .plot .l0 circle").all()]
    assert heights[1] > heights[0], "the line falls"

    page.click("#viewer .close")
    page.click("#evaluation .lost .asked")
    page.wait_for_selector("#viewer .sheet[data-page='0']")
    assert page.inner_text("#viewer h2") == "manual.pdf"
    assert page.get_attribute("#viewer [data-do=right]", "aria-pressed") == "true"

    remove(page, "rivals.pdf")
    run_all(page, 3)
    assert page.inner_text("#evaluation .won li") == f"{PUMP}\nnot found → 1"
    assert page.locator("#evaluation .lost li").count() == 0
    page.select_option("#evaluation [data-do=against]", index=1)  # the first run
    page.wait_for_selector("#evaluation .won:has-text('Now found · 0')")

    remove(page, "manual.pdf")
    page.wait_for_selector("#evaluation .saved li.gone >> nth=1")
    assert page.is_disabled("#evaluation [data-do=run]")
    page.click(f"[aria-label='Remove the question “{PUMP}”']")
    page.click(f"[aria-label='Remove? Remove the question “{PUMP}”']")
    page.wait_for_function("document.querySelectorAll('#evaluation .saved li').length === 1")
    page.click(".tabs [data-view=talk]")
    page.wait_for_selector("#question textarea")
    assert page.is_hidden("#evaluation")


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A scripted engine whose sources have signals, with two saved questions and two runs."""
    signals = (Signal("vectors", 0.86, 1), Signal("words", 14.2, 2))
    plain = fake_engine.source
    monkeypatch.setattr(fake_engine, "source", lambda *given, **more: plain(*given, **more, signals=signals))
    engine = FakeEngine(tmp_path / "data", step=0.05)
    engine.library = [document("annual.pdf"), document("年报.pdf")]
    engine.passages = [PASSAGE] * 2
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,)), ("The board is glad.", ())]
    engine.evaluations.save("", "How much did revenue grow?", engine.library[0].id, 5)
    engine.evaluations.save("", "大坝有多高？" * 30, engine.library[1].id, 2)
    engine.evaluations.made[""] = [run(1, {1: 1, 2: 3}), run(2, {1: None, 2: 1})]
    return engine


def evaluate(page):
    page.click(".tabs [data-view=evaluation]")
    page.wait_for_selector("#evaluation .saved")


def test_why_stays_open_while_the_answer_is_drawn_anew(engine, served, visit):
    engine.pieces = [f"word{n} " for n in range(40)]
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".answer:has-text('word2')")
    page.click(".turn .why-found summary")
    assert (
        page.inner_text(".turn .why-found tbody tr >> nth=0").split()
        == "1 annual.pdf p. 5 0.860 #1 14.20 #2 0.900".split()
    )
    answered(page)
    assert page.is_visible(".turn .why-found table")
    page.click(".answer .cite")
    page.wait_for_selector("#viewer .why-found")
    assert not page.is_visible("#viewer .why-found table")
    page.click("#viewer .why-found summary")
    page.click("[aria-label='Next page']")
    page.wait_for_selector("#viewer .sheet[data-page='5']")
    assert page.is_visible("#viewer .why-found table")


def test_a_double_click_marks_a_page_and_does_not_take_it_back(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector("#viewer .sheet img")
    page.dblclick("#viewer [data-do=right]", delay=100)
    page.wait_for_selector("#viewer [data-do=right][aria-pressed=true]")
    page.wait_for_timeout(700)
    assert page.get_attribute("#viewer [data-do=right]", "aria-pressed") == "true"
    page.click("#viewer [data-do=right]")
    page.wait_for_selector("#viewer [data-do=right][aria-pressed=false]")


def test_lines_can_be_left_out_and_a_run_be_stopped(engine, served, visit):
    page = ready(visit(served(engine)))
    evaluate(page)
    assert page.locator("#evaluation .plot .l0").count() == 1
    page.click("#evaluation .key.l0")
    page.wait_for_selector("#evaluation .plot .l0", state="detached")
    page.click("#evaluation .key.l0")
    page.wait_for_selector("#evaluation .plot .l0", state="attached")
    page.select_option("#evaluation [data-do=k]", "1")
    page.wait_for_selector("#evaluation .won:has-text('Now found · 1')")
    engine.evaluations.goes_on.clear()
    page.click("#evaluation [data-do=run]")
    page.wait_for_selector("#evaluation header progress")
    page.click("#evaluation [data-do=stop-run]")
    page.wait_for_selector("#evaluation [data-do=run]:not(:disabled)")
    assert page.locator("#evaluation .runs tbody tr").count() == 2


def test_the_kept_questions_can_be_saved(engine, served, visit):
    page = ready(visit(served(engine)))
    evaluate(page)
    with page.expect_download() as saved:
        page.click("#evaluation [data-do=export]")
    lines = Path(saved.value.path()).read_text("utf-8").splitlines()
    assert saved.value.suggested_filename == "questions.jsonl"
    assert [Question.parse(json.loads(line)).document for line in lines] == ["annual.pdf", "年报.pdf"]
    assert json.loads(lines[0])["pages"] == [5]


def test_hostile_text_is_text_in_the_evaluation(engine, served, visit):
    names = [name for name in NASTY if "\x00" not in name and "\ud800" not in name]
    engine.library = [document(name) for name in names]
    engine.evaluations.questions.clear()
    for known in engine.library:
        engine.evaluations.save("", known.name, known.id, 0)
    engine.evaluations.made[""] = [
        run(1, dict.fromkeys(range(1, 40), 1), settings={name: name for name in names}),
        run(2, dict.fromkeys(range(1, 40)), embedder="".join(names)),
    ]
    page = ready(visit(served(engine)))
    evaluate(page)
    assert page.locator("#evaluation .lost li").count() == len(names)
    page.locator("#evaluation .lost .asked").first.click()
    page.wait_for_selector("#viewer [data-do=right]")
    assert page.evaluate("window.__xss") is None
    assert page.locator("iframe, script:not([nonce]):not([src]), object, embed, img[src=x]").count() == 0


@pytest.mark.parametrize("size", [(390, 844), (1024, 768), (1440, 900)])
def test_nothing_of_the_evaluation_sticks_out_and_everything_has_a_name(engine, served, visit, size):
    page = ready(visit(served(engine), size=size))
    ask(page)
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector("#viewer .sheet img")
    page.click("#viewer .mark-right")
    page.click("#viewer [data-do=evaluate]")
    page.wait_for_selector("#evaluation .saved")
    assert page.is_visible("#evaluation h2"), "a telephone shows the view, not the page it was opened from"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
    inside, around = (page.locator(place).bounding_box() for place in ("#evaluation", "#evaluation-scroll"))
    assert inside["x"] >= around["x"]
    assert inside["x"] + inside["width"] <= around["x"] + around["width"] + 1
    wide = "(e) => e.scrollWidth > e.clientWidth + 1"
    assert not page.evaluate(f"({wide})(document.querySelector('#evaluation-scroll'))")
    assert faults(page) == []
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('.drawn button, .drawn input, .drawn summary, .drawn select')].filter(
        (e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_a_set_of_questions_is_imported_answered_and_scored(library, served, visit, screenshot):
    page = ready(visit(served(library)))
    add(page, 1, **{"manual.pdf": MANUAL})
    page.click(".tabs [data-view=evaluation]")
    page.wait_for_selector("#evaluation [data-do=import]")
    rows = f"question,document,page,answer\n{PUMP},manual.pdf,1,1931\n{VALVE},manual,2,\nWho?,other.pdf,1,\n"
    with page.expect_file_chooser() as chooser:
        page.click("#evaluation [data-do=import]")
    chooser.value.set_files({"name": "q.csv", "mimeType": "text/csv", "buffer": b"\xef\xbb\xbf" + rows.encode()})
    page.wait_for_selector("#evaluation .imported")
    assert "Questions imported: 2. Lines rejected: 1." in page.inner_text("#evaluation .imported")
    assert "Line 4: The library has no document “other.pdf”" in page.inner_text("#evaluation .imported li")
    valve = page.locator(f"#evaluation .saved li:has-text('{VALVE}')")
    valve.locator("input").fill("13 kg")
    valve.locator("input").press("Enter")
    page.wait_for_function(
        "document.querySelectorAll('#evaluation .expected input')[1].getAttribute('value') === '13 kg'"
    )
    run_all(page, 1)
    assert valve.locator(".badge").all_inner_texts() == ["rank 1", "wrong answer"]
    assert page.locator(f"#evaluation .saved li:has-text('{PUMP}') .badge").all_inner_texts() == [
        "rank 1",
        "correct answer",
    ]
    assert "12 kg" in valve.locator(".given").inner_text()
    valve.scroll_into_view_if_needed()
    screenshot(page, "evaluation-answers")
    with page.expect_download() as saved:
        page.click("#evaluation [data-file='questions.csv']")
    assert Path(saved.value.path()).read_bytes().startswith(b"\xef\xbb\xbfquestion,document,page,answer\n")


def test_two_settings_are_compared_stopped_resumed_and_exported(library, served, visit, screenshot):
    """Nine questions with ten sources and with two: the rivals take both, so A alone finds the pump."""
    page = ready(visit(served(library)))
    add(page, 2, **{"manual.pdf": MANUAL, "rivals.pdf": RIVALS})
    manual = next(one.id for one in library.documents("") if one.name == "manual.pdf")
    for number in range(8):
        library.evaluations.save("", f"{VALVE} {'Really? ' * number}".strip(), manual, 1, "12 kg")
    library.evaluations.save("", PUMP, manual, 0, "1931")
    page.click(".tabs [data-view=evaluation]")
    page.wait_for_selector(".experiments [data-do=compare]:disabled")
    assert "change a setting" in page.inner_text(".experiments .start")

    experiments, go = library.evaluations.experiments, threading.Event()
    ask = experiments._ask

    def slow(owner, question, **more):
        go.wait(60 if question == PUMP else 0.3)
        return ask(owner, question, **more)

    experiments._ask = slow
    page.select_option("select[name=sources][data-side='0']", "10")
    page.select_option("select[name=sources][data-side='1']", "2")
    page.click(".experiments [data-do=compare]:not(:disabled)")
    page.wait_for_selector(".experiments progress")
    page.wait_for_selector(".experiment .verdicts")
    page.click(".experiments [data-do=stop-run]")
    go.set()
    page.wait_for_selector(".experiment .stopped:has-text('of 9 questions')")
    page.click(".experiment [data-do=resume]")
    page.wait_for_selector(".experiment .verdicts:has-text('With B: 0 better, 1 worse, 8 the same.')", timeout=60_000)
    page.wait_for_selector(".experiment [data-file='comparison.csv']")
    worse = page.locator(".experiment .worse li")
    assert worse.locator(".asked").inner_text() == PUMP
    assert "rank 7" in worse.locator(".sides > div >> nth=0").inner_text()
    assert "not found" in worse.locator(".sides > div >> nth=1").inner_text()
    page.locator(".experiments").evaluate("(section) => section.scrollIntoView()")
    screenshot(page, "evaluation-comparison")

    page.reload()
    ready(page)
    page.click(".tabs [data-view=evaluation]")
    page.wait_for_selector(".experiment .worse")
    for size in ((1024, 768), (390, 844)):
        page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert not page.locator("#evaluation-scroll").evaluate("(e) => e.scrollWidth > e.clientWidth + 1")
        assert faults(page) == []
    page.locator(".experiment .worse").evaluate("(group) => group.scrollIntoView({ block: 'center' })")
    screenshot(page, "evaluation-comparison-phone")
    page.set_viewport_size({"width": 1440, "height": 900})
    with page.expect_download() as saved:
        page.click(".experiment [data-file='comparison.json']")
    whole = json.loads(Path(saved.value.path()).read_text("utf-8"))
    assert [whole["settings"][side]["sources"] for side in "AB"] == [10, 2]
    assert whole["verdicts"]["worse"] == 1
    worse.locator(".asked").click()
    page.wait_for_selector("#viewer .sheet[data-page='0']")

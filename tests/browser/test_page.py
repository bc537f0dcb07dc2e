"""The page over a scripted engine, in a real browser: what a person does, and what a hostile file tries."""

import re

import pytest

from rag.errors import FileRefused, QuestionRefused
from rag.ingest.waiting import Adding
from rag.messages import Message
from rag.records import AskOptions, Choice, Citation, Job, JobState, ShortAnswer
from tests.browser.layout import faults
from tests.webui.fake_engine import PASSAGE, FakeEngine, document
from tests.webui.fake_evaluations import run
from tests.webui.safe import NASTY

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PDF = b"%PDF-1.4 not much of one"


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data", step=0.05)
    engine.library = [document("annual.pdf"), document("年报.pdf")]
    engine.passages = [PASSAGE, "利润增长。" + PASSAGE]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,)), ("The board is glad.", ())]
    return engine


def ready(page):
    page.wait_for_function("document.querySelector('#question textarea')?.placeholder.length > 3")
    return page


def ask(page, question="How much did revenue grow?"):
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")


def answered(page, count=1):
    page.wait_for_function(f"document.querySelectorAll('.turn.over').length === {count}")


def drop(page, *names, data=PDF):
    files = [{"name": name, "mimeType": "application/pdf", "buffer": data} for name in names]
    page.set_input_files("#library input[type=file]", files)


def test_a_short_answer_is_large_and_opens_its_cell(engine, served, visit):
    cited = (Citation(1, 30, 49), Citation(1, 29, 34))
    engine.short = ShortAnswer(("$4,218",), "million", ("Revenue", "2023"), "4,218 − 0", cited)
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    assert page.inner_text(".short strong") == "$4,218 million"
    assert page.inner_text(".short .labels") == "Revenue · 2023"
    sizes = [float(page.evaluate(f"parseFloat(getComputedStyle(document.querySelector('{at}')).fontSize)"))
             for at in (".short strong", ".answer")]  # fmt: skip
    assert sizes[0] > 1.5 * sizes[1]
    page.click(".short .cite")
    page.wait_for_selector(".sheet img")
    assert page.inner_text("#viewer mark") == PASSAGE[30:49]
    assert page.locator(".short .cite").count() == 1
    page.click(".short .operand")
    page.wait_for_selector("#viewer mark:text-is('4,218')")


def test_add_ask_open_the_source_and_remove(engine, served, visit):
    page = ready(visit(served(engine)))
    drop(page, "new.pdf")
    page.wait_for_selector(".job progress")
    page.wait_for_selector(".document:has-text('new.pdf')")
    ask(page)
    page.wait_for_selector(".sources .chip")
    answered(page)
    assert page.inner_text(".answer") == "Revenue grew to 4,218 million euros.1 The board is glad.not in the sources"
    assert page.input_value("#question textarea") == ""
    assert engine.asked[0][2] is None

    page.click(".answer .cite")
    page.wait_for_selector(".sheet img")
    assert page.inner_text("#viewer h2") == "annual.pdf"
    assert page.inner_text("#viewer .heading") == "Results › Revenue"
    assert page.inner_text("#viewer mark") == PASSAGE[:49]
    sheet = page.locator(".sheet").bounding_box()
    box = page.locator(".sentence-box").bounding_box()
    assert box["x"] == pytest.approx(sheet["x"] + 0.1 * sheet["width"], abs=2)
    assert box["y"] == pytest.approx(sheet["y"] + 0.3 * sheet["height"], abs=2)
    assert box["width"] == pytest.approx(0.8 * sheet["width"], abs=2)
    assert page.locator(".passage-box").count() == 2
    assert page.evaluate("document.querySelector('.sheet img').naturalWidth") == 300

    page.click("[aria-label='Next page']")
    page.wait_for_function("document.querySelector('.sheet')?.dataset.page === '5'")
    assert page.locator(".passage-box").count() == 0
    page.click("text=Back to the passage")
    page.wait_for_selector(".sentence-box")

    page.click("[aria-label='Remove annual.pdf']")
    page.wait_for_selector(".document:has-text('annual.pdf')", state="detached")
    assert [found.name for found in engine.documents("")] == ["年报.pdf", "new.pdf"]
    engine.removals.close()  # its time is over
    page.click(".answer .cite")
    page.wait_for_selector("#viewer .problem")
    assert "no longer in the library" in page.inner_text("#viewer .problem")


def test_several_files_one_refused_the_others_go_on(engine, served, visit):
    page = ready(visit(served(engine)))
    given = {"one.pdf": PDF, "<img src=x onerror=window.__xss=1>.pdf": b"GIF89a", "two.pdf": PDF}
    files = [{"name": name, "mimeType": "application/pdf", "buffer": data} for name, data in given.items()]
    page.set_input_files("#library input[type=file]", files)
    page.wait_for_selector(".document:has-text('two.pdf')")
    assert page.locator(".notices p").count() == 1
    assert "<img src=x onerror=window.__xss=1>.pdf” is not a PDF" in page.inner_text(".notices p")
    page.click(".notices button")
    assert page.locator(".notices p").count() == 0
    assert {found.name for found in engine.library} >= {"one.pdf", "two.pdf"}


def test_files_dropped_anywhere_on_the_page_are_added(engine, served, visit):
    page = ready(visit(served(engine)))
    page.evaluate(
        """() => { const files = new DataTransfer();
        files.items.add(new File(['%PDF-1.4'], 'a "quoted" <b>.pdf'));
        files.items.add(new File(['%PDF-1.5'], '二.pdf'));
        for (const kind of ['dragenter', 'dragover', 'drop'])
          document.querySelector('#conversation').dispatchEvent(
            new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true })); }"""
    )
    page.wait_for_selector(".document:has-text('二.pdf')")
    assert [name for _, name, _ in engine.received] == ['a "quoted" <b>.pdf', "二.pdf"]


def test_hostile_text_is_text_in_list_sources_answer_and_viewer(engine, served, visit):
    names = [name for name in NASTY if "\x00" not in name and "\ud800" not in name]
    shown = [re.sub("[\u202e\x1b]", "\ufffd", name) for name in names]
    engine.step = 0.0
    engine.library = [document(name, notes=(Message(name),)) for name in names]
    engine.passages = [f"{name} {PASSAGE}" for name in names]
    engine.answer = [(name, (number,)) for number, name in enumerate(names, 1)]
    engine.picked = (Choice("reader", "".join(names), Message("".join(names))), *engine.picked[1:])
    engine.query = "".join(names)
    page = ready(visit(served(engine)))
    assert page.locator(".document .name").all_text_contents() == [" ".join(name.split()) for name in shown]
    ask(page, "".join(name for name in names if "\n" not in name))
    answered(page)
    page.click(".sources .more summary")
    for number, name in enumerate(shown, 1):
        page.click(f".chip[data-number='{number}']")
        page.wait_for_function("(name) => document.querySelector('#viewer h2')?.textContent === name", arg=name)
        assert page.locator("#viewer .passage .text").text_content() == f"{name} {PASSAGE}"
    assert page.evaluate("window.__xss") is None
    assert page.locator("iframe, script:not([nonce]):not([src]), object, embed, img[src=x]").count() == 0
    assert page.locator(".drawn a:not(.pdf, [download])").count() == 0


def test_words_stream_and_stop_works_at_once(engine, served, visit):
    engine.pieces = [f"word{n} " for n in range(200)]
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".answer:has-text('word3')")
    engine.reader_stalls.set()  # a reader that takes its time to notice
    page.click("#stop")
    page.wait_for_selector(".turn.over", timeout=2_000)
    assert engine.stops[0].is_set()
    words = page.inner_text(".answer").split()
    assert 3 <= len(words) < 150
    assert "Stopped" in page.inner_text(".turn footer")
    assert page.is_visible("#ask")
    engine.reader_stalls.clear()
    engine.pieces = None
    ask(page, "And now?")
    answered(page, 2)


def test_asking_while_an_answer_streams_stops_the_former(engine, served, visit):
    engine.pieces = [f"word{n} " for n in range(400)]
    page = ready(visit(served(engine)))
    ask(page, "one")
    page.wait_for_selector(".answer:has-text('word2')")
    engine.pieces = None
    ask(page, "two")
    answered(page, 2)
    assert engine.stops[0].is_set()
    assert page.locator(".turn").nth(1).locator(".cite").count() == 1


def test_adding_asking_and_removing_at_the_same_time(engine, served, visit):
    engine.pieces = [f"word{n} " for n in range(60)]
    engine.step = 0.1
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".answer:has-text('word2')")
    drop(page, "new.pdf")
    page.click("[aria-label='Remove 年报.pdf']")
    page.wait_for_selector(".document:has-text('年报.pdf')", state="detached")
    page.wait_for_selector(".job:has-text('new.pdf') progress")
    assert page.locator(".turn.running").count() == 1
    page.wait_for_selector(".document:has-text('new.pdf')")
    answered(page)


def test_progress_survives_a_reload(engine, served, visit):
    engine.step = 0.5
    page = ready(visit(served(engine)))
    drop(page, "slow.pdf")
    page.wait_for_selector(".job:has-text('slow.pdf') progress")
    page.reload()
    ready(page)
    page.wait_for_selector(".job:has-text('slow.pdf') progress[max]")
    assert re.search(r"page \d+ of \d+|\d+ of \d+ passages", page.inner_text(".job .state"))
    page.wait_for_selector(".document:has-text('slow.pdf')")
    assert page.locator(".job").count() == 0


def test_a_password_is_asked_for_and_typing_survives_updates(engine, served, visit):
    page = ready(visit(served(engine)))
    drop(page, "locked.pdf", data=PDF + b"/Encrypt")
    field = page.locator("[aria-label='Password for locked.pdf']")
    field.fill("wrong")
    engine.change()
    page.wait_for_timeout(1500)
    assert field.input_value() == "wrong"
    field.press("Enter")
    page.wait_for_selector(".job:has-text('This password does not open it.')")
    assert field.input_value() == ""
    field.fill("sesame")
    page.click("text=Unlock")
    page.wait_for_selector(".document:has-text('locked.pdf')")


def test_a_job_can_be_dismissed(engine, served, visit):
    page = ready(visit(served(engine)))
    drop(page, "locked.pdf", data=PDF + b"/Encrypt")
    page.click("[aria-label='Cancel locked.pdf']")
    page.wait_for_selector(".job", state="detached")
    assert engine.running == []


def test_the_ticks_decide_what_is_asked(engine, served, visit):
    page = ready(visit(served(engine)))
    page.click("[aria-label='Search annual.pdf']")
    page.wait_for_selector(".scope:has-text('Searching 1 of 2 documents')")
    ask(page)
    answered(page)
    assert engine.asked[0][2] == (engine.library[1].id,)
    page.click("text=None")
    page.wait_for_selector(".scope:has-text('Searching 0 of 2 documents')")
    ask(page)
    answered(page, 2)
    assert "No document is ticked" in page.inner_text(".problem")


def test_a_refusal_shows_the_nearest_passages(engine, served, visit):
    engine.answer = None
    page = ready(visit(served(engine)))
    ask(page, "Who won the cup?")
    answered(page)
    said = page.inner_text(".doubt").split("\n\n")
    assert said == ["Not in these documents", "Ask in other words, or look at the closest passages.", "Answer anyway"]
    assert page.locator(".nearest li").count() == 2
    page.click(".nearest .chip")
    page.wait_for_selector(".sheet img")


def test_a_refused_question_can_be_answered_anyway(engine, served, visit):
    engine.answer = None
    page = ready(visit(served(engine)))
    ask(page, "Who won the cup?")
    answered(page)
    engine.answer = [("Sales rose.", (1,))]
    page.fill("#question textarea", "half a question")
    page.click("[data-do=anyway]")
    page.wait_for_selector(".answer:has-text('Sales rose.')")
    assert engine.options == AskOptions(complete=False, anyway=True)
    assert page.input_value("#question textarea") == "half a question"


def test_what_was_understood_can_be_corrected(engine, served, visit):
    engine.answer, engine.query = [("Sales rose.", (1,))], "What was revenue in 2023?"
    page = ready(visit(served(engine)))
    ask(page, "and in 2023?")
    answered(page)
    page.click(".understood summary")
    page.fill(".understood input", "What were costs in 2023?")
    page.press(".understood input", "Enter")
    page.wait_for_selector("h3.question:has-text('What were costs in 2023?')")
    answered(page)
    assert engine.asked[-1][1] == "What were costs in 2023?"
    assert engine.options == AskOptions(complete=False)


def test_an_error_is_one_sentence_and_html_in_it_is_text(engine, served, visit):
    engine.error = QuestionRefused("<img src=x onerror=window.__xss=1> is too long.")
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    assert page.inner_text(".problem") == "<img src=x onerror=window.__xss=1> is too long."


def test_what_could_not_be_done_is_said_as_text(engine, served, visit, monkeypatch):
    def refuse(*arguments):
        raise FileRefused("<img src=x onerror=window.__xss=1><script>window.__xss=1</script> is gone.")

    monkeypatch.setattr(engine.removals, "begin", refuse)
    page = ready(visit(served(engine)))
    page.click("[aria-label='Remove annual.pdf']")
    page.wait_for_selector(".notices :text('is gone.')")
    assert "<img src=x onerror=window.__xss=1><script>" in page.inner_text(".notices p")
    page.click(".notices button")
    page.wait_for_selector(".notices p", state="detached")


def test_everything_can_be_done_with_the_keyboard(engine, served, visit):
    page = ready(visit(served(engine)))
    assert page.get_by_role("textbox", name="Question").count() == 1
    ask(page)
    answered(page)
    page.focus(".answer .cite")
    page.keyboard.press("Enter")
    page.wait_for_selector(".sheet img")
    assert page.get_attribute(".answer .cite", "aria-pressed") == "true"
    page.keyboard.press("Escape")
    page.wait_for_selector(".sheet", state="detached")
    assert page.evaluate("document.activeElement.className") == "cite"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('.drawn button, .drawn input, .drawn summary')].filter(
        (e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_the_page_speaks_the_browsers_language_and_can_be_switched(engine, served, visit):
    page = ready(visit(served(engine), locale="zh-CN"))
    assert page.inner_text("#ask") == "提问"
    page.wait_for_function("document.title === '问你的 PDF'")
    assert page.inner_text("#documents .scope span") == "检索全部文档（2 个）"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.click("text=English")
    page.wait_for_selector("#ask:has-text('Ask')")
    page.reload()
    ready(page)
    assert page.inner_text("#ask") == "Ask"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_new_conversation_forgets(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click("#new")
    page.wait_for_selector(".welcome")
    ask(page, "again")
    answered(page)
    assert engine.asked[-1][3] == ()


@pytest.mark.parametrize("size", [(390, 844), (1024, 768), (1440, 900)])
def test_nothing_sticks_out_at_any_width(engine, served, visit, size):
    engine.library.append(document("a very long name " * 18 + ".pdf"))
    engine.library.extend(document(f"{n}.pdf") for n in range(40))
    engine.annotations.given = {engine.library[n].id: ("leases", "年度报告 2023") for n in range(4)}
    engine.running = [Job(1, "", "", "half read.pdf", JobState.READING), Job(2, "", "", "no.pdf", JobState.FAILED)]
    engine.progress = Adding(47, 200, 0.24, 61.0)
    engine.suggested = ("What was revenue in 2022?", "这家公司在 2021 年的营业收入是多少？")
    engine.evaluations.save("", "How much did revenue grow? " * 6, engine.library[0].id, 5)
    engine.evaluations.made[""] = [run(1, {1: 1}), run(2, {1: None})]
    page = ready(visit(served(engine), size=size))
    ask(page, "A question that is long enough to need more than one line on a telephone, surely?")
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector(".sheet img")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
    for inner, outer in (("#documents", "#library-panel"), ("#conversation", "#talk-scroll")):
        inside, around = (page.locator(place).bounding_box() for place in (inner, outer))
        if inside and around:  # the panel is shown
            assert inside["x"] >= around["x"]
            assert inside["x"] + inside["width"] <= around["x"] + around["width"] + 1
    if size[0] < 500:
        for panel in ("talk", "library", "viewer"):
            page.click(f".panels [data-panel={panel}]")
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            assert page.is_visible(f"#{panel}-panel")
    for _ in "Chinese", "English":
        page.click("[data-do=language]")
        for view in ("talk", "library", "viewer", "evaluation") if size[0] < 500 else ("talk", "evaluation"):
            page.click(f"{'.panels' if size[0] < 500 else '.tabs'} [data-{_kind(view)}={view}]")
            page.wait_for_timeout(300)
            assert faults(page) == [], view


def _kind(view):
    return "panel" if view in ("library", "viewer") else "view"


def test_dark_follows_the_system_and_is_remembered_when_chosen(engine, served, visit):
    page = ready(visit(served(engine), color_scheme="dark"))
    dark = "document.body.classList.contains('dark')"
    assert page.evaluate(dark)
    page.click("[data-do=theme]")
    page.reload()
    ready(page)
    assert not page.evaluate(dark)


def test_users_log_in_and_see_their_own(engine, served, visit):
    engine.library = [document("shared.pdf"), document("anns.pdf", "ann"), document("bobs.pdf", "bob")]
    url = served(engine, logins={"ann": "a", "bob": "b"})
    page = visit(url)
    page.fill("input >> nth=0", "ann")
    page.fill("input[type=password]", "a")
    page.click("button:has-text('Log in')")
    ready(page)
    page.wait_for_selector(".document:has-text('anns.pdf')")
    assert page.locator(".document").count() == 2
    drop(page, "more.pdf")
    page.wait_for_selector(".document:has-text('more.pdf')")
    assert engine.received[0][0] == "ann"
    page.click("text=Log out")
    page.wait_for_selector("input[type=password]")
    assert "anns.pdf" not in page.content()

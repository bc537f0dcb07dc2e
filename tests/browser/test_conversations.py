"""Conversations that last, in a real browser: reload, restart, Back, other browsers, the drawer, long ones, exports."""

import signal
from pathlib import Path

import pytest

from rag.records import Answer, Citation, Found, Sentence
from tests.browser.test_page import answered, ask, ready
from tests.webui.fake_engine import PASSAGE, FakeEngine, document, source
from webui.conversation import Conversation, Exchange
from webui.own_conversations import OwnConversations
from webui.server.visitors import COOKIE, conversation_owner

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TURNS = 300


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data", step=0.02)
    engine.library = [document("annual.pdf"), document("年报.pdf")]
    engine.passages = [PASSAGE, "利润增长。" + PASSAGE]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,)), ("The board is glad.", ())]
    return engine


def questions(page):
    return page.locator(".turn .question").all_inner_texts()


def typed(page, text):
    page.fill("#question textarea", text)
    page.wait_for_timeout(100)


def open_drawer(page):
    page.click("#head [data-do=drawer]")
    page.wait_for_selector("#drawer .begin")


def menu(page, title):
    row = page.locator("#drawer .talk", has_text=title)
    row.locator("summary").click()
    return row


def test_a_reload_shows_turns_ticks_the_open_page_and_what_was_typed(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.locator(".document input[type=checkbox]").nth(1).uncheck()
    page.click(".answer .cite")
    page.wait_for_selector("#viewer mark")
    typed(page, "And in 2024?")
    address, title = page.url, page.title()
    assert "/c/" in address
    assert title == "How much did revenue grow? · Ask your PDFs"
    page.reload()
    ready(page)
    answered(page)
    page.wait_for_selector("#viewer mark")
    assert page.url == address
    page.wait_for_function("document.title.startsWith('How much')")
    assert page.evaluate("document.body.dataset.viewer") == "open"
    assert page.locator(".document input:checked").count() == 1
    assert page.input_value("#question textarea") == "And in 2024?"
    assert engine.asked[-1][1] == "How much did revenue grow?"
    page.press("#question textarea", "Enter")
    answered(page, 2)
    assert engine.asked[-1][2] == (engine.library[0].id,)
    assert [turn.question for turn in engine.asked[-1][3]] == ["How much did revenue grow?"]


def test_ticks_and_what_was_typed_last_before_the_first_question_too(engine, served, visit):
    page = ready(visit(served(engine)))
    page.locator(".document input[type=checkbox]").nth(1).uncheck()
    page.wait_for_url("**/c/*")
    typed(page, "half a question")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelectorAll('.document input:checked').length === 1")
    page.wait_for_function("document.querySelector('#question textarea').value === 'half a question'")


def test_back_closes_the_viewer_then_goes_to_the_conversation_before(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page, "first question")
    answered(page)
    first = page.url
    page.click("#new")
    page.wait_for_selector(".welcome")
    ask(page, "second question")
    answered(page)
    second = page.url
    assert second != first
    page.click(".answer .cite")
    page.wait_for_selector("#viewer mark")
    page.go_back()
    page.wait_for_function("document.body.dataset.viewer !== 'open'")
    page.go_forward()
    page.wait_for_selector("#viewer mark")
    page.go_back()
    page.wait_for_function("document.body.dataset.viewer !== 'open'")
    assert page.url == second
    assert questions(page) == ["second question"]
    page.go_back()
    page.wait_for_selector(".question:has-text('first question')")
    assert page.url == first
    page.go_forward()
    page.wait_for_selector(".question:has-text('second question')")
    assert page.url == second


def test_closing_the_viewer_takes_its_entry_out_of_the_history(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page, "first question")
    answered(page)
    page.click("#new")
    page.wait_for_selector(".welcome")
    ask(page, "second question")
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector("#viewer mark")
    page.keyboard.press("Escape")
    page.wait_for_function("document.body.dataset.viewer !== 'open' && !history.state?.panels?.length")
    page.go_back()
    page.wait_for_selector(".question:has-text('first question')")


def test_another_browser_gets_a_new_conversation_and_a_sentence(engine, served, visit):
    url = served(engine)
    page = ready(visit(url))
    ask(page, "the canary sings")
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector("#viewer mark")
    other = ready(visit(page.url))
    other.wait_for_selector("#note .problem:has-text('belongs to somebody else')")
    assert other.locator(".welcome").count() == 1
    open_drawer(other)
    other.wait_for_selector("#drawer .empty")
    assert "canary" not in other.content()
    other.wait_for_url(f"{url}/")


def test_the_drawer_finds_renames_deletes_and_restores(engine, served, visit, screenshot):
    page = ready(visit(served(engine)))
    ask(page, "How much did revenue grow?")
    answered(page)
    page.click("#new")
    page.wait_for_selector(".welcome")
    ask(page, "大坝有多高？")
    answered(page)
    open_drawer(page)
    page.wait_for_selector("#drawer .talk >> nth=1")
    names = page.locator("#drawer .talk .name")
    assert names.all_inner_texts() == ["大坝有多高？", "How much did revenue grow?"]
    assert page.locator("#drawer h3").all_inner_texts() == ["Today"]
    screenshot(page, "conversations-drawer")

    page.fill("#drawer .seek", "revenue")
    page.wait_for_function("document.querySelectorAll('#drawer .talk').length === 1")
    row = menu(page, "How much did revenue")
    row.locator("input[name=title]").fill("<b>Growth</b>")
    row.locator("button:has-text('Rename')").click()
    page.wait_for_selector("#drawer .name:has-text('<b>Growth</b>')")
    page.fill("#drawer .seek", "")
    page.wait_for_function("document.querySelectorAll('#drawer .talk').length === 2")

    menu(page, "大坝有多高").locator("[data-do=delete]").click()
    page.wait_for_selector("#drawer .deleted")
    page.wait_for_selector(".welcome")
    assert names.all_inner_texts() == ["<b>Growth</b>"]
    page.click("#drawer .deleted button")
    page.wait_for_selector(".question:has-text('大坝有多高？')")
    page.wait_for_function("document.querySelectorAll('#drawer .talk').length === 2")

    page.click("#drawer .talk a:has-text('Growth')")
    page.wait_for_selector(".question:has-text('How much did revenue grow?')")
    page.wait_for_function("document.title.startsWith('<b>Growth</b> · ')")


def test_a_deleted_conversation_leaves_its_other_tab_and_cannot_be_opened(engine, served, visit):
    engine.undo_seconds = 0.0
    page = ready(visit(served(engine)))
    ask(page, "the canary sings")
    answered(page)
    address = page.url
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_selector(".question:has-text('canary')")
    open_drawer(page)
    menu(page, "canary").locator("[data-do=delete]").click()
    other.wait_for_selector(".welcome")
    page.goto(address)
    page.wait_for_selector("#note .problem:has-text('it was deleted')")


def test_two_tabs_see_the_same_turns(engine, served, visit):
    page = ready(visit(served(engine)))
    ask(page, "from the first tab")
    answered(page)
    other = page.context.new_page()
    other.set_default_timeout(15_000)
    other.goto(page.url)
    other.wait_for_selector(".turn.over")
    ask(other, "from the second tab")
    answered(page, 2)
    ask(page, "from the first again")
    answered(page, 3)
    answered(other, 3)
    wanted = ["from the first tab", "from the second tab", "from the first again"]
    assert questions(page) == questions(other) == wanted


def test_an_answer_goes_on_over_a_reload_and_can_be_stopped_then(engine, served, visit, screenshot):
    engine.pieces = [f"word{n} " for n in range(2_000)]
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".answer:has-text('word9 ')")
    page.wait_for_url("**/c/*")
    page.reload()
    ready(page)
    page.wait_for_selector(".turn.running .answer")
    words = "document.querySelector('.answer').innerText.split(' ').length"
    before = page.evaluate(words)
    page.wait_for_function(f"{words} > {before + 30}")
    assert not engine.stops[0].is_set()
    screenshot(page, "conversations-reloaded-answer")
    page.click("#stop")
    page.wait_for_selector(".turn.over footer:has-text('Stopped')")
    assert engine.stops[0].is_set()
    assert page.is_visible("#ask")
    assert len(engine.asked) == 1


def test_an_answer_is_complete_when_its_page_was_closed_and_is_opened_again(engine, served, visit):
    engine.pieces = [f"word{n} " for n in range(100)]
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".answer:has-text('word3 ')")
    page.wait_for_url("**/c/*")
    address, context = page.url, page.context
    page.goto("about:blank")
    page.wait_for_timeout(1_000)
    again = context.new_page()
    again.set_default_timeout(15_000)
    again.goto(address)
    answered(again)
    assert "4,218 million" in again.inner_text(".answer")
    assert "Stopped" not in again.inner_text(".turn footer")
    assert again.is_visible("#ask")


def filled(engine, cookie, turns):
    """A conversation of many turns, put into the store."""
    own, conversation = OwnConversations(engine.conversations, conversation_owner("", {COOKIE: cookie})), Conversation()
    found = Found((source(1, engine.library[0]),), "q", writes_markdown=False)
    for number in range(1, turns + 1):
        answer = Answer((Sentence(f"Answer {number}.", (Citation(1, 0, 49),)),), "r")
        exchange = Exchange(number, f"question {number}", found=found, answer=answer)
        conversation.add(exchange)
        own.keep_exchange(conversation, exchange)
    return conversation.id


def test_a_conversation_of_hundreds_of_turns_opens_with_the_last_and_gets_earlier_ones_while_scrolling(
    engine, served, visit
):
    url, page = served(engine), None
    page = ready(visit(url))
    (cookie,) = [kept["value"] for kept in page.context.cookies() if kept["name"] == COOKIE]
    page.goto(f"{url}/c/{filled(engine, cookie, TURNS)}")
    answered(page, 20)
    assert questions(page)[-1] == f"question {TURNS}"
    assert page.evaluate("document.querySelectorAll('#talk-panel *').length") < 2_500
    ask(page, "and now?")
    page.wait_for_selector(".turn.over:has-text('and now?')")
    answered(page, 20)
    assert len(engine.asked[-1][3]) == 6
    for wanted in (40, 60):
        page.evaluate("document.querySelector('#talk-scroll').scrollTop = 0")
        page.wait_for_function(f"document.querySelectorAll('.turn.over').length === {wanted}")
        page.wait_for_function("document.querySelector('#talk-scroll').scrollTop > 300")
    assert questions(page)[0] == f"question {TURNS + 2 - 60}"
    page.click(".turn .cite >> nth=0")
    page.wait_for_selector("#viewer mark")


def test_a_slow_browser_opens_a_conversation_at_its_last_question(engine, served, visit):
    """There the turns before it are drawn empty at first, and filled after the page has gone to the last one."""
    url = served(engine)
    page = ready(visit(url))
    (cookie,) = [kept["value"] for kept in page.context.cookies() if kept["name"] == COOKIE]
    address = f"{url}/c/{filled(engine, cookie, 20)}"
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 8})
    page.goto(address)
    answered(page, 20)
    page.wait_for_function("!document.querySelector('[data-same]')", timeout=60_000)
    page.wait_for_timeout(1000)
    scroller, last = page.locator("#talk-scroll").bounding_box(), page.locator(".question").last.bounding_box()
    assert 0 <= last["y"] - scroller["y"] < 60


def test_an_open_tab_survives_a_restart(tmp_path, cache, visit, screenshot):
    from tests.browser.test_whole_path import ENGLISH, App, documents, drop
    from tests.browser.test_whole_path import ask as ask_app

    app = App(tmp_path / "data", cache)
    try:
        app.wait()
        page = ready(visit(app.url))
        drop(page, **{"bridge.pdf": ENGLISH})
        documents(page, 1)
        ask_app(page, "When was the bridge of Lindholm opened to traffic?")
        page.locator(".answer .cite, .short .cite").first.click()
        page.wait_for_selector("#viewer mark")
        typed(page, "Who designed it?")
        address = page.url
        app.stop(signal.SIGKILL)
        page.wait_for_selector("#note .trouble:visible", timeout=30_000)
        assert not page.locator(".toast-body").is_visible()
        screenshot(page, "connection-lost")
        typed(page, "Who designed the bridge?")
        app = App(tmp_path / "data", cache, port=app.port)
        app.wait()
        page.wait_for_selector("#note .trouble", state="hidden", timeout=60_000)
        page.wait_for_selector("#viewer mark", timeout=60_000)
        assert page.url == address
        assert questions(page) == ["When was the bridge of Lindholm opened to traffic?"]
        assert "1931" in page.inner_text("#conversation")
        assert page.input_value("#question textarea") == "Who designed the bridge?"
        ask_app(page, "Who designed the bridge?")
        assert "Anna Keller" in page.inner_text("#conversation")
    finally:
        if app.process.poll() is None:
            app.stop()


def test_too_many_waiting_questions_are_said_in_the_language_of_the_page(engine, served, visit, monkeypatch):
    monkeypatch.setattr("webui.page.MAX_QUEUED_QUESTIONS", 0)
    page = ready(visit(served(engine), locale="zh-CN"))
    page.fill("#question textarea", "收入是多少？")
    page.keyboard.press("Enter")
    page.wait_for_selector("#note .trouble:has-text('排队的问题太多')")
    assert not page.locator(".toast-body").is_visible()
    assert page.input_value("#question textarea") == "收入是多少？"


def test_exports_are_files_and_the_page_stands_on_its_own(engine, served, visit, tmp_path, screenshot):
    page = ready(visit(served(engine), accept_downloads=True))
    ask(page)
    answered(page)
    open_drawer(page)
    texts = {}
    row = menu(page, "How much")
    for name in ("Markdown", "HTML", "JSON"):
        with page.expect_download() as download:
            row.locator(f"a:has-text('{name}')").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        texts[name] = file.read_text("utf-8")
    page.keyboard.press("Escape")
    page.click(".turn .menu [aria-label='Export this answer']")
    with page.expect_download() as download:
        page.click(".turn .menu a:has-text('Markdown')")
    assert "[^1-1]: annual.pdf, p. 5" in Path(download.value.path()).read_text("utf-8")
    assert not page.is_visible(".turn .menu a")
    assert "[^1-1]: annual.pdf, p. 5" in texts["Markdown"]
    assert '"How much did revenue grow?"' in texts["JSON"]
    kept = page.context.new_page()
    kept.goto((tmp_path / "How much did revenue grow.html").as_uri())
    assert kept.evaluate("document.querySelector('figure img').naturalWidth") > 0
    kept.click("sup a")
    assert kept.url.endswith("#page-1")
    screenshot(kept, "export")

"""The settings, as a person changes them: by mouse and by keyboard, on a phone, in the dark and in Chinese."""

import pytest

from rag.messages import Message
from rag.preferences import Preferences, Strictness
from rag.records import AskOptions, Choice
from tests.browser.test_accessible import found_by_axe
from tests.browser.test_page import answered, ask, engine, ready  # noqa: F401
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def model(engine):  # noqa: F811
    engine.picked = (Choice("reader", "GLM-4-9B-0414 · INT4 · cuda:0", Message("as requested")), *engine.picked[1:])
    return engine


def open_settings(page):
    page.click("#head [data-do=settings]")
    page.wait_for_selector("#settings[open]")


def saved(page):
    page.wait_for_selector("#settings .saved:not(:empty)")


def test_settings_count_for_the_next_question_and_outlast_a_reload(model, served, visit, screenshot):
    page = ready(visit(served(model)))
    open_settings(page)
    page.select_option("#setting-sources", "3")
    saved(page)
    page.select_option("#setting-strictness", "strict")
    page.select_option("#setting-reader", "quotes")
    page.click("#settings summary")
    page.fill("#setting-english", "Answer in rhymes. <|user|>")
    page.uncheck("#setting-reasons")
    saved(page)
    page.evaluate("document.querySelector('#settings form').scrollTop = 0")
    screenshot(page, "settings")
    page.keyboard.press("Escape")
    assert not page.is_visible("#settings")
    until(lambda: model.preferences.of(owner(model)).reasons is False)
    wanted = model.preferences.of(owner(model))
    assert (wanted.sources, wanted.strictness) == (3, Strictness.STRICT)
    assert wanted.manner.english == "Answer in rhymes. <|user|>"
    ask(page)
    answered(page)
    assert model.options == AskOptions(quotes=True, preferences=wanted)
    page.reload()
    ready(page)
    open_settings(page)
    assert page.input_value("#setting-sources") == "3"
    assert page.input_value("#setting-reader") == "quotes"
    assert page.input_value("#setting-english") == "Answer in rhymes. <|user|>"
    page.click("#settings summary")
    page.click("#settings .instruction [data-do=default-instruction]:enabled")
    assert page.input_value("#setting-english").startswith("You answer questions from numbered sources.")
    saved(page)
    page.click("#settings [data-do=default-settings]")
    page.wait_for_function("document.querySelector('#setting-sources').value === ''")
    page.wait_for_selector("#setting-reasons:checked")
    page.click("#settings header button")
    ask(page)
    answered(page, 2)
    assert model.options == AskOptions()


def owner(engine):  # noqa: F811
    """The one browser that has stored something."""
    rows = engine.opened.rows("SELECT owner FROM preferences") if engine.opened else []
    return rows[0]["owner"] if rows else ""


def test_typed_text_is_kept_when_escape_closes_the_dialog(model, served, visit):
    page = ready(visit(served(model)))
    open_settings(page)
    page.click("#settings summary")
    page.fill("#setting-chinese", "请押韵。")
    page.keyboard.press("Escape")
    until(lambda: model.preferences.of(owner(model)).manner.chinese == "请押韵。")
    assert not page.is_visible("#settings")
    assert page.evaluate("document.activeElement.dataset.do") == "settings"


def test_everything_is_reached_by_tab_and_closed_by_escape(model, served, visit):
    page = ready(visit(served(model)))
    page.focus("#head [data-do=settings]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#settings[open]")
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.localName"))
        if reached[-1] == "summary":
            page.keyboard.press("Enter")
    fields = ["reader", "sources", "strictness", "length", "language", "follow_ups", "reasons", "temperature"]
    assert [name for name in reached if name in (*fields, "english", "chinese")][:10] == [*fields, "english", "chinese"]
    page.keyboard.press("Escape")
    assert not page.is_visible("#settings")


@pytest.mark.parametrize(("size", "scheme", "locale"), [((1440, 900), "dark", "en-US"), ((390, 844), "light", "zh-CN")])
def test_the_dialog_fits_and_is_accessible(model, served, visit, screenshot, size, scheme, locale):
    page = ready(visit(served(model), size=size, color_scheme=scheme, locale=locale, reduced_motion="reduce"))
    open_settings(page)
    page.click("#settings summary")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("((one) => one.scrollWidth <= one.clientWidth)(document.querySelector('#settings'))")
    assert found_by_axe(page) == {}
    screenshot(page, f"settings-{size[0]}-{scheme}")


def test_the_table_of_reasons_can_be_left_out(model, served, visit):
    page = ready(visit(served(model)))
    open_settings(page)
    page.click("#settings summary")
    page.uncheck("#setting-reasons")
    until(lambda: model.preferences.of(owner(model)) == Preferences(reasons=False))
    page.wait_for_selector("#settings[data-reasons=off]")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<details class=why-found>why</details>')")
    assert not page.is_visible(".why-found")

"""The page for people who use a keyboard or a screen reader: shortcuts, focus, and what axe-core finds."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from rag.records import Citation, ShortAnswer, TableExcerpt
from tests.browser.test_page import answered, ask, engine, ready  # noqa: F401
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHORT = ShortAnswer(
    ("$4,218",), "million", ("Revenue", "2023"), "4,218 − 0", (Citation(1, 29, 34),),
    TableExcerpt("In millions", ("2023", "2022"), (("Revenue", "4,218", "3,900"),), ((0, 0),)),
)  # fmt: skip


def found_by_axe(page):
    """Serious and critical findings: rule, and the elements that break it."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options={**rules, "rules": {"label-content-name-mismatch": {"enabled": True}}})
    return {
        broken["id"]: [node["html"][:200] for node in broken["nodes"]]
        for broken in found.response["violations"]
        if broken["impact"] in ("serious", "critical")
    }


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
def test_axe_finds_nothing_serious_in_light_and_dark_and_both_languages(engine, served, visit, size):  # noqa: F811
    engine.short = SHORT
    engine.writes_markdown = True
    engine.answer = [("- Revenue grew to 4,218 million euros.", (1,)), ("\n- The board is glad.", ())]
    url = served(engine)
    page = ready(visit(url, size=size, color_scheme="light", reduced_motion="reduce"))
    assert found_by_axe(page) == {}
    ask(page)
    page.wait_for_selector(".turn.running, .turn.over")
    assert page.evaluate("document.getAnimations().length") == 0  # motion is reduced
    answered(page)
    page.locator(".turn").last.locator(".tool[data-helpful=no]").click()
    page.wait_for_selector(".reason")
    page.click(".tool[data-do=retry]")
    page.wait_for_selector(".variants")
    answered(page)
    page.locator(".answer .cite").last.click()
    page.wait_for_selector(".sheet img")
    for turn, switch in enumerate(("", "theme", "language")):
        if switch:
            page.click(f"[data-do={switch}]")
            page.wait_for_timeout(500)
        for view in ("talk", "evaluation"):
            if size[0] < 500:
                page.click(f".panels [data-panel={'viewer' if turn == 0 else 'talk'}]")
                assert found_by_axe(page) == {}, (turn, "panel")
                page.click(".panels [data-view=talk]")
            if (view, switch) == ("evaluation", "theme"):
                continue
            page.click(f"{'.panels' if size[0] < 500 else '.tabs'} [data-view={view}]")
            page.wait_for_selector(".ratings li" if view == "evaluation" else ".turn.over")
            assert found_by_axe(page) == {}, (turn, view)
    if size[0] > 500:
        page.click("[data-do=help]")
        assert found_by_axe(page) == {}
    page.goto(f"{url}/?view=api")  # leads to the manual for programs
    page.wait_for_selector("h1:visible")
    assert page.url.endswith("/api/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert found_by_axe(page) == {}


def test_axe_would_find_what_is_wrong(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    page.evaluate(
        """document.querySelector('#conversation .mount').insertAdjacentHTML('beforeend',
        '<li>alone</li><button aria-label="Open">Source 1</button><p style="color: #ccc; background: #fff">pale</p>')"""
    )
    assert set(found_by_axe(page)) == {"listitem", "label-content-name-mismatch", "color-contrast"}


def test_not_even_the_caret_of_a_running_answer_moves_if_motion_is_reduced(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine), reduced_motion="reduce"))
    page.evaluate(
        """document.querySelector('#conversation .mount').insertAdjacentHTML('beforeend',
        '<div class="turn running"><p class="step">Reading</p><div class="answer"><p>Revenue grew</p></div></div>')"""
    )
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_question_mark_lists_the_shortcuts_unless_somebody_types(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    page.press("#question textarea", "?")
    assert not page.is_visible("#help")
    page.fill("#question textarea", "")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    assert page.locator("#help kbd").count() >= 12
    page.wait_for_timeout(1500)  # the head is drawn again meanwhile
    engine.change()
    page.wait_for_timeout(1500)
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


def test_the_page_is_driven_by_single_keys_which_can_be_switched_off(engine, served, visit):  # noqa: F811
    engine.answer = [("Revenue grew.", (1,)), ("Profit too.", (2,))]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.wait_for_selector("#viewer h2:has-text('annual.pdf')")
    page.keyboard.press("j")
    page.wait_for_selector("#viewer h2:has-text('年报.pdf')")
    page.keyboard.press("k")
    page.wait_for_selector("#viewer h2:has-text('annual.pdf')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".sheet", state="detached")
    page.wait_for_function("document.activeElement.matches('.answer .cite')")
    page.keyboard.press("e")
    page.wait_for_selector("body[data-view=evaluation]")
    page.keyboard.press("e")
    page.wait_for_selector("body[data-view=talk]")
    page.keyboard.press("/")
    page.wait_for_function("document.activeElement.matches('#question textarea')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    page.wait_for_selector(".welcome")
    page.click("[data-do=help]")
    page.uncheck("#help [data-do=keys]")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("e")
    page.wait_for_timeout(300)
    assert page.get_attribute("body", "data-view") == "talk"


def test_escape_ends_one_thing_at_a_time(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector(".sheet img")
    engine.pieces = [f"word{n} " for n in range(400)]
    ask(page, "two")
    page.wait_for_selector(".answer:has-text('word5')")
    page.keyboard.press("Escape")
    until(lambda: engine.stops[-1].is_set())
    answered(page, 2)
    assert page.is_visible(".sheet")
    page.keyboard.press("Escape")
    page.wait_for_selector(".sheet", state="detached")


def test_what_a_finger_hits_is_large_enough_on_a_phone(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine), size=(390, 844), has_touch=True, is_mobile=True))
    ask(page)
    answered(page)
    small = page.evaluate(
        """() => [...document.querySelectorAll('#talk-panel :is(button:not(.cite, .no-source), summary)')]
        .filter((e) => e.checkVisibility()).map((e) => [e.className || e.textContent, e.getBoundingClientRect().height])
        .filter(([, height]) => height < 43.5)"""
    )
    assert small == []


def test_tab_skips_what_is_covered_and_shows_where_it_is(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    outlined = "getComputedStyle(document.activeElement).outlineStyle === 'solid'"
    page.focus(".document:first-of-type .info")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type === 'checkbox' && " + outlined)
    page.keyboard.press("h")
    page.wait_for_function("document.activeElement.matches('#drawer .seek')")
    for _ in range(3):  # the conversation, what can be done with it, and what stands beside the drawer
        page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('#talk-panel'))")
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer .seek", state="detached")  # the server knows that it is closed
    page.keyboard.press("h")
    page.click("#drawer .talk-menu summary")
    page.fill("#drawer [name=title]", "Growth")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer .name:has-text('Growth')")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith("“Growth”")
    page.keyboard.press("Escape")
    page.focus("[data-do=skip]")
    assert page.locator("[data-do=skip]").bounding_box()["width"] > 50
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('#question textarea')")

"""What one does with a question and its answer: copy, ask again, edit, rate, stop; where the page scrolls to."""

import re

import pytest

from rag.messages import Message
from rag.records import AskOptions, Choice, Reading
from tests.browser.test_page import answered, ask, engine, ready  # noqa: F401
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG = "Revenue grew to 4,218 million euros. " * 40


def tool(page, label, turn=-1):
    return page.locator(".turn").nth(turn).get_by_role("button", name=label, exact=True)


def top_of(page, selector, turn=-1):
    """Distance from the top of the conversation to an element of a turn, in pixels."""
    element = page.locator(".turn").nth(turn).locator(selector).bounding_box()
    return element["y"] - page.locator("#talk-scroll").bounding_box()["y"]


def settled(page):
    """Wait until the conversation has stopped scrolling."""
    page.wait_for_function(
        """() => { const top = document.querySelector('#talk-scroll').scrollTop, still = top === window.wasAt;
        window.wasAt = top; return still; }""",
        polling=150,
    )


def test_a_selected_answer_is_copied_with_readable_citations(engine, served, visit):  # noqa: F811
    engine.answer = [("The bridge is 46", (2,)), ("metres long.", (1,))]
    page = ready(visit(served(engine), permissions=["clipboard-read", "clipboard-write"]))
    ask(page)
    answered(page)
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.answer'))")
    page.keyboard.press("ControlOrMeta+c")
    assert page.evaluate("navigator.clipboard.readText()").strip() == "The bridge is 46 [2] metres long. [1]"


def test_copying_an_answer_with_and_without_its_sources(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine), permissions=["clipboard-read", "clipboard-write"]))
    ask(page)
    answered(page)
    tool(page, "Copy the answer").click()
    page.wait_for_selector(".tool.done")
    plain = page.evaluate("navigator.clipboard.readText()")
    assert plain == "Revenue grew to 4,218 million euros. The board is glad."
    tool(page, "Copy with sources as footnotes").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('[1]'))")
    footnoted = page.evaluate("navigator.clipboard.readText()")
    assert footnoted == "Revenue grew to 4,218 million euros.[1] The board is glad.\n\n[1] annual.pdf, p. 5"


def test_a_question_can_be_edited_and_its_versions_turned_over(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    ask(page, "one")
    answered(page)
    ask(page, "two")
    answered(page, 2)
    edit = page.locator(".turn").nth(0).locator(".editing summary")
    edit.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.value === 'one'")
    page.keyboard.type(", edited")
    page.keyboard.press("Enter")
    page.wait_for_selector("h3.question:has-text('one, edited')")
    answered(page)
    assert engine.asked[-1][3] == ()
    assert page.inner_text(".variants span") == "2 of 2"
    tool(page, "Previous version").click()
    page.wait_for_selector("h3.question:text-is('one')")
    assert page.locator(".question").all_text_contents() == ["one", "two"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Next version"
    page.keyboard.press("Enter")
    page.wait_for_selector("h3.question:has-text('one, edited')")
    assert page.locator(".turn").count() == 1


def test_an_answer_can_be_made_again_with_quotes_or_from_one_document(engine, served, visit):  # noqa: F811
    engine.picked = (Choice("reader", "GLM-4-9B", Message("as requested")), *engine.picked[1:])
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    tool(page, "Answer with exact quotes instead, without the model").click()
    until(lambda: engine.options == AskOptions(quotes=True))
    page.wait_for_selector(".variants:has-text('2 of 2')")
    answered(page)
    tool(page, "Answer with the model").click()
    page.wait_for_selector(".variants:has-text('3 of 3')")
    answered(page)
    assert engine.options == AskOptions()
    page.click(".menu summary")
    page.click(".menu button:has-text('年报.pdf')")
    page.wait_for_selector("text=Searched only 年报.pdf")
    assert engine.asked[-1][2] == (engine.library[1].id,)


def test_what_was_stopped_before_its_first_word_can_be_asked_again(engine, served, visit):  # noqa: F811
    engine.step = 1.5
    page = ready(visit(served(engine)))
    ask(page)
    page.wait_for_selector(".sources .chip")
    page.click("#stop")
    page.wait_for_selector("text=Stopped before the answer began.")
    engine.step = 0.0
    page.click(".stopped button")
    page.wait_for_selector(".answer:has-text('Revenue grew')")
    answered(page)
    assert page.locator(".turn").count() == 1


def test_an_answer_is_rated_with_a_reason_and_found_in_the_evaluate_view(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    tool(page, "Bad answer").click()
    page.fill(".reason input", "wrong <b>year</b>")
    page.press(".reason input", "Enter")
    until(lambda: engine.ratings.all("") and engine.ratings.all("")[0].reason)
    assert tool(page, "Bad answer").get_attribute("aria-pressed") == "true"
    page.click(".tabs button:has-text('Evaluate')")
    page.wait_for_selector(".ratings li:has-text('wrong <b>year</b>')")
    page.click(".tabs button:has-text('Conversation')")
    tool(page, "Bad answer").click()
    page.wait_for_selector(".reason", state="detached")
    assert engine.ratings.all("") == ()


def test_a_long_question_is_kept_and_told_and_the_last_one_comes_back(engine, served, visit):  # noqa: F811
    limit = engine.settings.limits.question_characters
    page = ready(visit(served(engine)))
    ask(page, "How much?")
    answered(page)
    page.press("#question textarea", "ArrowUp")
    assert page.input_value("#question textarea") == "How much?"
    page.fill("#question textarea", "x" * (limit - 5))
    assert page.inner_text("#question-length") == f"{limit - 5:,} of {limit:,} characters"
    page.fill("#question textarea", "")
    page.evaluate("document.querySelector('#question textarea').focus()")
    page.evaluate("(text) => document.execCommand('insertText', false, text)", "x" * (limit + 1100))
    assert f"{limit + 1100:,} characters, the limit is {limit:,}" in page.inner_text("#question-length")
    page.press("#question textarea", "Enter")
    page.click("#ask")
    page.wait_for_timeout(300)
    assert len(page.input_value("#question textarea")) == limit + 1100
    assert len(engine.asked) == 1
    page.fill("#question textarea", "short")
    assert page.locator("#question-length").inner_text() == ""


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
def test_a_new_question_goes_to_the_top_and_stays_where_the_reader_scrolled(engine, served, visit, size):  # noqa: F811
    engine.answer = [(LONG, (1,)), (LONG, (1,))]
    page = ready(visit(served(engine), size=size, reduced_motion="reduce"))
    ask(page, "one")
    answered(page)
    engine.answer = None
    ask(page, "Who won?")
    answered(page, 2)
    settled(page)
    assert 0 <= top_of(page, ".question") < 60
    assert top_of(page, ".doubt") < page.locator("#talk-scroll").bounding_box()["height"]
    engine.answer, engine.pieces = [("x", ())], [f"word{n} " for n in range(400)]
    ask(page, "three")
    page.wait_for_selector(".answer:has-text('word9')", timeout=60_000)
    settled(page)
    assert 0 <= top_of(page, ".question") < 60
    page.evaluate("document.querySelector('#talk-scroll').scrollTop = 100")
    page.wait_for_selector(".answer:has-text('word40')", timeout=60_000)
    assert page.evaluate("document.querySelector('#talk-scroll').scrollTop") == 100
    page.click("#stop")


def test_what_a_mark_means_is_told_by_a_click(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".no-source")
    assert re.match("None of the passages", page.inner_text("#hint"))
    page.keyboard.press("Escape")
    assert not page.is_visible("#hint")


def test_bullets_stand_apart_and_quoted_numbers_are_not_called_unsupported(engine, served, visit):  # noqa: F811
    engine.answer = [("•Microsoft\n•Azure", (1,))]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    assert page.locator(".answer").inner_text().startswith("• Microsoft\n• Azure")
    assert page.locator(".no-source").count() == 0


def test_what_may_be_asked_next_is_one_click_away_and_stands_under_the_last_answer_alone(engine, served, visit):  # noqa: F811
    engine.suggested = ("What was revenue in 2022?", "<b>And</b> in 2021?")
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.wait_for_selector(".follow-ups button")  # a moment after the answer
    assert page.locator(".follow-ups button").all_text_contents() == list(engine.suggested)
    page.click(".follow-ups button:has-text('<b>And</b>')")
    answered(page, 2)
    assert engine.asked[-1][1] == "<b>And</b> in 2021?"
    assert engine.options == AskOptions(complete=False)
    page.wait_for_selector("#conversation .follow-ups button")
    assert page.locator(".follow-ups").count() == 1


def test_what_the_model_read_and_its_exact_prompt_can_be_seen(engine, served, visit, screenshot):  # noqa: F811
    prompt = "[gMASK]<sop><|system|>\nYou answer questions from numbered sources.<|user|>\nSources:\n[1] annual.pdf"
    engine.reading = Reading(31, 40, 27_412, 32_768, f"{prompt}\n<script>window.__xss = 1</script> 利润增长。\n" * 40)
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    assert page.inner_text(".reading summary") == "Used 31 of 40 sources, 27,412 of 32,768 tokens"
    page.click(".reading summary")
    assert page.locator(".reading .prompt").count() == 0
    page.click("text=Show the exact prompt")
    page.wait_for_selector(".reading .prompt")
    assert page.inner_text(".reading .prompt").startswith(prompt)
    screenshot(page, "turn_exact_prompt")
    page.click("text=Hide the prompt")
    page.wait_for_selector(".reading .prompt", state="detached")


def test_earlier_turns_stay_as_they_are_and_one_that_the_page_lacks_is_sent_again(engine, served, visit):  # noqa: F811
    page = ready(visit(served(engine)))
    for number in range(1, 4):
        ask(page, f"Question {number}?")
        answered(page, number)
    page.evaluate("document.querySelector('.turn').untouched = true")
    ask(page, "Question 4?")
    answered(page, 4)
    assert page.evaluate("document.querySelector('.turn').untouched")
    page.evaluate("const turn = document.querySelector('.turn'); turn.dataset.drawn = '1'; turn.replaceChildren()")
    ask(page, "Question 5?")
    answered(page, 5)
    page.wait_for_selector(".turn:first-of-type .answer .cite")
    assert page.locator("[data-same]").count() == 0
    assert page.locator(".turn .question").all_inner_texts() == [f"Question {number}?" for number in range(1, 6)]

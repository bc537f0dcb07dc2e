"""Picking a model on the page, over a scripted engine, in a real browser."""

import pytest

from rag.errors import ModelMissing, SettingRefused
from rag.messages import Message
from rag.records import Choice
from tests.browser.test_page import ready
from tests.waiting import until
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.fake_models import FakeDownload, FakeModels, FakeOffer, FakeRecommendation
from tests.webui.safe import NASTY

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KNOWN = (
    FakeOffer("zai-org/GLM-4-9B-0414", "GLM-4-9B-0414"),
    FakeOffer("THUDM/glm-edge-4b-chat", "glm-edge-4b-chat", 4.3, 8192, "custom", 5.9, 3.8, here=False),
    FakeOffer("THUDM/chatglm2-6b-int4", "chatglm2-6b-int4", 6.2, 8192, "custom", None, 5.2, here=False),
    FakeOffer("THUDM/GLM-4-32B-0414", "GLM-4-32B-0414", 32.6, 32768, "MIT", 36.5, 22.3, fits="", here=False),
    *(FakeOffer(f"THUDM/model-{n}", f"model-{n}", here=False) for n in range(16)),
)


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    return engine


def reader(page):
    return page.locator(".choice:has(.what:text-is('Reader'))")


def menu(page):
    """The reader's chip and the list of models in it, opened."""
    reader(page).locator("> summary").click()
    page.click("text=Choose a model")
    page.wait_for_selector(".offers li")
    return page


def test_a_model_is_picked_and_its_progress_shown(engine, served, visit):
    models = FakeModels(*KNOWN)
    page = ready(visit(served(engine, models)))
    assert models.looked == 0
    menu(page)
    assert page.locator(".offers input:not(:disabled)").count() == 2
    page.check(".offers input[value='zai-org/GLM-4-9B-0414']")
    page.select_option(".models select", "int4")
    page.click("text=Use this model")
    page.wait_for_selector(".models", state="detached")
    assert models.picked == [("zai-org/GLM-4-9B-0414", "int4")]
    engine.choose(Choice("reader", "Quote reader", Message("answers meanwhile; 40 of 283 tensors loaded"), ready=False))
    page.wait_for_selector(".why:has-text('40 of 283 tensors loaded')")
    assert "model loading" in reader(page).locator("> summary").inner_text()
    engine.choose(Choice("reader", "GLM-4-9B-0414 · INT4 · cpu", Message("it fits")))
    page.wait_for_selector("summary:has-text('GLM-4-9B-0414 · INT4 · cpu')")


def test_a_name_is_typed_and_a_refusal_is_a_sentence(engine, served, visit):
    models = FakeModels(*KNOWN)
    models.error = ModelMissing("<img src=x onerror=window.__xss=1> is not on this machine.")
    page = menu(ready(visit(served(engine, models))))
    page.check(".offers input[value='']")
    page.fill(".other input", "somebody/some-glm")
    assert page.locator(".offers input:checked").count() == 0
    page.press(".other input", "Enter")
    page.wait_for_selector(".refused")
    assert page.inner_text(".refused") == "<img src=x onerror=window.__xss=1> is not on this machine."
    engine.change()
    page.wait_for_timeout(1500)
    assert page.input_value(".other input") == "somebody/some-glm"
    models.error = None
    page.press(".other input", "Enter")
    until(lambda: models.picked == [("somebody/some-glm", "auto")])


def test_while_one_is_loading_another_is_refused_and_the_quote_reader_is_picked(engine, served, visit):
    models = FakeModels(*KNOWN)
    models.error = SettingRefused("GLM-4-9B-0414 is being loaded: choose another model when that is done.")
    page = menu(ready(visit(served(engine, models))))
    page.click(".models button")
    page.wait_for_selector(".refused:has-text('Choose a model from the list')")
    page.check(".offers input[value='']")
    page.click(".models button")
    page.wait_for_selector(".refused:has-text('is being loaded')")
    models.error = None
    page.click(".models button")
    until(lambda: models.picked == [("", "auto")])


def test_it_opens_and_closes_with_the_keyboard(engine, served, visit):
    page = ready(visit(served(engine, FakeModels(*KNOWN))))
    reader(page).locator("> summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".offers li")
    assert page.evaluate("document.activeElement.dataset.do") == "models"
    page.set_viewport_size({"width": 1024, "height": 600})
    last = page.locator(".models .hint")
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    assert box["y"] + box["height"] <= 600  # a list that is higher than the window scrolls
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("Escape")
    assert page.locator(".choice[open]").count() == 0
    assert page.evaluate("document.activeElement.nodeName") == "SUMMARY"
    reader(page).locator("> summary").click()
    page.mouse.click(1300, 400)
    assert page.locator(".choice[open]").count() == 0


def test_names_of_models_are_text(engine, served, visit):
    names = [name for name in NASTY if "\x00" not in name and "\ud800" not in name]
    page = menu(ready(visit(served(engine, FakeModels(*(FakeOffer(name, name, licence=name) for name in names))))))
    assert page.locator(".offers li").count() == len(names) + 1
    assert page.locator(".offers :is(img, script, iframe, a)").count() == 0


def test_with_a_login_nothing_can_be_picked(engine, served, visit):
    models = FakeModels(*KNOWN)
    page = visit(served(engine, models, logins={"ann": "a"}))
    page.fill("input >> nth=0", "ann")
    page.fill("input[type=password]", "a")
    page.click("button:has-text('Log in')")
    ready(page)
    reader(page).locator("> summary").click()
    assert page.locator("[data-do=models]").count() == 0


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_list_stays_inside_the_window(engine, served, visit, size, locale):
    page = ready(visit(served(engine, FakeModels(*KNOWN)), size=size, locale=locale))
    page.locator(".choice.picks > summary").click()
    page.click("[data-do=models]")
    page.wait_for_selector(".offers li")
    box = page.locator(".choice.picks .why").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] + box["height"] <= size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.is_visible(".models button")


def test_a_model_is_downloaded_and_a_server_connected_to_without_the_terminal(engine, served, visit, screenshot):
    models = FakeModels(*KNOWN, downloads=True)
    models.best = FakeRecommendation(KNOWN[1])
    page = ready(visit(served(engine, models)))
    reader(page).locator("> summary").click()
    page.click("text=Choose a model")
    page.wait_for_selector(".recommended:has-text('glm-edge-4b-chat')")
    assert not page.locator(".offers").is_visible()  # the others are behind "All models"
    screenshot(page, "model-picker")
    page.click("text=Download and use")
    until(lambda: models.picked == [("THUDM/glm-edge-4b-chat", "int4")])
    models.download = FakeDownload("THUDM/glm-edge-4b-chat")
    engine.change()
    page.click(".transfer >> text=Pause")
    until(lambda: models.done == [("download", "pause")])
    models.download = None
    page.click("text=Choose a model")
    page.click("text=Connect to a model server")
    page.fill("input[name=server]", "http://localhost:8000")
    page.fill("input[name=key]", "secret")
    page.click("text=Test connection")
    page.select_option("select[name=model]", "glm-4.5-air")
    page.click(".server >> text=Use this model")
    until(lambda: models.done[-1] == ("connect", "http://localhost:8000", "secret", "glm-4.5-air"))

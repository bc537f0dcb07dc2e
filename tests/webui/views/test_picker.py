"""The control that picks a model: when it is there, what it shows, what it lets through."""

from types import SimpleNamespace

import pytest

from rag.errors import SettingRefused
from rag.messages import Message
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine
from tests.webui.fake_models import FakeDownload, FakeModels, FakeOffer, FakeRecommendation
from tests.webui.handling import REQUEST, sent
from tests.webui.safe import NASTY, look
from webui.session import Session
from webui.views.picker import picker_html
from webui.views.status import head_html

HERE = FakeOffer("zai-org/GLM-4-9B-0414", "GLM-4-9B-0414")
AWAY = FakeOffer("THUDM/chatglm3-6b", "chatglm3-6b", 6.2, 8192, "custom", None, 4.5, fits="", here=False)


def shown(models, language="en"):
    session = Session("", language)
    session.offers = models.offers()
    return look(picker_html(models, session))


def radios(looked):
    return {at["value"]: "disabled" in at for tag, at in looked.elements if at.get("type") == "radio"}


def test_nothing_is_drawn_where_no_model_can_be_picked():
    assert picker_html(None, Session("", "en")) == ""
    head = head_html(FakeEngine.choices(SimpleNamespace(picked=())), "en", "")
    assert "models" not in head


def test_the_offers_wait_until_they_are_asked_for():
    models = FakeModels(HERE)
    looked = look(picker_html(models, Session("", "en")))
    assert looked.text == "Choose a model"
    assert models.looked == 0


def test_each_offer_says_what_it_needs_and_whether_it_can_be_had():
    text = shown(FakeModels(HERE, AWAY)).text
    assert (
        "GLM-4-9B-0414 on this machinefits in memory in INT49.4B · 32K context · INT8 11.2 GB · INT4 7.1 GB · MIT"
        in text
    )
    assert "chatglm3-6b not on this machinetoo large6.2B · 8K context · INT4 4.5 GB · custom licence" in text
    assert "restart with --allow-download" in text
    assert "GLM-4-9B-0414 本机已有INT4 精度下内存足够9.4B · 上下文 32K" in shown(FakeModels(HERE), "zh").text


def test_what_is_not_known_is_left_out():
    mine = FakeOffer("mine", "mine", None, None, "", None, None, None)
    assert "mine on this machineAnother" in shown(FakeModels(mine)).text


def test_only_what_is_here_can_be_picked_unless_models_are_fetched():
    assert radios(shown(FakeModels(HERE, AWAY))) == {"": False, HERE.name: False, AWAY.name: True}
    looked = shown(FakeModels(HERE, AWAY, downloads=True))
    assert not any(radios(looked).values())
    assert "will be downloaded" in looked.text
    assert "--allow-download" not in looked.text


def test_a_folder_is_asked_for_only_where_one_may_be_named():
    assert "its Hugging Face id, or a folder" in shown(FakeModels(HERE)).text
    assert "or a folder" not in shown(FakeModels(HERE, folders=False)).text


def test_names_and_refusals_stay_text():
    session = Session("", "en")
    for text in NASTY:
        models = FakeModels(FakeOffer(text, text, licence=text))
        session.offers, session.pick_problem = models.offers(), Message(text)
        looked = look(picker_html(models, session))
        assert sum(at.get("type") == "radio" for _, at in looked.elements) == 2


def test_the_reader_is_told_apart_from_the_model_on_its_way(tmp_path):
    from rag.messages import Message
    from rag.records import Choice

    for changes, word in (({"ready": False}, "model loading"), ({"failed": Message("It is damaged.")}, "model failed")):
        text = look(head_html((Choice("reader", "Quote reader", Message("answers"), **changes),), "en", "")).text
        assert f"Quote reader {word}" in text


# ---- what a page sends


@pytest.fixture
def asked(tmp_path):
    """A function that does something in the head, and gives the session."""

    def do(models, **data):
        handlers = handling.handlers(FakeEngine(tmp_path), models)
        handlers.in_head(sent(do="models"), REQUEST)
        handlers.in_head(sent(**data), REQUEST)
        return handlers.session(REQUEST)

    return do


def test_picking_starts_it_and_closes_the_list(asked):
    models = FakeModels(HERE)
    session = asked(models, do="pick", model=HERE.name, precision="int4")
    assert models.picked == [(HERE.name, "int4")]
    assert session.offers is None
    assert session.pick_problem is None


def test_a_refusal_leaves_the_list_open(asked):
    models = FakeModels(HERE)
    models.error = SettingRefused("Another one is being loaded.")
    session = asked(models, do="pick", model=HERE.name, precision="auto")
    assert str(session.pick_problem) == "Another one is being loaded."
    assert session.offers == (HERE,)


@pytest.mark.parametrize("model", [None, 7, ["x"], {}])
def test_nothing_picked_is_said(asked, model):
    models = FakeModels(HERE)
    assert asked(models, do="pick", model=model).pick_problem == Message("Choose a model from the list, or name one.")
    assert models.picked == []


def test_without_models_a_page_can_send_what_it_likes(asked):
    session = asked(None, do="pick", model=HERE.name, precision="auto")
    assert (session.offers, session.pick_problem) == (None, None)


def test_the_recommended_model_says_what_it_takes_and_is_downloaded_by_a_click(asked):
    models = FakeModels(AWAY, downloads=True)
    models.best = FakeRecommendation(AWAY)
    session = asked(models, do="nothing")
    looked = look(picker_html(models, session))
    assert "Recommended for this machine" in looked.text
    assert "6.2 billion parameters" in looked.text
    assert "needs 7.2 GB of memory (INT4)" in looked.text
    assert "about 3.4 tokens a second (estimate)" in looked.text
    assert "18.8 GB to download" in looked.text
    (button,) = [at for _, at in looked.elements if at.get("data-do") == "recommended"]
    assert (button["data-model"], button["data-precision"], "disabled" in button) == (AWAY.name, "int4", False)
    models.downloads = False
    (button,) = [at for _, at in look(picker_html(models, session)).elements if at.get("data-do") == "recommended"]
    assert "disabled" in button


def test_a_download_shows_how_far_it_is_and_can_be_paused_resumed_and_cancelled(asked):
    models = FakeModels(AWAY, downloads=True)
    models.download = FakeDownload(AWAY.name)

    def controls(session):
        looked = look(picker_html(models, session))
        assert "1.2 of 18.8 GB" in looked.text
        return [at["data-action"] for _, at in looked.elements if at.get("data-do") == "download"]

    assert controls(asked(models, do="download", action="pause")) == ["pause", "cancel"]
    assert models.done == [("download", "pause")]
    models.download = FakeDownload(AWAY.name, paused=True)
    assert controls(Session("", "en")) == ["resume", "cancel"]
    models.download = FakeDownload(AWAY.name, failed=Message("The hub has no such model."))
    assert controls(Session("", "en")) == ["resume", "cancel"]
    assert "The hub has no such model." in look(picker_html(models, Session("", "en"))).text


def test_a_server_is_tested_then_used_and_its_key_is_never_drawn(asked):
    models = FakeModels(HERE)
    session = asked(models, do="test-server", server=" http://localhost:8000 ", key="secret")
    assert models.done == [("served", "http://localhost:8000", "secret")]
    html = picker_html(models, session)
    assert "glm-4.5-air · 128K context" in look(html).text
    assert "secret" not in html
    session = asked(models, do="connect", server="http://localhost:8000", key="secret", model="glm-4-9b")
    assert models.done[-1] == ("connect", "http://localhost:8000", "secret", "glm-4-9b")
    assert session.offers is None
    session = asked(models, do="nothing")
    assert "Connected to glm-4-9b at http://localhost:8000" in look(picker_html(models, session)).text
    asked(models, do="disconnect")
    assert models.connection is None

"""The control that picks a model: when it is there, what it shows, what it lets through."""

from types import SimpleNamespace

import pytest

from rag.errors import SettingRefused
from tests.webui.fake_engine import FakeEngine, FakeModels, FakeOffer
from tests.webui.safe import NASTY, look
from webui.conversation import Conversation
from webui.page import Handlers
from webui.views.picker import picker_html
from webui.views.status import head_html

HERE = FakeOffer("zai-org/GLM-4-9B-0414", "GLM-4-9B-0414")
AWAY = FakeOffer("THUDM/chatglm3-6b", "chatglm3-6b", 6.2, 8192, "custom", None, 4.5, fits=False, here=False)


def shown(models, language="en"):
    conversation = Conversation("", language)
    conversation.offers = models.offers()
    return look(picker_html(models, conversation))


def radios(looked):
    return {at["value"]: "disabled" in at for tag, at in looked.elements if at.get("type") == "radio"}


def test_nothing_is_drawn_where_no_model_can_be_picked():
    assert picker_html(None, Conversation("", "en")) == ""
    head = head_html(FakeEngine.choices(SimpleNamespace(picked=())), "en", "")
    assert "models" not in head


def test_the_offers_wait_until_they_are_asked_for():
    models = FakeModels(HERE)
    looked = look(picker_html(models, Conversation("", "en")))
    assert looked.text == "Choose a model"
    assert models.looked == 0


def test_each_offer_says_what_it_needs_and_whether_it_can_be_had():
    text = shown(FakeModels(HERE, AWAY)).text
    assert "GLM-4-9B-0414 on this machinefits9.4B · 32K context · INT8 11.2 GB · INT4 7.1 GB · MIT" in text
    assert "chatglm3-6b not on this machinetoo large6.2B · 8K context · INT4 4.5 GB · maker's own licence" in text
    assert "after a start with --allow-download" in text
    assert "GLM-4-9B-0414 已在本机可运行9.4B · 上下文 32K" in shown(FakeModels(HERE), "zh").text


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
    assert "a hub id or a folder" in shown(FakeModels(HERE)).text
    assert "folder" not in shown(FakeModels(HERE, folders=False)).text


def test_names_and_refusals_stay_text():
    conversation = Conversation("", "en")
    for text in NASTY:
        models = FakeModels(FakeOffer(text, text, licence=text))
        conversation.offers, conversation.pick_problem = models.offers(), text
        looked = look(picker_html(models, conversation))
        assert sum(at.get("type") == "radio" for _, at in looked.elements) == 2


def test_the_reader_is_told_apart_from_the_model_on_its_way(tmp_path):
    from rag.records import Choice

    for changes, word in (({"ready": False}, "model loading"), ({"failed": "It is damaged."}, "model failed")):
        text = look(head_html((Choice("reader", "Quote reader", "answers", **changes),), "en", "")).text
        assert f"Quote reader {word}" in text


# ---- what a page sends


@pytest.fixture
def asked(tmp_path):
    """A function that does something in the head, and gives the conversation."""

    def do(models, **data):
        handlers = Handlers(FakeEngine(tmp_path), models, raise_errors=True)
        request = SimpleNamespace(cookies={}, headers={}, username=None, session_hash="s")
        handlers.in_head(SimpleNamespace(_data={"do": "models"}), request)
        handlers.in_head(SimpleNamespace(_data=data), request)
        return handlers.conversation(request)

    return do


def test_picking_starts_it_and_closes_the_list(asked):
    models = FakeModels(HERE)
    conversation = asked(models, do="pick", model=HERE.name, precision="int4")
    assert models.picked == [(HERE.name, "int4")]
    assert conversation.offers is None
    assert conversation.pick_problem == ""


def test_a_refusal_leaves_the_list_open(asked):
    models = FakeModels(HERE)
    models.error = SettingRefused("Another one is being loaded.")
    conversation = asked(models, do="pick", model=HERE.name, precision="auto")
    assert conversation.pick_problem == "Another one is being loaded."
    assert conversation.offers == (HERE,)


@pytest.mark.parametrize("model", [None, 7, ["x"], {}])
def test_nothing_picked_is_said(asked, model):
    models = FakeModels(HERE)
    assert asked(models, do="pick", model=model).pick_problem == "Choose a model from the list, or name one."
    assert models.picked == []


def test_without_models_a_page_can_send_what_it_likes(asked):
    conversation = asked(None, do="pick", model=HERE.name, precision="auto")
    assert (conversation.offers, conversation.pick_problem) == (None, "")

"""The person's settings on the page: what is kept, for whom, and what the next question is asked with."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from rag.manner import MAX_INSTRUCTION_CHARACTERS, AnswerLanguage, AnswerLength, Manner, default_instruction
from rag.messages import Message
from rag.preferences import DEFAULT_PREFERENCES, Preferences, Strictness
from rag.records import AskOptions, Choice
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.handling import REQUEST, sent
from webui.own_conversations import OwnConversations
from webui.session import Session
from webui.views.settings import settings_html


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("a.pdf")]
    engine.answer = [("Sales rose.", (1,))]
    engine.picked = (Choice("reader", "GLM-4-9B", Message("as requested")), *engine.picked[1:])
    yield engine
    engine.close()


@pytest.fixture
def page(engine):
    """Handlers, and a function that gives a person's session and one that sends what their dialog sends."""
    handlers = handling.handlers(engine)

    def request(who):
        return SimpleNamespace(**{**vars(REQUEST), "username": who})

    class Page:
        def session(self, who="ann"):
            return handlers.session(request(who))

        def send(self, who="ann", **data):
            handlers.in_head(sent(**data), request(who))
            return self.session(who)

        def change(self, name, value, who="ann"):
            return self.send(who, do="setting", name=name, value=value)

        def ask(self, who="ann"):
            for _ in handlers.ask("How much?", request(who)):
                pass
            return engine.options

    return Page()


@pytest.mark.parametrize(
    ("name", "value", "preferences"),
    [
        ("sources", "3", Preferences(sources=3)),
        ("sources", "", Preferences()),
        ("strictness", "strict", Preferences(strictness=Strictness.STRICT)),
        ("length", "long", Preferences(manner=Manner(length=AnswerLength.LONG))),
        ("language", "chinese", Preferences(manner=Manner(language=AnswerLanguage.CHINESE))),
        ("temperature", "0.5", Preferences(temperature=0.5)),
        ("temperature", "0", Preferences(temperature=0.0)),
        ("english", " Rhyme. ", Preferences(manner=Manner(english="Rhyme."))),
        ("chinese", "押韵", Preferences(manner=Manner(chinese="押韵"))),
        ("english", default_instruction(in_chinese=False), Preferences()),
        ("reasons", False, Preferences(reasons=False)),
        ("follow_ups", False, Preferences(follow_ups=False)),
    ],
)
def test_a_setting_is_in_force_for_the_next_question_of_this_person_alone(page, name, value, preferences):
    assert page.change(name, value).setting_problem is None
    assert page.ask() == AskOptions(complete=preferences.follow_ups, preferences=preferences)
    assert page.ask("bob") == AskOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sources", "0"), ("sources", "21"), ("sources", "many"), ("sources", "nan"), ("temperature", "-1"),
        ("temperature", "inf"), ("temperature", "1.5"), ("strictness", "none"), ("length", None),
        ("language", "klingon"), ("english", "x" * (MAX_INSTRUCTION_CHARACTERS + 1)), ("owner", "bob"), (None, None),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_changes_nothing(page, name, value):
    page.change("sources", "4")
    assert page.change(name, value).setting_problem is not None
    assert page.ask() == AskOptions(preferences=Preferences(sources=4))


def test_all_settings_go_back_to_the_defaults(page):
    page.change("sources", "4")
    page.change("reader", "quotes")
    page.send(do="default-settings")
    assert page.ask() == AskOptions()


def test_settings_outlast_a_restart_and_an_exchange_keeps_none_of_them(page, engine):
    page.change("english", "Rhyme.")
    page.ask()
    owner = page.session().own.owner
    (exchange,) = engine.conversations.exchanges(owner, page.session().conversation.id, [1])
    assert "Rhyme" not in exchange.data
    engine.close()
    engine.opened = None
    assert engine.preferences.of(owner) == Preferences(manner=Manner(english="Rhyme."))


def test_without_a_place_to_store_them_settings_last_as_long_as_the_page(engine):
    session = Session("", "en")
    session.prefer(engine, lambda before: replace(before, sources=2))
    assert session.preferences(engine).sources == 2
    assert Session("", "en").preferences(engine) == DEFAULT_PREFERENCES


def test_the_reader_is_chosen_for_one_conversation_and_stays_with_it(page, engine):
    session = page.change("reader", "quotes")
    assert page.ask() == AskOptions(quotes=True)
    first = session.conversation.id
    session.begin()
    assert page.ask() == AskOptions()
    own = OwnConversations(engine.conversations, session.own.owner)  # as after a restart
    assert own.open(first).quotes
    session.resume(first)
    assert page.ask() == AskOptions(quotes=True)


def test_hostile_instructions_are_shown_as_text(page, engine):
    session = page.change("english", "</textarea><script>alert(1)</script>")
    html = settings_html(engine, session)
    assert "<script>" not in html
    assert "&lt;/textarea&gt;&lt;script&gt;" in html


def test_without_a_model_there_is_no_reader_to_choose(page, engine):
    engine.picked = (replace(engine.picked[0], name="Quote reader · no model"), *engine.picked[1:])
    html = settings_html(engine, page.session())
    assert 'aria-describedby="about-reader" disabled' in html
    assert "No model is loaded" in html

"""The dialog with the person's settings, each with one sentence that tells what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from rag.answer.quote import QuoteReader
from rag.manner import MAX_INSTRUCTION_CHARACTERS, AnswerLanguage, AnswerLength, default_instruction
from rag.preferences import DEFAULT_PREFERENCES, Preferences, Strictness
from webui.engine import Engine
from webui.session import Session
from webui.strings import Language, say
from webui.views.render import render

SOURCES: Final = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
TEMPERATURES: Final = (0.0, 0.2, 0.5, 0.8, 1.0)
_WORDS: Final = {
    Strictness.RELAXED: "strictness_relaxed",
    Strictness.NORMAL: "usual",
    Strictness.STRICT: "strictness_strict",
    AnswerLength.SHORT: "length_short",
    AnswerLength.NORMAL: "usual",
    AnswerLength.LONG: "length_long",
    AnswerLanguage.QUESTION: "language_question",
    AnswerLanguage.ENGLISH: "language_english",
    AnswerLanguage.CHINESE: "language_chinese",
}
_TITLES: Final = {
    "strictness": ("setting_strictness", "setting_strictness_hint"),
    "length": ("setting_length", "setting_length_hint"),
    "language": ("setting_language", "setting_language_hint"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """A value that a setting can have."""

    value: str
    word: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting with a list of possible values."""

    name: str
    title: str
    sentence: str
    options: list[Option]
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class _Instruction:
    """The instruction for a model, in one language."""

    name: str
    title: str
    text: str
    default: str
    lang: str


def settings_html(engine: Engine, session: Session) -> Markup:
    """The dialog; the page's script opens and closes it."""
    preferences, language = session.preferences(engine), session.language
    manner = preferences.manner
    return render(
        "settings.html",
        language,
        reader=reader_setting(engine, language, quotes=session.conversation.quotes),
        settings=usual_settings(engine, preferences, language),
        temperature=temperature_setting(preferences, language),
        follow_ups=preferences.follow_ups,
        reasons=preferences.reasons,
        instructions=[
            _instruction("english", manner.english, language, in_chinese=False),
            _instruction("chinese", manner.chinese, language, in_chinese=True),
        ],
        characters=MAX_INSTRUCTION_CHARACTERS,
        changed=preferences != DEFAULT_PREFERENCES or session.conversation.quotes,
        problem=session.setting_problem,
    )


def usual_settings(engine: Engine, preferences: Preferences, language: Language) -> list[Setting]:
    """The settings that everybody needs."""
    manner = preferences.manner
    return [
        _sources(engine, preferences, language),
        _named("strictness", Strictness, preferences.strictness, language),
        _named("length", AnswerLength, manner.length, language),
        _named("language", AnswerLanguage, manner.language, language),
    ]


def model_name(engine: Engine) -> str:
    """The name of the model that is loaded; "" if there are only quotes."""
    return next((one.name for one in engine.choices() if one.what == "reader" and one.name != QuoteReader.name), "")


def reader_setting(engine: Engine, language: Language, *, quotes: bool) -> Setting:
    """Which reader answers; without a model there is no choice."""
    model = model_name(engine)
    options = [Option("quotes", say(language, "quote_reader"), quotes or not model)]
    if model:
        options.insert(0, Option("", model, not quotes))
    sentence = say(language, "setting_reader_hint" if model else "setting_reader_none")
    return Setting("reader", say(language, "setting_reader"), sentence, options, disabled=not model)


def _sources(engine: Engine, preferences: Preferences, language: Language) -> Setting:
    default = Option("", say(language, "default_is", value=engine.settings.retrieval.sources), not preferences.sources)
    options = [default, *(Option(str(n), str(n), preferences.sources == n) for n in SOURCES)]
    return Setting("sources", say(language, "setting_sources"), say(language, "setting_sources_hint"), options)


def temperature_setting(preferences: Preferences, language: Language) -> Setting:
    """How freely a model words its answers."""
    chosen = preferences.temperature
    options = [Option("", say(language, "setting_temperature_default"), chosen is None)]
    options += [Option(str(one), str(one), chosen == one) for one in TEMPERATURES]
    title, sentence = say(language, "setting_temperature"), say(language, "setting_temperature_hint")
    return Setting("temperature", title, sentence, options)


def _named(
    name: str, values: type[Strictness | AnswerLength | AnswerLanguage], chosen: str, language: Language
) -> Setting:
    options = [Option(value, say(language, _WORDS[value]), value == chosen) for value in values]
    title, sentence = _TITLES[name]
    return Setting(name, say(language, title), say(language, sentence), options)


def _instruction(name: str, own: str, language: Language, *, in_chinese: bool) -> _Instruction:
    default = default_instruction(in_chinese=in_chinese)
    title = say(language, "setting_chinese" if in_chinese else "setting_english")
    return _Instruction(name, title, own or default, default, "zh" if in_chinese else "en")

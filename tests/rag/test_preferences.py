"""What a person prefers changes what an engine does with their next question."""

from __future__ import annotations

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.manner import AnswerLanguage, AnswerLength, Manner
from rag.preferences import DEFAULT_PREFERENCES, Preferences, Strictness
from rag.reader import Sampling
from rag.records import AnswerState, AskOptions, Found
from rag.settings import AnswerSettings, Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.answer.test_doubt import CONTRACT, MANUAL
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf

PAGES = [f"The red pump number {n} was built by Meridian in the year {1930 + n}." for n in range(12)]
PUMPS = text_pdf(PAGES)


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        add(opened, ("pumps.pdf", PUMPS), ("manual.pdf", MANUAL), ("合同.pdf", CONTRACT))
        yield opened


def asked(engine, question, **preferences):
    found, *_, answer = engine.ask("", question, options=AskOptions(preferences=Preferences(**preferences)))
    assert isinstance(found, Found)
    return found, answer


@pytest.mark.parametrize("count", [1, 3, 10])
def test_as_many_sources_are_found_as_are_wanted(engine, count):
    assert len(asked(engine, "When was the red pump built?", sources=count)[0].sources) == count


def test_strict_refuses_what_relaxed_gives(engine):
    question = "Which firm owns Meridian?"
    assert asked(engine, question, strictness=Strictness.RELAXED)[1].state is AnswerState.CLOSEST
    assert asked(engine, question, strictness=Strictness.STRICT)[1].state is AnswerState.NONE


def test_strict_doubts_what_a_model_says_where_relaxed_does_not(engine):
    for strictness, state in ((Strictness.RELAXED, AnswerState.ANSWER), (Strictness.STRICT, AnswerState.CLOSEST)):
        engine.use_reader(ScriptedReader(["Its founders do [1]."]), engine.choices()[0].why)
        assert asked(engine, "Which firm owns Meridian?", strictness=strictness)[1].state is state


def test_longer_answers_quote_more_sentences(engine):
    quoted = [
        len(asked(engine, "When was the red pump built by Meridian?", manner=Manner(length=length))[1].sentences)
        for length in (AnswerLength.SHORT, AnswerLength.NORMAL, AnswerLength.LONG)
    ]
    assert quoted[0] == 1
    assert quoted[0] < quoted[1] < quoted[2]


def test_a_model_gets_the_temperature_the_length_and_the_manner(engine):
    reader = ScriptedReader(["It was built in 1931 [1]."], ["It was built in 1931 [1]."])
    engine.use_reader(reader, engine.choices()[0].why)
    manner = Manner(AnswerLanguage.CHINESE, AnswerLength.SHORT, english="Rhyme.")
    asked(engine, "When was the red pump built?", temperature=0.8, manner=manner)
    asked(engine, "When was the red pump built?")
    wanted, usual = reader.history
    assert (wanted.sampling.temperature, wanted.manner) == (0.8, manner)
    assert wanted.sampling.max_tokens < usual.sampling.max_tokens
    assert (usual.sampling, usual.manner) == (Sampling(), Manner())


def test_a_long_instruction_leaves_less_room_for_sources(engine):
    reader = ScriptedReader(["It was [1]."], ["It was [1]."])
    reader.context_tokens = 460
    engine.use_reader(reader, engine.choices()[0].why)
    asked(engine, "When was the red pump built?")
    asked(engine, "When was the red pump built?", manner=Manner(english="Be brief. " * 50))
    usual, wordy = reader.history
    assert 0 < len(wordy.sources) < len(usual.sources)


def test_a_long_answer_takes_at_most_a_share_of_the_context():
    long = Preferences(manner=Manner(length=AnswerLength.LONG))
    assert long.sampling(Sampling(max_tokens=1000), 32_000).max_tokens == 2000
    assert long.sampling(Sampling(max_tokens=1000), 6_000).max_tokens == 1500
    assert long.sampling(Sampling(max_tokens=1000), 4_000).max_tokens == 1000


def test_a_short_context_has_room_for_sources_beside_the_answer():
    assert DEFAULT_PREFERENCES.sampling(Sampling(), 2_048).max_tokens == 512
    assert DEFAULT_PREFERENCES.sampling(Sampling(max_tokens=100), 2_048).max_tokens == 100


def test_a_model_of_1024_tokens_keeps_room_for_sources():
    assert DEFAULT_PREFERENCES.sampling(Sampling(max_tokens=1024), 1_024).max_tokens == 256
    assert DEFAULT_PREFERENCES.sampling(Sampling(max_tokens=100), 1_024).max_tokens == 100


def test_the_defaults_change_nothing():
    assert DEFAULT_PREFERENCES.sampling(Sampling(), 8_192) == Sampling()
    assert DEFAULT_PREFERENCES.answering(AnswerSettings()) == AnswerSettings()


def test_relaxed_and_strict_move_every_gate_to_either_side():
    default = AnswerSettings().doubt
    relaxed, strict = (
        Preferences(strictness=strictness).answering(AnswerSettings()).doubt
        for strictness in (Strictness.RELAXED, Strictness.STRICT)
    )
    for gates in ("alphabetic", "han", "alphabetic_to_han", "han_to_alphabetic"):
        for gate in ("answer", "closest"):
            low, usual, high = (getattr(getattr(doubt, gates), gate) for doubt in (relaxed, default, strict))
            assert 0 < low < usual < high < 1
    assert relaxed.unverified_answer < default.unverified_answer < strict.unverified_answer < 1

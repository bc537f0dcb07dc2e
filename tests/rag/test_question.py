from __future__ import annotations

import pytest

from rag.question import complete, points_back
from rag.reader import Turn


@pytest.mark.parametrize(
    "question",
    [
        "And in 2023?",
        "What about Asia?",
        "How heavy is it?",
        "Why?",
        "那2023年呢？",
        "它的重量是多少？",
        "为什么？",
        "上述合同的有效期是多久？",
    ],
)
def test_questions_that_point_back(question):
    assert points_back(question)
    assert complete(question, [Turn("Who built the red pump in Gdansk?", "Ann.")]).endswith(question)
    assert complete(question, []) == question


@pytest.mark.parametrize(
    "question",
    [
        "Who built the red pump in Gdansk?",
        "What was the revenue of Adobe in 2016?",
        "格但斯克的红色水泵是谁建造的？",
        "合同编号是多少？",
    ],
)
def test_questions_that_stand_alone(question):
    assert complete(question, [Turn("How is the weather today?", "Fine.")]) == question


def test_a_chain_of_follow_ups_goes_back_to_the_subject():
    history = [Turn("Who built the red pump in Gdansk?", "Ann."), Turn("And when?", "1931.")]
    assert complete("How heavy is it?", history) == "Who built the red pump in Gdansk? And when? How heavy is it?"

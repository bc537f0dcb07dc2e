from __future__ import annotations

import pytest

from rag.errors import QuestionRefused
from rag.reader import Turn
from rag.retrieve.follow_up import complete_question
from rag.retrieve.query import build_query, split_question, validate_question
from rag.settings import QuerySettings

MAX_PARTS = QuerySettings().max_parts


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        pytest.param(
            "What is the warranty period of the pump? Who pays for return shipping?",
            ("What is the warranty period of the pump?", "Who pays for return shipping?"),
            id="two sentences",
        ),
        pytest.param(
            "Who designed the red bridge, and in which year did the mill open?",
            ("Who designed the red bridge", "in which year did the mill open?"),
            id="two clauses",
        ),
        pytest.param(
            "Who designed the red bridge and when was it opened for trains?",
            ("Who designed the red bridge", "When was the red bridge opened for trains?"),
            id="the second points back",
        ),
        pytest.param(
            "合同什么时候生效，违约金怎么计算？",
            ("合同什么时候生效", "合同什么时候生效，违约金怎么计算？"),
            id="a short chinese clause goes on about the same",
        ),
        pytest.param("水泵的保修期是多长？运费由谁承担？", ("水泵的保修期是多长？", "运费由谁承担？"), id="chinese"),
        pytest.param(
            "若乙方违约，甲方能否解除合同？乙方如何赔偿？",
            ("若乙方违约，甲方能否解除合同？", "乙方如何赔偿？"),
            id="chinese condition",
        ),
        pytest.param(
            "What is the rent? When must the tenant pay?",
            ("What is the rent?", "When must the tenant pay?"),
            id="short",
        ),
        pytest.param(
            "Summarize chapter 3 and explain how the test was set up.",
            ("Summarize chapter 3", "explain how the test was set up."),
            id="requests",
        ),
    ],
)
def test_a_compound_question_is_split_into_its_parts(question, parts):
    assert split_question(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "What was the revenue in 2018 and in 2019?",
        "Explain what it is and how it works.",
        "Which player got a penalty, which gave the other team a new chance?",
        "Who backed plans that sound good and have poor prospects?",
        "What is the quick ratio of Northwind? If it is no useful figure, state that and explain why.",
        "What is the net margin? Define it as net income over revenue. Answer in percents.",
        "When primarily referencing the income statement, what is the gross margin of Northwind?",
        "Who mapped the St. Johns River in 1562?",
        "在评估图灵机解决任何给定问题集的能力时，最关键的资源是什么？",
        "甲公司和乙公司的收入分别是多少？",
        "近几年来，公司的收入如何变化？",
        "很多大型企业破产了，原因是什么？",
        "无论谁违约，守约方都可以解除合同吗？",
        "“保修期多长？”这句话出现在第几页？",
        "Do we know when and where the samples were taken?",
        "What does Acme Corp. Report for 2020?",
        "What is the difference between the first Act; the Data Act; and the Markets Act?",
        "What was the total revenue of the company\nin the fiscal year 2022?",
        "Is the supplier liable for damage? Yes or no?",
        "Can I return the pump? Can you help?",
        "Hi, how are you? What was the revenue of 3M in 2018?",
        "公司盈利了吗？对吗？",
        "合同有效期是多久？可以告诉我吗？",
        "你好吗？3M公司2018年的收入是多少？",
        "How did revenue change between what was reported in 2018 and what was reported in 2019?",
        "pump weight",
        "?" * 4000,
        "对吗" * 1900 + "x？",
        "",
    ],
)
def test_a_single_question_stays_whole(question):
    assert split_question(question) == ()


def test_a_question_is_searched_whole_and_in_parts_each_within_the_limit():
    question = "Who owns the northern mill? How high is the red bridge?"
    query = build_query(question, [], 24, QuerySettings())
    assert (query.question, query.completed) == (question, question[-24:])
    assert query.parts == ("o owns the northern mill?"[-24:], "How high is the red bridge?"[-24:])
    assert query.texts == (query.completed, *query.parts)
    assert build_query(question, [], 99, QuerySettings(split_questions=False)).parts == ()


def test_a_question_is_refused_if_empty_or_too_long_and_cleaned_otherwise():
    assert validate_question("  why\ud800?\n", 5) == "why??"
    for question, limit, words in (
        (" \n", 10, "type one first"),
        ("why " * 500, 1_000, r"1,999 characters, the limit is 1,000"),
    ):
        with pytest.raises(QuestionRefused, match=words):
            validate_question(question, limit)


def test_parts_are_completed_from_the_conversation():
    before = [Turn("Who built the red pump in Gdansk?", "Ann.")]
    first, second = split_question("How heavy is it in kilograms? Which colour has the northern valve?", before)
    assert first == "How heavy is the red pump in kilograms?"
    assert second == "Which colour has the northern valve?"
    *_, last = split_question("How heavy is it in kilograms and who sold it to the city?", before)
    assert last == "Who sold the red pump to the city?"
    first, _ = split_question("And the profit? Which colour has the northern valve?", before)
    assert first == "What is the profit of the red pump?"
    _, second, third = split_question("3M的收入是多少，利润是多少，负债是多少？", before)
    assert (second, third) == ("3M的收入是多少，利润是多少", "3M的收入是多少，利润是多少，负债是多少？")


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("Who built the red pump in Gdansk?", "How heavy is it?"),
        ("What was the revenue of Northwind?", "And in 2023?"),
        ("3M公司是做什么的？", "它的重量是多少？"),
    ],
)
def test_a_completed_question_that_is_saved_is_searched_as_it_was_asked(before, question):
    completed = complete_question(question, [Turn(before, "x")])
    assert split_question(question, [Turn(before, "x")]) == split_question(completed) == ()


def test_a_question_with_too_many_parts_is_searched_whole():
    assert len(split_question("Who owns the northern mill? " * MAX_PARTS)) == MAX_PARTS
    assert split_question("Who owns the northern mill? " * (MAX_PARTS + 1)) == ()

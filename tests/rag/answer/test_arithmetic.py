from __future__ import annotations

import time

import pytest

from rag.answer.arithmetic import MAX_CHARACTERS, MAX_DEPTH, compute


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("1+1?", "2"),
        ("1 + 1", "2"),
        ("What is 2 + 3 * 4?", "14"),
        ("(2 + 3) * 4 =", "20"),
        ("what is 15% of 80", "12"),
        ("10 % 3", "1"),
        ("2^10", "1,024"),
        ("2^-1?", "0.5"),
        ("-3 + 5", "2"),
        ("1,234.5 / 2 =", "617.25"),
        ("1/3?", "0.3333333333"),
        ("0.1 + 0.2", "0.3"),
        ("7 divided by 2", "3.5"),
        ("what's two plus two", "4"),
        ("3 × 4 ÷ 6", "2"),
        ("一加一", "2"),
        ("三乘以四等于多少？", "12"),
        ("一百二十除以三", "40"),
        ("80的15%是多少", "12"),
        ("百分之十五乘以80", "12"),
        ("请计算 3+5", "8"),
        ("５＋３＝？", "8"),
        ("1/0?", ""),
        ("9^399 * 9^399", ""),
        ("2^100000", ""),
    ],
)
def test_plain_arithmetic_is_computed(question, result):
    computed = compute(question)
    assert computed is not None
    assert computed[1] == result


@pytest.mark.parametrize(
    "question",
    [
        "What is 15% of revenue?",
        "2020",
        "2018-2020",
        "2018-19?",
        "12/31/2021",
        "31-12-2021",
        "10-K",
        "3.5%",
        "-5",
        "5",
        "2 3",
        "(1+2",
        "1++",
        "1+1 and the revenue?",
        "十大股东",
        "一般",
        "x",
        "what is one",
        "section 4-2",
        "__import__('os').system('x') + 1",
        "1" * 10 + "+" + "(" * 5000,
        "",
    ],
)
def test_anything_else_is_no_arithmetic(question):
    assert compute(question) is None


@pytest.mark.parametrize(
    "text", ["(" * 99 + "1" + ")" * 99, "-" * 198 + "1", "9^" * 90 + "9", "1+" * 99 + "1", "9" * 99 + "^399"]
)
def test_hostile_expressions_end_at_once(text):
    assert len(text) <= MAX_CHARACTERS
    began = time.process_time()
    computed = compute(text)
    assert time.process_time() - began < 1
    assert computed is None or len(computed[1]) < 60
    assert MAX_DEPTH < 99

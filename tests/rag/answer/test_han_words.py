"""Chinese text cut into words."""

from __future__ import annotations

import pytest

from rag.answer.han_words import han_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("净利润是多少", "净利润 是 多少"),
        ("比赛还剩多少时间", "比赛 还 剩 多少 时间"),
        ("百思买对宠物进店有什么规定", "百 思 买 对 宠物 进 店 有 什么 规定"),
        ("2021年", "2 0 2 1 年"),
        ("", ""),
    ],
)
def test_the_likeliest_words(text, words):
    assert [word.text for word in han_words(text)] == words.split()


def test_nothing_is_lost_or_put_in():
    text = "AS-206的试飞🙂有多少人参加了？"
    assert "".join(word.text for word in han_words(text)) == text

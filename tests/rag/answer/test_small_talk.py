from __future__ import annotations

import time

import pytest

from rag.answer import small_talk as replies
from rag.answer.small_talk import MAX_NAMES, is_small_talk, small_talk

NAMES = ["a.pdf", "<b>.pdf"]


def reply(text, names=tuple(NAMES)):
    return small_talk(text, lambda: names)


@pytest.mark.parametrize(
    ("expected", "texts"),
    [
        (
            replies.GREETING,
            "hi|Hello!|hi there!|Hey, how are you?|Good morning|hello hello|你好|你好呀|您好！|嗨～|早上好|在吗？|哈喽",
        ),
        (
            replies.THANKS,
            "thx|Thanks a lot!|Thank you very much for your help.|great, thanks|hello, thanks"
            "|谢谢|谢谢你|非常感谢！|辛苦了|多谢啦",
        ),
        (replies.GOODBYE, "bye|Goodbye!|See you later!|thanks, bye|再见|拜拜|晚安"),
        (
            replies.ABILITIES,
            "what can you do?|What can I ask you?|help|Help!|Hi! What can you do?|hello what can you do"
            "|how does this work?|你能做什么？|你会什么|你可以帮我做什么？|帮助|您好，请问你能做什么？",
        ),
        (replies.IDENTITY, "who are you?|Are you a robot?|What's your name?|你是谁？|你叫什么名字？|你是机器人吗"),
        (replies.ASK_A_QUESTION, "ok|....|?|？？？|😀|👍👍|!!|好的|嗯|…"),
    ],
    ids=["greeting", "thanks", "goodbye", "abilities", "identity", "nothing"],
)
def test_small_talk_gets_its_reply(expected, texts):
    for text in texts.split("|"):
        assert reply(text) == expected, text


@pytest.mark.parametrize(
    "text",
    "which documents do you have?|What documents are there?|how many documents?"
    "|How many files do I have?|list my files|Show me all documents|List all the PDFs, please"
    "|what files have I uploaded?|hello, which documents do you have?|有哪些文件？|你有哪些文档？"
    "|有多少个文件？|列出我的文件|文件列表|我上传了哪些文件？".split("|"),
)
def test_the_documents_are_listed(text):
    assert str(reply(text)) == "There are 2 documents: a.pdf; <b>.pdf"
    assert str(reply(text, ["a.pdf"])) == "There is one document: a.pdf"
    assert reply(text, []) == replies.NO_DOCUMENTS


def test_of_many_documents_the_first_are_named():
    listed = str(reply("list my files", [f"{n}.pdf" for n in range(1_234)]))
    assert listed.startswith("There are 1,234 documents. The first 20: 0.pdf; 1.pdf;")
    assert listed.count(".pdf") == MAX_NAMES


def test_sums_are_computed_and_those_without_result_are_said_to_have_none():
    assert str(reply("What is 15% of 80?")) == "15% × 80 = 12"
    assert reply("1/0?") == replies.NO_RESULT


def test_without_documents_a_greeting_says_to_add_one():
    assert reply("hi", []) == replies.GREETING_EMPTY


@pytest.mark.parametrize(
    "text",
    "Hello, what is the rent?|What can the pump do?|which documents must be filed?"
    "|Which documents does the landlord need?|How many documents must the tenant sign?"
    "|What is this about?|thanks to whom was the bridge built?|Who are the parties?"
    "|help desk phone number|How does it work?|How does the pump work?|What are you required to file?"
    "|Hello Kitty revenue 2020|List the documents that the seller must provide."
    "|yes or no: is it refundable?|What can you do with the red button?"
    "|how many reports are there on safety?|2020|and in 2020?|Who is the author?"
    "|What is 15% of revenue?|Are you allowed to sublet?|你好公司的收入是多少？|需要哪些文件？"
    "|办理签证需要哪些文件？|它能做什么？|水泵能做什么？|能做什么？|有什么功能？|使用方法"
    "|报告有哪些主要内容？|谢谢参与活动的规则是什么？|十大股东|2021年|名字是什么？|为什么？"
    "|Hi, and what is the deposit?|你好，租金是多少？".split("|"),
)
def test_a_question_is_never_taken_for_small_talk(text):
    assert not is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    ["hi " * 1_300, "hello, " * 500, "thank you very much " * 200, "谢谢" * 2_000, "?" * 4_000, "what is " * 500],
)
def test_hostile_text_takes_no_long_time(text):
    began = time.process_time()
    is_small_talk(text)
    assert time.process_time() - began < 1

from __future__ import annotations

import time

import pytest

from rag.answer.summary.request import MAX_CHARACTERS, named_documents, summary_target
from rag.records import Document

REQUESTS = (
    "summarise|Summarize this.|Summarize the document|please summarise the report"
    "|Can you summarize it?|What is this about?"
    "|What's this document about?|What is the paper about?|give me an overview of the report|Give me a short summary"
    "|main points|What are the main points?|What are the key takeaways of the report?|overview|tl;dr"
    "|what does the contract say?|what is in this file?|What kind of document is this?|Summarise all documents"
    "|总结一下|总结一下这份报告|请总结这篇文章的主要内容|这份文件讲什么|这份文件讲了什么？|这篇论文主要讲了什么内容|概括一下全文"
    "|主要内容是什么？|这份合同的主要内容是什么？|这个文档是关于什么的？|请简要介绍这份文件|讲的是什么？|帮我概括一下这本手册|摘要|要点有哪些？"
).split("|")
QUESTIONS = (
    "Summarise the risks|summarize chapter 3|Summarise the results of the trial|What is the pump about to do?"
    "|What is the rent?|What are the main risks?|What are the main products of the company?"
    "|What does section 5 say about confidentiality?|What does the contract say about termination?"
    "|Give me an overview of the segments|Who wrote the report?|What is the report date?|How long is the document?"
    "|outline the dispute resolution process in the agreement|hello|Which documents do you have?"
    "|总结公司的风险因素|介绍一下公司|主要风险有哪些？|合同的主要条款有哪些？|这份合同什么时候签订的？|总结第三章"
    "|报告期内主要业务是什么？|这份报告对2023年有什么预测？|本合同适用什么法律？|说明书里讲了怎么清洗滤网吗"
).split("|")


def document(name: str, title: str = "") -> Document:
    return Document(name, "", name, title, 1, 1, 1, {}, (), 0.0)


@pytest.mark.parametrize("text", REQUESTS)
def test_requests_about_whole_documents_are_recognised(text):
    target = summary_target(text)
    assert target is not None
    assert named_documents(target, [document("a.pdf"), document("b.pdf")]) == [document("a.pdf"), document("b.pdf")]


@pytest.mark.parametrize("text", QUESTIONS)
def test_questions_about_a_part_are_not(text):
    assert summary_target(text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Summarise the Boeing 2022 annual report", "BOEING_2022_10K.pdf"),
        ("Give me an overview of Best Buy's report", "BESTBUY_2023_10K.pdf"),
        ("Summarize BOEING_2021_10K.pdf", "BOEING_2021_10K.pdf"),
        ("What does the report by Keller say?", "x.pdf"),
        ("总结比亚迪2022年年报", "比亚迪2022年年报.pdf"),
    ],
)
def test_the_document_that_is_named_is_chosen(text, name):
    library = [
        document("BOEING_2021_10K.pdf"),
        document("BOEING_2022_10K.pdf"),
        document("BESTBUY_2023_10K.pdf"),
        document("x.pdf", "A trial of glasses by Anna Keller"),
        document("比亚迪2022年年报.pdf"),
    ]
    assert [one.name for one in named_documents(summary_target(text) or "", library) or ()] == [name]


def test_a_document_that_is_not_there_is_not_summarised():
    assert named_documents(summary_target("Summarise the Netflix report") or "", [document("BOEING_2022.pdf")]) is None
    assert named_documents(summary_target("Summarise the rental agreement") or "", [document("a.pdf")]) == [
        document("a.pdf")
    ]


@pytest.mark.parametrize(
    "text", ["please " * 200, "用x话" * 50, "summarise " * 16, "summary of a " + "b " * 70, "总结" * 70]
)
def test_hostile_text_takes_no_long_time(text):
    began = time.process_time()
    summary_target(text)
    summary_target(text[:MAX_CHARACTERS])
    assert time.process_time() - began < 1

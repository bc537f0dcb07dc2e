"""Which questions are about whole documents."""

from __future__ import annotations

import pytest

from rag.answer.whole.read import Whole, whole_request


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Summarise this document", Whole.SUMMARY),
        ("总结一下这份报告", Whole.SUMMARY),
        ("List all deadlines.", Whole.LIST),
        ("Please list every deadline in this contract", Whole.LIST),
        ("Find all the dates and who is responsible for them", Whole.LIST),
        ("What are all the obligations of the tenant?", Whole.LIST),
        ("Give me a complete list of all subsidiaries", Whole.LIST),
        ("List the deadlines in this contract", Whole.LIST),
        ("列出所有截止日期", Whole.LIST),
        ("请帮我找出合同中的所有违约责任", Whole.LIST),
        ("文件里所有的日期有哪些？", Whole.LIST),
        ("Compare these two documents", Whole.COMPARISON),
        ("compare both", Whole.COMPARISON),
        ("Compare these two.", Whole.COMPARISON),
        ("Compare lease-2020.pdf with lease-2021.pdf", Whole.COMPARISON),
        ("What are the main differences between the two contracts?", Whole.COMPARISON),
        ("比较这两份合同", Whole.COMPARISON),
        ("这两份文件有什么不同？", Whole.COMPARISON),
    ],
)
def test_requests_over_whole_documents(question, kind):
    assert whole_request(question) is kind


@pytest.mark.parametrize(
    "question",
    [
        "When is the deadline?",
        "What is the revenue of all segments?",
        "Compare the revenue of 3M and Apple in 2022",
        "How much did all costs rise?",
        "What is the difference between gross and net profit?",
        "比较3M和苹果2022年的收入",
        "所有权归谁？",
        "截止日期是哪天？",
        "",
        "list",
    ],
)
def test_questions_about_something_in_documents(question):
    assert whole_request(question) is None

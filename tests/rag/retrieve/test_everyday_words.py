"""Everyday words of a question, as documents put them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rag.retrieve.everyday_words
from rag.index.tokenize import terms
from rag.retrieve.everyday_words import in_words_of_documents, says_in
from rag.retrieve.query import Query

CONTRACT = "房屋租赁合同 出租方：张建国 承租方：李晓梅 建筑面积86平方米 逾期支付租金的，不得饲养大型犬 租赁期限共两年"
LEASE = "The lessor may end the lease. The lessee pays a deposit. Paid leave is not part of it."


def said_in(text):
    held = frozenset(terms(text))
    return says_in(lambda term: {"a document": 1.0} if term in held else {})


@pytest.mark.parametrize(
    ("question", "document", "expected"),
    [
        ("谁是房东？", CONTRACT, "谁是出租方？"),
        ("租客叫什么？", CONTRACT, "承租方叫什么？"),
        ("房子多大？", CONTRACT, "建筑面积是多少？"),
        ("可以养狗吗？", CONTRACT, "可以饲养吗？"),
        ("晚交房租会怎么样？", CONTRACT, "逾期支付租金会怎么样？"),
        ("谁是房东？", "房东：张建国 出租方", "谁是房东？"),
        ("谁是房东？", "员工手册", "谁是房东？"),
        ("Who is the landlord?", LEASE, "Who is the lessor?"),
        ("How many days off do I get?", LEASE, "How many paid leave do I get?"),
        ("What is the Wi-Fi password?", "The tenants pay for broadband.", "What is the Wi-Fi password?"),
        ("What is the landlordship?", LEASE, "What is the landlordship?"),
    ],
)
def test_only_what_no_document_says_is_replaced_by_what_one_says(question, document, expected):
    query = in_words_of_documents(Query(question, question), said_in(document))
    assert query.question == question
    assert query.completed == expected


def test_each_part_of_a_question_is_replaced():
    parts = ("谁是房东？", "租客叫什么？")
    query = in_words_of_documents(Query("".join(parts), "".join(parts), parts), said_in(CONTRACT))
    assert query.parts == ("谁是出租方？", "承租方叫什么？")


def test_all_of_a_word_must_stand_in_one_document():
    """出租 in one document and 租方 in another do not make 出租方."""
    holding = {"出租": {"a": 1.0}, "租方": {"b": 1.0}}
    query = Query("谁是房东？", "谁是房东？")
    assert in_words_of_documents(query, says_in(lambda term: holding.get(term, {}))) is query
    holding["租方"]["a"] = 0.5
    assert in_words_of_documents(query, says_in(lambda term: holding.get(term, {}))).completed == "谁是出租方？"


def test_every_line_is_a_rule_whose_words_can_be_looked_up():
    path = Path(rag.retrieve.everyday_words.__file__).with_suffix(".txt")
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    rules = rag.retrieve.everyday_words._rules()
    assert len(rules) == len(lines) > 40
    for rule in rules:
        assert not rule.pattern.search("")
        assert rule.template.count("{}") == 1
        assert all(terms(word) and len(word) > 1 for word in rule.words)
        assert not any(re.search(r"[|{}]", word) for word in rule.words)

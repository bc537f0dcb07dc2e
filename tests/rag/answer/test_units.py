"""A heading is quoted with what stands below it, and an item with its list."""

from __future__ import annotations

import pytest

from rag.answer.units import unit_of, with_units
from rag.reader import Evidence
from rag.records import Source

LEASE = """5. What the tenant must do
keep the inside clean
tell the landlord about leaks
6. What the tenant must not do
keep a dog, a cat or any other animal without the landlord's consent
smoke indoors
7. Repairs
The landlord keeps the roof in repair. Drains are the tenant's.
To return the keys:
1. Clean them.
2. Post them.
Contact in an emergency
Call Avon Care.
1.7. "Larger Work"
means a work that has more in it.
费用包含：
早餐和住宿
旅游车和司机
报名条件
年龄在8岁以上，身体健康。
第十一条 有下列情形之一的，学校追回奖金：
（一）提供虚假材料的；
（二）考试作弊的。
"""

SOURCES = [Source(1, 1, "a" * 64, "x.pdf", 0, 0, "1", (), LEASE, 0, len(LEASE), 1.0)]


@pytest.mark.parametrize(
    ("sentence", "unit"),
    [
        (
            "6. What the tenant must not do",
            "6. What the tenant must not do\n"
            "keep a dog, a cat or any other animal without the landlord's consent\nsmoke indoors",
        ),
        ("7. Repairs", "7. Repairs\nThe landlord keeps the roof in repair."),
        ("2. Post them.", "To return the keys:\n1. Clean them.\n2. Post them."),
        ("To return the keys:", "To return the keys:\n1. Clean them.\n2. Post them."),
        ("Contact in an emergency", "Contact in an emergency\nCall Avon Care."),
        ('"Larger Work"', '"Larger Work"\nmeans a work that has more in it.'),
        ("费用包含：", "费用包含：\n早餐和住宿\n旅游车和司机"),
        ("报名条件", "报名条件\n年龄在8岁以上，身体健康。"),
        ("（二）考试作弊的。", "第十一条 有下列情形之一的，学校追回奖金：\n（一）提供虚假材料的；\n（二）考试作弊的。"),
        ("Drains are the tenant's.", "Drains are the tenant's."),
        ("nowhere in it", "nowhere in it"),
    ],
)
def test_the_unit_of_a_sentence(sentence, unit):
    assert unit_of(LEASE, sentence) == unit


def test_a_heading_that_is_nearest_comes_first_with_its_items_and_without_them_below():
    evidence = [
        Evidence(1, "The landlord keeps the roof in repair.", 1.2),
        Evidence(1, "smoke indoors", 1.1),
        Evidence(1, "Call Avon Care.", 0.9),
        Evidence(1, "6. What the tenant must not do", 1.8),
    ]
    first, *rest = [one.text for one in with_units(evidence, SOURCES)]
    assert first.startswith("6. What the tenant must not do\nkeep a dog")
    assert rest == ["The landlord keeps the roof in repair.", "Call Avon Care."]


def test_a_heading_that_is_farther_stays_behind():
    evidence = [Evidence(1, "The landlord keeps the roof in repair.", 1.2), Evidence(1, "7. Repairs", 0.8)]
    assert with_units(evidence, SOURCES)[0] == evidence[0]


def test_what_is_kept_for_a_short_answer_stays_first():
    evidence = [Evidence(1, "Call Avon Care.", 0.9), Evidence(1, "6. What the tenant must not do", 1.8)]
    assert with_units(evidence, SOURCES, kept=1)[0].text == "Call Avon Care."

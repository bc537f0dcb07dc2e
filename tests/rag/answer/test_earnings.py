"""Questions for what somebody earned or lost."""

from __future__ import annotations

import pytest

from rag.answer.metrics.wording import with_net_income


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("How much did Northwind earn in fiscal 2022?", "what was the net income of Northwind in fiscal 2022?"),
        ("How much money did Northwind lose?", "what was the net income of Northwind?"),
        ("北风2023年亏了多少钱？", "北风2023年的净利润是多少？"),
        ("北风2022年一共赚了多少？", "北风2022年的净利润是多少？"),
        ("北风2023年的亏损额是多少？", "北风2023年的净利润是多少？"),
        ("北风2023年的净亏损是多少？", "北风2023年的净利润是多少？"),
        ("How much did Northwind earn from licences?", None),
        ("How much does a teacher earn per hour?", None),
        ("How much weight did he lose on the trip?", None),
        ("北风的利润率下降了多少个百分点？", None),
        ("这台机器多少钱？", None),
    ],
)
def test_what_was_earned_or_lost_is_the_net_income(question: str, named: str | None) -> None:
    assert with_net_income(question) == (named or question)

"""The scale of each cell of a row."""

from __future__ import annotations

import pytest

from rag.answer.figures import units
from rag.answer.figures.units import scales_of
from tests.rag.answer.figures.test_lookup import table


@pytest.mark.parametrize(
    ("headers", "label", "cells", "scales"),
    [
        pytest.param(["2023", "2022"], "Revenue", ["64", "72"], ["million", "million"], id="that of the table"),
        pytest.param(["2023", "2022"], "Margin", ["41.8%", "42.1%"], ["percent", "percent"], id="a percent sign"),
        pytest.param(["2023", "2022"], "ROFE (%)", ["15.2", "17.1"], ["percent", "percent"], id="a label in percent"),
        pytest.param(["2019 %", "2018 %"], "Price inflation", ["2.9", "3.8"], ["percent", "percent"], id="a header"),
        pytest.param(["2023", "2022"], "Earnings per share", ["$ 9.68", "$ 9.65"], ["", ""], id="per share"),
        pytest.param(["2023", "2022"], "Gross profit (in thousands)", ["64", "72"], ["thousand"] * 2, id="a label"),
        pytest.param(["Shares in thousands", "2022"], "Bought", ["64", "72"], ["thousand", "million"], id="a column"),
        pytest.param(["Percentage 2023", "2022"], "Revenue", ["$64", "72"], ["million", "million"], id="money"),
        pytest.param(["2023年", "2022年"], "每股收益", ["1.25", "1.12"], ["", ""], id="per share, in Chinese"),
        pytest.param(["2023", "2022"], "Sales", ["64", ""], ["million", ""], id="an empty cell"),
    ],
)
def test_scale_of_a_row(headers, label, cells, scales):
    of_row = table(headers, ("", label, cells))
    assert list(scales_of(of_row)[0]) == scales


def test_a_percent_sign_on_the_first_and_last_value_holds_for_the_column():
    rates = table(
        ["2019"], ("", "Statutory rate", ["21.0%"]), ("", "State taxes", ["3.7"]), ("", "Effective", ["13.0%"])
    )
    assert [of_row[0] for of_row in scales_of(rates)] == ["percent"] * 3


def test_the_columns_of_a_table_are_looked_at_once_however_many_rows_it_has(monkeypatch):
    looked = []
    monkeypatch.setattr(units, "_amount_columns", lambda table: looked.append(table) or set())
    assert len(scales_of(table(["2020"], *[("", "Rent", ["5"])] * 100))) == 100
    assert len(looked) == 1

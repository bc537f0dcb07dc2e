"""A table that goes on over pages keeps its headers, unit and section."""

from __future__ import annotations

from dataclasses import replace

from rag.pdf.load import load
from rag.pdf.table_headers import continued, lacks_headers
from rag.pdf.tables import find_tables
from rag.settings import Limits
from tests.rag.pdf.made_tables import MADE


def parts():
    """The tables of three pages: one, its rows that go on, and one with the same headers again."""
    document = load(MADE["continued over pages"]().pdf, limits=Limits())
    return [find_tables(page.text, page.words) for page in document.pages]


def test_rows_without_headers_take_those_of_the_page_before():
    (first,), second, _ = parts()
    assert lacks_headers(second)
    (table,) = continued(second, first)
    assert table.headers == ("2023", "2022")
    assert (table.scale, table.caption) == ("thousand", first.caption)
    assert [row.section for row in table.rows] == ["Operating activities", "Operating activities"]


def test_a_table_with_the_same_headers_takes_the_unit_alone():
    (first,), _, (third,) = parts()
    (table,) = continued([replace(third, scale="", unit="")], first)
    assert (table.scale, table.rows, table.caption) == ("thousand", third.rows, third.caption)


def test_other_columns_are_another_table():
    (first,), (second,), _ = parts()
    fewer = replace(second, columns=second.columns[:1], headers=("",))
    moved = replace(second, columns=tuple((left - 0.2, right - 0.2) for left, right in second.columns))
    headed = replace(second, headers=("Offices", "Shops"))
    for other in (fewer, moved, headed):
        assert continued([other], first) == [other]


def test_a_page_without_tables_takes_nothing():
    (first,), *_ = parts()
    assert continued([], first) == []
    assert not lacks_headers([])

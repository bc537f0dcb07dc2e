"""The rows that a page shows beside a short answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.figures.excerpt import MAX_COLUMNS, MAX_LABEL_CHARACTERS, MAX_ROWS, excerpt_of
from rag.records import TableExcerpt
from tests.rag.answer.figures.test_lookup import CHINESE, table

INCOME = table(
    ["Years ended June 30, 2023", "Years ended June 30, 2022"],
    ("Revenue", "Product", ["$ 64", "$ 72"]),
    ("Revenue", "Service and other", ["147", "—"]),
    ("Revenue", "Total revenue", ["211", "197"]),
    ("Cost of revenue", "Product", ["(17)", ""]),
    caption="Income statements",
)


def apart(made):
    """The same table, its cells at different characters, as they are on a page."""
    rows = []
    for n, row in enumerate(made.rows):
        cells = tuple(
            cell and replace(cell, start=1000 * n + 10 * column, end=1000 * n + 10 * column + 9)
            for column, cell in enumerate(row.cells)
        )
        rows.append(replace(row, cells=cells, start=1000 * n, end=1000 * n + 999))
    return replace(made, rows=tuple(rows))


def test_the_answering_row_stands_below_its_section_and_above_its_total():
    income = replace(apart(INCOME), unit="(In millions)")
    assert excerpt_of(income, [income.rows[0].cells[1]]) == TableExcerpt(
        caption="Income statements (In millions) Years ended June 30,",
        headers=("2023", "2022"),
        rows=(("Revenue", "", ""), ("Product", "$64", "$72"), ("Total revenue", "211", "197")),
        marked=((1, 1),),
    )


def test_every_cell_that_answers_is_marked():
    income = apart(INCOME)
    excerpt = excerpt_of(income, [income.rows[2].cells[0], income.rows[3].cells[0]])
    assert excerpt.rows == (
        ("Revenue", "", ""),
        ("Total revenue", "211", "197"),
        ("Cost of revenue", "", ""),
        ("Product", "(17)", ""),
    )
    assert [excerpt.rows[row][column + 1] for row, column in excerpt.marked] == ["211", "(17)"]


def test_a_unit_line_that_the_caption_holds_is_not_repeated():
    income = replace(apart(INCOME), caption="Sales (In millions)", unit="(In millions)")
    assert excerpt_of(income, [income.rows[0].cells[0]]).caption.count("(In millions)") == 1


def test_a_long_caption_keeps_its_unit():
    income = replace(apart(INCOME), caption="word " * 100 + "(In millions) and more", unit="(In millions)")
    assert excerpt_of(income, [income.rows[0].cells[0]]).caption.endswith("… (In millions) Years ended June 30,")


def test_a_chinese_table():
    made = replace(apart(CHINESE), unit="单位：万元")
    excerpt = excerpt_of(made, [made.rows[1].cells[0]])
    assert excerpt == TableExcerpt("单位：万元", ("2023年", "2022年"), (("净利润", "900", "750"),), ((0, 0),))


def test_no_excerpt_of_a_table_that_does_not_hold_the_cell():
    assert excerpt_of(apart(INCOME), [replace(INCOME.rows[0].cells[0], start=7)]) is None


def test_a_year_that_all_headers_begin_with_stays_in_them():
    made = apart(table(["2019 Carrying amount", "2019 Fair value"], ("", "Notes", ["5", "6"])))
    assert excerpt_of(made, [made.rows[0].cells[0]]).headers == ("2019 Carrying amount", "2019 Fair value")


@pytest.mark.parametrize("answering", [1, MAX_ROWS, 40])
def test_a_long_and_wide_table_is_cut_and_shows_the_cells_that_answer(answering):
    columns = 30
    long = [("Part", f"Item {n}" * 40, [str(100 * n + column) for column in range(columns)]) for n in range(60)]
    made = apart(table([f"Column {n}" for n in range(columns)], *long, caption="word " * 500))
    excerpt = excerpt_of(made, [row.cells[20] for row in made.rows[10 : 10 + answering]])
    assert len(excerpt.rows) == min(answering + 1, MAX_ROWS)
    assert len(excerpt.headers) == MAX_COLUMNS
    assert excerpt.headers[-1] == "20"
    assert max(len(row[0]) for row in excerpt.rows) <= MAX_LABEL_CHARACTERS + 1
    assert len(excerpt.caption) <= 3 * (MAX_LABEL_CHARACTERS + 1) + 2
    assert all(excerpt.rows[row][column + 1].endswith("20") for row, column in excerpt.marked)

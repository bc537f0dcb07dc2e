"""Questions made from tables, headings and sentences, and those left out because they would make no sense."""

import pytest

from rag.answer.introduction.candidates import FoundTable, from_headings, from_tables
from rag.pdf.table import Cell, Row, Table


def table(label, *cells, headers=("2023", "2022")):
    made = tuple(Cell(text, 0, len(text), 1.0) for text in cells)
    return FoundTable(Table(headers, "", "", (Row(label, "", made, 0, 9),)), 3, frozenset())


@pytest.mark.parametrize(
    ("label", "question"),
    [
        ("Net sales", "What were net sales in 2023?"),
        ("Cost of sales", "What was cost of sales in 2023?"),
        ("Operating profit", "What was operating profit in 2023?"),
        ("营业收入", "2023年的营业收入是多少？"),
    ],
)
def test_the_newest_cell_of_a_measure_is_asked_for(label, question):
    (candidate,) = from_tables([table(label, "412.6", "397.8")])
    assert (candidate.question, candidate.value, candidate.pages) == (question, "412.6", {3})


@pytest.mark.parametrize(
    "label", ["Laboratory", "Other income", "Total", "Wardrobe Bedroom 2", "Basic earnings per share"]
)
def test_rows_that_make_no_sensible_question_are_left_out(label):
    assert from_tables([table(label, "412.6", "397.8")]) == []


def test_a_column_of_a_part_of_a_year_is_not_the_year():
    assert from_tables([table("Net sales", "1", "2", headers=("Three months 2023", "Three months 2022"))]) == []


def test_headings_become_questions_and_those_without_a_subject_do_not():
    headings = [
        ("3. Rent", 0), ("Principal risks", 1), ("Contents", 0), ("可以退款吗？", 2), ("第三条 租金", 2),
        ("Item 1B. Unresolved", 3),
    ]  # fmt: skip
    assert [one.question for one in from_headings(headings)] == [
        "What does the document say about rent?",
        "What are the principal risks?",
        "可以退款吗？",
        "关于租金，文中是怎么说的？",
    ]

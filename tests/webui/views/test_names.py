"""How long names are cut in two, so that their ends are seen in lists."""

import pytest

from webui.views.names import END_COLUMNS, LISTED_END_COLUMNS, parts_of


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("report.pdf", ""),
        ("Lindholm Harbour Ferries: Annual Review 2024", "Review 2024"),
        ("FOOTLOCKER_2022_8K_dated-2022-05-20.pdf", "05-20.pdf"),
        ("BESTBUY_2023_10K.pdf", "2023_10K.pdf"),
        ("星河电子股份有限公司2022年年度报告", "2022年年度报告"),
        ("Washing machine manual WM-480", "WM-480"),
        ("CV Amelia Watson", "Watson"),
        ("The industrialists", "industrialists"),
        ("x" * 300, "x" * END_COLUMNS),
    ],
)
def test_the_end_of_a_name_begins_with_a_word_where_one_begins(name, end):
    assert parts_of(name) == (name[: len(name) - len(end)], end)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("Lindholm Harbour Ferries: Annual Review 2024", "Review 2024"),
        ("Rental agreement Elm Street", "Elm Street"),
        ("Grandma's apple cake", "apple cake"),
    ],
)
def test_the_end_of_a_name_in_the_list_begins_with_a_word_too(name, end):
    assert parts_of(name, LISTED_END_COLUMNS)[1] == end


def test_line_breaks_in_a_name_are_spaces():
    assert "".join(parts_of("Annual\nreport of the company")) == "Annual report of the company"

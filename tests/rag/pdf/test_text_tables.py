"""Tables whose cells are texts, found from words and boxes."""

from __future__ import annotations

import pytest

from rag.pdf.text_tables import find_text_tables
from tests.rag.pdf.test_tables import page

DATA_SHEET = (
    [(0.1, "Technical data")],
    [(0.1, "Model"), (0.45, "City T4"), (0.7, "Cargo C8")],
    [(0.1, "Charging time"), (0.45, "3.5 h"), (0.7, "6 h")],
    [(0.1, "Brakes"), (0.45, "V-brakes"), (0.7, "Hydraulic discs")],
    [(0.1, "The frame is guaranteed for ten years and the battery for two.")],
)


def rows(table):
    return {row.label: [cell and cell.text for cell in row.cells] for row in table.rows}


def test_a_data_sheet_has_the_models_as_headers_and_the_line_above_as_caption():
    (table,) = find_text_tables(*page(*DATA_SHEET))
    assert table.headers == ("City T4", "Cargo C8")
    assert table.caption == "Technical data Model"
    assert rows(table) == {"Charging time": ["3.5 h", "6 h"], "Brakes": ["V-brakes", "Hydraulic discs"]}


def test_a_cell_knows_where_it_stands_in_the_text():
    text, boxes = page(*DATA_SHEET)
    (table,) = find_text_tables(text, boxes)
    cells = [cell for row in table.rows for cell in row.cells]
    assert all(text[cell.start : cell.end] == cell.text for cell in cells)


def test_of_two_columns_the_first_row_is_no_header_unless_it_says_that_they_are_values():
    lights = ([(0.1, "Light"), (0.5, "Meaning")], [(0.1, "Orange"), (0.5, "A disk has failed")])
    (table,) = find_text_tables(*page(*lights))
    assert rows(table) == {"Orange": ["A disk has failed"]}
    form = ([(0.1, "Brakes"), (0.5, "Discs")], [(0.1, "Colour:"), (0.5, "Blue")])
    (table,) = find_text_tables(*page(*form))
    assert rows(table) == {"Brakes": ["Discs"], "Colour": ["Blue"]}


def test_a_row_that_runs_into_the_next_column_is_left_out_alone():
    long = [(0.1, "Top speed with assistance by the motor in town"), (0.7, "25 km/h")]
    (table,) = find_text_tables(*page(*DATA_SHEET[:4], long))
    assert list(rows(table)) == ["Charging time", "Brakes"]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([[(0.1, "A line of text alone.")], [(0.1, "And another one.")]], id="one part"),
        pytest.param([[(0.1, "Page 3"), (0.7, "Guide")], [(0.1, "Text.")]], id="a single line"),
        pytest.param([], id="nothing"),
    ],
)
def test_text_is_no_table(lines):
    assert find_text_tables(*page(*lines)) == []

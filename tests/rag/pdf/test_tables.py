"""Tables found from words and boxes: columns, headers, labels, sections, scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.pdf.cells import parse_value
from rag.pdf.load import load
from rag.pdf.tables import find_tables
from rag.records import WordBoxes
from rag.settings import Limits
from tests.rag.pdfs import report_pdf, table_pdf

CHARACTER, LINE = 0.008, 0.02  # width and height, fractions of the page


def page(*lines, height=LINE):
    """The text and word boxes of lines of (left, text) parts; a part's words stand a space apart."""
    text, spans, boxes = "", [], []
    for n, parts in enumerate(lines):
        for left, words in parts:
            for word in words.split():
                text += word if not text or text.endswith("\n") else f" {word}"
                spans.append((len(text) - len(word), len(text)))
                top = 0.1 + n * 1.2 * height
                boxes.append((left, top, left + CHARACTER * len(word), top + height))
                left += CHARACTER * (len(word) + 1)
        text += "\n"
    return text, WordBoxes(np.array(spans, np.int32).reshape(-1, 2), np.array(boxes, np.float32).reshape(-1, 4))


def values(table):
    return [(row.label, [cell and cell.value for cell in row.cells]) for row in table.rows]


SALES = (
    [(0.1, "(In millions)"), (0.5, "Years ended June 30,")],
    [(0.5, "2023"), (0.7, "2022")],
    [(0.1, "Product"), (0.5, "$"), (0.53, "1,250.5"), (0.7, "$"), (0.73, "990")],
    [(0.1, "Loss on sale"), (0.53, "(12)"), (0.73, "—")],
    [(0.1, "Total revenue"), (0.5, "$"), (0.53, "1,238.5"), (0.7, "$"), (0.73, "990")],
)


def test_a_table_has_headers_labels_signed_values_and_a_scale():
    (table,) = find_tables(*page(*SALES))
    assert [header.split()[-1] for header in table.headers] == ["2023", "2022"]
    assert "Years ended June 30," in table.headers[0]
    assert values(table) == [
        ("Product", [1250.5, 990.0]),
        ("Loss on sale", [-12.0, None]),
        ("Total revenue", [1238.5, 990.0]),
    ]
    assert table.scale == "million"


def test_a_cell_knows_its_characters():
    text, boxes = page(*SALES)
    (table,) = find_tables(text, boxes)
    cells = [cell for row in table.rows for cell in row.cells if cell]
    assert [text[cell.start : cell.end] for cell in cells] == [cell.text for cell in cells]
    assert cells[0].text == "$ 1,250.5"


def test_headers_printed_cell_by_cell_are_put_together_by_place():
    """As some programs write them: all lines of the first header, then those of the second."""
    text, spans, boxes = "", [], []
    stacked = [("FISCAL", 0.5, 0), ("2021", 0.5, 1), ("FISCAL", 0.7, 0), ("2020", 0.7, 1)]
    body = [("Revenues", 0.1, 2), ("44", 0.5, 2), ("37", 0.7, 2), ("Costs", 0.1, 3), ("20", 0.5, 3), ("19", 0.7, 3)]
    last = None
    for word, left, line in stacked + body:
        text += "" if last is None else " " if line == last and line > 1 else "\n"
        spans.append((len(text), len(text) + len(word)))
        text, last = text + word, line
        boxes.append((left, 0.1 + line * 0.03, left + CHARACTER * len(word), 0.12 + line * 0.03))
    (table,) = find_tables(text, WordBoxes(np.array(spans, np.int32), np.array(boxes, np.float32)))
    assert table.headers == ("FISCAL 2021", "FISCAL 2020")


def test_a_row_stands_in_the_section_above_it():
    (table,) = find_tables(
        *page(
            [(0.5, "2023"), (0.7, "2022")],
            [(0.1, "Products"), (0.5, "10"), (0.7, "9")],
            [(0.1, "Cost of revenue:")],
            [(0.1, "Products"), (0.5, "4"), (0.7, "3")],
        )
    )
    assert [(row.section, row.label) for row in table.rows] == [("", "Products"), ("Cost of revenue", "Products")]


def test_a_label_broken_over_lines_is_one_label():
    (table,) = find_tables(
        *page(
            [(0.5, "2023"), (0.7, "2022")],
            [(0.1, "Goodwill"), (0.5, "10"), (0.7, "9")],
            [(0.1, "Net assets acquired and")],
            [(0.1, "liabilities assumed"), (0.5, "4"), (0.7, "3")],
        )
    )
    assert [(row.section, row.label) for row in table.rows][1] == ("", "Net assets acquired and liabilities assumed")


def test_numbers_inside_labels_are_no_values():
    (table,) = find_tables(
        *page(
            [(0.5, "2023"), (0.7, "2022")],
            [(0.1, "Receivables, net of allowances of $650 and $633"), (0.5, "48"), (0.7, "44")],
            [(0.1, "Property, net of depreciation of $682 and $596"), (0.5, "95"), (0.7, "74")],
            [(0.1, "Note 12"), (0.5, "5"), (0.7, "6")],
        )
    )
    assert table.rows[0].label.endswith("$650 and $633")
    assert [len(row.cells) for row in table.rows] == [2, 2, 2]


def test_years_that_rows_begin_with_are_labels():
    (table,) = find_tables(
        *page(
            [(0.4, "Operating leases"), (0.7, "Finance leases")],
            [(0.1, "2021"), (0.45, "138"), (0.75, "12")],
            [(0.1, "2022"), (0.45, "135"), (0.75, "11")],
        )
    )
    assert values(table) == [("2021", [138.0, 12.0]), ("2022", [135.0, 11.0])]


def test_a_chinese_table():
    (table,) = find_tables(
        *page(
            [(0.1, "单位：万元"), (0.5, "2023年"), (0.7, "2022年")],
            [(0.1, "营业收入"), (0.5, "12,345.67"), (0.7, "11,000.00")],
            [(0.1, "净利润"), (0.5, "-200.50"), (0.7, "300.00")],
        )
    )
    assert table.scale == "ten thousand"
    assert values(table) == [("营业收入", [12345.67, 11000.0]), ("净利润", [-200.5, 300.0])]


def test_periods_and_ranges_in_cells():
    (table,) = find_tables(
        *page(
            [(0.4, "Useful life"), (0.55, "2023"), (0.7, "2022")],
            [(0.1, "Buildings"), (0.4, "15 - 44"), (0.55, "10,816"), (0.7, "10,279")],
            [(0.1, "Expected term"), (0.55, "6.5 years"), (0.7, "7.5 years")],
            [(0.1, "Vehicles"), (0.4, "5 - 15"), (0.55, "33"), (0.7, "31")],
        )
    )
    assert [cells for _, cells in values(table)] == [[10816.0, 10279.0], [6.5, 7.5], [33.0, 31.0]]


def test_a_table_below_another_keeps_the_headers_of_its_columns():
    tables = find_tables(
        *page(
            [(0.5, "2023"), (0.7, "2022")],
            [(0.1, "Trade receivables"), (0.5, "8,192"), (0.7, "7,172")],
            [(0.1, "Net"), (0.5, "8,000"), (0.7, "7,000")],
            [(0.38, "Average life"), (0.52, "(Years)")],
            [(0.1, "Land"), (0.5, "1,142"), (0.7, "1,123")],
        )
    )
    assert [table.headers[1] for table in tables] == ["2022"] * len(tables)


def test_headers_hardly_wider_apart_than_words_are_told_apart():
    """As typesetting programs set long headers; the gap between two of them is 1.5 times that between words."""
    header = [(0.4, "Number"), (0.4 + 7 * CHARACTER, "of"), (0.4 + 10 * CHARACTER, "shares")]
    header += [(0.4 + 17.5 * CHARACTER, "Average"), (0.4 + 25.5 * CHARACTER, "fair"), (0.4 + 30.5 * CHARACTER, "value")]
    (table,) = find_tables(
        *page(
            [*header],
            [(0.1, "Granted"), (0.45, "473,550"), (0.6, "$53.53")],
            [(0.1, "Vested"), (0.45, "(365,223)"), (0.6, "$—")],
        )
    )
    assert table.headers == ("Number of shares", "Average fair value")
    assert values(table)[1] == ("Vested", [-365223.0, None])


def test_headers_that_recur_belong_to_equal_groups():
    """The years are aligned right, over the first column of their group alone."""
    (table,) = find_tables(
        *page(
            [(0.42, "2019"), (0.72, "2018")],
            [(0.44, "M"), (0.54, "$M"), (0.74, "M"), (0.84, "$M")],
            [(0.1, "At the start"), (0.4, "1,313"), (0.53, "201"), (0.7, "1,294"), (0.83, "719")],
            [(0.1, "Issued"), (0.42, "58"), (0.53, "282"), (0.72, "18"), (0.83, "482")],
        )
    )
    assert table.headers == ("2019 M", "2019 $M", "2018 M", "2018 $M")


def test_a_comparison_of_years_is_no_header_of_the_years_beside_it():
    (table,) = find_tables(
        *page(
            [(0.53, "2020 vs. 2019")],
            [(0.45, "2020"), (0.56, "Change"), (0.7, "2019")],
            [(0.1, "Net sales"), (0.44, "1,526"), (0.56, "(8)pts"), (0.69, "1,653")],
            [(0.1, "Profit"), (0.44, "526"), (0.56, "Flat"), (0.69, "653")],
        )
    )
    assert table.headers == ("2020", "2020 vs. 2019 Change", "2019")
    assert values(table) == [("Net sales", [1526.0, -8.0, 1653.0]), ("Profit", [526.0, None, 653.0])]


def test_a_value_of_one_row_right_of_all_columns_is_no_part_of_the_label():
    (table,) = find_tables(
        *page(
            [(0.5, "2019"), (0.65, "2018"), (0.8, "Change")],
            [(0.1, "Impairment"), (0.5, "$1,910"), (0.65, "$14,740"), (0.8, "$(12,830)")],
            [(0.1, "Share of revenue"), (0.5, "4%"), (0.65, "26%")],
        )
    )
    assert values(table) == [("Impairment", [1910.0, 14740.0, -12830.0]), ("Share of revenue", [4.0, 26.0, None])]


def test_a_parenthesis_that_only_closes_ends_no_value():
    (table,) = find_tables(
        *page(
            [(0.5, "(Level 1)"), (0.7, "(Level 2)")],
            [(0.1, "Bonds (Note 4)"), (0.5, "12"), (0.7, "(13)")],
            [(0.1, "Shares"), (0.5, "(1"), (0.53, ")"), (0.7, "8")],
        )
    )
    assert table.headers == ("(Level 1)", "(Level 2)")
    assert table.rows[0].label == "Bonds (Note 4)"
    assert values(table)[0][1] == [12.0, -13.0]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([[(0.1, "The pump was built in 1931 and weighs 12 kg.")]], id="a sentence"),
        pytest.param([[(0.1, f"{n}. Chapter {n} {n * 7}")] for n in range(1, 2)], id="one entry of a list"),
        pytest.param([], id="an empty page"),
    ],
)
def test_text_is_no_table(lines):
    assert find_tables(*page(*lines)) == []


@pytest.mark.parametrize(
    ("text", "value", "percent"),
    [
        ("$ 1,577", 1577.0, False), ("(1,577)", -1577.0, False), ("$(0.5)", -0.5, False), ("(4.9)%", -4.9, True),
        ("12 %", 12.0, True), ("−3", -3.0, False), ("—", None, False), ("¥1,000", 1000.0, False),
        ("(16) bps", -16.0, False),
        ("1.5x", 1.5, False), (".75", 0.75, False),
    ],
)  # fmt: skip
def test_values(text, value, percent):
    assert parse_value(text) == (value, percent)


def test_the_balance_sheet_of_a_report_is_found_and_its_prose_is_not():
    document = load(report_pdf(), limits=Limits())
    assert [len(find_tables(one.text, one.words)) for one in document.pages[:4]] == [0, 0, 1, 0]
    (table,) = find_tables(document.pages[2].text, document.pages[2].words)
    assert values(table)[-1] == ("Total current assets", [5839774.0, 4821892.0])
    assert table.rows[0].section == "Current assets" or "Current assets" in table.caption


def test_a_table_drawn_by_another_program():
    rows = [["", "2019", "2018"], ["Sales", "2,000", "1,800"], ["Costs", "(1,200)", "(1,100)"]]
    document = load(table_pdf(rows, widths=[200, 80, 80]), limits=Limits())
    (table,) = find_tables(document.pages[0].text, document.pages[0].words)
    assert table.headers == ("2019", "2018")
    assert values(table) == [("Sales", [2000.0, 1800.0]), ("Costs", [-1200.0, -1100.0])]


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 0.9), st.text(min_size=1, max_size=12)), min_size=1, max_size=5), max_size=8
    )
)
def test_any_text_can_be_looked_at(lines):
    text, boxes = page(*lines)
    for table in find_tables(text, boxes):
        assert all(len(row.cells) == len(table.headers) for row in table.rows)
        for cell in (cell for row in table.rows for cell in row.cells if cell):
            assert text[cell.start : cell.end].split() == cell.text.split()


VOTES = (
    [(0.1, "Name"), (0.4, "Votes For"), (0.6, "Votes Against"), (0.8, "Abstentions")],
    [(0.1, "Ada Brook"), (0.4, "59,657,810"), (0.6, "294,935"), (0.8, "10,714")],
    [(0.1, "Ben Crane"), (0.4, "54,484,293"), (0.6, "5,105,005"), (0.8, "77,685")],
)
SENTENCE = [(0.1, "Based on these votes, each of the two nominees was elected to the Board.")]
PAY = (
    [(0.1, "The votes on the compensation of the executives were cast as set forth below:")],
    [(0.1, "Votes For"), (0.3, "Votes Against"), (0.5, "Abstentions")],
    [(0.1, "57,172,731"), (0.3, "13,324,080"), (0.5, "170,172")],
)


def test_a_sentence_ends_a_table():
    first, second = find_tables(*page(*VOTES, SENTENCE, *PAY))
    assert [row.label for row in first.rows] == ["Ada Brook", "Ben Crane"]
    assert [row.label for row in second.rows] == [""]


def test_a_single_row_without_a_label_has_a_header_for_each_value_and_the_sentence_that_announces_it():
    table = find_tables(*page(*VOTES, SENTENCE, *PAY))[-1]
    assert table.headers == ("Votes For", "Votes Against", "Abstentions")
    assert [cell.text for cell in table.rows[0].cells] == ["57,172,731", "13,324,080", "170,172"]
    assert "compensation of the executives" in table.caption

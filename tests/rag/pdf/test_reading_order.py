"""The order of lines on a picture: columns of prose, titles across them, tables row by row."""

from __future__ import annotations

import time

import numpy as np

from rag.pdf.reading_order import reading_order


def order(*boxes):
    return reading_order([np.array(box, np.float32) for box in boxes])


def column(left, right, top, lines):
    return [(left, top + 12 * n, right, top + 12 * n + 10) for n in range(lines)]


def test_lines_of_one_column_are_read_from_the_top_down():
    assert order((50, 40, 500, 50), (50, 20, 500, 30), (50, 60, 300, 70)) == [[1], [0], [2]]


def test_a_column_is_read_before_the_one_beside_it():
    boxes = [box for pair in zip(column(50, 290, 100, 6), column(310, 550, 103, 6), strict=True) for box in pair]
    assert order(*boxes) == [[n] for n in (0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11)]


def test_a_title_across_three_columns_comes_first_and_a_footer_last():
    boxes = [(50, 20, 550, 40), *column(50, 200, 100, 4), *column(220, 380, 100, 4), *column(400, 550, 100, 4)]
    boxes.append((50, 300, 550, 310))
    assert order(*boxes) == [[n] for n in range(14)]


def test_a_table_is_read_row_by_row():
    rows = [((50, y, 150 + y / 3, y + 10), (350, y, 400, y + 10), (480, y, 520, y + 10)) for y in range(100, 200, 14)]
    found = order(*(cell for row in rows for cell in row))
    assert found == [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(len(rows))]


def test_nothing_is_lost_or_read_twice_and_a_thousand_hostile_boxes_take_little_time():
    random = np.random.default_rng(3)
    corners = random.random((1_000, 2, 2)) * 1_000
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    small = np.concatenate([corners[:, 0], corners[:, 0] + 3], axis=1).astype(np.float32)
    for some in (boxes, small, np.zeros((1_000, 4), np.float32)):
        began = time.process_time()
        found = reading_order(list(some))
        assert time.process_time() - began < 5
        assert sorted(number for row in found for number in row) == list(range(1_000))
    assert reading_order([]) == []

"""Tables are looked for while somebody waits, on pages that strangers made: whatever stands there, it takes little."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rag.pdf.cells import parse_value
from rag.pdf.tables import MAX_COLUMNS, MAX_TEXT_CHARACTERS, find_tables
from rag.records import WordBoxes

WORDS = 200_000  # on one page, of five characters with the space: a million
SECONDS = 5.0  # far above what it takes, far below what time in proportion to the square would
DIGITS = "7777"


def page(words, tops, lefts, width, per_line):
    """One page; `per_line` words make a line of its text. Boxes: `tops` and `lefts` (n,), `width` wide."""
    ends = np.cumsum([len(word) + 1 for word in words])
    text = "".join(word + (" " if (n + 1) % per_line else "\n") for n, word in enumerate(words))
    spans = np.stack([ends - 1 - [len(word) for word in words], ends - 1], axis=1)
    boxes = np.stack([lefts, tops, lefts + width, tops + 1e-5], axis=1)
    return text, WordBoxes(spans.astype(np.int32), boxes.astype(np.float32))


N = np.arange(WORDS)
NUMBERS = [DIGITS] * WORDS
PAGES = {
    "every number in a place of its own": page(NUMBERS, N / WORDS, N / WORDS, 0.0, 1),
    "every number in the same place": page(NUMBERS, 0 * N, 0 * N, 0.0, 1),
    "one line of numbers": page(NUMBERS, 0 * N, N / WORDS, 0.2 / WORDS, WORDS),
    "two lines of as many columns": page(NUMBERS, N // (WORDS // 2) / 2, N % (WORDS // 2) / WORDS, 1e-7, WORDS // 2),
    "pairs of label and number": page(["abcd", DIGITS] * (WORDS // 2), N // 2 / WORDS, N % 2 / 2, 0.01, 2),
    "a table in every third line": page(["2019", DIGITS, DIGITS, "7"] * (WORDS // 4), N / WORDS, 0 * N + 0.5, 0.1, 1),
    "a unit behind every unit": page(["5", *["bps"] * (WORDS // 2 - 2), "%"] * 2, 0 * N, 0 * N, 0.1, WORDS // 2),
    "headers without end": page(
        ["of"] * 9_900 + [DIGITS] * (WORDS - 9_900),
        np.concatenate([N[:9_900] // 4_950 / 50, N[9_900:] // 100 / WORDS]),
        np.concatenate([N[:9_900] % 4_950 / 4_950, N[9_900:] % 100 / 100]),
        1e-6,
        4_950,
    ),
    "words without end": page(["7" * 500_000, "8" * 499_000], np.array([0.1, 0.5]), np.array([0.5, 0.5]), 0.1, 1),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_million_characters_takes_little_time(name):
    began = time.process_time()
    find_tables(*PAGES[name])
    assert time.process_time() - began < SECONDS


def test_no_more_columns_than_fit_on_paper():
    columns = 4 * MAX_COLUMNS
    n = np.arange(2 * columns)
    text, boxes = page([DIGITS] * 2 * columns, n // columns / 2, n % columns / columns, 0.5 / columns, columns)
    assert all(len(table.headers) <= MAX_COLUMNS for table in find_tables(text, boxes))


def test_a_label_as_long_as_a_page_is_cut():
    words = [*["word"] * 4_000, "12", "Sales", "13"]
    tops = np.array([*[0.1] * 4_001, 0.10003, 0.10003])
    lefts = np.array([*np.linspace(0, 0.4, 4_000), 0.8, 0.1, 0.8])
    text, boxes = page(words, tops, lefts, 0.05, len(words))
    text = text[: boxes.spans[4_000, 1]] + "\n" + text[boxes.spans[4_000, 1] + 1 :]
    (table,) = find_tables(text, boxes)
    assert len(table.rows[0].label) == MAX_TEXT_CHARACTERS


def test_a_value_with_letters_in_it_is_read_in_time_proportional_to_its_length():
    began = time.process_time()
    parse_value("5" + "a" * 100_000 + "%")
    assert time.process_time() - began < 1

"""Tables of many structures are read cell by cell, with row label, column header, section and unit."""

from __future__ import annotations

import pytest

from benchmarks.tables import best, ours
from tests.rag.pdf.made_tables import MADE

GO_ON = {"continued over pages"}  # needs the page before: tests/rag/answer/test_source_tables.py
TABLES = [name for name in MADE if MADE[name]().cells and name not in GO_ON]
TEXTS = [name for name in MADE if not MADE[name]().cells]


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_has_its_labels(name):
    made = MADE[name]()
    pages, _ = ours(made.pdf, range(1))
    assert made.cells
    for cell in made.cells:
        judged = best(pages[cell.page], cell)
        assert judged["all"], (cell, judged, pages[cell.page])


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_table_is_none(name):
    (cells,), _ = ours(MADE[name]().pdf, range(1))
    assert cells == []

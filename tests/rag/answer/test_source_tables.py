"""Tables of sources: over pages, and as a model sees them."""

from __future__ import annotations

import pytest

from rag.answer import source_tables
from rag.answer.context import markdown_of, with_markdown_tables
from rag.answer.quote import QuoteReader
from rag.answer.source_tables import PageTables
from rag.engine import Engine
from rag.pdf.load import load
from rag.pdf.tables import find_tables
from rag.records import PageKind
from rag.settings import Limits, Settings
from rag.store.rows import StoredPage
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.answer.figures.test_lookup import CHINESE, table
from tests.rag.engines import add, ask
from tests.rag.pdf.made_tables import MADE

STATEMENT = MADE["statement"]().pdf


def test_a_row_on_the_second_page_of_a_table_answers_with_the_header_of_the_first(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("FLOWS.pdf", MADE["continued over pages"]().pdf))
        _, _, answer = ask(engine, "What was the amount of inventories in 2022?")
    assert answer.short.values == ("17",)
    assert answer.short.scale == "thousand"
    assert answer.short.labels == ("Inventories", "2022")
    assert answer.short.table.rows[0][0] == "Operating activities"


def test_a_model_gets_tables_in_markdown_and_the_quote_reader_the_page(tmp_path):
    reader = ScriptedReader(["It was $ 64.7 million [1]."])
    reader.context_tokens = 4_000
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=reader) as engine:
        add(engine, ("SALES.pdf", STATEMENT))
        ask(engine, "What were products in 2023?")
    (source,) = reader.history[0].sources
    assert "| Products | $64.7 | $72.7 | $71.1 |" in source.text
    assert "| Revenue | | | |" in source.text
    assert "(1) Services include support for 12 months." in source.text


def test_tables_that_do_not_fit_stay_as_they_were(tmp_path):
    reader = ScriptedReader(["It was $ 64.7 million [1]."])
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=reader) as engine:
        add(engine, ("SALES.pdf", STATEMENT))
        plain = load(STATEMENT, limits=Limits()).pages[0].text
        reader.context_tokens = 256 + 40 + reader.count_tokens(plain)
        ask(engine, "What were products in 2023?")
    (source,) = reader.history[0].sources
    assert "|" not in source.text
    assert "Products $ 64.7 $ 72.7 $ 71.1" in source.text


def pages_of(pdf):
    (page,) = load(pdf, limits=Limits()).pages
    stored = StoredPage(page.number, page.label, PageKind.TEXT, 0, page.text, page.words, None)
    return page.text, [PageTables(stored, tuple(find_tables(page.text, page.words)))]


def test_rows_cut_off_from_their_header_get_it():
    text, pages = pages_of(STATEMENT)
    start = text.index("Interest (12.5)")
    written = with_markdown_tables(text[start:], start, pages)
    header, _, section, row, *_ = (line for line in written.splitlines() if line.startswith("|"))
    assert header == "| | 2023 | 2022 | 2021 |"
    assert written.startswith("Consolidated Statements of Income (In millions, except per share data)\nYears ended")
    assert section.startswith("| Other expense |")
    assert row.startswith("| Interest | (12.5) | — | (3.1) |")


@pytest.mark.parametrize("cut", range(0, 310, 7))
def test_text_around_tables_is_kept_wherever_it_is_cut(cut):
    text, pages = pages_of(STATEMENT)
    written = with_markdown_tables(text[cut:], cut, pages)
    kept = [line for line in written.splitlines() if "|" not in line and line]
    assert "(1) Services include support for 12 months. See Note 3." in kept
    assert written.count("Impairment") == text[cut:].count("Impairment")


def test_bars_in_cells_do_not_end_them():
    made = table(["a|b"], ("", "x | y", ["5"]))
    lines = markdown_of(made, made.rows).splitlines()
    assert [line.count("|") for line in lines if line] == [3, 3, 3]


def test_a_chinese_table_has_its_headers():
    lines = markdown_of(CHINESE, CHINESE.rows).splitlines()
    assert lines[-4:] == [
        "| | 2023年 | 2022年 |",
        "|---|---|---|",
        "| 营业收入 | 12,345 | 11,000 |",
        "| 净利润 | 900 | 750 |",
    ]


def test_the_tables_of_a_page_are_found_once_until_its_document_is_removed(tmp_path, monkeypatch):
    looked_at = []

    def counted(text, words):
        looked_at.append(text)
        return find_tables(text, words)

    monkeypatch.setattr(source_tables, "find_tables", counted)
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("FLOWS.pdf", MADE["continued over pages"]().pdf))
        _, _, first = ask(engine, "What was the amount of inventories in 2022?")
        once = len(looked_at)
        _, _, second = ask(engine, "What was the amount of inventories in 2022?")
        assert (first.short, len(looked_at)) == (second.short, once)
        assert once > 0
        kept = engine.answerer._tables
        (document,) = engine.documents("")
        engine.remove("", document.id)
        assert kept.of(("", document.id), 0) is None

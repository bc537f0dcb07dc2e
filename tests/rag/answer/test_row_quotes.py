"""Rows of tables are quoted with the headings of their columns."""

from __future__ import annotations

from rag.answer.citations import ClaimChecker
from rag.answer.quote import QuoteReader
from rag.answer.row_quotes import with_headings
from rag.answer.source_tables import KeptTables, SourceTables
from rag.engine import Engine
from rag.reader import Evidence
from rag.settings import AnswerSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add, ask
from tests.rag.pdfs import table_pdf

VOTES = table_pdf(
    [
        ["Nominee", "Votes For", "Votes Against", "Abstentions"],
        ["Ada Brook", "59,657,810", "294,935", "10,714,238"],
        ["Ben Crane", "54,484,293", "5,105,005", "77,685"],
    ],
    widths=[150, 100, 100, 100],
)
ROW = "Ben Crane 54,484,293 5,105,005 77,685"


def test_a_quoted_row_says_what_its_values_are_and_is_cited(tmp_path) -> None:
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("meeting.pdf", VOTES))
        sources = ask(engine, "How many votes were cast for Ben Crane?")[0].sources
        tables, checker = SourceTables(KeptTables(engine._store), ""), ClaimChecker(sources, AnswerSettings())
        quoted = [Evidence(1, ROW, 1.0), Evidence(1, "The votes were counted.", 1.0)]
        headed = with_headings(quoted, sources, tables, checker)
        row, sentence = headed.quoted
        place = headed.places[row.text]
        assert sources[0].text[place.start : place.end] == ROW
        assert row.text == "Ben Crane: Votes For 54,484,293 · Votes Against 5,105,005 · Abstentions 77,685"
        assert sentence.text == "The votes were counted."
        # A row shown in a table above, with its headings, stays as it is printed.
        assert with_headings(quoted, sources, tables, checker, shown=True).quoted[0].text == ROW


def test_the_nominee_with_most_votes_against_is_named(tmp_path) -> None:
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("meeting.pdf", VOTES))
        answer = ask(engine, "Which nominee had the most votes against?")[2]
    assert answer.short.values == ("Ben Crane",)
    assert answer.short.labels == ("Ben Crane", "Votes Against")

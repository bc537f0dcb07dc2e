"""Figures of accounts through the engine."""

from __future__ import annotations

import gc

import pytest

from rag.answer.metrics.compute import Accounts
from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import AnswerState
from rag.retrieve.page_facts import PageFacts
from rag.settings import RetrievalSettings, RoutingSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.answer.metrics import statements
from tests.rag.engines import add, ask
from tests.rag.pdfs import table_pdf, text_pdf

QUESTION = "What was Northwind's gross margin in 2023?"


def pdf(lines: str) -> bytes:
    rows = [[part.strip() for part in line.split("|")] for line in lines.strip().splitlines()]
    width = max(map(len, rows))
    return table_pdf([[row[0], *[""] * (width - len(row)), *row[1:]] for row in rows], widths=[230, 75, 75, 75][:width])


@pytest.fixture
def engine(tmp_path):
    settings = Settings(
        data_dir=tmp_path / "data", retrieval=RetrievalSettings(sources=1, routing=RoutingSettings(routing_weight=0.0))
    )
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        prose = text_pdf([f"{QUESTION} The report tells."])
        add(opened, ("faq.pdf", prose), ("NORTHWIND_2023.pdf", pdf(statements.INCOME)))
        yield opened


def test_a_metric_is_computed_and_its_statement_is_the_first_source(engine):
    found, text, answer = ask(engine, QUESTION)
    assert answer.state is AnswerState.ANSWER
    assert answer.short.values == ("40.00",)
    assert answer.short.formula == "400 / 1,000"
    assert found.sources[0].document == "NORTHWIND_2023.pdf"
    assert [source.number for source in found.sources] == list(range(1, len(found.sources) + 1))
    first = answer.short.citations[0]
    assert found.sources[first.number - 1].text[first.start : first.end] == "400"
    assert "Gross profit" in text
    assert engine.view("", found.sources[0], first).sentence_boxes


def test_an_abbreviation_that_no_source_holds_casts_no_doubt_on_what_was_computed(engine):
    _, _, answer = ask(engine, "What was Northwind's FY2023 COGS % margin?")
    assert (answer.state, answer.missing) == (AnswerState.ANSWER, ())
    assert answer.short.values == ("60.00",)


def test_a_document_out_of_scope_answers_nothing(engine):
    (faq,) = (document.id for document in engine.documents("") if document.name == "faq.pdf")
    _, _, answer = ask(engine, QUESTION, documents=[faq])
    assert answer.short is None


def test_nothing_of_a_removed_document_is_kept(engine):
    def kept() -> int:
        gc.collect()
        return sum(type(one) in (Accounts, PageFacts) for one in gc.get_objects())  # isinstance would ask proxies

    before = kept()
    ask(engine, QUESTION)
    assert kept() > before
    for document in engine.documents(""):
        engine.remove("", document.id)
    assert kept() == before

"""Reports say "we" and "the Company": the name in a question chooses the report, and does not count inside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.own_name import DocumentNames
from rag.answer.quote import QuoteReader
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.index.protocols import Scope
from rag.retrieve.query import Query
from rag.settings import RoutingSettings, Settings
from tests.rag.engines import add, ask
from tests.rag.pdfs import text_pdf

FERRODINE = [
    "FERRODINE CORPORATION Annual Report 2022. Ferrodine makes pumps and valves for water works on four continents.",
    "Our people. Ferrodine employees completed 48,000 hours of training in 2022. Employees of Ferrodine may study at"
    " our cost. Ferrodine listens to its employees through surveys.",
    "Labor relations. Approximately 3,100 employees, which constitute 27% of our total workforce, were union"
    " represented as of December 31, 2022. Our employees last went on strike in 2011.",
    "Maria Oduya, 51, Chief Executive Officer of Ferrodine since 2019. Jan Brand, Chief Executive Officer of Orlik.",
    "Our company competes with large manufacturers. We do not own the foundries in which our castings are made.",
]
HALVERSEN = [
    "HALVERSEN INC. Annual Report 2022. Halversen builds ferries.",
    "Our company employs 800 people. We pay our people well, and a strike has never halted our yards.",
]
MANUAL = [
    "Ferrodine X200 manual. Turn the pump off before you open the lid.",
    "Clean the filter of the pump each week.",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory, cache):
    embedder = open_embedder("packaged", cache=cache)
    with Engine(Settings(tmp_path_factory.mktemp("names")), embedder=lambda: embedder, reader=QuoteReader()) as opened:
        opened.wait()
        add(opened, ("FERRODINE_2022.pdf", text_pdf(FERRODINE)), ("HALVERSEN_2022.pdf", text_pdf(HALVERSEN)))
        add(opened, ("X200_manual.pdf", text_pdf(MANUAL)))
        yield opened


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What share of Ferrodine's employees are in a union?", "which constitute 27% of our total workforce"),
        ("what share of ferrodine employees is in a union?", "which constitute 27% of our total workforce"),
        ("When did Ferrodine employees last strike?", "went on strike in 2011"),
        ("How many people does Halversen employ?", "employs 800 people"),
    ],
)
def test_the_sentence_that_answers_comes_before_those_that_repeat_the_name(engine, question, sentence):
    found, _, answer = ask(engine, question)
    assert sentence in answer.sentences[0].text
    assert question.split()[-1] in found.query  # the page shows the question with its name


@pytest.mark.parametrize(
    ("question", "name"), [("Who runs Ferrodine?", "Maria Oduya"), ("Who is the CEO of Ferrodine?", "Maria Oduya")]
)
def test_who_runs_a_company_is_its_head_and_not_another_companys(engine, question, name):
    _, _, answer = ask(engine, question)
    assert answer.short is not None
    assert answer.short.values == (name,)


def own_name(engine: Engine, question: str, **routing: float) -> frozenset[str]:
    settings = replace(RoutingSettings(), **routing)
    names = DocumentNames(engine.answerer.store, engine.answerer._retriever.searching, settings.min_own_voice)
    named = names.searching.named_documents(question, Scope(""))
    return names.without_own_name(Query(question, question), named, Scope("")).own_name


def test_the_name_stays_where_two_companies_are_asked_about(engine):
    assert own_name(engine, "Who employs more people, Ferrodine or Halversen?") == frozenset()


def test_the_name_stays_where_the_document_speaks_for_no_company(engine):
    assert own_name(engine, "How often is the filter of the X200 cleaned?") == frozenset()
    assert own_name(engine, "Who runs Ferrodine?") == {"ferrodine"}
    assert own_name(engine, "Who runs Ferrodine?", min_own_voice=1.1) == frozenset()

"""The short answer from the tables of real PDFs, through the engine."""

from __future__ import annotations

import time

import pytest

from rag.answer.answering import Answerer
from rag.answer.figures import short_figure as short_figure_module
from rag.answer.figures.short_figure import asks_for_figure, short_figure
from rag.answer.quote import QuoteReader
from rag.answer.scales import named_values
from rag.answer.source_tables import KeptTables, SourceTables
from rag.engine import Engine
from rag.records import AnswerState, TableExcerpt
from rag.settings import FigureSettings, Limits, Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import add, ask
from tests.rag.pdfs import table_pdf, text_pdf

NORTHWIND = table_pdf(
    [
        ["(In millions)", "2023", "2022"],
        ["Product sales", "$ 64", "$ 72"],
        ["Service sales", "147", "125"],
        ["Total revenue", "$ 211", "$ 197"],
    ],
    widths=[200, 80, 80],
)
SOUTHWIND = table_pdf(
    [["(In millions)", "2023", "2022"], ["Product sales", "$ 5", "$ 4"], ["Total revenue", "$ 9", "$ 8"]],
    widths=[200, 80, 80],
)


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        add(opened, ("NORTHWIND_2023.pdf", NORTHWIND), ("SOUTHWIND_2023.pdf", SOUTHWIND))
        yield opened


def test_the_value_comes_first_and_its_row_is_quoted(engine):
    found, _, answer = ask(engine, "What was Northwind's total revenue in 2022?")
    assert answer.short.values == ("$197",)
    assert answer.short.scale == "million"
    assert answer.short.labels == ("Total revenue", "2022")
    assert answer.state is AnswerState.ANSWER
    (sentence,) = answer.sentences
    assert sentence.text == "Total revenue $ 211 $ 197"
    assert found.sources[sentence.citations[0].number - 1].document == "NORTHWIND_2023.pdf"


def test_a_sure_figure_answers_where_its_row_cannot_be_quoted(engine, monkeypatch):
    monkeypatch.setattr(short_figure_module, "_rows", lambda answer, places: [])
    monkeypatch.setattr(Answerer, "_find_evidence", lambda *_: [])
    _, _, answer = ask(engine, "What were Northwind's service sales in 2022?")
    assert (answer.state, answer.short.values) == (AnswerState.ANSWER, ("125",))


def test_a_doubtful_figure_is_the_closest_found(engine):
    _, _, answer = ask(engine, "What were Northwind's service sales to schools in 2022?")
    assert (answer.state, answer.short.values) == (AnswerState.CLOSEST, ("125",))
    assert answer.short.confidence < FigureSettings().min_confidence


@pytest.mark.parametrize(
    ("question", "values", "formula"),
    [
        ("Did Southwind or Northwind have higher product sales in 2023?", ("Northwind",), ("64 > 5", "5 < 64")),
        ("Which had lower product sales in 2022, Northwind or Southwind?", ("Southwind",), ("72 > 4", "4 < 72")),
        ("What is the difference in product sales between Northwind and Southwind in 2023?", ("59",), ("64 − 5",)),
    ],
)
def test_a_comparison_rests_on_a_cell_of_each_document(engine, question, values, formula):
    found, _, answer = ask(engine, question)
    assert answer.short.values == values
    assert answer.short.formula in formula
    cited = {found.sources[citation.number - 1].document for citation in answer.short.citations}
    assert cited == {"NORTHWIND_2023.pdf", "SOUTHWIND_2023.pdf"}


def test_the_citation_marks_the_cell(engine):
    found, _, answer = ask(engine, "What was Southwind's total revenue in 2023?")
    (citation,) = answer.short.citations
    source = found.sources[citation.number - 1]
    assert source.document == "SOUTHWIND_2023.pdf"
    assert source.text[citation.start : citation.end] == "$ 9"
    view = engine.view("", source, citation)
    (box,) = view.sentence_boxes
    assert box[0] > 0.4
    assert box[2] - box[0] < 0.1


def test_the_rows_it_stands_in_come_with_it(engine):
    _, _, answer = ask(engine, "What were Northwind's service sales in 2022?")
    assert answer.short.table == TableExcerpt(
        caption="(In millions)",
        headers=("2023", "2022"),
        rows=(("Service sales", "147", "125"), ("Total revenue", "$211", "$197")),
        marked=((0, 1),),
    )


def test_what_is_computed_shows_its_formula_and_cites_every_cell(engine):
    _, _, answer = ask(engine, "What was the percentage change in Northwind's total revenue from 2022 to 2023?")
    assert answer.short.values == ("7.11",)
    assert answer.short.scale == "percent"
    assert answer.short.formula == "(211 − 197) / 197"
    assert len(answer.short.citations) == 2


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("What was Northwind's total revenue in 2015?", id="a year that no table holds"),
        pytest.param("Who audits Northwind's total revenue?", id="a name is asked for"),
        pytest.param("Why did total revenue rise in 2023?", id="a reason is asked for"),
        pytest.param("Did Northwind's total revenue rise in 2023?", id="yes or no is asked for"),
    ],
)
def test_no_figure_is_put_first(engine, question):
    assert ask(engine, question)[2].short is None


def test_a_document_that_is_not_named_does_not_answer_for_one_that_is(tmp_path):
    text = text_pdf(["Northwind was founded in 1931. Total revenue is not disclosed for 2023."])
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("NORTHWIND_2023.pdf", text), ("SOUTHWIND_2023.pdf", SOUTHWIND))
        assert ask(engine, "What was Northwind's total revenue in 2023?")[2].short is None


def test_a_model_answers_in_its_own_words_alone(tmp_path):
    reader = ScriptedReader(["It was $ 197 million [1]."])
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=reader) as engine:
        add(engine, ("NORTHWIND_2023.pdf", NORTHWIND))
        assert ask(engine, "What was Northwind's total revenue in 2022?")[2].short is None


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("How much did it cost?", True),
        ("How did operating income change from 2022 to 2023?", True),
        ("2023年营业收入是多少？", True),
        ("How does the pump work?", False),
        ("When was it founded?", False),
        ("What is goodwill?", False),
        ("为什么利润下降？", False),
    ],
)
def test_questions_that_ask_for_a_figure(question, asks):
    assert asks_for_figure(question) is asks


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("difference in " * 60 + " between" * 120 + " and x" * 200 + "\nx", id="a difference"),
        pytest.param("ratio of " * 150 + " to a" * 500 + "\nx", id="a ratio"),
        pytest.param("value of " * 150 + " as a % of x" * 200 + "\nx", id="a share"),
        pytest.param("占" * 4_000, id="a share, in Chinese"),
        pytest.param("哪" * 4_000, id="a choice, in Chinese"),
        pytest.param("over " + "1" * 3_900, id="a limit"),
    ],
)
@pytest.mark.parametrize("length", [500, 1_000, Limits.question_characters])
def test_a_question_made_to_take_long_does_not(engine, question, length):
    began = time.process_time()
    tables = SourceTables(KeptTables(engine._store), "")
    short_figure(question[: length - 2] + question[-2:], engine.search("", "revenue"), tables, {}, FigureSettings())
    assert time.process_time() - began < 2


def test_an_answer_of_too_many_cells_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(short_figure_module, "MAX_CELLS", 8)
    rows = [["", "2023"], *([f"Item {n}", str(n)] for n in range(9))]
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("NORTHWIND_2023.pdf", table_pdf(rows, widths=[200, 80])))
        assert ask(engine, "What are the items listed in Northwind's table?")[2].short is None


@pytest.mark.parametrize(
    ("rows", "question"),
    [
        pytest.param(
            [["", "2023", "2022"], ["Goodwill impairment", "—", "—"], ["Revenue", "5", "4"]],
            "How many years did Northwind's goodwill impairment exceed 3 million?",
            id="a count of empty cells",
        ),
        pytest.param(
            [["Revenue", "5", "4"], ["Costs", "3", "2"]],
            "In which year was Northwind's revenue the largest?",
            id="a year where no column says one",
        ),
    ],
)
def test_cells_that_say_nothing_give_no_answer(tmp_path, rows, question):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("NORTHWIND_2023.pdf", table_pdf(rows, widths=[200, 80, 80])))
        assert ask(engine, question)[2].short is None


def test_values_of_several_years_say_which_year_each_is_of(engine):
    _, _, answer = ask(engine, "What was Northwind's total revenue in 2022 and 2023?")
    assert named_values(answer.short) == ("2022: $197 million", "2023: $211 million")

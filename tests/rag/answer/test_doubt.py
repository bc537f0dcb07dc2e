"""When an answer is one, when it is only the closest, and when there is none: through the engine, over small PDFs."""

from __future__ import annotations

import pytest

from rag.answer.doubt import MAX_ODDS, is_refusal, judge, probability_of, signs_of
from rag.answer.missing import Comparison, KnownLibrary
from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.reader import Evidence
from rag.records import Answer, AnswerState, AskOptions, Source
from rag.settings import AnswerSettings, DoubtSettings, Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import add, ask
from tests.rag.pdfs import table_pdf, text_pdf

NORTHWIND = table_pdf(
    [["(In millions)", "2023", "2022"], ["Product sales", "$ 64", "$ 72"], ["Total revenue", "$ 211", "$ 197"]],
    widths=[200, 80, 80],
)
MANUAL = text_pdf(
    [
        "The pump X200-B of Meridian Ltd weighs 12 kg. The pump was built in Gdansk in 1931 by Anna Keller.",
        "The warranty of the pump runs for 24 months.",
    ]
)
CONTRACT = text_pdf(["合同编号是第7731号。东方公司的租金是每月五千元。", "本合同于2021年签订，租期为三年。"])


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        add(opened, ("NORTHWIND_2023.pdf", NORTHWIND), ("manual.pdf", MANUAL), ("合同.pdf", CONTRACT))
        yield opened


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("What was Northwind's total revenue in FY22?", id="a name of the document, a year in short"),
        pytest.param("When was the pump built by Keller?", id="a surname"),
        pytest.param("How much does the pump X200-B weigh?", id="a code"),
        pytest.param("东方公司的租金是多少？", id="a Chinese company"),
        pytest.param("本合同二零二一年签订吗？", id="a year in Chinese numerals"),
    ],
)
def test_what_the_documents_hold_is_answered(engine, question):
    answer = ask(engine, question)[2]
    assert answer.state is AnswerState.ANSWER
    assert answer.missing == ()
    assert answer.sentences


@pytest.mark.parametrize(
    ("question", "documents", "unverified"),
    [
        pytest.param("微软2023财年的总收入是多少？", ("a", "b"), True, id="a Chinese name"),
        pytest.param("蓝湖科技2023财年的总收入是多少？", ("a", "b"), True, id="one that is not well known"),
        pytest.param("微软2023财年的总收入是多少？", ("a", "a"), False, id="one document"),
        pytest.param("Microsoft 2023财年的总收入是多少？", ("a", "b"), False, id="a name that can be compared"),
        pytest.param("微软2023财年为什么增长？", ("a", "b"), False, id="no figure"),
    ],
)
def test_a_figure_of_a_name_in_another_script_is_unverified(question, documents, unverified):
    text = "Microsoft total revenue was 211 in 2023."
    sources = [
        Source(n, n, one, f"{one}.pdf", 0, 0, "1", (), text, 0, len(text), 1.0) for n, one in enumerate(documents, 1)
    ]
    library = KnownLibrary({}, lambda term: 1.0, lambda term: {}, lambda source: "")
    comparison = Comparison(question, sources, library, DoubtSettings())
    assert comparison.unverified is unverified
    rows = [Evidence(1, "Total revenue 211", 1.0)]  # not compared by vectors
    doubt = judge(comparison, rows, lambda asked, said: 1.0, AnswerSettings(), anyway=False)
    assert (doubt.state is AnswerState.CLOSEST) is unverified


def test_what_the_span_model_makes_of_the_sentences_counts():
    text = "The pump was built in Gdansk in 1931."
    source = Source(1, 1, "a", "a.pdf", 0, 0, "1", (), text, 0, len(text), 1.0)
    library = KnownLibrary({}, lambda term: 1.0, lambda term: {}, lambda source: "")
    comparison = Comparison("Where was the pump built?", [source], library, DoubtSettings())

    def probability(odds: float | None) -> float:
        signs = signs_of(comparison, [Evidence(1, text, 1.0, closeness=0.8)], lambda asked, said: 1.0, odds)
        assert signs is not None
        return probability_of(signs, DoubtSettings().same_script)

    assert probability(-6.0) < probability(None) < probability(6.0)
    assert probability(1e6) == probability(MAX_ODDS)


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        pytest.param("What was Northwind's total revenue in 2015?", ("2015",), id="another year"),
        pytest.param("What was Southwind's total revenue in 2022?", ("Southwind",), id="another company"),
        pytest.param("How much does the pump X300-B weigh?", ("X300-B",), id="another model"),
        pytest.param("When was the pump built by Maria Lang?", ("Maria Lang",), id="another person"),
        pytest.param("西方公司的租金是多少？", ("西方公司",), id="another company, in Chinese"),
        pytest.param("本合同于二零一五年签订吗？", ("二零一五",), id="another year, in Chinese"),
        pytest.param("Southwind的租金是多少？", ("Southwind",), id="a Latin name among Chinese"),
        pytest.param("特斯拉2023年的总收入是多少？", ("特斯拉",), id="a Chinese name that no English text has"),
    ],
)
def test_what_they_lack_is_no_answer_and_is_named(engine, question, missing):
    answer = ask(engine, question)[2]
    assert answer.state is not AnswerState.ANSWER
    assert answer.missing == missing
    assert answer.short is None


@pytest.mark.parametrize("question", ["....", "?", "🙂", "。。。", "qwzx vbnk plmt"])
def test_what_asks_nothing_gets_no_quotes(engine, question):
    _, text, answer = ask(engine, question)
    assert answer.state is AnswerState.NONE
    assert text == ""


def test_a_company_is_known_by_its_name_in_the_other_script(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("WALMART_2023.pdf", NORTHWIND), ("manual.pdf", MANUAL))
        found, _, answer = ask(engine, "沃尔玛2023年的总收入是多少？")
        assert found.query == "Walmart 2023年的总收入是多少？"
        assert found.sources[0].document == "WALMART_2023.pdf"
        assert answer.missing == ()
        assert answer.state is AnswerState.CLOSEST, "sentences of another language are not known to answer"


def test_answer_anyway_gives_the_closest(engine):
    def asked(options: AskOptions) -> Answer:
        *_, answer = engine.ask("", "Who sells ladders?", options=options)
        return answer

    assert asked(AskOptions()).state is AnswerState.NONE
    insisted = asked(AskOptions(anyway=True))
    assert insisted.state is AnswerState.CLOSEST
    assert insisted.sentences


@pytest.mark.parametrize(
    ("question", "said", "state"),
    [
        ("Who built the pump?", "Anna Keller built it [1].", AnswerState.ANSWER),
        ("What was Southwind's revenue?", "It was $ 197 million [1].", AnswerState.CLOSEST),
        ("Who built the pump?", "The sources do not hold the answer.", AnswerState.NONE),
        ("Who built the pump?", "", AnswerState.NONE),
        ("泵是谁造的？", "资料中没有答案。", AnswerState.NONE),
    ],
)
def test_a_model_is_doubted_by_its_sources_and_its_refusals(tmp_path, question, said, state):
    reader = ScriptedReader([said])
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=reader) as engine:
        add(engine, ("manual.pdf", MANUAL), ("合同.pdf", CONTRACT))
        assert ask(engine, question)[2].state is state


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("The documents do not answer this question.", True),
        ("The provided sources don't contain information about it.", True),
        ("There is no information on this in the sources.", True),
        ("根据资料，没有相关信息。", True),
        ("资料中没有答案", True),
        ("They do not.", True),
        ("The documents do not contain " + "and so on " * 30, False),
        ("No employee may smoke.", False),
        ("该公司没有负债。", False),
    ],
)
def test_stock_refusals(text, refuses):
    assert is_refusal(text) is refuses

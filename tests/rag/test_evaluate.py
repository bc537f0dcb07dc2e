from __future__ import annotations

import json

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.evaluate import add_folder, evaluate, parser
from rag.evaluation.question_file import Question
from rag.evaluation.report import Outcome, format_report, normalise, report
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import text_pdf


def outcome(rank, seconds=0.01, answered=None, first=None) -> Outcome:
    return Outcome(Question("q", "d", frozenset({0}), (), "en"), rank, seconds, answered, first)


def test_the_report_by_hand():
    """Ranks 1, 2, 4 and none: recall@1 1/4, @3 2/4, @5 3/4; MRR (1 + 1/2 + 1/4) / 4 = 0.4375."""
    rows = [
        outcome(1, 0.01, True, True),
        outcome(2, 0.02, True, False),
        outcome(4, 0.03, False, False),
        outcome(None, 0.1),
    ]
    found = report(rows, [1, 3, 5])
    assert found["recall"] == {"1": 0.25, "3": 0.5, "5": 0.75}
    assert found["mrr"] == 0.4375
    assert (found["answered"], found["answered_first"]) == (
        pytest.approx(2 / 3, abs=1e-4),
        pytest.approx(1 / 3, abs=1e-4),
    )
    assert found["ms"] == {"median": 25.0, "p95": 100.0}


def test_a_report_of_nothing():
    assert report([], [1])["recall"] == {"1": 0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  $1,577.00!", "157700"),
        ("An apple a day", "apple day"),
        ("合同编号：第 7731 号。", "合同编号第7731号"),
    ],
)
def test_normalisation(text, expected):
    assert normalise(text) == expected


def test_a_line_that_lacks_a_field_names_it():
    with pytest.raises(ValueError, match="'pages'"):
        Question.parse('{"question": "q", "document": "d.pdf"}')


def test_the_command_from_folder_to_numbers(tmp_path):
    folder = tmp_path / "pdfs"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(text_pdf(["The red pump was built in 1931.", "The valve is blue."]))
    (folder / "b.pdf").write_bytes(text_pdf(["苍鹭在湖边筑巢。"]))
    rows = [
        {"question": "When was the red pump built?", "document": "a.pdf", "pages": [0], "answer": "1931"},
        {"question": "Which colour has the valve?", "document": "a.pdf", "pages": [1], "answer": ["blue"]},
        {"question": "苍鹭在哪里筑巢？", "document": "b.pdf", "pages": [0], "answer": "湖边"},
    ]
    questions = [Question.parse(json.dumps(row)) for row in rows]
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add_folder(engine, folder, lambda text: None)
        whole = list(evaluate(engine, questions, scope="all", answers=True))
        own = list(evaluate(engine, questions, scope="document"))
    assert [row.rank for row in whole] == [1, 1, 1]
    assert [row.rank for row in own] == [1, 1, 1]
    assert whole[0].answered
    assert whole[0].answered_first
    assert own[0].answered is None


def test_the_table_shows_each_language():
    whole = {
        "documents": 1,
        "pages": 2,
        "passages": 3,
        "scope": "all",
        "seconds": {"index": 1.0, "pages_per_second": 2.0},
    }
    part = report([outcome(1)], [1, 3])
    text = format_report({**whole, **part, "languages": {"en": part}})
    assert "R@1" in text
    assert "1.000" in text
    assert text.count("\n") == 5


def test_the_options():
    arguments = parser().parse_args(["--pdfs", "p", "--questions", "q", "--scope", "document", "--k", "1,2"])
    assert (arguments.scope, arguments.k, arguments.answers) == ("document", "1,2", False)

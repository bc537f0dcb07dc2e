from __future__ import annotations

import json

import pytest

from rag.answer.quote import QuoteReader
from rag.answer.scales import printed_values
from rag.engine import Engine
from rag.errors import SettingRefused
from rag.evaluate import add_folder, evaluate, parsed, parser
from rag.evaluation.answer_lines import answer_line
from rag.evaluation.answer_scores import answer_scores, scores_of
from rag.evaluation.outcomes import Outcome, normalise
from rag.evaluation.question_file import Question, read_questions
from rag.evaluation.report import format_report, report
from rag.records import Answer, AnswerState, Sentence, ShortAnswer
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import text_pdf


def outcome(rank, seconds=0.01, said=None, **changes) -> Outcome:
    question = Question("q", "d", frozenset({0}), ("in 1931",) if said else (), "en")
    answer = Answer(tuple(map(Sentence, said)), "r", **changes) if said else None
    return Outcome(question, rank, seconds, answer)


def test_the_report_by_hand():
    """Ranks 1, 2, 4 and none: recall@1 1/4, @3 2/4, @5 3/4; MRR (1 + 1/2 + 1/4) / 4 = 0.4375."""
    rows = [
        outcome(1, 0.01, ["It was built in 1931."]),
        outcome(2, 0.02, ["It is red. ", "Built in 1931."]),
        outcome(4, 0.03, ["In 1932."]),
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


def test_questions_without_a_page_do_not_count_in_recall():
    unanswerable = Outcome(Question("q"), None, 0.01)
    assert report([outcome(1), unanswerable], [1])["recall"] == {"1": 1.0}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"document": "d.pdf"}', "line 2: the field 'question' is missing"),
        ('{"question": 3}', "line 2 cannot be read: 3 is not a text"),
        ('{"question": "q", "pages": ["x"]}', "line 2 cannot be read"),
        ("[]", "line 2 cannot be read: it is not an object"),
        ("nonsense", "line 2 cannot be read"),
        ("[" * 100_000, "line 2 cannot be read"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, reason):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "q"}\n' + line, "utf-8")
    with pytest.raises(SettingRefused, match=reason) as refused:
        read_questions(file)
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_that_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(SettingRefused, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")


def test_an_answer_is_written_as_a_line():
    short = ShortAnswer(("$ 197", "201"), "million", ("Revenue",), "a + b", ())
    said = outcome(2, 0.5, ["Revenue rose."], short=short, state=AnswerState.CLOSEST, missing=("2015",))
    assert json.loads(answer_line(said)) == {
        "question": "q",
        "state": "closest",
        "short": "$ 197 million; 201 million",
        "values": ["$ 197", "201"],
        "scale": "million",
        "formula": "a + b",
        "answer": "Revenue rose.",
        "missing": ["2015"],
        "sources": [],
        "rank": 2,
        "seconds": 0.5,
    }


@pytest.mark.parametrize(
    ("value", "scale", "text"), [("12", "percent", "12%"), ("12%", "percent", "12%"), ("blue", "", "blue")]
)
def test_a_short_answer_as_text(value, scale, text):
    assert printed_values(ShortAnswer((value,), scale, (), "", ())) == (text,)


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
    questions = [Question.parse(row) for row in rows]
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add_folder(engine, folder, lambda text: None)
        whole = list(evaluate(engine, questions, scope="all", answers=True))
        own = list(evaluate(engine, questions, scope="document"))
    assert [row.rank for row in whole] == [1, 1, 1]
    assert [row.rank for row in own] == [1, 1, 1]
    assert whole[0].contains == (True, True)
    assert own[0].contains is None
    (source,) = json.loads(answer_line(whole[2]))["sources"][:1]
    assert source == {"document": "b.pdf", "page": 0}


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


def short_outcome(values, answers, kind="", scale="", state=AnswerState.ANSWER, evidence="") -> Outcome:
    short = ShortAnswer(values, scale, (), "", ()) if values else None
    question = Question("q", answers=answers, kind=kind, scale=scale, evidence=evidence)
    return Outcome(question, None, 0.01, Answer((), "r", state, short=short))


@pytest.mark.parametrize(
    ("values", "answers", "kind", "expected"),
    [
        (("the red pump",), ("red pump",), "", (1.0, 1.0)),
        (("red pump",), ("blue", "the pump"), "", (0.0, 2 / 3)),  # the better of two alternatives
        (("湖边的树上",), ("湖边",), "", (0.0, 4 / 7)),  # by characters
        (("a", "b"), ("b", "a"), "multi-span", (1.0, 1.0)),
        (("b",), ("b", "c"), "multi-span", (0.0, 0.5)),  # both are wanted
        ((), ("b",), "span", (0.0, 0.0)),
    ],
)
def test_a_short_answer_is_scored_as_its_question_asks(values, answers, kind, expected):
    scores = scores_of(short_outcome(values, answers, kind))
    assert (scores.exact, scores.f1) == pytest.approx(expected)


def test_scores_are_given_by_kind_and_source_and_states_are_counted():
    found = answer_scores(
        [
            short_outcome(("5",), ("5",), "span", evidence="table"),
            short_outcome(("6",), ("7",), "arithmetic", evidence="table"),
            short_outcome((), (), state=AnswerState.NONE),
            outcome(1),
        ]
    )
    assert (found["exact"], found["f1"]) == (0.5, 0.5)
    assert found["kinds"]["arithmetic"] == {"questions": 1, "exact": 0.0, "f1": 0.0}
    assert found["sources"] == {"table": {"questions": 2, "exact": 0.5, "f1": 0.5}}
    assert found["states"] == {"answer": 2, "closest": 0, "none": 1}


def test_the_table_shows_short_answers_where_questions_were_answered():
    whole = {
        "documents": 1,
        "pages": 2,
        "passages": 3,
        "scope": "all",
        "seconds": {"index": 1.0, "pages_per_second": 2},
    }
    rows = [short_outcome(("5",), ("5",), "span"), short_outcome((), (), state=AnswerState.NONE)]
    text = format_report({**whole, **report(rows, [1])})
    assert "span                     1   1.000   1.000" in text
    assert text.endswith("states: answer 1, closest 0, none 1\n")
    assert "states" not in format_report({**whole, **report([outcome(1)], [1])})


def test_the_file_of_answers_needs_answers(capsys):
    with pytest.raises(SystemExit):
        parsed(["--pdfs", "p", "--questions", "q", "--out", "f"])
    assert "--out needs --answers" in capsys.readouterr().err


def test_the_options():
    arguments = parser().parse_args(["--pdfs", "p", "--questions", "q", "--scope", "document", "--k", "1,2"])
    assert (arguments.scope, arguments.k, arguments.answers) == ("document", "1,2", False)

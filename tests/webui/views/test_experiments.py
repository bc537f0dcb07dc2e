"""Two settings compared under Evaluate: the form, the totals, what changed; what a browser sends is looked up first."""

import json
import re
from types import SimpleNamespace

import pytest

from rag.answer.quote import QuoteReader
from rag.evaluation.background import Progress, WorkKind
from rag.evaluation.experiment import Pair, Variant
from rag.evaluation.measured import Measured
from rag.evaluation.runs import AnswerResult, Result
from rag.manner import AnswerLength, Manner
from rag.messages import Message
from rag.preferences import Preferences, Strictness
from rag.records import Choice
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document
from tests.webui.fake_evaluations import experiment
from tests.webui.handling import REQUEST, sent
from tests.webui.safe import NASTY, look
from webui.strings import LANGUAGES
from webui.views.evaluation import evaluation_html

QUESTIONS = ("How much did revenue grow?", "大坝有多高？", "Who signed it?")
FEW = Variant(Preferences(sources=2))


def measured(given: str, rank: int | None = 1, exact: float | None = None) -> Measured:
    return Measured(Result(rank, 0.01, "x", AnswerResult(exact, exact, "", 1, 2, 0.5)), given)


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf")]
    for text in QUESTIONS:
        engine.evaluations.save("", text, engine.library[0].id, 1)
    return engine


@pytest.fixture
def view(engine):
    handlers = handling.handlers(engine)
    session = handlers.session(REQUEST)

    def send(**data):
        handlers.in_evaluation(sent(**data), REQUEST)
        return session.evaluation.problem

    return SimpleNamespace(session=session, send=send, html=lambda: str(evaluation_html(engine, session)))


def names(html: str) -> set[str]:
    return {at["name"] for tag, at in look(html).elements if tag == "select" and "name" in at}


def made(engine, left=0):
    pairs = {
        1: Pair(measured("4,218 million", 1, 1.0), measured("12 pumps", None, 0.0)),
        2: Pair(measured("185 m", 3), measured("185 m", 1)),
        3: Pair(measured("", None), measured("", None)),
    }
    engine.evaluations.experiments.done[""] = [experiment(7, (Variant(), FEW), pairs, left)]


def test_equal_sides_cannot_be_compared_and_changed_ones_can(engine, view):
    assert re.search(r'data-do="compare"[^>]*disabled', view.html())
    assert "Both sides are the same" in view.html()
    view.send(do="set-variant", side=1, name="sources", value="2")
    assert not re.search(r'data-do="compare"[^>]*disabled', view.html())
    assert view.send(do="compare") is None
    assert engine.evaluations.experiments.asked == [(Variant(), FEW)]
    assert engine.preferences.of("") == Preferences(), "the person's own settings stay"


def test_only_settings_with_an_effect_are_offered(engine, view):
    engine.choose(Choice("reader", QuoteReader.name, Message("it needs no model")))
    assert names(view.html()) == {"sources", "strictness", "length"}
    engine.choose(Choice("reader", "GLM-4-9B-0414", Message("it fits")))
    assert names(view.html()) == {"sources", "strictness", "length", "language", "temperature", "reader"}
    view.session.prefer(engine, lambda before: Preferences(manner=Manner(english="Be brief.")))
    assert "instruction" in names(view.html())
    view.send(do="set-variant", side=0, name="instruction", value="")
    view.send(do="set-variant", side=0, name="reader", value="quotes")
    view.send(do="set-variant", side=1, name="strictness", value="strict")
    view.send(do="set-variant", side=1, name="length", value="short")
    view.send(do="compare")
    manner = Manner(length=AnswerLength.SHORT, english="Be brief.")
    assert engine.evaluations.experiments.asked == [
        (Variant(quotes=True), Variant(Preferences(strictness=Strictness.STRICT, manner=manner)))
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"side": 2, "name": "sources", "value": "2"},
        {"side": 0, "name": "sources", "value": "99"},
        {"side": 0, "name": "english", "value": "Obey."},
        {"side": 0, "name": "strictness", "value": None},
        {"side": "0", "name": [], "value": {}},
    ],
)
def test_what_no_browser_sends_changes_nothing(view, data):
    assert "cannot have that value" in str(view.send(do="set-variant", **data))
    assert view.session.evaluation.variants is None


def test_totals_and_changes_of_both_sides_are_shown(engine, view):
    made(engine)
    html = view.html()
    assert "With B: 1 better, 1 worse, 1 the same." in html
    assert "100% of such comparisons" in html
    cells = r'<th scope="row">([^<]*)</th><td>([^<]*)</td><td>([^<]*)</td><td class="(\w*)">([^<]*)</td>'
    rows = {row[0]: row[1:] for row in re.findall(cells, html)}
    assert rows["correct answers"] == ("100%", "0%", "lost", "−100 pp")
    assert rows["page found"] == ("67%", "33%", "lost", "−33 pp")
    assert rows["not answered"] == ("1", "1", "", "")
    assert '<th scope="row">Sources</th><td>Default (8)</td><td>2</td>' in html
    groups = dict(re.findall(r'<details class="group (\w+)".*?</summary>(.*?)</details>', html))
    assert list(groups) == ["worse", "better", "same"]
    assert "12 pumps" in groups["worse"]
    assert QUESTIONS[1] in groups["better"]
    assert "Not in the documents" in groups["same"]
    assert {at["data-file"] for _, at in look(html).elements if at.get("data-do") == "export"} >= {
        "comparison.csv",
        "comparison.json",
    }


def test_one_that_was_stopped_can_be_resumed_and_removed(engine, view):
    made(engine)
    assert 'data-do="resume"' not in view.html()
    experiments = engine.evaluations.experiments
    (whole,) = experiments.done[""]
    experiments.done[""] = [experiment(7, whole.variants, {1: whole.pairs[1]}), experiment(8, whole.variants, {})]
    object.__setattr__(experiments.done[""][0], "questions", (1, 2, 3))
    view.send(do="experiment", experiment=7)
    assert "Stopped after 1 of 3 questions." in view.html()
    view.send(do="resume", experiment=99)
    view.send(do="resume", experiment=7)
    assert experiments.asked == [7]
    engine.evaluations.far = Progress(1, 3, running=True, kind=WorkKind.EXPERIMENT)
    assert view.html().count("Question 1 of 3") == 2, "above, and beside the form"
    assert 'data-do="resume"' not in view.html()
    engine.evaluations.far = None
    view.send(do="forget-experiment", experiment="7")
    assert len(experiments.done[""]) == 2
    view.send(do="forget-experiment", experiment=7)
    assert [one.id for one in experiments.done[""]] == [8]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_answers_are_text(engine, view, language):
    view.session.language = language
    pairs = {at: Pair(measured(text), measured(text * 50)) for at, text in enumerate(NASTY, 1) if "\ud800" not in text}
    engine.evaluations.experiments.done[""] = [experiment(1, (Variant(), FEW), pairs)]
    seen = look(view.html())
    assert seen.elements
    exported = next(at["data-text"] for _, at in seen.elements if at.get("data-file") == "comparison.json")
    assert len(json.loads(exported)["questions"]) == len(QUESTIONS)

"""Experiments over a real store and the real search: two variants, stop, resume, what is kept, files of them."""

from __future__ import annotations

import csv
import io
import json
import threading
from dataclasses import replace

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import QuestionRefused
from rag.evaluation import experiments as module
from rag.evaluation.experiment import Pair, Variant, Verdict, sign_test
from rag.evaluation.experiment_files import experiment_csv, experiment_json
from rag.evaluation.measured import Measured
from rag.evaluation.runs import AnswerResult, Result
from rag.preferences import Preferences, Strictness
from rag.settings import RetrievalSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf
from tests.waiting import until

PUMP, VALVE = "When was the red pump built?", "How heavy is the blue valve?"
MANUAL = text_pdf(["The red pump was built in 1931.", "The blue valve is heavy: 12 kg. How heavy it is!"])
RIVALS = text_pdf([f"{PUMP} {PUMP} {PUMP} {PUMP} {PUMP} Plant number {n}." for n in range(3)])
MANY, ONE = Variant(), Variant(Preferences(sources=1))


@pytest.fixture
def make(tmp_path):
    """Open engines on one data folder; all are closed at the end."""
    opened: list[Engine] = []

    def open_engine() -> Engine:
        for engine in opened:
            engine.close()
        settings = Settings(data_dir=tmp_path / "data", retrieval=RetrievalSettings(sources=6))
        opened.append(Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()))
        return opened[-1]

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(make):
    engine = make()
    add(engine, ("manual.pdf", MANUAL), ("rivals.pdf", RIVALS))
    manual = next(one.id for one in engine.documents("") if one.name == "manual.pdf")
    engine.evaluations.save("", PUMP, manual, 0, "1931")
    engine.evaluations.save("", VALVE, manual, 1, "12 kg")
    return engine


def ended(engine: Engine, owner: str = "") -> None:
    until(lambda: not (engine.evaluations.progress(owner) and engine.evaluations.progress(owner).running))


def compared(engine: Engine, *variants: Variant):
    engine.evaluations.experiments.start("", variants)
    ended(engine)
    return newest(engine)


def newest(engine: Engine, owner: str = ""):
    experiments = engine.evaluations.experiments
    return experiments.get(owner, experiments.listed(owner)[-1].id)


def stopped_after_one(engine: Engine):
    """An experiment that was stopped while its second question was asked."""
    experiments = engine.evaluations.experiments
    ask, reached, go = experiments._ask, threading.Event(), threading.Event()

    def held(owner, question, **more):
        if question == VALVE and not go.is_set():
            reached.set()
            go.wait(20)
        return ask(owner, question, **more)

    experiments._ask = held
    experiments.start("", (MANY, ONE))
    assert reached.wait(20)
    assert engine.evaluations.progress("").done == 1
    engine.evaluations.stop("")
    go.set()
    ended(engine)
    experiments._ask = ask
    return newest(engine)


def test_both_variants_are_measured_on_the_same_questions(engine):
    found = compared(engine, MANY, ONE)
    first, second = found.runs
    assert first.results.keys() == second.results.keys() == {one.id for one in engine.evaluations.saved("")}
    assert (first.depth, second.depth) == (6, 1)
    assert (first.recall(6), second.recall(1)) == (1.0, 0.5), "the rivals take the one source"
    assert [found.verdicts[one.id] for one in engine.evaluations.saved("")] == [Verdict.WORSE, Verdict.SAME]
    assert found.left == ()
    assert engine.evaluations.runs("") == (), "the runs over time are left alone"
    valve = engine.evaluations.saved("")[1].id
    assert "12 kg" in found.pairs[valve].first.given


def test_equal_variants_and_questions_that_cannot_be_asked_are_refused(engine):
    experiments = engine.evaluations.experiments
    with pytest.raises(QuestionRefused, match="change one"):
        experiments.start("", (MANY, MANY))
    with pytest.raises(QuestionRefused, match="save a question first"):
        experiments.start("ann", (MANY, ONE))
    assert experiments.listed("") == ()


def test_what_was_stopped_is_kept_and_resumed_also_after_a_restart(engine, make):
    stopped = stopped_after_one(engine)
    pump, valve = (one.id for one in engine.evaluations.saved(""))
    assert (set(stopped.pairs), stopped.left) == ({pump}, (valve,))
    engine = make()
    assert newest(engine) == stopped
    engine.evaluations.experiments.resume("", stopped.id)
    ended(engine)
    whole = newest(engine)
    assert (whole.id, set(whole.pairs), whole.left) == (stopped.id, {pump, valve}, ())
    assert whole.pairs[pump] == stopped.pairs[pump], "what was asked is not asked again"
    with pytest.raises(QuestionRefused, match="All questions have been asked"):
        engine.evaluations.experiments.resume("", stopped.id)


def test_an_experiment_is_not_resumed_over_other_documents(engine):
    stopped = stopped_after_one(engine)
    add(engine, ("more.pdf", text_pdf(["Another page altogether."])))
    engine.evaluations.experiments.resume("", stopped.id)
    ended(engine)
    assert "start a new one" in str(engine.evaluations.progress("").problem)
    assert newest(engine) == stopped


def test_a_removed_question_takes_its_results_along(engine):
    found = compared(engine, MANY, ONE)
    pump, valve = (one.id for one in engine.evaluations.saved(""))
    engine.evaluations.remove("", valve)
    assert set(newest(engine).pairs) == {pump}
    engine.evaluations.experiments.remove("", found.id)
    assert engine.evaluations.experiments.listed("") == ()


def test_experiments_are_their_owners_and_limited_in_number(engine, monkeypatch):
    monkeypatch.setattr(module, "MAX_EXPERIMENTS", 1)
    first, second = compared(engine, MANY, ONE), compared(engine, ONE, MANY)
    assert [one.id for one in engine.evaluations.experiments.listed("")] == [second.id]
    experiments = engine.evaluations.experiments
    assert experiments.get("", first.id) is None
    assert experiments.listed("ann") == ()
    assert experiments.get("ann", second.id) is None
    experiments.remove("ann", second.id)
    with pytest.raises(QuestionRefused):
        experiments.resume("ann", second.id)
    assert experiments.get("", second.id) == second


def test_a_strict_variant_refuses_what_the_other_answers(engine):
    found = compared(engine, Variant(Preferences(strictness=Strictness.RELAXED)), Variant(quotes=True))
    assert found.variants[0].preferences.strictness is Strictness.RELAXED
    assert found.circumstances.readers == (QuoteReader.name, QuoteReader.name)


def test_files_hold_both_sides(engine):
    found = compared(engine, MANY, ONE)
    questions = engine.evaluations.saved("")
    rows = list(csv.DictReader(io.StringIO(experiment_csv(found, questions))))
    assert [(row["question"], row["rank A"], row["rank B"], row["B against A"]) for row in rows] == [
        (PUMP, str(found.pairs[questions[0].id].first.result.rank), "", "worse"),
        (VALVE, "1", "1", "same"),
    ]
    assert "12 kg" in rows[1]["answer A"]
    assert rows[1]["expected"] == "12 kg"
    whole = json.loads(experiment_json(found, questions))
    assert whole["settings"]["A"]["sources"] is None
    assert whole["settings"]["B"]["sources"] == 1
    assert whole["totals"]["B"]["page found"] == 0.5
    assert whole["verdicts"] == {"better": 0, "worse": 1, "same": 1, "chance": 1.0}
    assert [one["verdict"] for one in whole["questions"]] == ["worse", "same"]


def measured(rank: int | None, exact: float | None = None, f1: float | None = None) -> Measured:
    return Measured(Result(rank, 0.1, "", AnswerResult(exact, f1, "", 0, 0, 0.2)), "")


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (measured(1, 0.0, 0.0), measured(None, 1.0, 1.0), Verdict.BETTER),  # the answer comes before the page
        (measured(1, 1.0, 1.0), measured(1, 0.0, 0.8), Verdict.WORSE),
        (measured(1, 0.0, 0.2), measured(2, 0.0, 0.6), Verdict.BETTER),
        (measured(1, 0.0, 0.2), measured(1, 0.0, 0.204), Verdict.SAME),
        (measured(3), measured(1), Verdict.BETTER),
        (measured(3), measured(None), Verdict.WORSE),
        (measured(None), measured(None), Verdict.SAME),
        (replace(measured(2), result=Result(2, 0.1)), measured(2, 1.0, 1.0), Verdict.SAME),
    ],
)
def test_the_answer_decides_and_then_the_rank_of_the_page(first, second, verdict):
    assert Pair(first, second).verdict is verdict
    opposite = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER, Verdict.SAME: Verdict.SAME}
    assert Pair(second, first).verdict is opposite[verdict]


def test_the_sign_test_is_that_of_mcnemar():
    assert sign_test(0, 0) is None
    assert sign_test(1, 0) == 1.0
    assert sign_test(6, 0) == pytest.approx(2 / 64)
    assert sign_test(9, 2) == sign_test(2, 9) == pytest.approx(2 * (1 + 11 + 55) / 2048)
    assert sign_test(5, 5) == 1.0

"""Kept questions and runs over a real store and the real search, with an exact embedder."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import FileRefused, ModelMissing, QuestionRefused, StoreError
from rag.evaluation import evaluations as module
from rag.evaluation import questions
from rag.evaluation.question_sets import QuestionRow
from rag.evaluation.runs import Result, compare
from rag.opening import Parts
from rag.settings import RetrievalSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf
from tests.waiting import until

PUMP, VALVE = "When was the red pump built?", "How heavy is the blue valve?"
MANUAL = text_pdf(["The red pump was built in 1931.", "The blue valve is heavy: 12 kg. How heavy it is!"])
PLANT = "Which plant is number 4?"
RIVALS = text_pdf([f"{PUMP} {PUMP} {PUMP} {PUMP} {PUMP} Plant number {n}." for n in range(6)])


@pytest.fixture
def make(tmp_path):
    """Open engines on one data folder; all are closed at the end."""
    opened: list[Engine] = []

    def open_engine(retrieval=None, **parts) -> Engine:
        for engine in opened:
            engine.close()
        settings = Settings(data_dir=tmp_path / "data", retrieval=retrieval or RetrievalSettings(sources=3))
        opened.append(Engine(settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=Parts(**parts)))
        return opened[-1]

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(make):
    opened = make()
    add(opened, ("manual.pdf", MANUAL))
    return opened


def document_id(engine: Engine, owner: str = "") -> str:
    return engine.documents(owner)[0].id


def keep_both(engine: Engine, owner: str = "") -> None:
    engine.evaluations.save(owner, PUMP, document_id(engine, owner), 0)
    engine.evaluations.save(owner, VALVE, document_id(engine, owner), 1)


def run(engine: Engine, owner: str = ""):
    engine.evaluations.start(owner)
    until(lambda: not (engine.evaluations.progress(owner) and engine.evaluations.progress(owner).running))
    return engine.evaluations.runs(owner)[-1]


def on_disk(folder, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_a_question_is_saved_once_with_all_its_right_pages(engine):
    keep_both(engine)
    engine.evaluations.save("", f"  {PUMP}\n", document_id(engine), 1)
    engine.evaluations.save("", PUMP, document_id(engine), 1)
    pump, valve = engine.evaluations.saved("")
    assert (pump.text, valve.text) == (PUMP, VALVE)
    assert [(page.page, page.page_label, page.document) for page in pump.pages] == [
        (0, "1", "manual.pdf"),
        (1, "2", "manual.pdf"),
    ]
    engine.evaluations.remove_page("", pump.id, document_id(engine), 0)
    assert [page.page for page in engine.evaluations.saved("")[0].pages] == [1]


def test_a_question_whose_only_right_page_was_wrong_goes_on_with_another_one(engine):
    engine.evaluations.save("", VALVE, document_id(engine), 0)
    wrong = run(engine)
    (valve,) = engine.evaluations.saved("")
    engine.evaluations.remove_page("", valve.id, document_id(engine), 0)
    (without,) = engine.evaluations.saved("")
    assert (without.id, without.text, without.pages, without.here) == (valve.id, VALVE, (), False)
    with pytest.raises(QuestionRefused, match="save a question first"):
        engine.evaluations.start("")
    engine.evaluations.save("", PUMP, document_id(engine), 0)
    assert valve.id not in run(engine).results, "there is nothing to measure it with"
    engine.evaluations.save("", VALVE, document_id(engine), 1)
    assert engine.evaluations.saved("")[0].id == valve.id
    right = run(engine)
    assert right.results[valve.id].rank == 1
    assert [change.question for change in compare(wrong, right, 3).other_pages] == [valve.id]
    engine.evaluations.remove("", valve.id)
    assert [question.text for question in engine.evaluations.saved("")] == [PUMP]


@pytest.mark.parametrize(
    ("question", "page", "error"),
    [
        (PUMP, 2, QuestionRefused),
        (PUMP, -1, QuestionRefused),
        (" \n", 0, QuestionRefused),
        ("x" * 4001, 0, QuestionRefused),
    ],
)
def test_what_cannot_be_saved_is_refused(engine, question, page, error):
    with pytest.raises(error):
        engine.evaluations.save("", question, document_id(engine), page)
    assert engine.evaluations.saved("") == ()


def test_a_lone_surrogate_is_replaced(engine):
    engine.evaluations.save("", "odd \ud800", document_id(engine), 0)
    assert engine.evaluations.saved("")[0].text == "odd ?"


def test_questions_and_right_pages_are_limited_in_number(engine, monkeypatch):
    monkeypatch.setattr(questions, "MAX_QUESTIONS", 2)
    monkeypatch.setattr(questions, "MAX_RIGHT_PAGES", 1)
    keep_both(engine)
    for question, page in (("One more?", 0), (PUMP, 1)):
        with pytest.raises(QuestionRefused, match="remove one first"):
            engine.evaluations.save("", question, document_id(engine), page)
    assert [(one.text, len(one.pages)) for one in engine.evaluations.saved("")] == [(PUMP, 1), (VALVE, 1)]


def test_nothing_of_an_owner_is_seen_or_changed_by_another(engine):
    add(engine, ("ann.pdf", text_pdf(["Only Ann knows of the green lamp."])), owner="ann")
    private = next(document.id for document in engine.documents("ann") if document.owner == "ann")
    engine.evaluations.save("ann", "Who knows of the green lamp?", private, 0)
    keep_both(engine, "ben")
    run(engine, "ann")
    (ann,) = engine.evaluations.saved("ann")
    assert engine.evaluations.saved("") == ()
    assert engine.evaluations.runs("ben") == ()
    assert engine.evaluations.progress("ben") is None
    with pytest.raises(FileRefused, match="no longer"):
        engine.evaluations.save("ben", "Who knows of the green lamp?", private, 0)
    engine.evaluations.remove("ben", ann.id)
    engine.evaluations.remove_page("ben", ann.id, private, 0)
    engine.evaluations.remove_run("ben", engine.evaluations.runs("ann")[0].id)
    assert engine.evaluations.saved("ann") == (ann,)
    assert len(engine.evaluations.runs("ann")) == 1
    assert {one.text for one in engine.evaluations.saved("ben")} == {PUMP, VALVE}


def test_the_name_of_another_owners_copy_is_never_shown(engine):
    engine.remove("", document_id(engine))
    add(engine, ("private name.pdf", MANUAL), owner="ann")
    add(engine, ("shared.pdf", MANUAL))
    keep_both(engine, "ben")
    assert engine.evaluations.saved("ben")[0].pages[0].document == "shared.pdf"
    engine.remove("", document_id(engine))
    assert not engine.evaluations.saved("ben")[0].here
    add(engine, ("bens own.pdf", MANUAL), owner="ben")
    add(engine, ("shared.pdf", MANUAL))
    assert engine.evaluations.saved("ben")[0].pages[0].document == "bens own.pdf"


def test_a_run_has_ranks_and_its_circumstances(engine):
    keep_both(engine)
    made = run(engine)
    assert list(made.results) == [question.id for question in engine.evaluations.saved("")]
    assert made.ranks == [1, 1]
    assert (made.recall(1), made.mrr) == (1.0, 1.0)
    assert made.latency.median > 0
    assert (made.depth, made.embedder, made.documents, made.passages) == (3, "exact", 1, 2)
    assert made.settings["retrieval.vector_weight"] == RetrievalSettings().vector_weight
    assert {name.partition(".")[0] for name in made.settings} == {"retrieval"}, "the others have their defaults"
    assert made.results[1].pages == engine.evaluations.saved("")[0].pages_digest
    assert made.reranker == ""
    assert engine.evaluations.progress("") is None


def test_new_documents_that_push_a_right_page_out_show_as_a_lost_question(engine):
    keep_both(engine)
    before = run(engine)
    add(engine, ("rivals.pdf", RIVALS))
    after = run(engine)
    pump = engine.evaluations.saved("")[0]
    found = compare(before, after, 3)
    assert [(change.question, change.before, change.after) for change in found.lost] == [(pump.id, 1, None)]
    assert (found.won, found.same) == ((), 1)
    rivals = next(document.id for document in engine.documents("") if document.name == "rivals.pdf")
    engine.remove("", rivals)
    assert [change.question for change in compare(after, run(engine), 3).won] == [pump.id]


def test_changed_settings_after_a_restart_are_recorded(make, engine):
    keep_both(engine)
    run(engine)
    again = make(RetrievalSettings(sources=2, vector_weight=0.5))
    made = run(again)
    assert [one.settings["retrieval.vector_weight"] for one in again.evaluations.runs("")] == [0.6, 0.5]
    assert made.depth == 2


def scripted():
    return SimpleNamespace(name="scripted", why="a test", scores=lambda question, passages: [0.5] * len(passages))


def missing():
    raise ModelMissing("The reranker x is not on this machine: name a folder.")


@pytest.mark.parametrize(("reranker", "name"), [(scripted, "scripted"), (missing, ""), (lambda: None, "")])
def test_the_reranker_is_recorded(make, reranker, name):
    engine = make(reranker=reranker)
    add(engine, ("manual.pdf", MANUAL))
    keep_both(engine)
    assert run(engine).reranker == name


def test_questions_whose_right_pages_changed_are_not_compared(engine):
    keep_both(engine)
    before = run(engine)
    pump = engine.evaluations.saved("")[0]
    engine.evaluations.save("", PUMP, document_id(engine), 1)
    engine.evaluations.remove_page("", pump.id, document_id(engine), 0)
    found = compare(before, run(engine), 1)
    assert [(change.question, change.before, change.after) for change in found.other_pages] == [(pump.id, 1, 2)]
    assert (found.lost, found.won, found.same) == ((), (), 1)


def test_runs_of_an_earlier_version_are_read(engine):
    about = {
        "depth": 3, "embedder": "exact", "documents": 1, "passages": 2, "library": "x",
        "settings": {"searching.sources": 3, "searching.favoured": 5, "splitting.passage_tokens": 256},
    }  # fmt: skip
    with engine.evaluations._store.transaction() as sql:
        row = ("", 0.0, json.dumps(about), json.dumps({"7": [2, 0.5]}))
        sql.execute("INSERT INTO runs (owner, at, about, results) VALUES (?, ?, ?, ?)", row)
    (made,) = engine.evaluations.runs("")
    assert made.results == {7: Result(2, 0.5, "")}
    assert made.reranker == ""
    assert (made.settings["retrieval.sources"], made.settings["retrieval.routing.routed_documents"]) == (3, 5)
    assert not [name for name in made.settings if name.startswith(("searching.", "splitting."))]


def test_a_question_whose_document_was_removed_is_left_out_until_the_file_is_back(engine, tmp_path):
    keep_both(engine)
    add(engine, ("rivals.pdf", RIVALS))
    rivals = next(document.id for document in engine.documents("") if document.name == "rivals.pdf")
    engine.evaluations.save("", PLANT, rivals, 4)
    engine.remove("", rivals)
    gone = engine.evaluations.saved("")[2]
    assert not gone.here
    assert (gone.pages[0].document, gone.pages[0].page_label) == ("", "")
    assert not on_disk(tmp_path, "rivals.pdf")
    assert gone.id not in run(engine).results
    add(engine, ("rivals again.pdf", RIVALS))
    assert engine.evaluations.saved("")[2].pages[0].document == "rivals again.pdf"
    assert run(engine).results[gone.id].rank == 1


def test_without_a_question_to_search_no_run_starts(engine):
    with pytest.raises(QuestionRefused, match="save a question first"):
        engine.evaluations.start("")
    keep_both(engine)
    engine.remove("", document_id(engine))
    with pytest.raises(QuestionRefused, match="save a question first"):
        engine.evaluations.start("")
    assert engine.evaluations.progress("") is None


def test_a_removed_question_is_gone_from_the_disk(engine, tmp_path):
    engine.evaluations.save("", "Where does the HERON-7731 nest?", document_id(engine), 0)
    assert on_disk(tmp_path, "HERON-7731")
    run(engine)
    measured = engine.evaluations.runs("")[0].ranks
    assert len(measured) == 1
    engine.evaluations.remove("", engine.evaluations.saved("")[0].id)
    assert engine.evaluations.saved("") == ()
    assert not on_disk(tmp_path, "HERON-7731")
    assert engine.evaluations.runs("")[0].ranks == measured, "the numbers measured stay"


def test_everything_is_there_after_a_restart(make, engine):
    keep_both(engine)
    made = run(engine)
    again = make()
    again.wait()
    assert [question.text for question in again.evaluations.saved("")] == [PUMP, VALVE]
    assert again.evaluations.runs("") == (made,)


class Held:
    """Stands before a question and lets it through when told."""

    def __init__(self, ask: Callable) -> None:
        self.ask, self.inside, self.go = ask, threading.Event(), threading.Event()

    def __call__(self, owner, question, **more):
        self.inside.set()
        assert self.go.wait(20)
        return self.ask(owner, question, **more)


@pytest.fixture
def held(engine):
    keep_both(engine)
    engine.evaluations._ask = Held(engine.evaluations._ask)
    yield engine.evaluations._ask
    engine.evaluations._ask.go.set()


def test_a_run_shows_its_progress_and_holds_up_no_question(engine, held):
    engine.evaluations.start("")
    engine.evaluations.start("")  # goes on already
    assert held.inside.wait(20)
    progress = engine.evaluations.progress("")
    assert (progress.done, progress.total, progress.running) == (0, 2, True)
    assert engine.search("", PUMP)
    held.go.set()
    until(lambda: engine.evaluations.progress("") is None)
    assert len(engine.evaluations.runs("")) == 1


def test_a_stopped_run_is_not_stored(engine, held):
    engine.evaluations.start("")
    assert held.inside.wait(20)
    engine.evaluations.stop("")
    held.go.set()
    until(lambda: engine.evaluations.progress("") is None)
    assert engine.evaluations.runs("") == ()


def test_questions_removed_during_a_run_are_left_out_of_it(engine, held):
    add(engine, ("rivals.pdf", RIVALS))
    rivals = next(document.id for document in engine.documents("") if document.name == "rivals.pdf")
    engine.evaluations.start("")
    assert held.inside.wait(20)
    engine.evaluations.save("", PLANT, rivals, 4)
    engine.evaluations.remove("", engine.evaluations.saved("")[0].id)
    engine.remove("", rivals)
    held.go.set()
    until(lambda: engine.evaluations.progress("") is None)
    assert list(engine.evaluations.runs("")[0].results) == [engine.evaluations.saved("")[0].id]


def test_a_run_without_any_question_left_is_not_stored(engine, held):
    engine.evaluations.start("")
    assert held.inside.wait(20)
    for question in engine.evaluations.saved(""):
        engine.evaluations.remove("", question.id)
    held.go.set()
    until(lambda: engine.evaluations.progress("") is None)
    assert engine.evaluations.runs("") == ()


def test_a_run_waiting_for_another_can_be_stopped(engine, held):
    keep_both(engine, "ann")
    engine.evaluations.start("")
    assert held.inside.wait(20)
    engine.evaluations.start("ann")
    assert engine.evaluations.progress("ann").running
    engine.evaluations.stop("ann")
    until(lambda: engine.evaluations.progress("ann") is None)
    assert engine.evaluations.progress("").running, "the other one goes on"
    held.go.set()
    until(lambda: engine.evaluations.progress("") is None)
    assert len(engine.evaluations.runs("")) == 1
    assert engine.evaluations.runs("ann") == ()
    engine.evaluations.start("ann")
    until(lambda: engine.evaluations.progress("ann") is None)
    assert len(engine.evaluations.runs("ann")) == 1


@pytest.mark.parametrize(
    ("error", "said"), [(StoreError("The disk is full."), "The disk is full."), (RuntimeError("inside"), "see the log")]
)
def test_a_run_that_fails_says_why_and_can_be_run_again(engine, error, said):
    keep_both(engine)
    ask = engine.evaluations._ask

    def fail(owner, question, **more):
        raise error

    engine.evaluations._ask = fail
    engine.evaluations.start("")
    until(lambda: not engine.evaluations.progress("").running)
    assert said in str(engine.evaluations.progress("").problem)
    assert "inside" not in str(engine.evaluations.progress("").problem)
    assert engine.evaluations.runs("") == ()
    engine.evaluations._ask = ask
    assert run(engine).ranks == [1, 1]


def test_closing_in_the_middle_of_a_run_ends_it(engine, held):
    engine.evaluations.start("")
    assert held.inside.wait(20)
    threading.Timer(0.1, held.go.set).start()
    engine.close()
    assert not any(thread.name == "trials" for thread in threading.enumerate())


def test_the_oldest_runs_are_deleted_first(engine, monkeypatch):
    monkeypatch.setattr(module, "MAX_RUNS", 2)
    keep_both(engine)
    made = []
    for _ in range(3):
        made.append(run(engine).id)
        assert engine.evaluations.runs("")[-1].id == made[-1]
    assert [one.id for one in engine.evaluations.runs("")] == made[1:]
    engine.evaluations.remove_run("", made[2])
    assert [one.id for one in engine.evaluations.runs("")] == made[1:2]


def test_every_change_is_reported(engine):
    before = engine.version()
    keep_both(engine)
    assert engine.version() == before + 2
    made = run(engine)
    assert engine.version() >= before + 4
    assert replace(made, id=0) != made


def test_an_answer_is_scored_with_its_pages_and_claims(engine):
    engine.evaluations.save("", PUMP, document_id(engine), 0, "1931")
    engine.evaluations.save("", VALVE, document_id(engine), 1, "13 kg")
    made = run(engine)
    pump, valve = engine.evaluations.saved("")
    assert (made.results[pump.id].exact, made.results[valve.id].exact) == (1.0, 0.0)
    assert (made.answers_right, made.claims_supported, made.reader) == (0.5, 1.0, QuoteReader().name)
    assert made.answer_seconds >= made.latency.median / 1000 > 0
    assert "1931" in engine.evaluations.given("", made.id)[pump.id]
    assert engine.evaluations.given("ann", made.id) == {}
    engine.evaluations.expect("", valve.id, "12 kg")
    again = run(engine)
    assert again.answers_right == 1.0
    assert compare(made, again, 3).answers_won == (), "another answer was expected"
    assert engine.evaluations.given("", made.id) == {}, "kept of the newest run only"


def test_a_question_with_an_expected_answer_and_no_page_is_asked_and_counts_in_no_recall(engine):
    engine.evaluations.save_without_page("", PUMP)
    (pump,) = engine.evaluations.saved("")
    assert not pump.can_run
    engine.evaluations.expect("", pump.id, "1931")
    made = run(engine)
    assert (made.answers_right, made.ranks, made.mrr, made.recall(1)) == (1.0, [], None, None)


def test_the_answer_expected_first_stays_when_a_page_is_added(engine):
    engine.evaluations.save("", PUMP, document_id(engine), 0, "1931")
    engine.evaluations.save("", PUMP, document_id(engine), 1, "1932")
    assert engine.evaluations.saved("")[0].answer == "1931"
    with pytest.raises(QuestionRefused, match="501 characters"):
        engine.evaluations.expect("", 1, "x" * 501)
    engine.evaluations.expect("ann", 1, "another owner's")
    assert engine.evaluations.saved("")[0].answer == "1931"


def test_what_was_answered_goes_with_its_question(engine, tmp_path):
    add(engine, ("heron.pdf", text_pdf(["The heron is called HERON-7731."])))
    engine.evaluations.save("", "What is the heron called?", engine.documents("")[-1].id, 0)
    made = run(engine)
    (question,) = engine.evaluations.saved("")
    assert "HERON-7731" in engine.evaluations.given("", made.id)[question.id]
    engine.evaluations.remove("", question.id)
    assert engine.evaluations.given("", made.id) == {}
    assert engine.evaluations.runs("") == (made,)


def test_a_question_set_is_saved_and_lines_without_a_place_are_refused(engine):
    add(engine, ("Own.pdf", text_pdf(["Only Ann knows of the green lamp."])), owner="ann")
    rows = [
        QuestionRow(2, PUMP, "manual", (0, 1), "1931"),
        QuestionRow(3, VALVE, "MANUAL.pdf", (7,)),
        QuestionRow(4, "Who?", "own.pdf", (0,)),
        QuestionRow(5, "x" * 4001),
        QuestionRow(6, "Without a page?", answer="yes"),
        QuestionRow(7, PUMP, answer="1932"),
    ]
    saved, refused = engine.evaluations.save_all("", rows)
    assert saved == 3
    assert [(one.line, str(one.reason)[:30]) for one in refused] == [
        (3, "manual.pdf has 2 pages: choose"),
        (4, "The library has no document “o"),
        (5, "A question of 4,001 characters"),
    ]
    kept = engine.evaluations.saved("")
    assert [(one.text, [page.page for page in one.pages], one.answer) for one in kept] == [
        (PUMP, [0, 1], "1932"),
        ("Without a page?", [], "yes"),
    ]
    assert engine.evaluations.save_all("ann", [rows[2]])[0] == 1

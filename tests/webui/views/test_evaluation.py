"""The Evaluate view: what it shows, what can be done in it, and that what a browser sends is looked up first."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import StoreError
from rag.evaluation.background import Progress
from rag.evaluation.question_file import Question
from rag.evaluation.runs import AnswerResult, Result, RightPage, SavedQuestion
from rag.messages import Message
from tests.webui import handling
from tests.webui.fake_engine import FakeEngine, document, source
from tests.webui.fake_evaluations import run
from tests.webui.handling import REQUEST, sent
from tests.webui.safe import NASTY, look
from webui.actions.evaluation import MRR
from webui.session import Asking, Opened, Session
from webui.strings import LANGUAGES
from webui.views.evaluation import evaluation_html, tabs_html

STYLE = Path(__file__).parents[3] / "webui" / "static" / "evaluation.css"
QUESTIONS = ("How much did revenue grow?", "大坝有多高？", "Who signed it?")


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("annual.pdf"), document("年报.pdf")]
    for text, page in zip(QUESTIONS, (4, 2, 3), strict=True):
        engine.evaluations.save("", text, engine.library[0].id, page)
    return engine


@pytest.fixture
def view(engine):
    """The view of one person over the engine: drawn HTML, what to send, the session."""
    handlers = handling.handlers(engine)
    session = handlers.session(REQUEST)
    session.evaluation.shown = True

    def send(**data):
        return handlers.in_evaluation(sent(**data), REQUEST)

    def mark(**data):
        return handlers.in_viewer(sent(**data), REQUEST)

    return SimpleNamespace(
        poll=lambda: handlers.poll(REQUEST), session=session, send=send, mark=mark,
        html=lambda: evaluation_html(engine, session),
    )  # fmt: skip


def tags(html, **wanted):
    return [at for _, at in look(html).elements if all(at.get(k) == v for k, v in wanted.items())]


def group(html, kind):
    """Text of the questions in one of the groups of changes."""
    part = re.search(rf'<div class="group {kind}".*?</div>', html)[0]
    return re.findall(r'data-question="\d+">(.*?)</button><span class="ranks">(.*?)</span>', part)


def table(html):
    part = html[html.index('class="runs"') :]
    return [re.findall(r"<td>([^<]*)</td>", row) for row in re.findall(r'(?s)<tr data-key="run.*?</tr>', part)]


def test_an_empty_view_explains_how_to_begin(tmp_path):
    html = evaluation_html(FakeEngine(tmp_path), Session("", "en"))
    assert "Click “Answers my question”" in look(html).text
    assert "disabled" in tags(html, **{"data-do": "run"})[0]


def test_saved_questions_are_listed_with_their_correct_pages(engine, view):
    engine.evaluations.save("", QUESTIONS[0], engine.library[1].id, 7)
    html = view.html()
    assert "Saved questions · 3" in look(html).text
    chips = [(at["data-question"], at["data-page"]) for at in tags(html, **{"class": "chip"})]
    assert chips == [("1", "4"), ("1", "7"), ("2", "2"), ("3", "3")]
    assert "disabled" not in tags(html, **{"data-do": "run"})[0]


def test_removed_documents_are_marked_as_removed(engine, view):
    engine.evaluations.save("", QUESTIONS[1], engine.library[1].id, 0)
    del engine.library[0]
    text = look(view.html()).text
    assert text.count("skipped: document removed") == 2
    assert text.count("removed document") == 3
    assert len(tags(view.html(), **{"class": "chip"})) == 1


def test_recall_mrr_and_times_match_a_calculation_by_hand(engine, view):
    engine.evaluations.made[""] = [run(1, {1: 1, 2: None, 3: 4}), run(2, {1: 2, 2: 8, 3: 4})]
    html = view.html()
    newest, first = table(html)
    assert newest == ["0.00", "0.33", "0.67", "1.00", "0.29", "20 ms", "30 ms", "3"]
    assert first == ["0.33", "0.33", "0.67", "0.67", "0.42", "20 ms", "30 ms", "3"]
    assert "2 → 4 · 8" not in html
    standing = re.findall(r'<span class="badge[^>]*>(.*?)</span>', html)
    assert standing == ["rank 2", "rank 8", "rank 4"]


def test_the_legend_hides_and_shows_lines(engine, view):
    engine.evaluations.made[""] = [run(1, {1: 1}), run(2, {1: 2})]
    assert {at["data-line"] for at in tags(view.html(), **{"data-do": "line"})} == {"1", "3", "5", "8", "mrr"}
    kinds = set(re.findall(r'<g class="line (\w+)"', view.html()))
    assert kinds == {"l0", "l1", "l2", "l3", "mrr", "median", "p95"}
    view.send(do="line", line=3)
    view.send(do="line", line="mrr")
    assert set(re.findall(r'<g class="line (\w+)"', view.html())) == kinds - {"l1", "mrr"}
    pressed = {at["data-line"]: at["aria-pressed"] for at in tags(view.html(), **{"data-do": "line"})}
    assert pressed == {"1": "true", "3": "false", "5": "true", "8": "true", "mrr": "false"}
    view.send(do="line", line=3)
    assert 'class="line l1"' in view.html()


def test_questions_lost_and_found_since_an_earlier_run_are_listed(engine, view):
    engine.evaluations.made[""] = [
        run(1, {1: 1, 2: 1, 3: 3}), run(2, {1: 1, 2: None, 3: 3}), run(3, {1: None, 2: 6, 3: 1}),
    ]  # fmt: skip
    html = view.html()
    assert group(html, "lost") == [(QUESTIONS[0], "1 → not found")]
    assert group(html, "won") == [(QUESTIONS[1], "not found → 6")]
    assert group(html, "moved") == [(QUESTIONS[2], "3 → 1")]
    view.send(do="against", run=1)
    view.send(do="k", k=5)
    html = view.html()
    assert group(html, "lost") == [(QUESTIONS[0], "1 → not found"), (QUESTIONS[1], "1 → 6")]
    assert [at["value"] for _, at in look(html).elements if "selected" in at and "data-key" in at] == ["1", "5"]
    view.send(do="against", run=77)
    assert group(view.html(), "won") == []  # among the first 5 again against the run before
    assert group(view.html(), "lost") == [(QUESTIONS[0], "1 → not found")]


def test_a_removed_question_is_in_no_comparison(engine, view):
    engine.evaluations.made[""] = [run(1, {1: 1, 2: 1, 3: 1}), run(2, {1: None, 2: None, 3: 1})]
    assert "1 unchanged" in look(view.html()).text
    view.send(do="forget", question=1)
    view.send(do="forget", question=3)
    assert group(view.html(), "lost") == [(QUESTIONS[1], "1 → not found")]
    assert "No longer found · 1" in view.html()
    assert "0 unchanged" in look(view.html()).text


def test_questions_whose_correct_pages_changed_are_listed_separately(engine, view):
    now = {question.id: question.pages_digest for question in engine.evaluations.saved("")}
    engine.evaluations.made[""] = [run(1, {1: 1, 2: 1, 3: 1}, {**now, 1: "x"}), run(2, {1: None, 2: 2, 3: 1}, now)]
    html = view.html()
    assert group(html, "other_pages") == [(QUESTIONS[0], "1 → not found")]
    assert group(html, "lost") == group(html, "won") == []
    assert "different pages marked" in look(html).text
    assert "Same documents" not in look(html).text
    engine.evaluations.made[""].append(run(3, {1: 1, 2: 2, 3: 1}, now))
    assert "Marked pages changed" not in look(view.html()).text


def test_a_rank_is_shown_only_with_the_correct_pages_it_was_measured_with(engine, view):
    def standing():
        return re.findall(r'<span class="badge[^>]*>(.*?)</span>', view.html())

    now = {question.id: question.pages_digest for question in engine.evaluations.saved("")}
    engine.evaluations.made[""] = [run(1, {1: 1, 2: 1, 3: 1}, now)]
    assert standing() == ["rank 1"] * 3
    engine.evaluations.save("", QUESTIONS[0], engine.library[1].id, 7)
    view.send(do="unmark", question=2, document=engine.library[0].id, page=2)
    assert standing() == ["marked pages changed: run again", "skipped: mark a page or type an answer", "rank 1"]
    view.send(do="unmark", question=1, document=engine.library[1].id, page=7)
    assert standing()[0] == "rank 1"


def dots(html, kind):
    """Titles of the dots of a line, in their parts: value, moment and what more there is."""
    line = re.search(rf'<g class="line {kind}">.*?</g>', html)[0]
    return [title.split(" · ") for title in re.findall(r"<title>(.*?)</title>", line)]


def test_plots_use_only_questions_that_the_newest_run_shares(engine, view):
    engine.evaluations.made[""] = [
        run(1, {7: 1, 8: None}), run(2, {1: 1, 2: None, 8: None}), run(3, {1: 1, 2: 1, 3: None}),
        run(4, {1: 1, 2: 1, 3: 1, 8: 1}, {1: "x"}), run(5, {1: 1, 2: 1, 3: None}, {1: "y"}),
    ]  # fmt: skip
    html = view.html()
    assert [value for value, *_ in dots(html, "l0")] == [f"recall@1 {n}" for n in ("0.50", "0.67", "1.00", "0.67")]
    assert [more for _, _, *more in dots(html, "l0")] == [["2 of 3 questions"], [], ["2 of 3 questions"], []]
    assert [value for value, *_ in dots(html, "median")] == [f"median {n} ms" for n in (15, 20, 25, 20)]
    assert "recall@1 – → 0.67" in look(html).text
    assert [row[0] for row in table(html)] == ["0.67", "1.00", "0.67", "0.33", "0.50"], "all that each run asked"
    assert [row[-1] for row in table(html)] == ["3", "4", "3", "3", "2"]


def test_times_are_shown_in_milliseconds(engine, view):
    engine.evaluations.made[""] = [
        replace(run(n, {}), results={1: Result(1, seconds)}) for n, seconds in ((1, 0.0123), (2, 0.9996), (3, 1.2345))
    ]
    html = view.html()
    assert "e+" not in html
    assert '<desc id="latency-told">95th percentile 12.3 ms → 1,234 ms; median 12.3 ms → 1,234 ms</desc>' in html
    plot = html[html.index('data-key="latency"') :]
    assert re.findall(r"(?:start|end)\">([^<]*) ms</text>", plot) == ["0", "500", "1,000", "1,500", "2,000"]
    assert "median 1,000 ms · " in plot
    assert [row[-2] for row in table(html)] == ["1,234 ms", "1,000 ms", "12 ms"]


def test_every_line_has_a_colour_for_any_number_of_sources(engine, view):
    engine.evaluations.made[""] = [run(1, {1: 1}, depth=30)]
    style = STYLE.read_text("utf-8")
    kinds = re.findall(r'<g class="line (\w+)"', view.html())
    assert len(kinds) == 9
    assert [kind for kind in kinds if not re.search(rf"\.{kind}\b[^{{}}]*{{ --ask-line-colour:", style)] == []


def test_runs_within_one_minute_have_different_labels(engine, view):
    engine.evaluations.made[""] = [run(n, {1: 1}, at=1_000_000.0 + n) for n in range(3)]
    options = re.findall(r'<option value="\d+" data-key="run[^>]*>(.*?)</option>', view.html())
    assert len(options) == len(set(options)) == 2


def test_the_view_says_that_all_documents_are_searched(engine, view):
    assert "ticked or not" in look(view.html()).text


def test_only_existing_lines_can_be_hidden(engine, view):
    hidden = view.session.evaluation.hidden
    view.send(do="line", line=1)
    assert hidden == set(), "nothing was run yet"
    engine.evaluations.made[""] = [run(1, {1: 1})]
    for odd in (2, 77, -1, None, "x", [1], {"a": 1}):
        view.send(do="line", line=odd)
    assert hidden == set()
    for name in (1, 8, MRR):
        view.send(do="line", line=name)
    assert hidden == {1, 8, MRR}


def test_differences_between_runs_are_listed(engine, view):
    one, two = run(1, {1: 1}), run(2, {1: 1, 2: 1})
    two = replace(
        two, documents=3, passages=90, library="new", embedder="BAAI/bge-m3",
        settings={"retrieval.vector_weight": 0.4, "splitting.new": 1},
    )  # fmt: skip
    engine.evaluations.made[""] = [one, two]
    told = (
        "embedder multilingual-e5-small → BAAI/bge-m3 · documents 2 → 3 · passages 80 → 90 · questions 1 → 2 · "
        "retrieval.vector_weight 0.6 → 0.4 · splitting.new – → 1"
    )
    assert told in look(view.html()).text
    engine.evaluations.made[""] = [one, replace(one, id=2)]
    assert "Same documents and settings" in look(view.html()).text
    engine.evaluations.made[""] = [replace(one, reranker="bge"), replace(two, reranker=""), run(3, {2: 1, 3: 1})]
    text = look(view.html()).text
    assert "80 passages · reranker bge" in text
    assert "reranker bge → –" in text
    assert "different questions" in text
    assert "questions 2" not in text


def test_a_run_shows_its_progress_and_can_be_stopped(engine, view):
    engine.evaluations.goes_on.clear()
    view.send(do="run")
    engine.evaluations.far = Progress(2, 3, running=True)
    html = view.html()
    assert tags(html, value="2", max="3")
    assert "Question 2 of 3" in look(html).text
    assert not tags(html, **{"data-do": "run"})
    view.send(do="stop-run")
    assert tags(view.html(), **{"data-do": "run"})


def test_the_reason_a_run_failed_is_shown(engine, view):
    engine.evaluations.far = Progress(0, 3, running=False, problem="The disk is full.")
    assert "The disk is full." in look(view.html()).text
    engine.evaluations.far = None
    engine.library = []
    view.send(do="run")
    assert "save a question first" in look(view.html()).text
    view.send(do="view", view="evaluation")
    assert "save a question first" not in look(view.html()).text


def test_pages_are_marked_as_correct_and_unmarked(engine, view):
    found = source(1, engine.library[1])
    view.session.opened = Opened(found, None, 4, "What else?")
    assert 'aria-pressed="true"' in view.mark(do="right", page=4, document=found.document_id, right=True)["viewer"]
    view.mark(do="turn", page=6)
    view.mark(do="right", page=6, document=found.document_id, right=True)
    kept = engine.evaluations.saved("")[-1]
    assert (kept.text, [page.page for page in kept.pages]) == ("What else?", [4, 6])
    view.mark(do="right", page=6, document=found.document_id, right=False)
    assert [page.page for page in engine.evaluations.saved("")[-1].pages] == [4]
    view.mark(do="right", page=4, document=found.document_id, right=False)
    assert [kept.text for kept in engine.evaluations.saved("") if kept.pages] == list(QUESTIONS)


def test_a_mark_is_set_to_the_state_that_the_browser_asked_for(engine, view):
    shown, other = engine.library[1].id, engine.library[0].id
    view.session.opened = Opened(source(1, engine.library[1]), None, 4, "What else?")

    def pages_after(**sent):
        view.mark(do="right", page=4, **sent)
        return [page.page for kept in engine.evaluations.saved("") if kept.text == "What else?" for page in kept.pages]

    assert pages_after(right=True) == pages_after(right=True, document=other) == [], "another document is open by now"
    assert pages_after(right=True, document=shown) == [4]
    assert pages_after(right=True, document=shown) == [4], "a stale page, or a second click"
    assert pages_after(right=False, document=other) == pages_after(document=shown) == [4]
    assert pages_after(right=False, document=shown) == []
    assert pages_after(right=False, document=shown) == []


def test_the_mark_button_names_its_document(engine, view):
    view.session.opened = Opened(source(1, engine.library[1]), None, 4, "What else?")
    (button,) = tags(view.mark(do="turn", page=4)["viewer"], **{"data-do": "right"})
    assert button["data-document"] == engine.library[1].id


def test_a_mark_that_cannot_be_saved_shows_the_reason_beside_the_page(engine, view):
    view.session.opened = Opened(source(1, engine.library[1]), None, 4, "What else?")
    engine.evaluations.error = StoreError("The disk is full.")
    assert "The disk is full." in view.mark(do="right", page=4, document=engine.library[1].id, right=True)["viewer"]
    assert "The disk is full." not in view.mark(do="turn", page=5)["viewer"]


def test_the_saved_question_is_the_one_that_was_searched(engine):
    engine.query = "How much did revenue grow? And in 2022?"
    engine.answer = [("Sales rose.", (1,))]
    session = Session("", "en")
    for _ in session.ask(engine, Asking("And in 2022?")):
        pass
    session.open_source(1, 1, 0)
    assert session.opened.question == engine.query


def test_a_saved_question_opens_its_correct_page(engine, view):
    engine.evaluations.save("", QUESTIONS[0], engine.library[1].id, 7)
    shown = view.send(do="show", question=1)["viewer"]
    assert "annual.pdf" in shown
    assert tags(shown, **{"class": "page-box", "data-shown": "5"})
    shown = view.send(do="show", question=1, document=engine.library[1].id, page=7)["viewer"]
    assert "年报.pdf" in shown
    assert tags(shown, **{"data-do": "right", "aria-pressed": "true"})
    del engine.library[0]
    view.session.opened = None
    view.send(do="show", question=2)
    (gone,) = engine.evaluations.saved("")[1].pages
    view.send(do="show", question=2, document=gone.document_id, page=gone.page)
    assert view.session.opened is None


def test_correct_pages_and_runs_can_be_removed(engine, view):
    engine.evaluations.save("", QUESTIONS[0], engine.library[1].id, 7)
    view.send(do="unmark", question=1, document=engine.library[0].id, page=4)
    assert [page.page for page in engine.evaluations.saved("")[0].pages] == [7]
    engine.evaluations.made[""] = [run(1, {1: 1}), run(2, {1: 1})]
    view.send(do="forget-run", run=1)
    assert [made.id for made in engine.evaluations.runs("")] == [2]


@pytest.mark.parametrize("odd", [None, "1", 10**30, -1, 99, [1], {"a": 1}, "lone \ud800", True])
def test_unknown_ids_from_a_browser_never_reach_the_engine(engine, view, odd, monkeypatch):
    engine.evaluations.questions[""] = {7: SavedQuestion(7, "q", (RightPage(engine.library[0].id, 4, "", ""),))}
    engine.evaluations.made[""] = [run(5, {7: 1}), run(6, {7: 2})]
    asked = []
    for name in ("remove", "remove_page", "remove_run"):
        monkeypatch.setattr(engine.evaluations, name, lambda owner, *what: asked.append(what))
    for do in ("forget", "unmark", "show"):
        view.send(do=do, question=odd)
        view.send(do=do, question=7, document=odd, page=odd) if odd is not None else None
        view.send(do=do, question=7, document=engine.library[0].id, page=odd)
    view.send(do="forget-run", run=odd)
    view.send(do="against", run=odd)
    view.send(do=odd, question=odd)
    for do in ("k", "line"):
        view.send(do=do, **{do: odd})
        view.html()
    assert {what for what in asked if what[0] != 7} == set()
    assert view.session.evaluation.against is None


def test_the_view_is_drawn_only_while_it_is_shown(engine, view):
    assert "evaluation" in view.poll()
    engine.change()
    assert "evaluation" not in view.poll(), "it is the same, and may be long"
    engine.evaluations.save("", "One more?", engine.library[0].id, 0)
    assert "One more?" in view.poll()["evaluation"]
    engine.change()
    view.send(do="view", view="talk")
    assert "evaluation" not in view.poll()
    assert 'data-view="talk" data-key="talk" aria-pressed="true"' in tabs_html(view.session)
    view.mark(do="evaluate")
    assert view.session.evaluation.shown


def test_the_export_can_be_read_by_the_command_line(engine, view):
    (button,) = tags(view.html(), **{"data-file": "questions.jsonl"})
    read = [Question.parse(json.loads(line)) for line in button["data-text"].splitlines()]
    assert [(one.question, one.document, one.pages) for one in read] == [
        (QUESTIONS[0], "annual.pdf", {4}), (QUESTIONS[1], "annual.pdf", {2}), (QUESTIONS[2], "annual.pdf", {3}),
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_stays_text(tmp_path, text, language):
    engine = FakeEngine(tmp_path)
    engine.library = [document(text)]
    engine.evaluations.save("", text, engine.library[0].id, 0)
    one = run(1, {1: 1}, embedder=text, settings={text: text})
    engine.evaluations.made[""] = [one, run(2, {1: None}, embedder="x", settings={})]
    engine.evaluations.far = Progress(0, 1, running=False, problem=Message(text))
    session = Session("", language)
    session.evaluation.problem = Message(text)
    looked = look(evaluation_html(engine, session))
    assert re.sub("[\u202e\x00\x1b\ud800]", "\ufffd", text).split()[0][:40] in looked.text


def test_how_right_the_newest_run_answered_is_shown_beside_what_was_expected(engine, view):
    view.send(do="expect", question=1, answer=" 12 kg ")
    (kept, other, _) = engine.evaluations.saved("")
    right = AnswerResult(1.0, 1.0, kept.answer_digest, 2, 2, 1.5)
    results = {kept.id: Result(1, 0.1, kept.pages_digest, right), other.id: Result(None, 0.1, other.pages_digest)}
    engine.evaluations.made[""] = [replace(run(1, {}), results=results, reader="quotes")]
    engine.evaluations.answers[1] = {kept.id: "12 kg, as printed", other.id: ""}
    html = view.html()
    assert re.findall(r'<span class="badge[^>]*>(.*?)</span>', html)[:3] == ["rank 1", "correct answer", "not found"]
    assert "Answered: 12 kg, as printed" in look(html).text
    assert "Answered: not in the documents" in look(html).text
    assert table(html)[0] == ["0.50"] * 4 + ["0.50", "1.00", "1.00", "1.00", "100 ms", "100 ms", "1.5 s", "2"]
    assert {"answered", "claims"} <= {at["data-line"] for at in tags(html, **{"data-do": "line"})}
    view.send(do="expect", question=1, answer="13 kg")
    assert "expected answer changed: run again" in view.html()


def test_a_file_of_questions_is_imported_and_refused_lines_are_told(engine, view):
    text = "question,document,page\nHow deep?,年报.pdf,3\nHow wide?,missing.pdf,1\n,年报.pdf,1\n"
    view.send(do="import", data=b64encode(text.encode("utf-8-sig")).decode())
    assert [one.text for one in engine.evaluations.saved("")][-1] == "How deep?"
    assert engine.evaluations.saved("")[-1].pages[0].page == 2
    told = look(view.html()).text
    assert "Questions imported: 1. Lines rejected: 2." in told
    assert told.index("Line 3: ") < told.index("Line 4: It has no question.")
    view.send(do="imported-seen")
    assert "lines refused" not in look(view.html()).text


@pytest.mark.parametrize(
    ("sent_data", "said"),
    [({"size": 3_000_000}, "3.0 MB"), ({"data": ""}, "name the columns"), ({"data": 7}, "name the columns")],
)
def test_a_file_that_cannot_be_imported_says_why(view, sent_data, said):
    view.send(do="import", **sent_data)
    assert said in look(view.html()).text


def test_a_good_answer_becomes_a_question_with_its_page_and_a_bad_one_without(engine, view):
    engine.answer = [("Sales rose.", (1,))]
    for _ in view.session.ask(engine, Asking("How were sales?")):
        pass
    exchange = view.session.conversation.exchanges[-1]
    asked = exchange.found.query
    engine.ratings.rate("", asked, exchange.answer.reader, helpful=True)
    engine.ratings.rate("", "What else?", "x", helpful=False, reason="=wrong")
    good, bad = engine.ratings.all("")
    view.send(do="save-rating", rating=good.id)
    view.send(do="save-rating", rating=bad.id)
    view.send(do="save-rating", rating=99)
    kept = {one.text: [page.document for page in one.pages] for one in engine.evaluations.saved("")}
    assert kept[asked] == [exchange.sources[0].document]
    assert kept["What else?"] == []
    html = view.html()
    assert look(html).text.count("Saved as a question") == 2
    (export,) = tags(html, **{"data-file": "ratings.csv"})
    assert "What else?,x,bad,'=wrong" in export["data-text"]

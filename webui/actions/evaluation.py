"""Actions on saved questions and runs: mark pages, set expected answers, import, run, compare, remove. No HTML.

Ids from a browser are looked up among those of its owner; no others reach the engine.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from rag.answer.scales import in_one_line, printed_values
from rag.evaluation.question_sets import check_size, read_question_set
from rag.evaluation.ratings import Rating
from rag.evaluation.runs import RightPage, Run, SavedQuestion, cuts
from rag.records import Citation, Source
from webui.actions.experiments import change_experiments
from webui.conversation import Exchange
from webui.edge import to_int
from webui.engine import Engine
from webui.session import Imported, Opened, Session

# Names of the plot's lines; those of recall@k are named by k.
MRR = "mrr"
RIGHT = "answered"  # share of answers that were right
SUPPORTED = "claims"  # share of claims that the sources support


def mark_page(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Save a page of the open document as correct for the question it was opened for, or undo that.

    The browser sends the state that it wants, so a second click changes nothing, and neither does a click meant for a
    document that is no longer open.
    """
    opened, owner = session.opened, session.owner
    if opened is None or not opened.question or data.get("document") != opened.source.document_id:
        return
    document, page, wanted = opened.source.document_id, to_int(data.get("page")), data.get("right")
    question = question_of(engine, session)
    already = question is not None and marked(question, document, page)
    if wanted is True and not already:
        engine.evaluations.save(owner, opened.question, document, page, _short_answer_on(session, opened.source, page))
    elif wanted is False and question is not None and already:
        engine.evaluations.remove_page(owner, question.id, document, page)


def _short_answer_on(session: Session, source: Source, page: int) -> str:
    """The short answer that led to a page, if it is sure and found on this page; else ""."""
    place = session.opened.place if session.opened else None
    exchange = session.conversation.exchange(place.exchange) if place else None
    short = exchange.answer.short if exchange and exchange.answer else None
    if short is None or not short.sure or not source.first_page <= page <= source.last_page:
        return ""
    return in_one_line(printed_values(short)) if source.number in {one.number for one in short.citations} else ""


def question_of(engine: Engine, session: Session) -> SavedQuestion | None:
    """The saved question that belongs to the open page."""
    wanted = session.opened.question.strip() if session.opened else ""
    return next((saved for saved in engine.evaluations.saved(session.owner) if saved.text == wanted), None)


def marked(question: SavedQuestion, document_id: str, page: int) -> bool:
    """Whether a page is one of a question's correct pages."""
    return any((right.document_id, right.page) == (document_id, page) for right in question.pages)


def change(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Do what the Evaluate view sent. Raises AskError."""
    evaluations, owner, shown = engine.evaluations, session.owner, session.evaluation
    match data.get("do"):
        case "run":
            evaluations.start(owner)
        case "stop-run":
            evaluations.stop(owner)
        case "line" if data.get("line") in line_names(evaluations.runs(owner)):
            shown.hidden ^= {data["line"]}
        case "k":
            shown.k = to_int(data.get("k")) if to_int(data.get("k")) > 0 else None
        case "against":
            shown.against = next((run.id for run in evaluations.runs(owner) if run.id == data.get("run")), None)
        case "forget-run" if any(run.id == data.get("run") for run in evaluations.runs(owner)):
            evaluations.remove_run(owner, data["run"])
        case "set-variant" | "compare" | "resume" | "experiment" | "forget-experiment":
            change_experiments(engine, session, data)
        case "import" | "imported-seen" | "save-rating" | "forget-rating":
            change_sets(engine, session, data)
        case _:
            _change_question(engine, session, data)


def _change_question(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Show or remove a saved question, set its expected answer, or remove one of its pages."""
    owner = session.owner
    question = next((saved for saved in engine.evaluations.saved(owner) if saved.id == data.get("question")), None)
    if question is None:
        return
    page = _page(question, data)
    match data.get("do"):
        case "forget":
            engine.evaluations.remove(owner, question.id)
        case "expect" if isinstance(answer := data.get("answer"), str):
            engine.evaluations.expect(owner, question.id, answer)
        case "unmark" if page is not None:
            engine.evaluations.remove_page(owner, question.id, page.document_id, page.page)
        case "show" if page is not None and page.here:
            session.opened = Opened(page.as_source(), None, page.page, question.text)


def _page(question: SavedQuestion, data: dict[str, Any]) -> RightPage | None:
    """The correct page that the browser named; if it named none, the first that can be opened."""
    wanted = (data.get("document"), data.get("page"))
    if wanted == (None, None):
        return next((page for page in question.pages if page.here), None)
    return next((page for page in question.pages if (page.document_id, page.page) == wanted), None)


def line_names(runs: Sequence[Run]) -> tuple[int | str, ...]:
    """Names of the lines that these runs have in the plot: each k of recall@k, "mrr", and those of the newest run."""
    if not runs:
        return ()
    measured = {RIGHT: runs[-1].answers_right, SUPPORTED: runs[-1].claims_supported}
    return (*cuts(runs[-1].depth), MRR, *(name for name, value in measured.items() if value is not None))


def compared(runs: tuple[Run, ...], against: int | None) -> Run | None:
    """The run that the newest is compared with: the one chosen, else the one before it."""
    earlier = runs[:-1]
    return next((run for run in earlier if run.id == against), earlier[-1] if earlier else None)


# ---- adding questions: from a file, or from a rated answer


def change_sets(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Import a file of questions, or save or remove a rated answer. Raises AskError."""
    shown = session.evaluation
    match data.get("do"):
        case "import":
            shown.imported = None
            shown.imported = _imported(engine, session.owner, data)
        case "imported-seen":
            shown.imported = None
        case "save-rating":
            _save_rated(engine, session, to_int(data.get("rating")))
        case "forget-rating":
            engine.ratings.remove(session.owner, to_int(data.get("rating")))


def _imported(engine: Engine, owner: str, data: dict[str, Any]) -> Imported:
    """Save the questions of a file. The browser sends it as base64, or only its size if it is too large.

    Raises AskError.
    """
    sent = data.get("data")
    check_size(to_int(data.get("size")))
    try:
        rows, refused = read_question_set(b64decode(sent) if isinstance(sent, str) else b"")
    except ValueError:  # our own script never sends this
        return Imported(0, ())
    saved, unsaved = engine.evaluations.save_all(owner, rows)
    return Imported(saved, tuple(sorted((*refused, *unsaved), key=lambda one: one.line)))


def _save_rated(engine: Engine, session: Session, rating_id: int) -> None:
    """Save the question of a rated answer.

    If the answer was good and is in this conversation, save its page and text, too.
    """
    rating = next((one for one in engine.ratings.all(session.owner) if one.id == rating_id), None)
    if rating is None:
        return
    exchange = next((one for one in reversed(session.conversation.exchanges) if _is_of(rating, one)), None)
    cited = _first_citation(exchange) if exchange and rating.helpful else None
    here = {document.id for document in engine.documents(session.owner)}
    if exchange is None or cited is None or cited[0].document_id not in here:
        engine.evaluations.save_without_page(session.owner, rating.question)
        return
    short = exchange.answer.short if exchange.answer else None
    page = engine.view(session.owner, *cited).page
    answer = in_one_line(printed_values(short)) if short and short.sure else ""
    engine.evaluations.save(session.owner, rating.question, cited[0].document_id, page, answer)


def _is_of(rating: Rating, exchange: Exchange) -> bool:
    """Whether a rating belongs to this exchange's answer."""
    asked = exchange.found.query if exchange.found else exchange.question
    return exchange.answer is not None and (asked, exchange.answer.reader) == (rating.question, rating.reader)


def _first_citation(exchange: Exchange) -> tuple[Source, Citation] | None:
    """The short answer's citation with its source, else that of the first sentence with one."""
    answer = exchange.answer
    if answer is None:
        return None
    cited = [*(answer.short.citations if answer.short else ())]
    cited += [citation for sentence in answer.sentences for citation in sentence.citations]
    found = ((exchange.source(citation.number), citation) for citation in cited)
    return next(((source, citation) for source, citation in found if source is not None), None)

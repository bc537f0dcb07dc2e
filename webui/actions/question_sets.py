"""Actions that bring questions in: import a file of them, or save the question of an answer that was rated."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from rag.answer.scales import in_one_line, printed_values
from rag.evaluation.question_sets import check_size, read_question_set
from rag.evaluation.ratings import Rating
from rag.records import Citation, Source
from webui.conversation import Exchange
from webui.edge import to_int
from webui.engine import Engine
from webui.session import Imported, Session


def change_sets(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Import, or save or remove what was rated. Raises AskError."""
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
    """Save the questions of a file, sent as base64; of one that is too large only its size is sent. Raises AskError."""
    sent = data.get("data")
    check_size(to_int(data.get("size")))
    try:
        rows, refused = read_question_set(b64decode(sent) if isinstance(sent, str) else b"")
    except ValueError:  # no browser that runs our script sends this
        return Imported(0, ())
    saved, unsaved = engine.evaluations.save_all(owner, rows)
    return Imported(saved, tuple(sorted((*refused, *unsaved), key=lambda one: one.line)))


def _save_rated(engine: Engine, session: Session, rating_id: int) -> None:
    """Save the question of a rated answer; of a good one that is in this conversation, with its page and answer."""
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
    """Whether a rating is of this exchange's answer."""
    asked = exchange.found.query if exchange.found else exchange.question
    return exchange.answer is not None and (asked, exchange.answer.reader) == (rating.question, rating.reader)


def _first_citation(exchange: Exchange) -> tuple[Source, Citation] | None:
    """What the answer rests on first: the short answer's citation, else that of a sentence."""
    answer = exchange.answer
    if answer is None:
        return None
    cited = [*(answer.short.citations if answer.short else ())]
    cited += [citation for sentence in answer.sentences for citation in sentence.citations]
    found = ((exchange.source(citation.number), citation) for citation in cited)
    return next(((source, citation) for source, citation in found if source is not None), None)

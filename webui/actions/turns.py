"""Actions on the questions of a conversation: ask again differently, show an earlier variant, rate an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.evaluation.ratings import MAX_REASON_CHARACTERS
from rag.records import AskOptions
from webui.conversation import Exchange
from webui.edge import to_int, to_text
from webui.engine import Engine
from webui.session import Asking, Session
from webui.versions import newest_version


def asked_again(engine: Engine, session: Session, data: dict[str, Any]) -> Asking | None:
    """An earlier question and how to ask it again; None if there is nothing to ask."""
    exchange = session.conversation.exchange(to_int(data.get("exchange")))
    if exchange is None:
        return None
    newer = newest_version(engine, session.owner, exchange.only)
    again = Asking(exchange.question, exchange.options, exchange.id, newer.id if newer else exchange.only)
    understood, text = (
        exchange.found.query if exchange.found else exchange.question,
        to_text(data.get("question")).strip(),
    )
    quotes = exchange.options.quotes
    match data.get("do"):
        case "retry":
            return replace(again, options=replace(exchange.options, quotes=False))
        case "quotes":
            return replace(again, options=replace(exchange.options, quotes=True))
        case "anyway":
            return replace(again, question=understood, options=AskOptions(complete=False, anyway=True, quotes=quotes))
        case "typed":
            return replace(again, options=AskOptions(complete=False, quotes=quotes))
        case "understood" if text:
            return replace(again, question=text, options=AskOptions(complete=False, quotes=quotes))
        case "edit" if text:
            return replace(again, question=text, options=AskOptions(quotes=session.conversation.quotes), only="")
        case "follow" if text in exchange.follow_ups:
            return Asking(text, AskOptions(complete=False), only=exchange.only)
        case "only" if to_text(data.get("document")).strip() in _documents(engine, session, exchange):
            return replace(again, only=to_text(data.get("document")).strip())
    return None


def change_turn(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Show another variant of a question, show or hide what a model read, or rate an answer. Raises AskError."""
    conversation = session.conversation
    exchange = conversation.exchange(to_int(data.get("exchange")))
    if exchange is None:
        return
    match data.get("do"):
        case "variant" if not conversation.running:
            conversation.show_variant(exchange.id)
        case "prompt":
            session.prompts ^= {exchange.id}
        case "rate" if can_be_rated(exchange):
            helpful = data.get("helpful")
            exchange.helpful, exchange.reason = helpful if isinstance(helpful, bool) else None, ""
            _keep_rating(engine, session, exchange)
        case "reason" if exchange.helpful is not None:
            exchange.reason = to_text(data.get("reason")).strip()[:MAX_REASON_CHARACTERS]
            _keep_rating(engine, session, exchange)


def can_be_rated(exchange: Exchange) -> bool:
    """Whether an exchange has an answer that can be rated."""
    return exchange.answer is not None and exchange.answer.reply is None


def _keep_rating(engine: Engine, session: Session, exchange: Exchange) -> None:
    reader = exchange.answer.reader if exchange.answer else ""
    question = exchange.found.query if exchange.found else exchange.question
    engine.ratings.rate(session.owner, question, reader, exchange.helpful, exchange.reason)
    session.store(session.conversation, exchange)


def _documents(engine: Engine, session: Session, exchange: Exchange) -> set[str]:
    """Ids of the documents among an exchange's sources that still exist."""
    return {source.document_id for source in exchange.sources} & {
        document.id for document in engine.documents(session.owner)
    }

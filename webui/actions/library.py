"""Actions on documents, and on files that are being added."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any, Final

from rag.records import JobState
from webui.conversation import PlainPage
from webui.edge import to_int
from webui.engine import Engine
from webui.listing import Order
from webui.session import Asking, Session
from webui.strings import say

SAMPLE: Final = Path(__file__).parents[1] / "sample" / "sample.pdf"


def change_library(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Do what the browser sent. Ids that this owner cannot see never reach the engine. Raises AskError."""
    documents = {known.id for known in engine.documents(session.owner)}
    # A document that is about to be removed may be restored, with everything chosen for it.
    session.conversation.left_out &= documents | set(engine.removals.pending(session.owner))
    session.listing.detailed &= documents
    _choose(session, data, documents)
    _tag(engine, session, data, documents)
    _change_list(engine, session, data, documents)
    _place(engine, session, data, documents)
    _change_jobs(engine, session, data)


def suggested(engine: Engine, session: Session, data: dict[str, Any]) -> Asking | None:
    """A suggested question about the document that suggests it; None if it does not suggest this one."""
    documents = {known.id for known in engine.documents(session.owner)}
    for document_id in _named(data, documents):
        introduction = engine.introductions.of(session.owner, document_id)
        if introduction and data.get("question") in introduction.questions:
            return Asking(str(data["question"]), only=document_id if len(documents) > 1 else "")
    return None


def _choose(session: Session, data: dict[str, Any], documents: Set[str]) -> None:
    """Tick or untick documents."""
    left_out = session.conversation.left_out
    named = _named(data, documents)
    match data.get("do"):
        case "choose" if data.get("chosen"):
            left_out -= named
        case "choose":
            left_out |= named
        case "choose-all":
            left_out.clear()
        case "choose-none":
            left_out |= documents
        case "choose-only" if named:
            left_out |= documents - named
            left_out -= named


def _tag(engine: Engine, session: Session, data: dict[str, Any], documents: Set[str]) -> None:
    """Tag documents, or tick exactly those with a tag. Raises AskError."""
    owner, tag = session.owner, data.get("tag")
    named, left_out = _named(data, documents), session.conversation.left_out
    if not isinstance(tag, str):
        return
    match data.get("do"):
        case "tag":
            engine.annotations.add_tag(owner, named, tag)
        case "tag-chosen":
            engine.annotations.add_tag(owner, documents - left_out, tag)
        case "untag":
            for document_id in named:
                engine.annotations.remove_tag(owner, document_id, tag)
        case "tag-scope":
            tagged = {one for one, tags in engine.annotations.tags(owner).items() if tag in tags} & documents
            if tagged == documents - left_out:  # exactly these are ticked already: tick all of them again
                left_out.clear()
            elif tagged:
                left_out.clear()
                left_out |= documents - tagged


def _change_list(engine: Engine, session: Session, data: dict[str, Any], documents: Set[str]) -> None:
    """Sort the list, open the details of a document, or remove documents. Raises AskError."""
    named = _named(data, documents)
    match data.get("do"):
        case "sort" if data.get("by") in list(Order):
            session.listing.order = Order(data["by"])
        case "relist":
            session.listing.forget_sent()
        case "details":
            session.listing.detailed ^= named
        case "page":
            _open_page(engine, session, named, to_int(data.get("page")))
        case "remove":
            for document_id in named:
                engine.removals.begin(session.owner, document_id)
        case "undo":
            engine.removals.undo(session.owner)


def _place(engine: Engine, session: Session, data: dict[str, Any], documents: Set[str]) -> None:
    """Add the sample, choose where new files go, or move documents between collections. Raises AskError."""
    match data.get("do"):
        case "sample":
            engine.add(session.owner, say(session.language, "sample_file"), SAMPLE, collection=session.listing.into)
        case "into":
            session.listing.into = to_int(data.get("collection"))
        case "move":
            for document_id in _named(data, documents):
                engine.sharing.move(session.owner, document_id, to_int(data.get("collection")))


def _open_page(engine: Engine, session: Session, named: Set[str], page: int) -> None:
    """Show a page (from 0) of a document. It is not opened as a source, so nothing is marked on it."""
    for document in engine.documents(session.owner):
        if document.id in named and 0 <= page < document.pages:
            session.open_page(PlainPage(document.id, document.name, page))


def _change_jobs(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Cancel, dismiss or unlock files that are being added."""
    owner, job = session.owner, to_int(data.get("job"))
    jobs = engine.jobs(owner)
    known = any(one.id == job for one in jobs)
    match data.get("do"):
        case "cancel" if known:
            engine.cancel(owner, job)
        case "unlock" if known:
            engine.unlock(owner, job, str(data.get("password")))
        case "cancel-all" | "dismiss-failed" as do:
            for one in jobs:
                if one.person == owner and (one.state is JobState.FAILED) == (do == "dismiss-failed"):
                    engine.cancel(owner, one.id)


def _named(data: dict[str, Any], documents: Set[str]) -> set[str]:
    """Ids of the existing documents named by an action."""
    sent = data.get("documents") if "documents" in data else [data.get("document")]
    return {one for one in sent if isinstance(one, str)} & documents if isinstance(sent, list) else set()

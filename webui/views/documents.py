"""The list of documents: rows with checkboxes, and the controls to sort, filter and tick them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.records import Document, JobState, PageKind
from webui.engine import Engine
from webui.listing import Drawing, Order
from webui.session import Session
from webui.strings import Language, say
from webui.views.collections import Place, Shared, document_places, may_change, shared_with
from webui.views.details import Details, details_of
from webui.views.names import Name, name_of
from webui.views.render import render
from webui.views.status import shown_choice

MIN_FILTERED_DOCUMENTS = 8  # the list can be filtered and sorted from this many documents on
_REPORTED_KINDS = (PageKind.OCR, PageKind.SCANNED, PageKind.GARBLED, PageKind.EMPTY, PageKind.FAILED)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the list."""

    id: str
    name: Name
    own: bool  # whether the person may remove, replace and move it
    shared: bool  # whether everybody can see it
    collection: str  # name of its collection; "" if it is in none
    chosen: bool
    report: str
    notes: tuple[Message, ...]
    tags: tuple[str, ...]
    details: Details | None  # None while they are closed
    places: tuple[Place, ...] = ()  # where it can be moved, while the details are open


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag, with the number of documents that have it."""

    name: str
    count: int
    chosen: bool  # whether exactly its documents are ticked


def documents_html(engine: Engine, session: Session) -> Markup:
    """The whole list, and which components run."""
    with session.listing.lock:
        session.listing.forget_sent()
        html = documents_changes(engine, session)
    assert html is not None
    return html


def documents_changes(engine: Engine, session: Session) -> Markup | None:
    """The rows that have changed since the list was last drawn, and everything around them; None if nothing has."""
    listing = session.listing
    with listing.lock:
        documents = engine.documents(session.owner)
        tags = engine.annotations.tags(session.owner)
        shared = shared_with(engine, session)
        rows = [_row(document, engine, session, shared, tags) for document in _sorted(documents, listing.order)]
        drawing = listing.draw(rows)
        undo = sorted(engine.removals.pending(session.owner))
        around = _html(engine, session, rows, Drawing(0, None, ()), undo)
        if not drawing.changed and around == listing.around:
            return None
        listing.around = around
        return _html(engine, session, rows, drawing, undo)


def kinds_report(document: Document, language: Language) -> str:
    """Number of pages, and how many could not be read: "142 pages · 3 scanned"."""
    pages = say(language, "page_one") if document.pages == 1 else say(language, "pages", n=document.pages)
    kinds = document.kinds
    unread = [say(language, f"kind_{kind}", n=kinds[kind]) for kind in _REPORTED_KINDS if kinds.get(kind)]
    return " · ".join([pages, *unread])


def _html(engine: Engine, session: Session, rows: list[_Row], drawing: Drawing, undo: list[str]) -> Markup:
    return render(
        "documents.html",
        session.language,
        drawing=drawing,
        all=len(rows),
        chosen=sum(row.chosen for row in rows),
        filter=len(rows) >= MIN_FILTERED_DOCUMENTS,
        orders=[(order, say(session.language, f"sort_{order}")) for order in Order],
        order=session.listing.order,
        tags=_tags(rows),
        replaced=sorted(engine.annotations.replaced(session.owner)),
        undo=undo,
        adding=any(job.state is not JobState.FAILED for job in engine.jobs(session.owner)),
        choices=[shown_choice(choice, session.language) for choice in engine.choices()],
    )


def _sorted(documents: tuple[Document, ...], order: Order) -> list[Document]:
    match order:
        case Order.NAME:
            return sorted(documents, key=lambda document: name_of(document).shown.casefold())
        case Order.PAGES:
            return sorted(documents, key=lambda document: -document.pages)
        case Order.NEWEST:
            return list(reversed(documents))
        case Order.ADDED:
            return list(documents)


def _tags(rows: list[_Row]) -> list[_Tag]:
    """All tags, each with its number of documents, and whether exactly those are ticked."""
    chosen = {row.id for row in rows if row.chosen}
    tagged: dict[str, set[str]] = {}
    for row in rows:
        for tag in row.tags:
            tagged.setdefault(tag, set()).add(row.id)
    return [_Tag(tag, len(ids), ids == chosen) for tag, ids in sorted(tagged.items())]


def _row(
    document: Document, engine: Engine, session: Session, shared: Shared, tags: Mapping[str, tuple[str, ...]]
) -> _Row:
    own_tags, detailed = tags.get(document.id, ()), document.id in session.listing.detailed
    return _Row(
        id=document.id,
        name=name_of(document),
        own=may_change(document, session, shared),
        shared=document.owner == "" != session.owner,
        collection=shared.name(document.owner),
        chosen=document.id not in session.conversation.left_out,
        report=kinds_report(document, session.language),
        notes=document.notes,
        tags=own_tags,
        details=_details(document, engine, session, own_tags) if detailed else None,
        places=tuple(document_places(document, session, shared)) if detailed else (),
    )


def _details(document: Document, engine: Engine, session: Session, tags: tuple[str, ...]) -> Details | None:
    details = engine.details(session.owner, document.id)
    if details is None:
        return None
    introduction = engine.introductions.of(session.owner, document.id)
    making = introduction is None and engine.introductions.making(session.owner, document.id)
    return details_of(document, details, introduction, session.language, making=making, tags=tags)

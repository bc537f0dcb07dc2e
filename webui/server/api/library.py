"""Looks up documents by id for an owner. Documents that the owner cannot see do not exist here."""

from __future__ import annotations

from collections.abc import Collection as Ids
from typing import Final

from rag.messages import Message
from rag.records import Document, Job
from rag.store.collections import Collection
from webui.engine import Engine
from webui.server.api.errors import RequestRefused

NO_SUCH_DOCUMENT: Final = Message("There is no such document.")
NO_SUCH_PAGE: Final = Message("There is no such page.")


def find(engine: Engine, owner: str, document_id: str) -> Document | Job:
    """A document that `owner` sees, ready or being added; their own comes before a shared one.

    Raises RequestRefused.
    """
    seen = [one for one in engine.documents(owner) if one.id == document_id]
    jobs = [one for one in engine.jobs(owner) if one.document_id == document_id]
    found: list[Document | Job] = [*seen, *jobs]
    if not found:
        raise RequestRefused(404, NO_SUCH_DOCUMENT)
    return min(found, key=lambda one: one.owner != owner)


def find_own(engine: Engine, owner: str, document_id: str) -> Document | Job:
    """The same, for a document that `owner` may change. Raises RequestRefused."""
    found = find(engine, owner, document_id)
    if found.owner == "" != owner:
        raise RequestRefused(403, Message("This document is shared: only whoever runs the server can change it."))
    if found.owner not in (owner, *(one.owner for one in collections_of(engine, owner) if one.edits)):
        raise RequestRefused(403, Message("This document is in a collection that you can only read."))
    return found


def collections_of(engine: Engine, owner: str) -> tuple[Collection, ...]:
    """The collections that `owner` can see; none without logins."""
    return engine.collections.of(owner) if owner else ()


def check_page(engine: Engine, owner: str, document_id: str, page: int) -> None:
    """Raises RequestRefused if no document that `owner` sees has this page (from 0), or not yet."""
    found = find(engine, owner, document_id)
    if isinstance(found, Job) or not 0 <= page < found.pages:
        raise RequestRefused(404, NO_SUCH_PAGE)


def check_scope(engine: Engine, owner: str, documents: Ids[str] | None) -> None:
    """Raises RequestRefused if one of the ids is not a document that `owner` can see."""
    known = {document.id for document in engine.documents(owner)} if documents else set()
    if unknown := next((one for one in documents or () if one not in known), None):
        raise RequestRefused(404, Message("There is no document {id} in the library.", {"id": unknown}))

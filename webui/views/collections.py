"""Shared collections: their page, and the choice of a collection in the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.records import Document
from rag.store.collections import Collection
from webui.accounts.roles import Right
from webui.engine import Engine
from webui.session import Session
from webui.strings import Language, say
from webui.views.render import render

MAX_NAMED_MEMBERS = 3  # in the name of an option


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document can be kept."""

    number: int  # of a collection; 0 for one's own documents
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Shared:
    """The collections of the person who looks at the page."""

    collections: tuple[Collection, ...]

    @property
    def editable(self) -> frozenset[str]:
        """Owner ids of the collections that the person may edit."""
        return frozenset(one.owner for one in self.collections if one.edits)

    def name(self, owner: str) -> str:
        """Name of the collection with this owner id; "" if there is none."""
        return next((one.name for one in self.collections if one.owner == owner), "")


def shared_with(engine: Engine, session: Session) -> Shared:
    """The collections that a person can see; none without logins."""
    return Shared(engine.collections.of(session.owner) if session.owner else ())


def may_change(document: Document, session: Session, shared: Shared) -> bool:
    """Whether a person may remove, replace and move a document."""
    return session.role.may(Right.ADD) and document.owner in (session.owner, *shared.editable)


def upload_places(session: Session, shared: Shared) -> tuple[Place, ...]:
    """Where new files can go; empty if the person edits no collection, so that there is no choice."""
    edited = [one for one in shared.collections if one.edits]
    if session.listing.into not in [one.number for one in edited]:
        session.listing.into = 0
    own = Place(0, say(session.language, "my_documents"), session.listing.into == 0)
    return (own, *(Place(one.number, one.name, session.listing.into == one.number) for one in edited)) if edited else ()


def document_places(document: Document, session: Session, shared: Shared) -> list[Place]:
    """Where a document can be moved, and where it is; empty without a login, or if it may not be moved."""
    if not session.owner or not may_change(document, session, shared):
        return []
    language = session.language
    places = [Place(0, say(language, "only_me"), document.owner == session.owner)]
    for one in shared.collections:
        if one.edits:
            words = say(language, "collection_members", name=one.name, members=_members(one, session))
            places.append(Place(one.number, words, document.owner == one.owner))
    return places


def _members(collection: Collection, session: Session) -> str:
    """Who can see a collection, in words."""
    language = session.language
    others = [session.name_of(one.person) for one in collection.members if one.person != session.owner]
    if not others:
        return say(language, "nobody_else")
    if len(others) > MAX_NAMED_MEMBERS:
        return say(language, "people", n=len(others) + 1)
    return say(language, "list_separator").join([*others, say(language, "me")])


def collections_html(
    language: Language,
    collections: Sequence[Collection],
    *,
    person: str,
    name_of: Callable[[str], str],
    shares: bool,
    administrator: bool,
    problem: Message | None,
    done: str,
) -> Markup:
    """The page for collections.

    `shares`: whether the person's role allows them to create collections and grant access.
    """
    return render(
        "collections.html",
        language,
        collections=collections,
        person=person,
        name_of=name_of,
        shares=shares,
        administrator=administrator,
        problem=problem,
        done=done,
    )

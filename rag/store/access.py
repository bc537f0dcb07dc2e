"""Who can see and change whose documents. The one place that decides it, for SQL queries and for searches.

A person's library consists of their own documents, the shared ones (owner "") and those of the collections granted to
them. A collection owns its documents; its owner id starts with a character that no user name can contain.
"""

from __future__ import annotations

from typing import Final

from rag.store.connection import Connection

COLLECTION: Final = "\x1d"  # starts the owner id of a collection; its number follows


def collection_owner(number: int) -> str:
    """The owner id under which a collection's documents are stored."""
    return f"{COLLECTION}{number}"


def collection_of(owner: str) -> int | None:
    """The number of the collection with this owner id; None if it is a person's, or "" for shared documents."""
    number = owner.removeprefix(COLLECTION)
    return int(number) if owner.startswith(COLLECTION) and number.isdecimal() else None


def sees(person: str, owner: str = "owner") -> str:
    """An SQL condition that `person` can see the documents of `owner`; both are SQL expressions."""
    return f"({owner} IN ('', {person}) OR {owner} IN ({_GRANTED.format(person=person)}))"


_GRANTED: Final = f"SELECT char({ord(COLLECTION)}) || collection FROM grants WHERE person = {{person}}"
_VISIBLE: Final = _GRANTED.format(person="?") + " ORDER BY collection"
_CHANGEABLE: Final = _GRANTED.format(person="?") + " AND editor ORDER BY collection"
# If a person can see the same file several times: their own copy, then one of a collection, then the shared one.
PREFERRED: Final = "owner != ?1, owner = '', owner"


class Access:
    """Answers by owner id. Thread-safe; a change of grants applies from the next answer on."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def granted(self, owner: str) -> tuple[str, ...]:
        """The collections whose documents an owner can see, as owner ids."""
        return self._owners(_VISIBLE, owner)

    def visible(self, owner: str) -> tuple[str, ...]:
        """The owners whose documents an owner can see: "" for the shared ones, the owner, and collections."""
        return tuple(dict.fromkeys(("", owner, *self.granted(owner))))

    def changeable(self, owner: str) -> tuple[str, ...]:
        """The owners whose documents an owner may add, remove and replace: the owner, and collections they edit."""
        return (owner, *self._owners(_CHANGEABLE, owner))

    def holder(self, owner: str, document_id: str) -> str | None:
        """The owner of a document that `owner` may change, themselves first; None if they may not change it."""
        rows = self._store.rows("SELECT owner FROM documents WHERE id = ?", (document_id,))
        found = {row["owner"] for row in rows}
        return next((one for one in self.changeable(owner) if one in found), None)

    def _owners(self, query: str, owner: str) -> tuple[str, ...]:
        return tuple(row[0] for row in self._store.rows(query, (owner,))) if owner else ()

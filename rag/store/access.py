"""Who sees and who changes whose documents: the one place that decides it, for queries and for searches alike.

A library is the documents of one owner, the shared ones (owner "") and those of the collections granted to that owner.
A collection owns its documents: its owner id begins with a character that no user name may have.
"""

from __future__ import annotations

from typing import Final

from rag.store.connection import Connection

COLLECTION: Final = "\x1d"  # begins the owner id of a collection; its number follows


def collection_owner(number: int) -> str:
    """The owner id under which a collection's documents are stored."""
    return f"{COLLECTION}{number}"


def collection_of(owner: str) -> int | None:
    """The number of the collection that has this owner id; None for the id of a person, or of the shared documents."""
    number = owner.removeprefix(COLLECTION)
    return int(number) if owner.startswith(COLLECTION) and number.isdecimal() else None


def sees(person: str, owner: str = "owner") -> str:
    """An SQL condition that a person sees an owner's documents; both are SQL expressions."""
    return f"({owner} IN ('', {person}) OR {owner} IN ({_GRANTED.format(person=person)}))"


_GRANTED: Final = f"SELECT char({ord(COLLECTION)}) || collection FROM grants WHERE person = {{person}}"
_VISIBLE: Final = _GRANTED.format(person="?") + " ORDER BY collection"
_CHANGEABLE: Final = _GRANTED.format(person="?") + " AND editor ORDER BY collection"
# Where a person sees the same file several times: their own copy, then one of a collection, then the shared one.
PREFERRED: Final = "owner != ?1, owner = '', owner"


class Access:
    """Answers for people, by their owner id. Thread-safe; a change of grants counts from the next answer on."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def granted(self, owner: str) -> tuple[str, ...]:
        """The collections whose documents an owner sees, as owner ids."""
        return self._owners(_VISIBLE, owner)

    def visible(self, owner: str) -> tuple[str, ...]:
        """Whose documents an owner sees: the shared ones, their own, and those of collections."""
        return tuple(dict.fromkeys(("", owner, *self.granted(owner))))

    def changeable(self, owner: str) -> tuple[str, ...]:
        """Whose documents an owner may add to, remove and replace: their own, and those of collections."""
        return (owner, *self._owners(_CHANGEABLE, owner))

    def holder(self, owner: str, document_id: str) -> str | None:
        """Whose document it is, of those that `owner` may change, their own first; None if there is none of this id."""
        rows = self._store.rows("SELECT owner FROM documents WHERE id = ?", (document_id,))
        found = {row["owner"] for row in rows}
        return next((one for one in self.changeable(owner) if one in found), None)

    def _owners(self, query: str, owner: str) -> tuple[str, ...]:
        return tuple(row[0] for row in self._store.rows(query, (owner,))) if owner else ()

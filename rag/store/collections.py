"""Collections: documents shared by several people, each with access as a reader or an editor.

Editors add and remove documents, and decide who else gets access. So do administrators, but they only see the documents
if they have access themselves. Every change is logged, without the collection's name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rag.errors import CollectionRefused, LimitExceeded
from rag.store.access import collection_owner
from rag.store.connection import Connection

log = logging.getLogger(__name__)

MAX_NAME_CHARACTERS: Final = 60
MAX_MADE: Final = 50  # collections that one person may create
MAX_MEMBERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who has access to a collection."""

    person: str  # owner id
    editor: bool


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, as one person sees it."""

    number: int
    name: str
    sees: bool  # whether this person has access
    edits: bool  # whether they may add and remove its documents
    documents: int
    members: tuple[Member, ...]

    @property
    def owner(self) -> str:
        """The owner id under which its documents are stored."""
        return collection_owner(self.number)


class Collections:
    """All collections. Thread-safe.

    A change takes effect at once, for every page and for searches that start after it.
    """

    def __init__(self, store: Connection, changed: Callable[[], None]) -> None:
        self._store, self._changed = store, changed

    def of(self, person: str, *, administrator: bool = False) -> tuple[Collection, ...]:
        """The collections that a person can see, by name; an administrator sees all."""
        members: dict[int, list[Member]] = {}
        for row in self._store.rows("SELECT * FROM grants ORDER BY person"):
            members.setdefault(row["collection"], []).append(Member(row["person"], bool(row["editor"])))
        found = []
        for row in self._store.rows(_ALL):
            own = members.get(row["number"], [])
            grant = next((one for one in own if one.person == person), None)
            if grant is not None or administrator:
                edits = grant is not None and grant.editor
                about = row["number"], row["name"], grant is not None, edits, row["documents"]
                found.append(Collection(*about, tuple(own)))
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.number)))

    def create(self, person: str, name: str) -> int:
        """Create a collection, with the person as its editor; returns its number.

        Raises CollectionRefused and LimitExceeded.
        """
        name = self._checked(person, name)
        with self._store.transaction() as sql:
            (made,) = sql.execute("SELECT COUNT(*) FROM collections WHERE made_by = ?", (person,)).fetchone()
            if made >= MAX_MADE:
                raise LimitExceeded("You have made {limit} collections already: delete one first.", limit=MAX_MADE)
            values = (name, person, time.time())
            number = sql.execute("INSERT INTO collections (name, made_by, created) VALUES (?, ?, ?)", values).lastrowid
            sql.execute("INSERT INTO grants VALUES (?, ?, 1)", (person, number))
        self._log(person, "made", number or 0)
        return int(number or 0)

    def rename(self, person: str, number: int, name: str, *, administrator: bool = False) -> None:
        """Raises CollectionRefused."""
        self._require_manager(person, number, administrator)
        name = self._checked(person, name, number)
        with self._store.transaction() as sql:
            sql.execute("UPDATE collections SET name = ? WHERE number = ?", (name, number))
        self._log(person, "renamed", number)

    def delete(self, person: str, number: int, *, administrator: bool = False) -> None:
        """Delete a collection without documents. Raises CollectionRefused."""
        self._require_manager(person, number, administrator)
        with self._store.transaction() as sql:
            owner = collection_owner(number)
            for table in ("documents", "jobs"):
                if sql.execute(f"SELECT 1 FROM {table} WHERE owner = ?", (owner,)).fetchone():
                    raise CollectionRefused("The collection holds documents: remove them, or move them, first.")
            sql.execute("DELETE FROM collections WHERE number = ?", (number,))
            sql.execute("DELETE FROM replacements WHERE owner = ?", (owner,))
        self._log(person, "deleted", number)

    def grant(self, person: str, number: int, to: str, *, editor: bool, administrator: bool = False) -> None:
        """Give somebody access to a collection, or change what they may do in it. Raises CollectionRefused."""
        self._require_manager(person, number, administrator)
        with self._store.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO grants VALUES (?, ?, ?)", (to, number, editor))
            (members,) = sql.execute("SELECT COUNT(*) FROM grants WHERE collection = ?", (number,)).fetchone()
            if members > MAX_MEMBERS:
                raise CollectionRefused("A collection can be shared with {limit:,} people.", limit=MAX_MEMBERS)
            _require_editor(sql.execute(_EDITORS, (number,)).fetchone()[0])
        self._log(person, f"granted to {to!r} as {'editor' if editor else 'reader'}", number)

    def revoke(self, person: str, number: int, of: str, *, administrator: bool = False) -> None:
        """Take away somebody's access, at once; everybody may leave a collection. Raises CollectionRefused."""
        if of != person:
            self._require_manager(person, number, administrator)
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM grants WHERE collection = ? AND person = ?", (number, of))
            _require_editor(sql.execute(_EDITORS, (number,)).fetchone()[0])
        self._log(person, f"taken from {of!r}", number)

    def forget(self, person: str) -> None:
        """Take away all access of a removed user; collections that they created stay, and use nobody's quota."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM grants WHERE person = ?", (person,))
            sql.execute("UPDATE collections SET made_by = '' WHERE made_by = ?", (person,))
        self._changed()

    def maker(self, number: int) -> str:
        """Whose quota a collection uses; "" for nobody's."""
        rows = self._store.rows("SELECT made_by FROM collections WHERE number = ?", (number,))
        return str(rows[0][0]) if rows else ""

    def _require_manager(self, person: str, number: int, administrator: bool) -> None:
        """Raises CollectionRefused. A collection that the person cannot see is treated as missing."""
        known = [one for one in self.of(person, administrator=administrator) if one.number == number]
        if not known:
            raise CollectionRefused("There is no such collection.")
        if not (known[0].edits or administrator):
            raise CollectionRefused("You can only read this collection: ask one of its editors to do that.")

    def _checked(self, person: str, name: str, number: int = 0) -> str:
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise CollectionRefused("A collection's name has 1 to {limit} characters.", limit=MAX_NAME_CHARACTERS)
        others = (one for one in self.of(person) if one.number != number)
        if any(one.name.casefold() == name.casefold() for one in others):
            raise CollectionRefused("You have a collection of this name already: choose another name.")
        return name

    def _log(self, person: str, done: str, number: int) -> None:
        log.info("Collection %d: %s, by %r", number, done, person)
        self._changed()


_ALL: Final = (
    "SELECT c.number, c.name, (SELECT COUNT(*) FROM documents d WHERE d.owner = char(29) || c.number) AS documents"
    " FROM collections c"
)
_EDITORS: Final = "SELECT COUNT(*) FROM grants WHERE collection = ? AND editor"


def _require_editor(editors: int) -> None:
    """Raises CollectionRefused if no editor would be left: nobody could add documents or give access."""
    if not editors:
        raise CollectionRefused("A collection needs an editor: make somebody else one first.")

"""Tags, replacements and introductions of documents in the store.

A tag belongs to the owner who added it, even on a shared document; owners never see each other's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import Final

from rag.errors import LimitExceeded
from rag.store.access import sees
from rag.store.connection import Connection

MAX_TAG_CHARACTERS: Final = 40
MAX_TAGS: Final = 20  # per document
_VISIBLE: Final = f"SELECT 1 FROM documents d WHERE d.id = ?2 AND {sees('?1', 'd.owner')}"
# Of documents that are gone: the tag's owner can see none with this id, and none is being added.
ORPHAN_TAGS: Final = (
    "tags WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = tags.document_id AND"
    f" {sees('tags.owner', 'd.owner')})"
    " AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.document_id = tags.document_id AND j.state != 'failed')"
)


class Annotations:
    """Tags, replacements and introductions of all documents. Thread-safe."""

    def __init__(self, store: Connection, changed: Callable[[], None]) -> None:
        self._store, self._changed = store, changed

    # ---- tags

    def tags(self, owner: str) -> dict[str, tuple[str, ...]]:
        """The tags of each document that has any, in alphabetical order, by document id."""
        found: dict[str, list[str]] = {}
        for row in self._store.rows("SELECT document_id, tag FROM tags WHERE owner = ? ORDER BY tag", (owner,)):
            found.setdefault(row["document_id"], []).append(row["tag"])
        return {document_id: tuple(tags) for document_id, tags in found.items()}

    def add_tag(self, owner: str, documents: Collection[str], tag: str) -> None:
        """Tag documents that `owner` can see.

        Raises LimitExceeded if the tag is too long, or a document has too many.
        """
        tag = " ".join(tag.split())
        if not tag:
            return
        if len(tag) > MAX_TAG_CHARACTERS:
            raise LimitExceeded(
                "The tag has {length} characters, the limit is {limit}: choose a shorter one.",
                length=len(tag),
                limit=MAX_TAG_CHARACTERS,
            )
        with self._store.transaction() as sql:
            for document_id in documents:
                sql.execute(f"INSERT OR IGNORE INTO tags SELECT ?1, ?2, ?3 WHERE EXISTS ({_VISIBLE})",
                            (owner, document_id, tag))  # fmt: skip
                (count,) = sql.execute(
                    "SELECT COUNT(*) FROM tags WHERE owner = ? AND document_id = ?", (owner, document_id)
                ).fetchone()
                if count > MAX_TAGS:
                    raise LimitExceeded(
                        "A document can have {limit} tags: remove one first.", limit=MAX_TAGS
                    )  # then nothing of this call is stored
        self._changed()

    def remove_tag(self, owner: str, document_id: str, tag: str) -> None:
        """Remove a tag from a document."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM tags WHERE owner = ? AND document_id = ? AND tag = ?", (owner, document_id, tag))
        self._changed()

    # ---- replacements

    def replaced(self, owner: str) -> dict[str, str]:
        """Documents that `owner` could see until a newer version replaced them: old id -> new id."""
        rows = self._store.rows(f"SELECT old, new FROM replacements WHERE {sees('?1')}", (owner,))
        return {row["old"]: row["new"] for row in rows}

    def forget_tags(self) -> None:
        """Delete tags of documents that are gone: their owner can see none with this id, and none is being added."""
        with self._store.transaction() as sql:
            sql.execute(f"DELETE FROM {ORPHAN_TAGS}")

    # ---- introductions, as JSON that is not interpreted here; deleted together with their document

    def introduction(self, owner: str, document_id: str) -> str | None:
        """The stored introduction to a document of `owner`; None if there is none."""
        rows = self._store.rows(
            "SELECT i.data FROM introductions i JOIN documents d ON i.document = d.key WHERE d.owner = ? AND d.id = ?",
            (owner, document_id),
        )
        return str(rows[0]["data"]) if rows else None

    def keep_introduction(self, owner: str, document_id: str, data: str) -> None:
        """Store the introduction to a document of `owner`, if the document still exists."""
        with self._store.transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO introductions SELECT key, ?3 FROM documents WHERE owner = ?1 AND id = ?2",
                (owner, document_id, data),
            )
        self._changed()


def record_replacement(sql: sqlite3.Connection, owner: str, old: str, new: str) -> None:
    """Record that a document was replaced by another, which takes over everybody's tags on it."""
    sql.execute("INSERT OR REPLACE INTO replacements VALUES (?, ?, ?)", (owner, old, new))
    sql.execute("DELETE FROM replacements WHERE owner = ? AND old = ?", (owner, new))  # it is back
    sql.execute(
        "INSERT OR IGNORE INTO tags SELECT owner, ?3, tag FROM tags"
        f" WHERE document_id = ?2 AND {sees('tags.owner', '?1')}",
        (owner, old, new),
    )

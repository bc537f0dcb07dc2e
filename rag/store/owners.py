"""Moves a document to another owner with everything that belongs to it, and erases a person."""

from __future__ import annotations

from typing import Final

from rag.errors import AlreadyAdded
from rag.records import text_digest
from rag.store.connection import Connection
from rag.store.database import DELETE_UNUSED_VECTOR, Store

# Tables of documents use the owner of documents; conversations and preferences use that of conversations.
_OWNED: Final = ("tags", "replacements", "kept_questions", "runs", "experiments", "ratings")
_CONVERSED: Final = ("conversations", "preferences")


def move_document(store: Store, owner: str, document_id: str, target: str) -> bool:
    """Give a document to another owner, in one transaction; False if `owner` has none with this id.

    Its vectors are kept under the target's digests (`rag.records.text_digest`). Its introduction is deleted, since it
    was made with the statistics of another library. Raises AlreadyAdded if the target has the same document.
    """
    passages = store.document_passages(owner, document_id)
    with store.transaction() as sql:
        if sql.execute("SELECT 1 FROM documents WHERE owner = ? AND id = ?", (target, document_id)).fetchone():
            raise AlreadyAdded("The same file is there already.")
        moved = sql.execute(
            "UPDATE documents SET owner = ?3 WHERE owner = ?1 AND id = ?2 RETURNING key", (owner, document_id, target)
        ).fetchone()
        if moved is None:
            return False
        for kept in passages:
            new = text_digest(kept.passage.searchable, target)
            sql.execute(
                "INSERT OR IGNORE INTO vectors (digest, vector, crc) SELECT ?, vector, crc FROM vectors"
                " WHERE digest = ?",
                (new, kept.digest),
            )
            sql.execute("UPDATE passages SET digest = ? WHERE id = ?", (new, kept.id))
        sql.executemany(DELETE_UNUSED_VECTOR, [(kept.digest,) for kept in passages])
        sql.execute("DELETE FROM introductions WHERE document = ?", (moved["key"],))
        sql.execute(
            "UPDATE OR REPLACE replacements SET owner = ? WHERE owner = ? AND new = ?", (target, owner, document_id)
        )
        sql.execute("DELETE FROM removals WHERE owner = ? AND document_id = ?", (owner, document_id))
    return True


def erase_person(store: Connection, owner: str, conversation_owner: str) -> None:
    """Delete all rows of a person, also from the write-ahead log. Raises StoreError."""
    with store.transaction() as sql:
        for tables, key in ((_OWNED, owner), (_CONVERSED, conversation_owner)):
            for table in tables:
                sql.execute(f"DELETE FROM {table} WHERE owner = ?", (key,))
    store.checkpoint()

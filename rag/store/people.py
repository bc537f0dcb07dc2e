"""Erases from the store what belongs to a person besides documents, whose removal takes more than the store."""

from __future__ import annotations

from typing import Final

from rag.store.connection import Connection

# Each belongs to the owner of documents; conversations and preferences to that of conversations.
_OWNED: Final = ("tags", "replacements", "kept_questions", "runs", "experiments", "ratings")
_CONVERSED: Final = ("conversations", "preferences")


def erase_person(store: Connection, owner: str, conversation_owner: str) -> None:
    """Delete all rows of a person, also from the write-ahead log. Raises StoreError."""
    with store.transaction() as sql:
        for tables, key in ((_OWNED, owner), (_CONVERSED, conversation_owner)):
            for table in tables:
                sql.execute(f"DELETE FROM {table} WHERE owner = ?", (key,))
    store.checkpoint()

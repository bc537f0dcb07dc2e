"""What each person prefers, in the store. Owners are those of conversations."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.store.connection import Connection


class StoredPreferences:
    """The preferences of all owners. Thread-safe."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def of(self, owner: str) -> Preferences:
        """What an owner prefers; the defaults where nothing is stored, or nothing that this version can read."""
        rows = self._store.rows("SELECT data FROM preferences WHERE owner = ?", (owner,))
        try:
            return _adapter().validate_json(rows[0]["data"]) if rows else DEFAULT_PREFERENCES
        except ValidationError:
            return DEFAULT_PREFERENCES

    def save(self, owner: str, preferences: Preferences) -> None:
        """Store what an owner prefers; nothing for the defaults, so that they may change."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM preferences WHERE owner = ?", (owner,))
            if preferences != DEFAULT_PREFERENCES:
                text = _adapter().dump_json(preferences).decode()
                sql.execute("INSERT INTO preferences (owner, data) VALUES (?, ?)", (owner, text))


@cache
def _adapter() -> TypeAdapter[Preferences]:
    return TypeAdapter(Preferences)

"""People's preferences in the store, by the owners that conversations have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pydantic import TypeAdapter, ValidationError

from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.store.connection import Connection


class StoredPreferences:
    """The preferences of all owners. Thread-safe."""

    def __init__(self, store: Connection) -> None:
        self._store = store

    def of(self, owner: str) -> Preferences:
        """An owner's preferences; the defaults if none are stored, or this version cannot read them."""
        rows = self._store.rows(_SELECT, (owner,))
        return _preferences(rows[0]["data"] if rows else "")

    def change(self, owner: str, change: Callable[[Preferences], Preferences]) -> None:
        """Change an owner's preferences; concurrent changes are both kept.

        Defaults are not stored, so that they can change. Raises what `change` raises.
        """
        with self._store.transaction() as sql:
            row = sql.execute(_SELECT, (owner,)).fetchone()
            preferences = change(_preferences(row["data"] if row else ""))
            sql.execute("DELETE FROM preferences WHERE owner = ?", (owner,))
            if preferences != DEFAULT_PREFERENCES:
                text = _adapter().dump_json(preferences).decode()
                sql.execute("INSERT INTO preferences (owner, data) VALUES (?, ?)", (owner, text))


_SELECT = "SELECT data FROM preferences WHERE owner = ?"


def _preferences(text: str) -> Preferences:
    """Preferences from their JSON; defaults for what cannot be read."""
    try:
        return _adapter().validate_json(text)
    except ValidationError:
        return DEFAULT_PREFERENCES


@cache
def _adapter() -> TypeAdapter[Preferences]:
    return TypeAdapter(Preferences)

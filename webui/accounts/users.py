"""The users in the database `accounts.sqlite` of the data folder: names, roles and password hashes.

It is a database of its own, because users are added and removed while the server runs, and the server alone opens the
library. What one process changes counts in the other at once.
"""

from __future__ import annotations

import os
import sqlite3
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.errors import SettingRefused, StoreError
from webui.accounts.roles import Role

MAX_NAME_CHARACTERS: Final = 64
_BUSY_SECONDS: Final = 5.0  # to wait for another process that writes
# `generation` grows whenever all sessions of the user end.
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL,"
    " generation INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored."""

    name: str
    role: Role
    hash: str
    generation: int
    created: float  # seconds since the epoch


class Users:
    """The users of one data folder. Thread-safe; the database is made with the first user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "accounts.sqlite"

    def all(self) -> tuple[User, ...]:
        """All users by name. Raises StoreError."""
        return self._select("SELECT * FROM users ORDER BY name")

    def get(self, name: str) -> User | None:
        """The user of this name; None if there is none. Raises StoreError."""
        return next(iter(self._select("SELECT * FROM users WHERE name = ?", name)), None)

    def add(self, name: str, role: Role, password_hash: str) -> None:
        """Raises SettingRefused for a name that is taken, and StoreError."""
        with self._opened() as sql:
            known = sql.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone()
            if known:
                raise SettingRefused(
                    "There is a user {name!r} already: --set-password and --set-role change it.", name=name
                )
            # Not 0: sessions of an earlier user of this name stay ended.
            values = (name, role, password_hash, time.time_ns(), time.time())
            sql.execute("INSERT INTO users (name, role, hash, generation, created) VALUES (?, ?, ?, ?, ?)", values)

    def remove(self, name: str) -> None:
        """Remove a user, whose sessions end. Raises SettingRefused for an unknown one, and StoreError."""
        self._change("DELETE FROM users WHERE name = ?1", name)

    def set_role(self, name: str, role: Role) -> None:
        """Raises SettingRefused for an unknown user, and StoreError."""
        self._change("UPDATE users SET role = ?2 WHERE name = ?1", name, role)

    def set_password(self, name: str, password_hash: str) -> None:
        """Change a password, which ends all sessions. Raises SettingRefused for an unknown user, and StoreError."""
        self._change("UPDATE users SET hash = ?2, generation = generation + 1 WHERE name = ?1", name, password_hash)

    def end_sessions(self, name: str) -> None:
        """End all sessions of a user. Raises SettingRefused for an unknown one, and StoreError."""
        self._change("UPDATE users SET generation = generation + 1 WHERE name = ?1", name)

    def _change(self, statement: str, name: str, *values: str) -> None:
        with self._opened() as sql:
            changed = sql.execute(statement, (name, *values)).rowcount
        if not changed:
            raise SettingRefused("There is no user {name!r}: --list-users lists them.", name=name)

    def _select(self, query: str, *values: str) -> tuple[User, ...]:
        if not self._path.exists():
            return ()
        with self._opened() as sql:
            rows = sql.execute(query, values).fetchall()
        return tuple(User(name, Role(role), *rest) for name, role, *rest in rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection with one transaction. Raises StoreError for what SQLite raises."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # readable for this user only
            sql = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
            try:
                with sql:
                    sql.execute(_SCHEMA)
                    yield sql
            finally:
                sql.close()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                "{path} cannot be used ({reason}): restore it from a backup, or choose another --data-dir.",
                path=str(self._path),
                reason=str(error),
            ) from error


def checked_name(name: str) -> str:
    """A name that a user may have. Raises SettingRefused."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise SettingRefused("A user's name has 1 to {limit} printable characters.", limit=MAX_NAME_CHARACTERS)
    return name

"""The users in `accounts.sqlite` in the data folder: names, roles and password hashes.

It is a database of its own because users are added and removed by other processes while the server runs, and only the
server may open the library. A change by one process is seen by the others at once.

Documents and conversations belong to a user's id. The id is the name, unless an earlier user had that id: a new user
with a removed user's name must not see what was theirs.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.errors import LoginRefused, SettingRefused, StoreError
from webui.accounts.roles import Role

MAX_NAME_CHARACTERS: Final = 64
_BUSY_SECONDS: Final = 5.0  # to wait while another process writes
_FORMAT: Final = 2
# `generation` increases whenever all sessions of the user end. `removed`: users whose data are, or have to be, erased.
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL,"
    " generation INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL) WITHOUT ROWID",
    "ALTER TABLE users ADD COLUMN id TEXT NOT NULL DEFAULT ''",
    "UPDATE users SET id = name",
    "CREATE TABLE removed (id TEXT PRIMARY KEY, erased INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    f"PRAGMA user_version={_FORMAT}",
)
_ID_SEPARATOR: Final = "\x1f"  # separates a name from what makes the id unique; no name contains it
# SQL: the part of an id after the separator; NULL if there is none.
_KEY: Final = "CASE instr(id, char(31)) WHEN 0 THEN NULL ELSE substr(id, instr(id, char(31)) + 1) END"


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored."""

    name: str
    role: Role
    hash: str
    generation: int
    created: float  # seconds since the epoch
    id: str  # owner of the user's documents and conversations; never reused


class Users:
    """The users of one data folder. Thread-safe. The database is created with the first user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "accounts.sqlite"

    def all(self) -> tuple[User, ...]:
        """All users, sorted by name. Raises StoreError."""
        return self._select("SELECT * FROM users ORDER BY name")

    def get(self, name: str) -> User | None:
        """The user with this name; None if there is none. Raises StoreError."""
        return next(iter(self._select("SELECT * FROM users WHERE name = ?", name)), None)

    def of_id(self, user_id: str) -> User | None:
        """The user with this id; None if there is none. Raises StoreError."""
        return next(iter(self._select("SELECT * FROM users WHERE id = ?", user_id)), None)

    def add(self, name: str, role: Role, password_hash: str) -> None:
        """Raises SettingRefused if the name is taken, and StoreError."""
        with self._opened() as sql:
            known = sql.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone()
            if known:
                raise SettingRefused(
                    "There is a user {name!r} already: --set-password and --set-role change it.", name=name
                )
            now = time.time_ns()
            used = sql.execute("SELECT 1 FROM removed WHERE id = ?", (name,)).fetchone()
            user_id = f"{name}{_ID_SEPARATOR}{now}" if used else name
            # A generation other than 0, so that sessions of an earlier user with this name stay ended.
            values = (name, role, password_hash, now, time.time(), user_id)
            sql.execute(
                "INSERT INTO users (name, role, hash, generation, created, id) VALUES (?, ?, ?, ?, ?, ?)", values
            )

    def of_provider(self, key: str, name: str, role: Role) -> User:
        """The user whom the provider knows by `key`; at their first login, added under a name that is free.

        Such users have no password here. Raises LoginRefused if they were removed, and StoreError.
        """
        with self._opened() as sql:
            if sql.execute(f"SELECT 1 FROM removed WHERE {_KEY} = ?", (key,)).fetchone():
                raise LoginRefused("Your account on this server was removed: ask an administrator of it.")
            if not sql.execute(f"SELECT 1 FROM users WHERE {_KEY} = ?", (key,)).fetchone():
                taken = {row[0] for row in sql.execute("SELECT name FROM users")}
                free = next(one for one in _names(name) if one not in taken)
                values = (free, role, "", time.time_ns(), time.time(), f"{free}{_ID_SEPARATOR}{key}")
                sql.execute(
                    "INSERT INTO users (name, role, hash, generation, created, id) VALUES (?, ?, ?, ?, ?, ?)", values
                )
        return self._select(f"SELECT * FROM users WHERE {_KEY} = ?", key)[0]

    def remove(self, name: str) -> None:
        """Remove a user, end their sessions, and mark their data to be erased.

        Raises SettingRefused if there is no such user, and StoreError.
        """
        with self._opened() as sql:
            sql.execute("INSERT OR IGNORE INTO removed (id) SELECT id FROM users WHERE name = ?", (name,))
            if not sql.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount:
                raise _unknown(name)

    def to_erase(self) -> tuple[str, ...]:
        """Ids of removed users whose data are still to be erased. Raises StoreError."""
        if not self._path.exists():
            return ()
        with self._opened() as sql:
            return tuple(row[0] for row in sql.execute("SELECT id FROM removed WHERE NOT erased ORDER BY id"))

    def erased(self, user_id: str) -> None:
        """Record that a removed user's data have been erased. Raises StoreError."""
        with self._opened() as sql:
            sql.execute("UPDATE removed SET erased = 1 WHERE id = ?", (user_id,))

    def set_role(self, name: str, role: Role) -> None:
        """Raises SettingRefused for an unknown user, and StoreError."""
        self._change("UPDATE users SET role = ?2 WHERE name = ?1", name, role)

    def set_password(self, name: str, password_hash: str) -> None:
        """Change a password, which ends all sessions.

        Raises SettingRefused if there is no such user, and StoreError.
        """
        self._change("UPDATE users SET hash = ?2, generation = generation + 1 WHERE name = ?1", name, password_hash)

    def end_sessions(self, name: str) -> None:
        """End all sessions of a user. Raises SettingRefused if there is no such user, and StoreError."""
        self._change("UPDATE users SET generation = generation + 1 WHERE name = ?1", name)

    def _change(self, statement: str, name: str, *values: str) -> None:
        with self._opened() as sql:
            changed = sql.execute(statement, (name, *values)).rowcount
        if not changed:
            raise _unknown(name)

    def _select(self, query: str, *values: str) -> tuple[User, ...]:
        if not self._path.exists():
            return ()
        with self._opened() as sql:
            rows = sql.execute(query, values).fetchall()
        return tuple(User(name, Role(role), *rest) for name, role, *rest in rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection with one open transaction. SQLite's errors are raised as StoreError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # readable only by this account of the system
            sql = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
            try:
                with sql:
                    if sql.execute("PRAGMA user_version").fetchone()[0] < _FORMAT:
                        _upgrade(sql)
                    yield sql
            finally:
                sql.close()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                "{path} cannot be used ({reason}): restore it from a backup, or choose another --data-dir.",
                path=str(self._path),
                reason=str(error),
            ) from error


def _upgrade(sql: sqlite3.Connection) -> None:
    """Create the tables, or those missing from an older database, unless another process has just done so."""
    sql.execute("BEGIN IMMEDIATE")
    if sql.execute("PRAGMA user_version").fetchone()[0] < _FORMAT:
        for statement in _SCHEMA:
            sql.execute(statement)
    sql.execute("COMMIT")


def _names(name: str) -> Iterator[str]:
    """Names to try for somebody from a provider until one is free: "ann", "ann 2", "ann 3", …"""
    wanted = "".join(filter(str.isprintable, unicodedata.normalize("NFC", name.strip())))[: MAX_NAME_CHARACTERS - 8]
    yield wanted or "?"
    yield from (f"{wanted} {number}" for number in itertools.count(2))


def _unknown(name: str) -> SettingRefused:
    return SettingRefused("There is no user {name!r}: --list-users lists them.", name=name)


def checked_name(name: str) -> str:
    """The name in the form that is stored. Raises SettingRefused if no user may have it."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise SettingRefused("A user's name has 1 to {limit} printable characters.", limit=MAX_NAME_CHARACTERS)
    return name


def name_in(user_id: str) -> str:
    """The name under which the user with this id was added."""
    return user_id.partition(_ID_SEPARATOR)[0]

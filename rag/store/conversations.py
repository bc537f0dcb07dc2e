"""Conversations and their exchanges in the store, as JSON that is not interpreted here.

Each belongs to one owner; other owners' ids are treated like ids that do not exist. A deleted conversation can be
restored for UNDO_SECONDS, and is then overwritten on disk.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rag.errors import StoreError, StoreFull
from rag.store.connection import Connection

MAX_CONVERSATIONS: Final = 2_000  # per owner, with at least one question
MAX_BYTES: Final = 500_000_000  # of all exchanges, per owner
MAX_UNASKED: Final = 20  # conversations without a question, per owner; the oldest are deleted
UNDO_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 2.0  # for an undo that was clicked in time but arrives late
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation without its exchanges. Times in seconds since the epoch."""

    id: str
    title: str
    created: float
    changed: float  # time of the last question
    data: str  # JSON, opaque here


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """One question and its answer. `number` counts from 1 within its conversation."""

    number: int
    data: str  # JSON, opaque here


class Conversations:
    """The conversations of all owners. Thread-safe. Close it before the store."""

    def __init__(self, store: Connection, *, undo_seconds: float = UNDO_SECONDS) -> None:
        self._store = store
        self._undo_seconds = undo_seconds
        self._versions: Counter[str] = Counter()  # by owner: version of the list
        self._timers: set[threading.Timer] = set()
        self._lock = threading.Lock()
        self._purge()  # deleted shortly before the program ended

    def close(self) -> None:
        """Erase deleted conversations now, even those that could still be restored."""
        with self._lock:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
        with suppress(StoreError):  # done when the data folder is next opened
            self._purge()

    def version(self, owner: str) -> int:
        """A number that increases with every change to the owner's list of conversations; cheap to poll."""
        return self._versions[owner]

    def _changed(self, owner: str) -> None:
        with self._lock:
            self._versions[owner] += 1

    # ---- conversations

    def create(self, owner: str, data: str) -> str:
        """Create a conversation without questions; returns its id, which cannot be guessed.

        Of conversations without a question, only the newest MAX_UNASKED are kept.
        """
        conversation_id, now = secrets.token_urlsafe(16), time.time()
        with self._store.transaction() as sql:
            sql.execute(_DELETE_UNASKED, (owner, owner, MAX_UNASKED - 1))
            sql.execute(
                "INSERT INTO conversations (id, owner, title, created, changed, data) VALUES (?, ?, '', ?, ?, ?)",
                (conversation_id, owner, now, now, data),
            )
        return conversation_id

    def get(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """A conversation of `owner`; None if they have none with this id, or have deleted it."""
        rows = self._store.rows(f"{_SELECT} AND c.id = ?", (owner, conversation_id))
        return _conversation(rows[0]) if rows else None

    def listed(self, owner: str, search: str = "", limit: int = -1) -> list[StoredConversation]:
        """Conversations with at least one question, newest first.

        `search`: only those with this text in title or questions.
        """
        pattern = f"%{search.translate(_ESCAPES)}%"
        rows = self._store.rows(f"{_SELECT} AND {_ASKED_AND_FOUND}", (owner, pattern, pattern, limit))
        return [_conversation(row) for row in rows]

    def save(self, owner: str, conversation_id: str, data: str) -> None:
        """Replace the data of a conversation; does nothing if it no longer exists."""
        with self._store.transaction() as sql:
            sql.execute("UPDATE conversations SET data = ? WHERE owner = ? AND id = ?", (data, owner, conversation_id))

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        with self._store.transaction() as sql:
            sql.execute(
                "UPDATE conversations SET title = ? WHERE owner = ? AND id = ?", (title, owner, conversation_id)
            )
        self._changed(owner)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation; it can be restored for UNDO_SECONDS, unless the program ends before that."""
        with self._store.transaction() as sql:
            sql.execute(
                "UPDATE conversations SET deleted = ? WHERE owner = ? AND id = ? AND deleted IS NULL",
                (time.time(), owner, conversation_id),
            )
        timer = threading.Timer(self._undo_seconds + _GRACE_SECONDS, self._purge_due)
        timer.daemon = True
        with self._lock:
            self._timers = {running for running in self._timers if running.is_alive()} | {timer}
            timer.start()
        self._changed(owner)

    def restore(self, owner: str, conversation_id: str) -> bool:
        """Undo a deletion; False if it is too late."""
        with self._store.transaction() as sql:
            restored = sql.execute(
                "UPDATE conversations SET deleted = NULL WHERE owner = ? AND id = ? AND deleted IS NOT NULL",
                (owner, conversation_id),
            ).rowcount
        self._changed(owner)
        return bool(restored)

    # ---- exchanges

    def put(self, owner: str, conversation_id: str, exchange: StoredExchange, question: str) -> None:
        """Store an exchange, replacing its earlier state. Does nothing if the conversation no longer exists.

        Raises StoreFull if a new exchange would exceed what one owner may store.
        """
        size = len(exchange.data.encode())
        with self._store.transaction() as sql:
            key = _key(sql, owner, conversation_id)
            if key is None:
                return
            values = (size, question, exchange.data, key, exchange.number)
            known = sql.execute(
                "UPDATE exchanges SET bytes = ?, question = ?, data = ? WHERE conversation = ? AND number = ?", values
            ).rowcount
            if known:
                return
            _check_limits(sql, owner, size, is_first=not _has_exchanges(sql, key))
            sql.execute(
                "INSERT INTO exchanges (bytes, question, data, conversation, number) VALUES (?, ?, ?, ?, ?)", values
            )
            sql.execute("UPDATE conversations SET changed = ? WHERE key = ?", (time.time(), key))
        self._changed(owner)

    def newest_exchange(self, owner: str, conversation_id: str) -> int:
        """Number of the last exchange; 0 if there is none."""
        rows = self._store.rows(f"SELECT MAX(e.number) {_EXCHANGES}", (owner, conversation_id))
        return rows[0][0] or 0

    def exchanges(self, owner: str, conversation_id: str, numbers: Collection[int]) -> list[StoredExchange]:
        """The exchanges with these numbers, in order; those that do not exist are left out."""
        query = f"SELECT e.number, e.data {_EXCHANGES} AND e.number IN (SELECT value FROM json_each(?)) ORDER BY 1"
        rows = self._store.rows(query, (owner, conversation_id, json.dumps(sorted(numbers))))
        return [StoredExchange(row["number"], row["data"]) for row in rows]

    # ---- erasing

    def _purge_due(self) -> None:
        with suppress(StoreError):  # tried again when the data folder is next opened
            self._purge(before=time.time() - self._undo_seconds)

    def _purge(self, before: float | None = None) -> None:
        """Erase conversations deleted before this time; with None, all deleted ones."""
        due = "deleted IS NOT NULL" if before is None else "deleted <= ?"
        values = () if before is None else (before,)
        with self._store.transaction() as sql:
            erased = sql.execute(f"DELETE FROM conversations WHERE {due}", values).rowcount
        if erased:
            self._store.checkpoint()


_EXCHANGES = (
    "FROM exchanges e JOIN conversations c ON e.conversation = c.key"
    " WHERE c.owner = ? AND c.id = ? AND c.deleted IS NULL"
)
_SELECT = (
    "SELECT c.id, c.title, c.created, c.changed, c.data FROM conversations c WHERE c.owner = ? AND c.deleted IS NULL"
)
_ASKED_AND_FOUND = (
    "EXISTS (SELECT 1 FROM exchanges e WHERE e.conversation = c.key)"
    " AND (c.title LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM exchanges e WHERE e.conversation = c.key"
    " AND e.question LIKE ? ESCAPE '\\')) ORDER BY c.changed DESC, c.key DESC LIMIT ?"
)
_UNASKED = "owner = ? AND NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.conversation = conversations.key)"
_DELETE_UNASKED = (
    f"DELETE FROM conversations WHERE {_UNASKED} AND key NOT IN"
    f" (SELECT key FROM conversations WHERE {_UNASKED} ORDER BY key DESC LIMIT ?)"
)


def _conversation(row: sqlite3.Row) -> StoredConversation:
    return StoredConversation(*row)


def _key(sql: sqlite3.Connection, owner: str, conversation_id: str) -> int | None:
    row = sql.execute("SELECT key FROM conversations WHERE owner = ? AND id = ?", (owner, conversation_id)).fetchone()
    return row["key"] if row else None


def _has_exchanges(sql: sqlite3.Connection, key: int) -> bool:
    return sql.execute("SELECT 1 FROM exchanges WHERE conversation = ? LIMIT 1", (key,)).fetchone() is not None


def _check_limits(sql: sqlite3.Connection, owner: str, size: int, *, is_first: bool) -> None:
    """Raises StoreFull if an owner has reached a limit."""
    count, stored = sql.execute(
        "SELECT COUNT(DISTINCT e.conversation), TOTAL(e.bytes) FROM exchanges e"
        " JOIN conversations c ON e.conversation = c.key WHERE c.owner = ?",
        (owner,),
    ).fetchone()
    if is_first and count >= MAX_CONVERSATIONS:
        raise StoreFull(
            "This conversation is not saved: {limit:,} conversations are stored, which is the limit. Delete some to"
            " save new ones.",
            limit=MAX_CONVERSATIONS,
        )
    if stored + size > MAX_BYTES:
        raise StoreFull(
            "This question is not saved: your conversations take {limit} MB, which is the limit. Delete some to save"
            " new ones.",
            limit=MAX_BYTES // 1_000_000,
        )

"""How people rated answers, and why; kept next to the saved questions, for whoever tunes the program.

A rating belongs to one owner and is invisible to others. It contains the question and the reason, both in the owner's
own words, and nothing from a document.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rag.errors import QuestionRefused
from rag.evaluation.question_sets import csv_text
from rag.store.connection import Connection

MAX_RATINGS: Final = 1_000  # per owner; the oldest are deleted
MAX_REASON_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rating:
    """Somebody's opinion of the answer to a question."""

    id: int
    at: float  # seconds since the epoch
    question: str
    reader: str  # name of the reader that answered
    helpful: bool
    reason: str  # "" if none was given


def ratings_csv(ratings: Sequence[Rating]) -> str:
    """Ratings as CSV, oldest first; times are in UTC."""
    rows = [
        (
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.at)),
            one.question,
            one.reader,
            "good" if one.helpful else "bad",
            one.reason,
        )
        for one in ratings
    ]
    return csv_text(("time", "question", "reader", "rating", "reason"), rows)


class Ratings:
    """The ratings of all owners. Thread-safe."""

    def __init__(self, store: Connection, *, changed: Callable[[], None]) -> None:
        self._store, self._changed = store, changed

    def all(self, owner: str) -> tuple[Rating, ...]:
        """The owner's ratings, oldest first."""
        rows = self._store.rows(
            "SELECT id, at, question, reader, helpful, reason FROM ratings WHERE owner = ? ORDER BY id", (owner,)
        )
        return tuple(
            Rating(row["id"], row["at"], row["question"], row["reader"], bool(row["helpful"]), row["reason"])
            for row in rows
        )

    def rate(self, owner: str, question: str, reader: str, helpful: bool | None, reason: str = "") -> None:
        """Rate a reader's answer to a question, replacing an earlier rating; None withdraws it.

        Raises QuestionRefused if the reason is too long.
        """
        if len(reason) > MAX_REASON_CHARACTERS:
            raise QuestionRefused(
                "The reason has {characters:,} characters, the limit is {limit:,}: shorten it.",
                characters=len(reason),
                limit=MAX_REASON_CHARACTERS,
            )
        with self._store.transaction() as sql:
            sql.execute(
                "DELETE FROM ratings WHERE owner = ? AND question = ? AND reader = ?", (owner, question, reader)
            )
            if helpful is not None:
                sql.execute(
                    "INSERT INTO ratings (owner, at, question, reader, helpful, reason) VALUES (?, ?, ?, ?, ?, ?)",
                    (owner, time.time(), question, reader, helpful, reason),
                )
            sql.execute(
                "DELETE FROM ratings WHERE owner = ?1 AND id NOT IN"
                " (SELECT id FROM ratings WHERE owner = ?1 ORDER BY id DESC LIMIT ?2)",
                (owner, MAX_RATINGS),
            )
        self._changed()

    def remove(self, owner: str, rating_id: int) -> None:
        """Remove a rating of `owner`; another owner's stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM ratings WHERE id = ? AND owner = ?", (rating_id, owner))
        self._store.checkpoint()
        self._changed()

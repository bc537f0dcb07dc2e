"""The list of documents as one open page shows it: its order, open details, and the rows already sent.

The list may have a thousand rows, so after the first drawing only changed rows are sent. Each drawing has a number, and
one with changes names the drawing that it changes. A page that missed that one asks for the whole list.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

MAX_CHANGED_SHARE = 0.5  # changed rows from which on the whole list is sent


class Order(StrEnum):
    """How the list of documents is sorted."""

    ADDED = "added"  # newest last
    NEWEST = "newest"  # newest first
    NAME = "name"
    PAGES = "pages"  # longest first


def order_of(cookie: str | None) -> Order:
    """The order stored in a cookie."""
    return Order(cookie) if cookie in list(Order) else Order.ADDED


class Row(Protocol):
    """A row of the list, comparable with the one sent before."""

    @property
    def id(self) -> str:
        """The document's id."""
        ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is sent to redraw the list."""

    number: int
    base: int | None  # number of the drawing that this one changes; None if it is the whole list
    rows: tuple[tuple[Any, str], ...]  # each with the id of the row above it, "" for the first
    gone: tuple[str, ...] = ()  # ids of the rows to remove

    @property
    def changed(self) -> bool:
        """Whether it differs from the drawing before."""
        return self.base is None or bool(self.rows or self.gone)


@dataclass
class Listing:
    """The list of documents of one session."""

    order: Order = Order.ADDED
    detailed: set[str] = field(default_factory=set)  # ids of the documents whose details are open
    lock: threading.RLock = field(default_factory=threading.RLock)  # held while a drawing is made
    into: int = 0  # the collection that new files go to; 0 for the person's own documents
    around: str = ""  # HTML around the rows, as last sent
    welcome: str = ""  # HTML of the welcome, as last sent
    _number: int = 0
    _sent: dict[str, Any] = field(default_factory=dict)  # rows by id, in order, as last sent

    def forget_sent(self) -> None:
        """Send the whole list next time."""
        self._sent = {}

    def draw(self, rows: Sequence[Row]) -> Drawing:
        """What to send so that the page shows `rows`. Assumes that it arrives."""
        before, self._sent = self._sent, {row.id: row for row in rows}
        base, self._number = self._number, self._number + 1
        places = list(zip(rows, ["", *(row.id for row in rows)], strict=False))
        changed = [(row, after) for row, after in places if before.get(row.id) != row]
        gone = [row_id for row_id in before if row_id not in self._sent]
        same_order = [i for i in before if i in self._sent] == [i for i in self._sent if i in before]
        if not before or not same_order or len(changed) + len(gone) > MAX_CHANGED_SHARE * len(before) + 1:
            return Drawing(self._number, None, tuple(places))
        return Drawing(self._number, base, tuple(changed), tuple(gone))

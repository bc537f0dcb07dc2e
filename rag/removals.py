"""Removals that can be undone for a while: a document is hidden at once, and removed when the time is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from rag.errors import AskError
from rag.records import Document, DocumentKey

log = logging.getLogger(__name__)

UNDO_SECONDS: Final = 10.0


class BegunRemovals(Protocol):
    """The removals that have begun, as stored, by owner and document id."""

    def all(self) -> Iterable[tuple[str, str]]:
        """All of them."""

    def begin(self, owner: str, document_id: str) -> None:
        """Record a removal. Raises StoreError."""

    def cancel(self, owner: str, document_id: str) -> None:
        """Forget a removal. Raises StoreError."""


@dataclass(slots=True)
class _Removal:
    """A removal that has begun."""

    person: str  # who is removing the document, and may undo it
    timer: threading.Timer | None  # None: it is being removed, which can no longer be undone


class Removals:
    """Removes documents after a delay in which the removal can be undone. Thread-safe.

    A removal is carried out when its time is over, even if nobody has the page open, or when the program ends. After a
    crash within that time, it is carried out at the next start.
    """

    def __init__(
        self,
        remove: Callable[[str, str], None],
        changed: Callable[[], None],
        begun: BegunRemovals,
        *,
        holder: Callable[[str, str], str | None] = lambda person, document_id: person,
        seconds: float = UNDO_SECONDS,
    ) -> None:
        """`holder`: the owner of a document that a person may remove; None if they may not, or it does not exist."""
        self._holder = holder
        self._remove, self._changed, self._begun, self._seconds = remove, changed, begun, seconds
        self._hidden: dict[DocumentKey, _Removal] = {}
        self._lock = threading.Lock()

    def complete(self) -> None:
        """Carry out removals that had begun when the program last ended."""
        for key in self._begun.all():
            self._remove_logging(key)

    def begin(self, person: str, document_id: str) -> None:
        """Hide a document and remove it after a while; does nothing if that has begun, or the person may not remove it.

        Raises StoreError if the removal cannot be recorded.
        """
        owner = self._holder(person, document_id)
        if owner is None:
            return
        key = (owner, document_id)
        timer = threading.Timer(self._seconds, partial(self._finish, key))
        timer.name, timer.daemon = "removal", True
        with self._lock:
            if key in self._hidden:
                return
            self._begun.begin(owner, document_id)
            self._hidden[key] = _Removal(person, timer)
        timer.start()
        self._changed()

    def undo(self, person: str) -> None:
        """Undo all removals by `person` that can still be undone."""
        with self._lock:
            kept = self._undoable(person)
            for key in kept:
                self._begun.cancel(*key)
            for key in kept:
                del self._hidden[key]
        for timer in kept.values():
            timer.cancel()
        self._changed()

    def pending(self, person: str) -> frozenset[str]:
        """Ids of the documents whose removal by `person` can still be undone."""
        with self._lock:
            return frozenset(document_id for _, document_id in self._undoable(person))

    def _undoable(self, person: str) -> dict[DocumentKey, threading.Timer]:
        """The removals that `person` can still undo."""
        return {key: one.timer for key, one in self._hidden.items() if one.person == person and one.timer is not None}

    def without_hidden(self, documents: Iterable[Document]) -> list[Document]:
        """The documents without those about to be removed."""
        with self._lock:
            return [document for document in documents if (document.owner, document.id) not in self._hidden]

    def finish(self, owner: str, document_id: str) -> None:
        """If a document is about to be removed, remove it now, so that it can be added again."""
        self._finish((owner, document_id))

    def close(self) -> None:
        """Carry out all removals now."""
        with self._lock:
            keys = list(self._hidden)
        for key in keys:
            self._finish(key)

    def _finish(self, key: DocumentKey) -> None:
        with self._lock:
            removal = self._hidden.get(key)
            if removal is None or removal.timer is None:
                return
            timer, removal.timer = removal.timer, None
        timer.cancel()
        try:
            self._remove_logging(key)
        finally:
            with self._lock:
                self._hidden.pop(key, None)
            self._changed()

    def _remove_logging(self, key: DocumentKey) -> None:
        try:
            self._remove(*key)
        except AskError as exc:  # it can be seen and removed again; the next start also tries it again
            log.error("%s", exc)

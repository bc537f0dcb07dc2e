"""Makes introductions to documents in the background when somebody looks at them, and keeps them in the store."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable

from rag.answer.answering import Answerer
from rag.answer.introduction.introduce import introduce
from rag.answer.introduction.record import Introduction
from rag.bugs import bugs_become
from rag.errors import AskError, Stopped
from rag.logs import short
from rag.records import Document, DocumentKey
from rag.settings import Settings
from rag.store.annotations import Annotations
from rag.store.database import Store

log = logging.getLogger(__name__)


class Introductions:
    """The introductions to all documents. Thread-safe. The document asked for last comes first."""

    def __init__(
        self, store: Store, annotations: Annotations, answerer: Callable[[], Answerer], settings: Settings
    ) -> None:
        """`answerer` waits until questions can be answered, and raises AskError if they never can."""
        self._store, self._annotations, self._answerer, self._settings = store, annotations, answerer, settings
        self._waiting: dict[DocumentKey, Document] = {}
        self._failed: set[DocumentKey] = set()  # failed; not tried again until the program is restarted
        self._condition = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def of(self, owner: str, document_id: str) -> Introduction | None:
        """The introduction to a document that `owner` can see; if there is none yet, it is made in the background."""
        document = self._store.document(owner, document_id)
        if document is None:
            return None
        stored = self._annotations.introduction(document.owner, document.id)
        found = Introduction.from_json(json.loads(stored)) if stored else None
        if found is None:
            self._want(document)
        return found

    def making(self, owner: str, document_id: str) -> bool:
        """Whether the introduction to a document is being made, or is waiting to be."""
        document = self._store.document(owner, document_id)
        with self._condition:
            return document is not None and (document.owner, document.id) in self._waiting

    def close(self) -> None:
        """Stop; whatever was in progress is made again another time."""
        self._stop.set()
        with self._condition:
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _want(self, document: Document) -> None:
        key = (document.owner, document.id)
        with self._condition:
            if key in self._failed or self._stop.is_set():
                return
            self._waiting.pop(key, None)
            self._waiting[key] = document
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="introductions", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _work(self) -> None:
        while document := self._next():
            key = (document.owner, document.id)
            made = self._make(document)
            with self._condition:
                self._waiting.pop(key, None)
                if made is None:
                    self._failed.add(key)
            if made is not None and not self._stop.is_set():
                self._annotations.keep_introduction(*key, json.dumps(made.to_json()))

    def _next(self) -> Document | None:
        """Wait for a document; None when closing."""
        with self._condition:
            while not self._waiting and not self._stop.is_set():
                self._condition.wait()
            return None if self._stop.is_set() else next(reversed(self._waiting.values()))

    def _make(self, document: Document) -> Introduction | None:
        bug = AskError(
            "Document {id}: its introduction could not be made because of an error in the program.",
            id=short(document.id),
        )
        try:
            with bugs_become(bug):
                return introduce(self._store, self._answerer(), document, self._settings, self._stop)
        except Stopped:
            pass
        except AskError as exc:
            log.error("%s", exc)
        return None

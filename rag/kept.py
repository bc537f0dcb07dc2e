"""What was worked out about documents, kept for later questions until the document changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from rag.records import DocumentKey

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The most recently used values, by document and, within it, by key. Thread-safe.

    Owners share nothing: a document's key includes its owner, so that nobody can tell from the time a question takes
    what is in somebody else's documents.
    """

    def __init__(self, most: int) -> None:
        """`most`: how many values are kept."""
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[tuple[DocumentKey, Hashable], Value] = OrderedDict()
        self._forgotten = 0  # how often something was forgotten

    def __len__(self) -> int:
        return len(self._values)

    @property
    def moment(self) -> int:
        """Call before working out a value, and pass the result to `keep`."""
        return self._forgotten

    def get(self, document: DocumentKey, key: Hashable) -> Value | None:
        """The value; None if it is not kept."""
        with self._lock:
            value = self._values.get((document, key))
            if value is not None:
                self._values.move_to_end((document, key))
            return value

    def keep(self, document: DocumentKey, key: Hashable, value: Value, moment: int) -> None:
        """Keep a value, unless a document was forgotten since `moment`: it might describe what no longer exists."""
        with self._lock:
            if moment != self._forgotten:
                return
            self._values[document, key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def forget(self, document: DocumentKey) -> None:
        """Drop everything kept of a document."""
        with self._lock:
            self._forgotten += 1
            for known in [known for known in self._values if known[0] == document]:
                del self._values[known]

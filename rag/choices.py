"""What the program has chosen, and why, as the page shows it; and a version that tells the page when to look again."""

from __future__ import annotations

import logging
import threading
from typing import Final

from rag.messages import Message
from rag.records import Choice

log = logging.getLogger(__name__)

LOADING: Final = Message("it is being loaded; questions wait.")
UNAVAILABLE: Final = Message("it is not available")


class Choices:
    """The current choice of each kind, in order of first appearance. Thread-safe."""

    def __init__(self, *choices: Choice) -> None:
        self._choices = {choice.what: choice for choice in choices}
        self._version = 0
        self._lock = threading.Lock()

    def all(self) -> tuple[Choice, ...]:
        """The current choices."""
        with self._lock:
            return tuple(self._choices.values())

    @property
    def version(self) -> int:
        """A number that increases with every change a page might show, including those reported to `changed`."""
        return self._version

    def set(self, choice: Choice) -> None:
        """Replace the choice of the same kind, and log it."""
        log.info("%s: %s (%s)", choice.what, choice.name, choice.failed or choice.why)
        self.show(choice)

    def show(self, choice: Choice) -> None:
        """The same without logging, for progress."""
        with self._lock:
            self._choices[choice.what] = choice
        self.changed()

    def drop(self, what: str) -> None:
        """Remove the choice of this kind, if there is one."""
        with self._lock:
            self._choices.pop(what, None)
        self.changed()

    def changed(self) -> None:
        """Note that something else has changed that a page might show."""
        with self._lock:
            self._version += 1

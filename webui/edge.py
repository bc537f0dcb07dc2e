"""Turns every error into one message, and logs those that were not foreseen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag.errors import AskError
from rag.messages import Message

logger = logging.getLogger(__name__)

UNEXPECTED = Message("An unexpected error occurred; the program's log has the details. Try again.")


@contextmanager
def errors_shown(show: Callable[[Message], None], *, raise_errors: bool = False) -> Iterator[None]:
    """Pass the message of any error inside the block to `show`.

    Unexpected errors are logged; with `raise_errors`, raised.
    """
    try:
        yield
    except AskError as error:
        show(error.message)
    except Exception:  # whatever the bug: one failed action must not take the page down
        if raise_errors:
            raise
        logger.exception("Unexpected error")
        show(UNEXPECTED)


def to_int(number: object) -> int:
    """A number from a browser, which may send anything; -1 if it is not one."""
    return number if isinstance(number, int) else -1


def number_in(text: str) -> int:
    """A number from a form or a header; -1 if it is not one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else -1


def to_text(text: object) -> str:
    """A text from a browser, which may send anything; "" if it is not one.

    Lone surrogates become question marks: JSON allows them, but databases, files and tokenizers do not.
    """
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""

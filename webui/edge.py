"""Turns whatever goes wrong into one message, and logs it if it was not foreseen."""

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
    """Pass the message of any error inside to `show`. An unexpected one is logged, or raised with `raise_errors`."""
    try:
        yield
    except AskError as error:
        show(error.message)
    except Exception:  # any bug: one failed action must not take the page down
        if raise_errors:
            raise
        logger.exception("Unexpected error")
        show(UNEXPECTED)


def to_int(number: object) -> int:
    """A number sent by a browser, which may send anything; -1 for anything else."""
    return number if isinstance(number, int) else -1


def number_in(text: str) -> int:
    """A number as a form or a header sends it; -1 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else -1


def to_text(text: object) -> str:
    """A text sent by a browser, which may send anything; "" for anything else.

    Lone surrogates, which JSON may bring and no database, file or tokenizer takes, become question marks.
    """
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""

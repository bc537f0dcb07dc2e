"""The edge of a worker: a bug fails one piece of work, which says so, but not the worker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rag.errors import AskError, Stopped

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Kept:
    """The error of a piece of work, if it had one."""

    error: Exception | None = None


@contextmanager
def error_kept() -> Iterator[Kept]:
    """Keep any exception inside for whoever wanted the work, who may be in another thread or process."""
    kept = Kept()
    try:
        yield kept
    except Exception as raised:  # noqa: BLE001 - whatever it is, it belongs to those who asked
        kept.error = raised


@contextmanager
def bugs_become(error: Exception, *passing: type[Exception]) -> Iterator[None]:
    """Raise `error` instead of any exception other than AskError, Stopped, and those in `passing`.

    The original exception is logged with its traceback.
    """
    try:
        yield
    except Exception as raised:
        if isinstance(raised, (AskError, Stopped, *passing)):
            raise
        log.exception("%s", error)
        raise error from raised

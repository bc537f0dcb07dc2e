"""Python's garbage collector, kept from stopping the process for a second while much is loaded that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Do not collect garbage while large modules and models are loaded, and exempt them from later collections.

    A full collection visits half a million objects of theirs while all threads wait, and finds nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

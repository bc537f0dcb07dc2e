"""Characters and scripts: what any text, whoever wrote it, can be told by."""

from __future__ import annotations

import functools
import re
import unicodedata

MAX_MARKS = 30  # combining marks in a row, as in Stream-Safe Text Format (UAX #15, section 13)
_LAST_MARK = 0x1F000  # no combining mark is assigned at or above this code point, but for variation selectors


def limit_marks(text: str) -> str:
    """Drop combining marks beyond `MAX_MARKS` in a row.

    Normalisation sorts a run of marks, and takes quadratic time to do so. No writing system comes near the limit.
    """
    if text.isascii() or max(map(len, text.split()), default=0) <= MAX_MARKS:  # most text, told cheaply
        return text
    return _long_run().sub(lambda run: run.group()[:MAX_MARKS], text)


@functools.cache
def _long_run() -> re.Pattern[str]:
    """More than `MAX_MARKS` characters in a row that normalisation may reorder."""
    marks = "".join(chr(code) for code in range(0x300, _LAST_MARK) if _reorders(chr(code)))
    return re.compile(f"[{marks}][{marks}]{{{MAX_MARKS},}}")  # begun by one class, so that re skips to the first mark


def _reorders(character: str) -> bool:
    """Whether the character, or the first one it decomposes to, has a combining class."""
    if "\ud800" <= character <= "\udfff":
        return False
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0

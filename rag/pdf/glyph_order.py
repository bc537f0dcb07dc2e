"""Puts the characters of one glyph in right-to-left text back into reading order. Runs in the child process.

PDFium reverses such text character by character, even the lam and alef of one ligature if the font maps it to both. A
ligature that is mapped to its presentation form is taken apart in the right order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"  # Hebrew to Arabic Extended-A, and presentation forms
_LAM, _ALEFS = "\u0644", "\u0622\u0623\u0625\u0627"
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}]{{2,}}")


def restore(text: str, origin: Callable[[int], tuple[float, float]]) -> str:
    """The text with the characters of each glyph in reading order.

    `origin(n)` is where character n is drawn: characters of one glyph have the same place.
    """
    pieces, kept = list[str](), 0
    for run in _RUN.finditer(text):
        places = [origin(index) for index in range(*run.span())]
        starts = [0, *(n for n, (a, b) in enumerate(pairwise(places), 1) if a != b), len(places)]
        glyphs = (run.group()[start:end] for start, end in pairwise(starts))
        pieces += (text[kept : run.start()], *(one[::-1] if _is_reversed(one) else one for one in glyphs))
        kept = run.end()
    return "".join((*pieces, text[kept:]))


def _is_reversed(glyph: str) -> bool:
    """Whether the characters of one glyph cannot be in this order: an alef before its lam, or a mark first."""
    return len(glyph) > 1 and ((glyph[0] in _ALEFS and glyph[1] == _LAM) or unicodedata.combining(glyph[0]) > 0)

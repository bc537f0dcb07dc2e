"""Removes a name from a question: "How big is Boeing's workforce?" without "Boeing"."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from rag.index.tokenize import terms
from rag.language import CJK

_WORD: Final = re.compile(rf"[^\W_{CJK}](?:[^\W{CJK}]|[&-]|\.(?=\w)){{0,60}}")
_BETWEEN: Final = re.compile(r"\s?&?\s?")  # the words of a name
_ARTICLE: Final = re.compile(r"\bthe $", re.IGNORECASE)
_PREPOSITION: Final = re.compile(r"\b(?:of|at|by|for|from|in|to|with) $", re.IGNORECASE)
_ENDS: Final = re.compile(  # what follows a name that nothing else belongs to
    r"\s*(?:$|[?？!.,;:]|(?:and|as|at|before|by|during|for|from|in|on|or|over|since|to|when|while)\b)", re.IGNORECASE
)
# "Inc." after a name, and the possessive.
_AFTER: Final = re.compile(
    r"(?:,? (?:inc|corp|co|ltd|plc|llc|company|corporation|group)\b\.?){0,3}(?P<owner>['’]s?(?!\w)|的)?", re.IGNORECASE
)


def mentions(text: str, name: Collection[str]) -> list[tuple[int, int]]:
    """Where a text mentions a name, given as its terms; neighbouring words of it are one mention."""
    found: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        own = set(terms(word.group()))
        parts = own - {word.group().casefold()}  # "coca" and "cola" of "Coca-Cola"
        if not own or not (parts or own).issubset(name):
            continue
        if found and _BETWEEN.fullmatch(text, found[-1][1], word.start()):
            found[-1] = found[-1][0], word.end()
        else:
            found.append((word.start(), word.end()))
    return found


def without_name(question: str, name: Collection[str]) -> str:
    """The question without the name, without "the" or "of" before it, and without "Inc." or a possessive after it."""
    kept: list[str] = []
    end = 0
    for start, name_end in mentions(question, name):
        before = _ARTICLE.sub("", question[end:start])
        after = _AFTER.match(question, name_end)
        assert after is not None  # it matches nothing either
        end = after.end()
        kept.append(before if after["owner"] or not _ENDS.match(question, end) else _PREPOSITION.sub("", before))
    return " ".join("".join([*kept, question[end:]]).split()) if kept else question

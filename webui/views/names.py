"""Names of documents: the title where it is a good one; a long name in two parts, so that its end is always seen."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from rag.answer.summary.profile import title_of_metadata
from rag.records import Document

MAX_WHOLE_COLUMNS = 14  # a wider name is cut in the middle where there is no room for it
END_COLUMNS = 12  # of a long name, that are always shown: two files often differ there
MAX_SHORTER = 5  # characters that the end may be shorter, so that it begins with a word
_SEPARATORS = " _-,;:("


@dataclass(frozen=True, slots=True)
class Name:
    """What a document is called in a list."""

    shown: str
    file: str  # its file name, where something else is shown; "" otherwise
    start: str  # `shown` in two parts: the first is cut off where there is no room
    end: str


def name_of(document: Document) -> Name:
    """The title in the metadata, if it is a good one, or the file name."""
    title = title_of_metadata(document.title)
    shown = title or document.name
    return Name(shown, document.name if title else "", *parts_of(shown))


def parts_of(name: str) -> tuple[str, str]:
    """A name in two parts, the second empty for a short name; it begins with a word where one begins near the cut."""
    name = " ".join(name.split())
    if _columns(name) <= MAX_WHOLE_COLUMNS:
        return name, ""
    cut = len(name)
    while _columns(name[cut - 1 :]) <= END_COLUMNS:
        cut -= 1
    words = (at for at in range(cut, min(cut + MAX_SHORTER, len(name) - 1)) if name[at - 1] in _SEPARATORS)
    cut = next(words, cut)
    return name[:cut], name[cut:]


def _columns(text: str) -> int:
    """How wide a text is in columns of a terminal, in which Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

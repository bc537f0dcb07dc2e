"""Names of documents: the title where it is a good one; a long name in two parts, so that its end is always seen."""

from __future__ import annotations

from dataclasses import dataclass

from rag.answer.summary.profile import title_of_metadata
from rag.records import Document

MAX_WHOLE_CHARACTERS = 22  # a longer name is cut in the middle where there is no room for it
END_CHARACTERS = 11  # of a long name, that are always shown: two files often differ there


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
    """A name in two parts; the second is empty for a short name. White space at a cut would not be shown."""
    if len(name) <= MAX_WHOLE_CHARACTERS:
        return name, ""
    cut = len(name) - END_CHARACTERS
    while cut and (name[cut - 1].isspace() or name[cut].isspace()):
        cut -= 1
    return name[:cut], name[cut:]

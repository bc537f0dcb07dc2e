"""The details of a document: author, date, size, outline, and pages with problems."""

from __future__ import annotations

from dataclasses import dataclass

from rag.messages import Message
from rag.records import Document, DocumentDetails
from webui.strings import Language, say

MAX_SHOWN_HEADINGS = 100  # of a document's outline
MAX_OUTLINE_LEVEL = 4  # deeper headings are indented as those of this level


@dataclass(frozen=True, slots=True)
class _Heading:
    """An entry of a document's outline; `level` from 1 to MAX_OUTLINE_LEVEL."""

    title: str
    level: int
    page: str  # "p. 5"


@dataclass(frozen=True, slots=True)
class Details:
    """What is shown of a document when its details are opened."""

    author: str
    created: str
    outline: tuple[_Heading, ...]
    more_headings: int  # not shown
    page_notes: tuple[tuple[str, Message], ...]  # "p. 5", and what is wrong with that page

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.author or self.created or self.outline or self.page_notes)


def details_of(document: Document, details: DocumentDetails, language: Language) -> Details:
    """The details of a document as the templates take them."""
    outline = tuple(
        _Heading(entry.title, min(entry.level, MAX_OUTLINE_LEVEL), say(language, "page", label=entry.page + 1))
        for entry in details.outline[:MAX_SHOWN_HEADINGS]
    )
    notes = tuple((say(language, "page", label=label), note) for label, note in details.page_notes)
    return Details(details.author, details.created, outline, len(details.outline) - len(outline), notes)

"""Names of documents: the title if it is a good one. Long names have two parts, so that the end is always visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rag.answer.summary.profile import title_of_metadata
from rag.records import Document, Source
from webui.engine import Engine
from webui.session import Session

MAX_WHOLE_COLUMNS = 14  # a wider name is cut in the middle if there is no room for it
MIN_START = 4  # characters at which a name may be cut
END_COLUMNS = 12  # of the end of a long name, which is always visible: two files often differ only there
LISTED_END_COLUMNS = 16  # the same in the list of documents, where the end has a line of its own
# Characters by which the end may be shorter (+) or longer (-) so that it starts with a word, in the order of preference
_SHIFTS = (*range(10), *range(-1, -5, -1))
_SEPARATORS = " _-,;:("
NO_TITLES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Name:
    """What a document is called in a list."""

    shown: str
    file: str  # its file name, if something else is shown; else ""

    @property
    def parts(self) -> tuple[str, str]:
        """`shown` in two parts, of which the first is cut off if there is no room."""
        return parts_of(self.shown, LISTED_END_COLUMNS)

    @property
    def file_parts(self) -> tuple[str, str]:
        """`file`, in the same way."""
        return parts_of(self.file)


def name_of(document: Document) -> Name:
    """The title in the metadata if it is a good one, else the file name."""
    title = title_of_metadata(document.title)
    return Name(title or document.name, document.name if title else "")


def keep_titles(engine: Engine, session: Session) -> None:
    """Make sources use the names that their documents have in the list."""
    version = engine.version()
    if session.titles_of != version:
        names = {document.id: name_of(document) for document in engine.documents(session.owner)}
        session.titles = {document_id: name.shown for document_id, name in names.items() if name.file}
        session.titles_of = version


def shown_name(source: Source, titles: Mapping[str, str]) -> str:
    """What a source's document is called. `titles`: as a session keeps them."""
    return titles.get(source.document_id, source.document)


def full_name(source: Source, titles: Mapping[str, str]) -> str:
    """The same, with the file name, for tooltips."""
    title = titles.get(source.document_id)
    return f"{title} ({source.document})" if title else source.document


def parts_of(name: str, end_columns: int = END_COLUMNS) -> tuple[str, str]:
    """A name in two parts; the second is empty for a short name, and starts with a word if one starts near the cut."""
    name = " ".join(name.split())
    if _columns(name) <= MAX_WHOLE_COLUMNS:
        return name, ""
    cut = len(name)
    while cut > MIN_START and _columns(name[cut - 1 :]) <= end_columns:
        cut -= 1
    places = (cut + shift for shift in _SHIFTS)
    cut = next((at for at in places if MIN_START <= at < len(name) - 1 and _starts_word(name, at)), cut)
    return name[:cut], name[cut:]


def _starts_word(name: str, at: int) -> bool:
    """Whether people expect that a name may break there: after a separator, or where Chinese changes to a number."""
    return name[at - 1] in _SEPARATORS or (name[at].isascii() and name[at].isalnum() and _columns(name[at - 1]) > 1)


def _columns(text: str) -> int:
    """The width of a text in terminal columns; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

"""An answer found in a document itself, on pages that need not be among the question's sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from rag.reader import Evidence
from rag.records import Document, ShortAnswer, Source

MAX_SOURCE_CHARACTERS: Final = 4_000  # of a source made from a page

_Place = TypeVar("_Place")


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """A short answer, the rows or sentences it is based on, and the sources, those it cites first."""

    short: ShortAnswer
    rows: list[Evidence]
    sources: tuple[Source, ...]

    def at_most(self, count: int | None) -> tuple[Source, ...]:
        """The first sources, but at least all that are cited; all for None."""
        if count is None:
            return self.sources
        cited = [citation.number for citation in self.short.citations] + [row.number for row in self.rows]
        return self.sources[: max([count, *cited])]


class _Page(Protocol):
    """What a source is made from; `start` is the offset of the page in the document's text."""

    @property
    def number(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def text(self) -> str: ...


def cited_first(
    places: Iterable[_Place],
    sources: Sequence[Source],
    holds: Callable[[Source, _Place], bool],
    make: Callable[[_Place], Source],
) -> list[Source]:
    """The sources that contain the cited places, then the others, renumbered from 1.

    For a place that no source contains, `make` makes one.
    """
    first: list[Source] = []
    for place in places:
        if not any(holds(source, place) for source in first):
            held = next((source for source in sources if holds(source, place)), None)
            first.append(held or make(place))
    rest = [source for source in sources if source not in first]
    return [replace(source, number=number) for number, source in enumerate([*first, *rest], 1)]


def page_source(document: Document, page: _Page, start: int = 0, end: int = MAX_SOURCE_CHARACTERS) -> Source:
    """The characters [start, end) of a page as a source, not numbered yet."""
    text = page.text[start:end]
    return Source(
        number=0,
        passage_id=0,
        document_id=document.id,
        document=document.name,
        first_page=page.number,
        last_page=page.number,
        page_label=page.label,
        heading=(),
        text=text,
        start=page.start + start,
        end=page.start + start + len(text),
        score=0.0,
    )

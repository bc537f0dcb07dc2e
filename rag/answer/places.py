"""The place of a citation: the page it begins on, and the words it quotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.records import Citation, Source
from rag.store.rows import StoredPage

MAX_QUOTE_CHARACTERS = 1_000  # of one citation


@dataclass(frozen=True, slots=True)
class Place:
    """A place that an answer rests on."""

    source: Source
    page: int  # from 0
    label: str  # of the page
    quote: str  # on one line


def place_of(citation: Citation, source: Source, pages: Callable[[], Sequence[StoredPage]]) -> Place:
    """The place of a citation; `pages` gives those of its source, and is called only where the source is not enough.

    A source may go over several pages, and what a short answer cites may lie outside its source's text.
    """
    page, label, quote = source.first_page, source.page_label, source.text[citation.start : citation.end]
    inside = 0 <= citation.start < citation.end <= len(source.text)
    if not inside or source.first_page != source.last_page:
        first, last = source.start + citation.start, source.start + citation.end
        shown = next((one for one in reversed(pages()) if one.start <= first), None)
        if shown is not None:
            page, label = shown.number, shown.label
            quote = quote if inside else shown.text[max(first - shown.start, 0) : max(last - shown.start, 0)]
    return Place(source, page, label, " ".join(quote[:MAX_QUOTE_CHARACTERS].split()))

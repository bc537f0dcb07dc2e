"""Passages to sources: one per page first, merged with its neighbours; the best are extended to their whole page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rag.records import Source
from rag.retrieve.hybrid import Hit
from rag.settings import RetrievalSettings
from rag.store.rows import StoredPassage

PageKey = tuple[str, str, int]  # owner, document id, page
PageText = Callable[[str, str, int], tuple[int, str]]  # owner, document id, page -> offset in its document, text


def merge_by_page(
    hits: Sequence[Hit], stored: Mapping[int, StoredPassage], max_characters: int, *, keep_copies: bool = False
) -> list[Source]:
    """Numbered sources: the best of each page, then the other hits, both best first.

    The best hit of a page is merged with adjoining hits on that page, up to `max_characters` in total. Of passages with
    the same text, as in copies of a document, only the best is kept; with `keep_copies`, the best of each document.
    """
    # Drop passages whose text a better hit has; group the others by page.
    pages: dict[PageKey, list[Hit]] = {}
    seen: set[tuple[str, str]] = set()
    for hit in hits:
        row = stored[hit.passage_id]
        text = row.document_id if keep_copies else "", " ".join(row.passage.text.split())
        if text not in seen:
            pages.setdefault((row.owner, row.document_id, row.passage.first_page), []).append(hit)
        seen.add(text)
    # Merge the best of each page with its neighbours; the rest follow by score.
    best: list[Source] = []
    rest: list[Source] = []
    for page_hits in pages.values():
        source, left = _merge_neighbours(page_hits, stored, max_characters)
        best.append(source)
        rest += [stored[hit.passage_id].as_source(0, hit.score, hit.signals) for hit in left]
    rest.sort(key=lambda source: -source.score)
    return _numbered([*best, *rest])


def extend_to_page(
    sources: Sequence[Source], owners: Mapping[int, str], page_text: PageText, settings: RetrievalSettings
) -> list[Source]:
    """The sources; the first `full_page_sources` get the rest of their page, for readers with enough room.

    A source inside an extended one is dropped. `owners`: of each source's document, by passage id.
    """
    extended: list[Source] = []
    for source in sources:
        others = [other for other in extended if other.document_id == source.document_id]
        if any(other.start <= source.start and source.end <= other.end for other in others):
            continue
        if len(extended) < settings.full_page_sources:
            key = owners[source.passage_id], source.document_id, source.first_page
            source = _extend(source, *page_text(*key), others, settings.source_characters)
        extended.append(source)
    return _numbered(extended)


def _extend(source: Source, offset: int, page: str, others: Sequence[Source], max_characters: int) -> Source:
    """A source extended by the text around it on its page, which starts at `offset` in the document.

    It grows up to `max_characters` and never into another source. The text above comes first, because a table's title,
    units and column headings are there.
    """
    # Find how far it may grow: to the edges of the page, or to the next source.
    floor = max([offset, *(min(other.end, source.start) for other in others if other.start < source.start)])
    ceiling = min([offset + len(page), *(max(other.start, source.end) for other in others if other.end > source.end)])
    # Take the text above, then the text below with the room that is left.
    room = max(max_characters - len(source.text), 0)
    before = page[max(floor, source.start - room) - offset : max(source.start - offset, 0)]
    after = page[max(source.end - offset, 0) : max(min(ceiling, source.end + room - len(before)) - offset, 0)]
    return _grown(source, before, after)


def _merge_neighbours(
    page_hits: Sequence[Hit], stored: Mapping[int, StoredPassage], max_characters: int
) -> tuple[Source, list[Hit]]:
    """The best of one page's hits merged with its neighbours, and the remaining hits."""
    best, *others = page_hits
    source = stored[best.passage_id].as_source(0, best.score, best.signals)
    while near := next((hit for hit in others if _adjoins(source, stored[hit.passage_id], max_characters)), None):
        others.remove(near)
        passage = stored[near.passage_id].passage
        before, after = (passage.text, "") if passage.end == source.start else ("", passage.text)
        source = replace(
            _grown(source, before, after),
            start=min(source.start, passage.start),
            end=max(source.end, passage.end),
            last_page=max(source.last_page, passage.last_page),
        )
    return source, others


def _grown(source: Source, before: str, after: str) -> Source:
    """A source with text added before and after it; `best` stays on the passage that was found."""
    first, last = source.passage_span or (0, len(source.text))
    return replace(
        source,
        text=before + source.text + after,
        start=source.start - len(before),
        end=source.end + len(after),
        passage_span=(first + len(before), last + len(before)),
    )


def _adjoins(source: Source, row: StoredPassage, max_characters: int) -> bool:
    """Whether a passage is right before or after a source, and both together are short enough."""
    passage = row.passage
    adjoining = passage.end == source.start or passage.start == source.end
    return adjoining and len(source.text) + len(passage.text) <= max_characters


def _numbered(sources: Sequence[Source]) -> list[Source]:
    return [replace(source, number=number) for number, source in enumerate(sources, 1)]

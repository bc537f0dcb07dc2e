"""From passages to pages: the best of each page first, with its neighbours; the first ones with all of their page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rag.records import Source
from rag.retrieve.hybrid import Hit
from rag.settings import RetrievalSettings
from rag.store.rows import StoredPassage

Place = tuple[str, str, int]  # owner, document id, page
PageText = Callable[[str, str, int], tuple[int, str]]  # owner, document id, page -> where it begins, its text


def by_page(hits: Sequence[Hit], kept: Mapping[int, StoredPassage], most: int, *, copies: bool = False) -> list[Source]:
    """Numbered sources, the best of each page first, then what else was found on those pages.

    A source takes in its neighbours on the page that were found too, up to `most` characters together. Of passages
    with the same text, as copies of a document have them, the best stands for all, or with `copies` for its document.
    """
    pages: dict[Place, list[Hit]] = {}
    said: set[tuple[str, str]] = set()
    for hit in hits:
        stored = kept[hit.passage_id]
        text = stored.document_id if copies else "", " ".join(stored.passage.text.split())
        if text not in said:
            pages.setdefault((stored.owner, stored.document_id, stored.passage.first_page), []).append(hit)
        said.add(text)
    first: list[Source] = []
    rest: list[Source] = []
    for found in pages.values():
        source, left = _joined(found, kept, most)
        first.append(source)
        rest += [kept[hit.passage_id].as_source(0, hit.score, hit.signals) for hit in left]
    rest.sort(key=lambda source: -source.score)
    return _numbered([*first, *rest])


def widened(
    sources: Sequence[Source], owners: Mapping[int, str], page_text: PageText, settings: RetrievalSettings
) -> list[Source]:
    """The sources, the first ones with what else stands on their page, for readers that have room for it.

    The lines above come first: a table's title, its units and the periods of its columns stand there. Other sources
    that are all within a widened one are left out. `owners`: of each source's document, by the passage's id.
    """
    found: list[Source] = []
    for source in sources:
        others = [other for other in found if other.document_id == source.document_id]
        if any(other.start <= source.start and source.end <= other.end for other in others):
            continue
        if len(found) < settings.full_page_sources:
            place = owners[source.passage_id], source.document_id, source.first_page
            source = _wider(source, *page_text(*place), others, settings.source_characters)
        found.append(source)
    return _numbered(found)


def _wider(source: Source, begin: int, page: str, others: Sequence[Source], most: int) -> Source:
    """A source with the text of its page, which begins at `begin`, up to `most` characters and to other sources."""
    floor = max([begin, *(min(other.end, source.start) for other in others if other.start < source.start)])
    ceiling = min([begin + len(page), *(max(other.start, source.end) for other in others if other.end > source.end)])
    room = max(most - len(source.text), 0)
    before = page[max(floor, source.start - room) - begin : max(source.start - begin, 0)]
    after = page[max(source.end - begin, 0) : max(min(ceiling, source.end + room - len(before)) - begin, 0)]
    first, last = source.best or (0, len(source.text))
    return replace(
        source,
        text=before + source.text + after,
        start=source.start - len(before),
        end=source.end + len(after),
        best=(first + len(before), last + len(before)),
    )


def _numbered(sources: Sequence[Source]) -> list[Source]:
    return [replace(source, number=number) for number, source in enumerate(sources, 1)]


def _joined(found: Sequence[Hit], kept: Mapping[int, StoredPassage], most: int) -> tuple[Source, list[Hit]]:
    """The best of one page's hits with the neighbours it takes in, and the others."""
    best, *others = found
    source = kept[best.passage_id].as_source(0, best.score, best.signals)
    while near := next((hit for hit in others if _fits(source, kept[hit.passage_id], most)), None):
        others.remove(near)
        passage = kept[near.passage_id].passage
        before = passage.end == source.start
        first, last = source.best or (0, len(source.text))
        moved = len(passage.text) if before else 0
        source = replace(
            source,
            best=(first + moved, last + moved),
            text=passage.text + source.text if before else source.text + passage.text,
            start=min(source.start, passage.start),
            end=max(source.end, passage.end),
            last_page=max(source.last_page, passage.last_page),
        )
    return source, others


def _fits(source: Source, stored: StoredPassage, most: int) -> bool:
    """Whether a passage stands right before or behind a source, and both together are short enough."""
    passage = stored.passage
    return (passage.end == source.start or passage.start == source.end) and len(source.text) + len(passage.text) <= most

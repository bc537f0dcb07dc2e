"""A source -> the page it is on, with boxes around the retrieved passage and the cited span."""

from __future__ import annotations

from rag.errors import NotInLibrary
from rag.records import Box, Citation, Document, Source, View
from rag.store.database import Store


def open_view(
    store: Store,
    document: Document,
    source: Source,
    citation: Citation | None,
    page: int | None = None,
) -> View:
    """Show `page` of the source's document, by default the one where the citation, or else the passage, starts.

    Raises NotInLibrary if the document was removed.
    """
    # Find the passage and the cited span in the document's text.
    first, last = source.passage_span or (0, len(source.text))
    spans = [(source.start + first, source.start + last)]
    if citation is not None and citation.end > citation.start:
        spans.append((source.start + citation.start, source.start + citation.end))
    # Choose the page.
    if page is None:
        page = _page_at(store, document.owner, source, spans[-1][0])
    page = min(max(page, 0), document.pages - 1)
    shown = next(iter(store.pages(document.owner, document.id, page, page)), None)
    if shown is None:
        raise NotInLibrary("{name} is no longer in the library.", name=document.name)
    # Find the boxes of both spans on that page.
    offset = store.page_start(document.owner, document.id, page)
    boxes: list[tuple[Box, ...]] = [
        tuple(shown.words.locate(start - offset, end - offset)) if end > offset else () for start, end in spans
    ]
    return View(
        source=source,
        page=page,
        page_label=shown.label,
        pages=document.pages,
        passage_boxes=boxes[0],
        sentence_boxes=boxes[1] if len(boxes) > 1 else (),
        goes_on=spans[0][0] < offset + len(shown.text) < spans[0][1],
    )


def _page_at(store: Store, owner: str, source: Source, offset: int) -> int:
    """The source's page that holds the character at `offset` of the document's text."""
    for page in range(source.first_page + 1, source.last_page + 1):
        if offset < store.page_start(owner, source.document_id, page):
            return page - 1
    return source.last_page

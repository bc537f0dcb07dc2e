"""A source -> the page it is on, with boxes around the passage and the cited span; and finding a text on a page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.errors import NotInLibrary
from rag.language import CJK
from rag.records import Box, Citation, Document, Source, View
from rag.store.database import Store
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
    """The place of a citation. `pages` returns those of its source, and is only called if the source is not enough.

    A source may extend over several pages, and a short answer may cite something outside its source's text.
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
    """The source's page that contains the character at `offset` of the document's text."""
    for page in range(source.first_page + 1, source.last_page + 1):
        if offset < store.page_start(owner, source.document_id, page):
            return page - 1
    return source.last_page


# ---- a text found on a page, ignoring case, character width, line breaks and typographic quotes


MAX_CHARACTERS = 200  # of a text to find; the rest is ignored

_SPACES = re.compile(r"\s+")
_GAP = re.compile(f"(?<=[{CJK}]) (?=[{CJK}])")  # Chinese is set without spaces, but lines break between its characters
_SAME = str.maketrans("‘’‚‛′“”„‟″‐‑‒–—―−", "'''''" + '"""""' + "-------") | {0xAD: ""}  # U+00AD: soft hyphen


class Folding(dict[int, str]):
    """For `str.translate`: maps each character to its folded form, computed when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = chr(code).translate(_SAME)
        self[code] = folded = unicodedata.normalize("NFKC", plain).casefold()
        return folded


def fold(text: str, folding: Folding) -> str:
    """The text as it is compared: white space as one blank, none between Chinese characters."""
    return _GAP.sub("", _SPACES.sub(" ", text.translate(folding)))


def wanted(text: str, folding: Folding) -> str:
    """What to look for, folded; "" if there is nothing."""
    return fold(unicodedata.normalize("NFC", text[:MAX_CHARACTERS]).strip(), folding)


def find_spans(text: str, needle: str, folding: Folding) -> list[tuple[int, int]]:
    """[start, end) in `text` of each of the `fold(text).count(needle)` places where the folded text has `needle`."""
    if not needle:
        return []
    folded, origins = _fold_with_origins(text, folding)
    spans = []
    at = folded.find(needle)
    while at >= 0:
        end = at + len(needle)
        spans.append((origins[at], origins[end - 1] + 1))
        at = folded.find(needle, end)
    return spans


def _fold_with_origins(text: str, folding: Folding) -> tuple[str, list[int]]:
    """Like `fold`, with the index in `text` that each character comes from."""
    characters, origins = list[str](), list[int]()
    for index, character in enumerate(text):
        folded = folding[ord(character)]
        characters.append(folded)
        origins.extend([index] * len(folded))
    joined = "".join(characters)
    for pattern, blank in ((_SPACES, " "), (_GAP, "")):
        joined, origins = _replaced(pattern, blank, joined, origins)
    return joined, origins


def _replaced(pattern: re.Pattern[str], blank: str, text: str, origins: list[int]) -> tuple[str, list[int]]:
    """The text with each match of the pattern replaced by `blank`, and the origins of what is left."""
    pieces, kept, last = list[str](), list[int](), 0
    for found in pattern.finditer(text):
        pieces += (text[last : found.start()], blank)
        kept += origins[last : found.start() + len(blank)]
        last = found.end()
    return "".join((*pieces, text[last:])), kept + origins[last:]

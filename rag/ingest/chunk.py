"""Pages -> passages, with langchain-text-splitters.

Passages are cut where a reader would pause: at headings, paragraphs, lines, sentences of both languages, and only
then inside. They do not overlap: joined in order they give the document's text back, so every character has one
place on one page; whoever needs more context takes the neighbours.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Sequence

from langchain_text_splitters import RecursiveCharacterTextSplitter

from rag.ingest.headings import detected
from rag.records import Heading, LoadedDocument, Page, Passage
from rag.settings import ChunkSettings

Place = tuple[int, tuple[str, ...]]  # offset in the document's text from which on a path of titles holds

SEPARATORS = [
    r"\n{2,}",
    r"\n",
    r"(?<=[。！？])[”’」』）]*",
    r"(?<=[.!?])\s+",
    r"(?<=[；;：])",
    r"(?<=[，,、])\s*",
    r"\s+",
    "",
]


def document_text(pages: Sequence[Page]) -> str:
    """The document's text: its pages' texts one after another. Passages count their characters in it."""
    return "".join(page.text for page in pages)


def page_starts(pages: Sequence[Page]) -> list[int]:
    """Where each page begins in the document's text."""
    return list(itertools.accumulate((len(page.text) for page in pages), initial=0))[:-1]


def split(document: LoadedDocument, count_tokens: Callable[[str], int], settings: ChunkSettings) -> list[Passage]:
    """Cut a document into passages of at most `settings.max_passage_tokens` tokens, as `count_tokens` counts them.

    A passage stays on one page, unless the page ends in the middle of a sentence: then it may run on. Headings of
    the outline always begin a passage, those told from the text do not. Empty text gives no passage.
    """
    starts = page_starts(document.pages)
    text = document_text(document.pages)
    outline = _outline_offsets(document, starts)
    cuts = sorted({0, len(text), *_page_breaks(document.pages, starts), *(at for at, _ in outline)})
    headings = _completed(outline, detected(document.pages, starts), starts)
    splitter = RecursiveCharacterTextSplitter(
        separators=SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
        strip_whitespace=False,
        chunk_size=settings.max_passage_tokens,
        chunk_overlap=0,
        length_function=count_tokens,
    )
    passages: list[Passage] = []
    for start, end in itertools.pairwise(cuts):
        for piece in _joined(splitter.split_text(text[start:end]), count_tokens, settings):
            passages.append(_passage(piece, start, starts, headings))
            start += len(piece)
    return passages


def _joined(pieces: list[str], count_tokens: Callable[[str], int], settings: ChunkSettings) -> list[str]:
    """The same text with rests that are too small to find anything by joined to a neighbour where they fit."""
    joined: list[str] = []
    for piece in pieces:
        small = joined and min(count_tokens(joined[-1]), count_tokens(piece)) < settings.min_passage_tokens
        if joined and (not piece.strip() or (small and _fits(joined[-1] + piece, count_tokens, settings))):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _fits(text: str, count_tokens: Callable[[str], int], settings: ChunkSettings) -> bool:
    return count_tokens(text) <= settings.max_passage_tokens


def _passage(text: str, start: int, starts: Sequence[int], headings: Sequence[Place]) -> Passage:
    end = start + len(text)
    visible = start + len(text) - len(text.lstrip())
    first = _page_at(starts, min(visible, end - 1))
    return Passage(
        text=text,
        start=start,
        end=end,
        first_page=first,
        last_page=max(first, _page_at(starts, start + max(len(text.rstrip()), 1) - 1)),
        heading=_path_at(headings, start),
    )


def _page_at(starts: Sequence[int], offset: int) -> int:
    """The page that holds a character; of empty pages that begin there, the last."""
    return bisect.bisect_right(starts, offset) - 1


def _page_breaks(pages: Sequence[Page], starts: Sequence[int]) -> list[int]:
    """Where a passage must end because a page does."""
    return [at for page, at in zip(pages, starts[1:], strict=False) if not page.flows_on]


def _path_at(headings: Sequence[Place], offset: int) -> tuple[str, ...]:
    """The path that a character stands under."""
    row = bisect.bisect_right(headings, offset, key=lambda place: place[0]) - 1
    return headings[row][1] if row >= 0 else ()


def _completed(outline: Sequence[Place], found: Sequence[Place], starts: Sequence[int]) -> list[Place]:
    """The outline's headings and, below them, those told from the text on pages that no entry of it stands on.

    An outline often names chapters alone, while each page of them has a title of its own.
    """
    entered = {_page_at(starts, at) for at, _ in outline}
    places = [(starts[page], _path_at(outline, starts[page] - 1)) for page in sorted(entered)]
    places += outline
    for at, path in found:
        if _page_at(starts, at) not in entered:
            above = _path_at(outline, at)
            places.append((at, (*above, *(title for title in path if title not in above))))
    return sorted(places, key=lambda place: place[0])


def _outline_offsets(document: LoadedDocument, starts: Sequence[int]) -> list[Place]:
    """(offset in the text, path of titles) of every outline entry, ascending.

    An outline names the page; the line that is the title, or begins with it, is more exact. One that is not found
    there counts from the page's beginning.
    """
    path: list[Heading] = []
    found: list[Place] = []
    for heading in document.outline:
        if not 0 <= heading.page < len(document.pages):
            continue
        path = [*(above for above in path if above.level < heading.level), heading]
        at = _line_that_begins_with(heading.title, document.pages[heading.page].text)
        found.append((starts[heading.page] + at, tuple(entry.title for entry in path)))
    found.sort(key=lambda entry: entry[0])
    return found


def _line_that_begins_with(title: str, text: str) -> int:
    """Where the line begins that is the title, else one that begins with it as a word of its own; else 0."""
    words = re.escape(title.strip())
    if not words:
        return 0
    lines = (rf"^[ \t]*{words}[ \t]*$", rf"^{words}(?!\w)")
    match = next((found for line in lines if (found := re.search(line, text, re.MULTILINE))), None)
    return match.start() if match else 0

"""Chunking: pages -> passages, with langchain-text-splitters.

Text is split at the largest boundaries that give small enough passages: headings, paragraphs, lines, sentences (Chinese
and English), clauses, words. Passages do not overlap: joined in order they are the document's text, so every character
belongs to exactly one passage. Where more context is needed, neighbouring passages are read.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from langchain_text_splitters import RecursiveCharacterTextSplitter

from rag.pdf.headings import HeadingPath, detect_headings
from rag.records import Heading, LoadedDocument, Page, Passage, page_starts
from rag.settings import ChunkSettings

_WORD_CHARACTER = re.compile(r"\w")
PathChange = tuple[int, HeadingPath]  # an offset in the document's text, and the heading path from there on

MAX_TOKEN_CHARACTERS = 24  # count as at least one token: a run of unknown characters is one token, however long
RESERVED_TOKENS = 16  # of the embedder's input, for its prompt and special tokens
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


def fitting(settings: ChunkSettings, max_tokens: int) -> ChunkSettings:
    """The settings, but with passages short enough for an embedder that takes `max_tokens`."""
    return replace(settings, max_passage_tokens=min(settings.max_passage_tokens, max_tokens - RESERVED_TOKENS))


def document_text(pages: Sequence[Page]) -> str:
    """The texts of all pages, joined."""
    return "".join(page.text for page in pages)


def _text_starts(pages: Sequence[Page]) -> list[int]:
    """The offset of each page in the joined texts of all pages."""
    return list(itertools.accumulate((len(page.text) for page in pages), initial=0))[:-1]


def chunk_document(
    document: LoadedDocument,
    count_tokens: Callable[[str], int],
    settings: ChunkSettings,
    places: Sequence[int] | None = None,
) -> list[Passage]:
    """Split a document into passages of at most `settings.max_passage_tokens` tokens, as counted by `count_tokens`.

    `places`: the offset of each page in the document's text, by default what `page_starts` returns.

    A passage ends where its page ends, unless the page ends in the middle of a sentence. Headings from the outline
    always start a passage; detected headings need not. An empty text has no passages.
    """
    starts = _text_starts(document.pages)
    text = document_text(document.pages)
    outline = _outline_paths(document, starts)
    cuts = sorted({0, len(text), *_page_breaks(document.pages, starts), *(offset for offset, _ in outline)})
    paths = _merge_paths(outline, detect_headings(document.pages, starts), starts)
    length = _length(count_tokens)
    splitter = _splitter(length, settings)
    passages: list[Passage] = []
    for start, end in itertools.pairwise(cuts):
        for piece in _merge_small(splitter.split_text(text[start:end]), length, settings):
            passages.append(_passage(piece, start, starts, paths))
            start += len(piece)
    return _moved(passages, starts, page_starts(document.pages) if places is None else places)


def _moved(passages: Sequence[Passage], starts: Sequence[int], places: Sequence[int]) -> list[Passage]:
    """Passages at the places of their pages in the document's text, not at their `starts` in the joined texts."""
    if list(starts) == list(places):
        return list(passages)
    moves = [place - start for place, start in zip(places, starts, strict=True)]
    return [
        replace(passage, start=passage.start + moves[passage.first_page], end=passage.end + moves[passage.first_page])
        for passage in passages
    ]


def _length(count_tokens: Callable[[str], int]) -> Callable[[str], int]:
    """A function for the length of a text in tokens: at least one for every `MAX_TOKEN_CHARACTERS` characters.

    White space counts, too, because the splitter repeats a piece of length 0 at the start of the next passage.
    """

    def length(text: str) -> int:
        return max(count_tokens(text), -(-len(text) // MAX_TOKEN_CHARACTERS))

    return length


def _splitter(length: Callable[[str], int], settings: ChunkSettings) -> RecursiveCharacterTextSplitter:
    return RecursiveCharacterTextSplitter(
        separators=SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
        strip_whitespace=False,
        chunk_size=settings.max_passage_tokens,
        chunk_overlap=0,
        length_function=length,
    )


def _merge_small(pieces: list[str], length: Callable[[str], int], settings: ChunkSettings) -> list[str]:
    """Append pieces too small to be found by themselves to the piece before, if the result is not too long."""
    merged: list[str] = []
    for piece in pieces:
        if merged and (not piece.strip() or _fits(merged[-1], piece, length, settings)):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _fits(before: str, piece: str, length: Callable[[str], int], settings: ChunkSettings) -> bool:
    """Whether one of two neighbours is too small to be found by itself, and both together are not too long."""
    small = min(length(before), length(piece)) < settings.min_passage_tokens
    return small and length(before + piece) <= settings.max_passage_tokens


def _passage(text: str, start: int, starts: Sequence[int], paths: Sequence[PathChange]) -> Passage:
    end = start + len(text)
    visible = start + len(text) - len(text.lstrip())
    first = _page_at(starts, min(visible, end - 1))
    return Passage(
        text=text,
        start=start,
        end=end,
        first_page=first,
        last_page=max(first, _page_at(starts, start + max(len(text.rstrip()), 1) - 1)),
        heading=_path_at(paths, start),
    )


def _page_at(starts: Sequence[int], offset: int) -> int:
    """The page that contains a character; if empty pages start at the same offset, the last of them."""
    return bisect.bisect_right(starts, offset) - 1


def _page_breaks(pages: Sequence[Page], starts: Sequence[int]) -> list[int]:
    """Offsets of page ends at which a passage must end."""
    return [start for page, start in zip(pages, starts[1:], strict=False) if not page.flows_on]


def _path_at(paths: Sequence[PathChange], offset: int) -> HeadingPath:
    """The heading path that applies to a character."""
    row = bisect.bisect_right(paths, offset, key=lambda change: change[0]) - 1
    return paths[row][1] if row >= 0 else ()


def _merge_paths(
    outline: Sequence[PathChange], detected: Sequence[PathChange], starts: Sequence[int]
) -> list[PathChange]:
    """The outline's headings and, on pages without an outline entry, the detected headings below them.

    An outline often lists only the chapters, although each of their pages has its own title.
    """
    outlined = {_page_at(starts, offset) for offset, _ in outline}
    # Above its first outline entry, a page still belongs to the entry before.
    paths = [(starts[page], _path_at(outline, starts[page] - 1)) for page in sorted(outlined)]
    paths += outline
    for offset, path in detected:
        if _page_at(starts, offset) not in outlined:
            above = _path_at(outline, offset)
            paths.append((offset, (*above, *(title for title in path if title not in above))))
    return sorted(paths, key=lambda change: change[0])


def _outline_paths(document: LoadedDocument, starts: Sequence[int]) -> list[PathChange]:
    """(offset in the document's text, heading path) of every outline entry, ascending.

    An entry names a page. If a line on that page is the title or starts with it, the path applies from there, else from
    the top of the page.
    """
    entries = [heading for heading in document.outline if 0 <= heading.page < len(document.pages)]
    titles: dict[int, set[str]] = defaultdict(set)
    for heading in entries:
        titles[heading.page].add(heading.title.strip())
    lines = {page: _lines_of_titles(wanted, document.pages[page].text) for page, wanted in titles.items()}
    path: list[Heading] = []
    found: list[PathChange] = []
    for heading in entries:
        path = [*(above for above in path if above.level < heading.level), heading]
        line = lines[heading.page].get(heading.title.strip(), 0)
        found.append((starts[heading.page] + line, tuple(entry.title for entry in path)))
    found.sort(key=lambda change: change[0])
    return found


def _lines_of_titles(titles: Set[str], text: str) -> dict[str, int]:
    """By title: the offset of the first line equal to it, else of the first that starts with it as whole words.

    One pass over the text finds all titles, since a page may have thousands of titles and lines.
    """
    whole: dict[str, int] = {}
    begun: dict[str, int] = {}
    lengths = sorted({len(title) for title in titles if title})
    offset = 0
    for line in text.split("\n"):
        if (stripped := line.strip(" \t")) in titles:
            whole.setdefault(stripped, offset)
        for length in itertools.takewhile(len(line).__gt__, lengths):
            if line[:length] in titles and not _WORD_CHARACTER.match(line, length):
                begun.setdefault(line[:length], offset)
        offset += len(line) + 1
    return begun | whole

"""Adds the rest of their documents, or of their sections, to a model's sources, if its context has room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from rag.records import Source
from rag.store.rows import StoredPassage

MAX_DOCUMENTS: Final = 8  # best sources whose surroundings are considered
MAX_CHARACTERS_PER_TOKEN: Final = 8  # a longer text cannot fit, so its tokens need not be counted


class Surroundings:
    """The surroundings of sources, as far as a number of tokens has room for them."""

    def __init__(
        self,
        room: int,
        count_tokens: Callable[[str], int],
        passages_of: Callable[[str], Sequence[StoredPassage]],
        *,
        source_tokens: int,
        source_characters: int,
    ) -> None:
        """`room`: tokens of all sources together; `passages_of`: returns those of a document, by its id, in order.

        `source_tokens`: reserved per source for its heading; `source_characters`: of a source that is added, at most.
        """
        self._room, self._count_tokens, self._passages_of = room, count_tokens, passages_of
        self._source_tokens, self._source_characters = source_tokens, source_characters

    def added_to(self, sources: Sequence[Source]) -> tuple[Source, ...]:
        """The sources, best first, then what is added: whole documents first, then sections, best first.

        Added sources have the next numbers, no signals, and a score of 0.
        """
        self._room -= self._tokens([source.text for source in sources])
        found = list(sources)
        for document_id in list(dict.fromkeys(source.document_id for source in sources))[:MAX_DOCUMENTS]:
            rows = self._passages_of(document_id)
            if self._add(rows, found):
                continue
            for source in sources:
                if source.document_id == document_id:
                    self._add(_section_of(source, rows), found)
        return tuple(found)

    def _add(self, rows: Sequence[StoredPassage], found: list[Source]) -> bool:
        """Add the passages that are not among the sources yet; False if they do not fit."""
        blocks = blocks_of([row for row in rows if not _is_among(row, found)], self._source_characters)
        if sum(len(block.text) for block in blocks) > self._room * MAX_CHARACTERS_PER_TOKEN:
            return False
        tokens = self._tokens([block.text for block in blocks])
        if tokens > self._room:
            return False
        self._room -= tokens
        found += [replace(block, number=number) for number, block in enumerate(blocks, len(found) + 1)]
        return True

    def _tokens(self, texts: Sequence[str]) -> int:
        return sum(self._count_tokens(text) + self._source_tokens for text in texts)


def _is_among(row: StoredPassage, sources: Sequence[Source]) -> bool:
    passage = row.passage
    return any(
        source.document_id == row.document_id and source.start <= passage.start and passage.end <= source.end
        for source in sources
    )


def _section_of(source: Source, rows: Sequence[StoredPassage]) -> Sequence[StoredPassage]:
    """The passages around a source's own that are under the same heading; none if it has no heading."""
    at = next((n for n, row in enumerate(rows) if row.id == source.passage_id), None)
    if at is None or not rows[at].passage.heading:
        return []
    heading, first, last = rows[at].passage.heading, at, at + 1
    while first and rows[first - 1].passage.heading == heading:
        first -= 1
    while last < len(rows) and rows[last].passage.heading == heading:
        last += 1
    return rows[first:last]


def blocks_of(rows: Sequence[StoredPassage], most: int) -> list[Source]:
    """Passages as sources: those that adjoin on one page together, up to `most` characters."""
    blocks: list[Source] = []
    for row in rows:
        last, passage = blocks[-1] if blocks else None, row.passage
        if (
            last is not None
            and (last.end, last.first_page) == (passage.start, passage.first_page)
            and len(last.text) + len(passage.text) <= most
        ):
            text, end, page = last.text + passage.text, passage.end, passage.last_page
            blocks[-1] = replace(last, text=text, end=end, last_page=page, passage_span=(0, len(text)))
        else:
            blocks.append(row.as_source(0, 0.0, ()))
    return blocks

"""The sources of an answer as segments (sentences or rows) that claims are compared with; made once per answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.claims.tokens import Analysed, analyse, content_keys
from rag.answer.sentences import sentence_spans
from rag.records import Source

MAX_SEGMENT = 1_000  # characters; a longer sentence is cut
_HEADER_LINES = 12  # segments above a row that may hold its column headers
_ENDS = re.compile(r"[.。！？!?;；:：”’\"')）\]]\s*\Z")
_CONTINUES = re.compile(r"[a-z(·，,、]|[\u4e00-\u9fff]")
_MIN_WRAPPED = 30  # characters of a line that may continue on the next one
_CELL = re.compile(r"[-–—−(]{0,2}[$€£¥]?\d[\d,.]*[)%]{0,2}")
_MAX_LABEL = 14  # words of a row that are not values
_MAX_ROW = 220  # characters
_WHITE = re.compile(r"\s+")


@dataclass(eq=False)
class Segment:
    """A sentence or a row of a source."""

    number: int  # of its source
    start: int  # [start, end) in the source's text
    end: int
    text: str
    position: int  # among the segments of all sources

    @cached_property
    def analysed(self) -> Analysed:
        """Its tokens and quantities."""
        return analyse(self.text)

    @cached_property
    def content(self) -> set[str]:
        """What it is about, by `content_keys`."""
        return content_keys(self.analysed.tokens)

    @cached_property
    def is_row(self) -> bool:
        """Whether it ends with numbers, as a table row does."""
        return ends_in_values(self.text)


@dataclass(eq=False)
class SourceIndex:
    """All segments of an answer's sources."""

    sources: Sequence[Source]

    @cached_property
    def segments(self) -> list[Segment]:
        """The sources divided into segments; claims that occur word for word do not need them."""
        cut = [(source, *span) for source in self.sources for span in _segment_spans(source.text)]
        return [Segment(one.number, start, end, one.text[start:end], n) for n, (one, start, end) in enumerate(cut)]

    @cached_property
    def squeezed(self) -> list[str]:
        """Each source without white space, in lower case."""
        return [_WHITE.sub("", source.text).casefold() for source in self.sources]

    def text_until(self, segment: Segment) -> str:
        """The headings a source is under, and its text up to the end of a segment."""
        for source in self.sources:
            if source.number == segment.number:
                return "\n".join((source.document, *source.heading, source.text[: segment.end]))
        return ""

    def source_text(self, number: int) -> str:
        """The text of a source, with the names it stands under."""
        for source in self.sources:
            if source.number == number:
                return "\n".join((source.document, *source.heading, source.text))
        return ""

    def around(self, segment: Segment, before: int, after: int) -> list[Segment]:
        """The segments near one in the same source, itself left out."""
        near = self.segments[max(0, segment.position - before) : segment.position + after + 1]
        return [one for one in near if one.number == segment.number and one is not segment]

    def headers(self, row: Segment) -> list[Segment]:
        """The lines above a row, nearest first, that may be its column headers, section and caption."""
        above = self.segments[max(0, row.position - _HEADER_LINES) : row.position]
        return [one for one in reversed(above) if one.number == row.number]


def _segment_spans(text: str) -> list[tuple[int, int]]:
    """Sentences and rows; lines that a sentence only wraps at are joined, and what is too long is cut."""
    joined: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        if joined and _wraps(text, joined[-1], start, end):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(n, min(n + MAX_SEGMENT, end)) for start, end in joined for n in range(start, end, MAX_SEGMENT)]


def _wraps(text: str, before: tuple[int, int], start: int, end: int) -> bool:
    """Whether the sentence `before` continues in text[start:end], on the next line."""
    line_start = max(before[0], text.rfind("\n", 0, before[1]) + 1)
    return (
        "\n" in text[before[1] : start]
        and before[1] - line_start >= _MIN_WRAPPED
        and end - before[0] <= MAX_SEGMENT
        and not _ENDS.search(text[line_start : before[1]])
        and not text[before[1] - 1].isdigit()
        and _CONTINUES.match(text, start) is not None
        and not ends_in_values(text[start:end])
    )


def ends_in_values(text: str) -> bool:
    """Whether a line looks like a table row: a short label, then values."""
    if len(text) > _MAX_ROW or text.endswith("."):
        return False
    words = [word for word in text.replace("|", " ").split() if word not in "$€£¥"]
    values = sum(_CELL.fullmatch(word) is not None for word in words)
    return bool(words) and _CELL.fullmatch(words[-1]) is not None and len(words) - values <= _MAX_LABEL

"""Sources + history + token budget -> what goes into the prompt, counted in the reader's own tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.answer.figures.excerpt import as_printed, common_words
from rag.answer.source_tables import PageTables, SourceTables
from rag.errors import QuestionRefused
from rag.manner import DEFAULT_MANNER, Manner
from rag.pdf.tables import Row, Table
from rag.reader import Evidence, Reader, ReadRequest, ReadSource, Sampling, Turn
from rag.records import Source
from rag.settings import ContextSettings

WIDENING_MARGIN = 0.9  # of the estimated room for text around a passage, as tokens per character vary
MIN_SOURCE_TOKENS = 24  # room below which a source is left out rather than cut
SENTENCE_ENDS = ("\n", "。", "！", "？", ". ", "! ", "? ")


@dataclass(frozen=True, slots=True)
class SourceRead:
    """A source, and what a model reads of it."""

    source: Source
    read: ReadSource
    tokens: int  # with the line above it
    is_whole: bool  # whether all of the source's text is read


@dataclass(frozen=True, slots=True)
class PackedContext:
    """The sources, earlier turns and evidence that fit; the sources in the order in which they are read."""

    read: tuple[SourceRead, ...]
    history: tuple[Turn, ...]
    evidence: tuple[Evidence, ...] = ()

    @property
    def sources(self) -> tuple[ReadSource, ...]:
        """The sources as they are read."""
        return tuple(one.read for one in self.read)


@dataclass(slots=True)
class _Packed:
    """A source with what is read of it."""

    source: Source
    name: str
    heading: str
    text: str
    tokens: int  # of the text
    whole: int  # tokens of all of the source's text
    title: int  # tokens of the line above it

    def read(self) -> SourceRead:
        """The source as the reader sees it."""
        read = ReadSource(self.source.number, self.name, self.source.page_label, self.heading, self.text.strip())
        return SourceRead(self.source, read, self.title + self.tokens, self.tokens >= self.whole)


def room_for_sources(reader: Reader, question: str, sampling: Sampling, manner: Manner = DEFAULT_MANNER) -> int:
    """Tokens that a reader has left for sources, history and evidence, besides question, instruction and answer."""
    frame = reader.prompt(ReadRequest(question, (ReadSource(1, "", "", "", ""),), sampling=sampling, manner=manner))
    return reader.context_tokens - sampling.max_tokens - frame.tokens


def title_tokens(source: Source, reader: Reader, settings: ContextSettings) -> int:
    """Tokens reserved for the line above a source's text."""
    name, heading = _name_and_heading(source, settings)
    return settings.source_tokens + reader.count_tokens(f"{name} {source.page_label} {heading}")


def _name_and_heading(source: Source, settings: ContextSettings) -> tuple[str, str]:
    """The name of a source's document and its heading path, as the reader sees them."""
    return source.document[: settings.name_characters], " > ".join(source.heading)[-settings.name_characters :]


def pack_context(
    question: str,
    sources: Sequence[Source],
    history: Sequence[Turn],
    reader: Reader,
    sampling: Sampling,
    settings: ContextSettings,
    tables: SourceTables | None = None,
    evidence: Sequence[Evidence] = (),
    manner: Manner = DEFAULT_MANNER,
    before: Sequence[SourceRead] = (),
) -> PackedContext:
    """Pack evidence and the newest turns into their shares of the reader's context, and the best sources into the rest.

    A source that would take more than its share is narrowed to the retrieved passage and the lines around it; room left
    over at the end widens the best of them again. The last source is truncated to the remaining room, if possible at
    the end of a line or sentence. With `tables`, the tables of a source are written in Markdown, with their headers, if
    there is room for them. Those of the sources that were read `before` come first, in the same words, as far as they
    fit. Raises QuestionRefused if no source fits.
    """
    room = room_for_sources(reader, question, sampling, manner)
    first, taken = _pack_evidence(evidence, int(room * settings.max_evidence_share), reader, settings)
    turns, used = _pack_turns(history, int(room * settings.max_history_share), reader)
    packing = _Packing(reader, settings, tables, room - taken - used)
    again = packing.pack_again(before)
    numbers = {one.source.number for one in again}
    packed = packing.pack(one for one in sources if one.number not in numbers)
    if sources and not (again or packed):
        raise QuestionRefused(
            "The question leaves {reader} ({context:,} tokens) no room for sources: shorten it.",
            reader=reader.name,
            context=reader.context_tokens,
        )
    read = (*again, *(one.read() for one in reading_order(packed)))
    numbers = {one.source.number for one in read}
    return PackedContext(read, turns, tuple(one for one in first if one.number in numbers))


def reading_order(packed: Sequence[_Packed]) -> list[_Packed]:
    """Sources, given best first, in the order in which they are read: by document, and by position within it.

    The best document comes first, the second best last, and so on: the middle of a long prompt is most easily
    overlooked (Liu et al., Lost in the Middle, 2023, arXiv:2307.03172).
    """
    documents: dict[str, list[_Packed]] = {}
    for one in packed:
        documents.setdefault(one.source.document_id, []).append(one)
    best_first = list(documents.values())
    outside_in = [*best_first[0::2], *reversed(best_first[1::2])]
    return [one for of_document in outside_in for one in sorted(of_document, key=lambda one: one.source.start)]


def _pack_evidence(
    evidence: Sequence[Evidence], room: int, reader: Reader, settings: ContextSettings
) -> tuple[list[Evidence], int]:
    """The best evidence that fits `room` tokens, and the tokens it takes."""
    packed: list[Evidence] = []
    used = 0
    for one in evidence[: settings.evidence_items]:
        tokens = reader.count_tokens(one.text) + settings.source_tokens
        if used + tokens > room:
            break
        packed.append(one)
        used += tokens
    return packed, used


def _pack_turns(history: Sequence[Turn], room: int, reader: Reader) -> tuple[tuple[Turn, ...], int]:
    """The newest turns that fit `room` tokens, oldest first, and the tokens they take."""
    turns: list[Turn] = []
    used = 0
    for turn in reversed(history):
        tokens = reader.count_tokens(turn.question) + reader.count_tokens(turn.answer)
        if used + tokens > room:
            break
        turns.insert(0, turn)
        used += tokens
    return tuple(turns), used


class _Packing:
    """Fills a number of tokens with sources."""

    def __init__(self, reader: Reader, settings: ContextSettings, tables: SourceTables | None, room: int) -> None:
        self._reader, self._settings, self._tables, self._room = reader, settings, tables, room
        self._most = int(room * settings.max_source_share)  # tokens of one source, while others may need the room

    def pack_again(self, before: Iterable[SourceRead]) -> list[SourceRead]:
        """The first of those that were read before, as far as they fit."""
        again: list[SourceRead] = []
        for one in before:
            if one.tokens > self._room:
                break
            self._room -= one.tokens
            again.append(one)
        return again

    def pack(self, sources: Iterable[Source]) -> list[_Packed]:
        """The first sources that fit, in their given order."""
        packed: list[_Packed] = []
        for source in sources:
            one = self._add(source)
            if one is None:
                break
            packed.append(one)
        for one in packed:
            self._widen(one)
        return packed

    def _add(self, source: Source) -> _Packed | None:
        """A source as far as it fits; None if not even its start does."""
        name, heading = _name_and_heading(source, self._settings)
        title = title_tokens(source, self._reader, self._settings)
        room = self._room - title
        if room < MIN_SOURCE_TOKENS:
            return None
        # Narrow a source that is too long, then truncate it if even the passage alone is.
        text, whole = source.text, self._reader.count_tokens(source.text)
        tokens = whole
        if tokens > min(self._most, room):
            text = _narrow(source, min(self._most, room), whole, self._reader)
            tokens = self._reader.count_tokens(text)
        if tokens > room:
            text = truncated(text, room, self._reader)
            tokens = self._reader.count_tokens(text)
        if not text.strip():
            return None
        text, tokens = self._with_tables(source, text, tokens, room)
        self._room = room - tokens
        return _Packed(source, name, heading, text, tokens, whole, title)

    def _widen(self, one: _Packed) -> None:
        """Give a source that was narrowed the remaining room, as far as it needs it."""
        passage = one.source.passage_text
        if self._room < MIN_SOURCE_TOKENS or one.tokens >= one.whole or passage.strip() not in one.text:
            return
        most = one.tokens + self._room
        text = one.source.text if one.whole <= most else _narrow(one.source, most, one.whole, self._reader)
        text, tokens = self._with_tables(one.source, text, self._reader.count_tokens(text), most)
        if one.tokens < tokens <= most:
            self._room -= tokens - one.tokens
            one.text, one.tokens = text, tokens

    def _with_tables(self, source: Source, text: str, tokens: int, room: int) -> tuple[str, int]:
        """A part of a source's text with its tables in Markdown, and its tokens; unchanged if that does not fit."""
        if self._tables is None or tokens > room:
            return text, tokens
        written = with_markdown_tables(text, source.start + source.text.find(text), self._tables.of(source))
        if written == text:
            return text, tokens
        more = self._reader.count_tokens(written)
        return (written, more) if more <= room else (text, tokens)


def _narrow(source: Source, max_tokens: int, source_tokens: int, reader: Reader) -> str:
    """The retrieved passage with as many whole lines before and after it as fit `max_tokens`; at least the passage."""
    passage = source.passage_text
    first, last = source.passage_span or (0, len(source.text))
    # Estimate the characters that fit around the passage.
    free_tokens = max_tokens - reader.count_tokens(passage)
    room = int(WIDENING_MARGIN * free_tokens * len(source.text) / max(source_tokens, 1))
    if room <= 0:
        return passage
    # Give half of them to the text before the passage, and the rest to the text after it.
    before = source.text[:first]
    if len(before) > room // 2:
        before = before[-(room // 2) :].partition("\n")[2]
    after = source.text[last:]
    if len(before) + len(after) > room:
        after = after[: room - len(before)]
        after = after[: after.rfind("\n") + 1]
    widened = before + passage + after
    return widened if reader.count_tokens(widened) <= max_tokens else passage


def truncated(text: str, most: int, reader: Reader) -> str:
    """The beginning of a text, at most `most` tokens, up to the end of a sentence or line if there is one."""
    kept, tokens = text, reader.count_tokens(text)
    while kept and tokens > most:
        kept = kept[: min(len(kept) * max(most, 0) // tokens, len(kept) - 1)]
        end = max(kept.rfind(mark) for mark in SENTENCE_ENDS)
        kept = kept[: end + 1] if end >= 0 else kept
        tokens = reader.count_tokens(kept)
    return kept


# ---- the rows of tables as Markdown, so that a model sees which column a value stands in


_KNOWN_BY = 4  # words of a line above a table by which it is recognised in the text around


def with_markdown_tables(text: str, start: int, pages: Sequence[PageTables]) -> str:
    """A stretch of a document's text, starting at character `start`, with the rows of its tables as Markdown.

    Rows whose header is before the stretch, or on the page before, still get it.
    """
    parts: list[str] = []
    done = 0
    for page in pages:
        offset = page.page.start - start  # of the page's text in the stretch
        for table in page.tables:
            rows = [row for row in table.rows if done <= row.start + offset and row.end + offset <= len(text)]
            if rows:
                parts += [text[done : rows[0].start + offset], markdown_of(table, rows, text), "\n"]
                done = max(row.end for row in rows) + offset
    return "".join([*parts, text[done:]])


def markdown_of(table: Table, rows: Sequence[Row], around: str = "") -> str:
    """Rows of a table as Markdown: caption and unit if the text around lacks them, headers, sections and rows."""
    said = " ".join(around.split())
    above = common_words(table.headers)
    unit = "" if table.unit in f"{table.caption} {above}" else table.unit
    lines = [line for line in (table.caption, unit, above) if line and " ".join(line.split()[:_KNOWN_BY]) not in said]
    headers = [header[len(above) :].strip() for header in table.headers]
    has_units = any(row.unit for row in rows)
    columns = len(headers) + has_units
    lines += ["", _line("", *headers, *[""] * has_units), "|" + "---|" * (columns + 1)]
    section = ""
    for row in rows:
        if row.section and row.section != section:
            lines.append(_line(row.section, *[""] * columns))
        section = row.section
        cells = [as_printed(cell.text) if cell else "" for cell in row.cells]
        lines.append(_line(row.label, *cells, *[row.unit] * has_units))
    return "\n".join(lines)


def _line(*cells: str) -> str:
    """A line of a Markdown table; the text of cells cannot end one."""
    return "|" + "".join(f" {cell.replace('|', '¦')} |" if cell else " |" for cell in cells)

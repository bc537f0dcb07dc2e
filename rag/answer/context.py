"""Sources + history + token budget -> what goes into the prompt, counted in the reader's own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.markdown_tables import with_markdown_tables
from rag.answer.source_tables import SourceTables
from rag.errors import QuestionRefused
from rag.reader import Evidence, Reader, ReadSource, Sampling, Turn
from rag.records import Source
from rag.settings import ContextSettings

WIDENING_MARGIN = 0.9  # of the estimated room that text around a passage is given, as tokens per character vary
SENTENCE_ENDS = ("\n", "。", "！", "？", ". ", "! ", "? ")


@dataclass(frozen=True, slots=True)
class PackedContext:
    """The sources, earlier turns and evidence that fit, each in their given order."""

    sources: tuple[ReadSource, ...]
    history: tuple[Turn, ...]
    evidence: tuple[Evidence, ...] = ()


def pack_context(
    question: str,
    sources: Sequence[Source],
    history: Sequence[Turn],
    reader: Reader,
    sampling: Sampling,
    settings: ContextSettings,
    tables: SourceTables | None = None,
    evidence: Sequence[Evidence] = (),
) -> PackedContext:
    """Pack evidence and the newest turns into their shares of the reader's context, and the best sources into the rest.

    A source that would take more than its share is narrowed to the retrieved passage and the lines around it. The last
    source is truncated to the room that is left, at the end of a line or sentence if there is one. With `tables`, the
    tables of a source are written in Markdown, with their headers, where there is room for them. Raises
    QuestionRefused if no source fits.
    """
    room = reader.context_tokens - sampling.max_tokens - settings.prompt_tokens - reader.count_tokens(question)
    first, taken = _pack_evidence(evidence, int(room * settings.max_evidence_share), reader, settings)
    turns, used = _pack_turns(history, int(room * settings.max_history_share), reader)
    packed = _pack_sources(sources, room - taken - used, reader, settings, tables)
    if sources and not packed:
        raise QuestionRefused(
            "The question leaves {reader} ({context:,} tokens) no room for sources: shorten it.",
            reader=reader.name,
            context=reader.context_tokens,
        )
    numbers = {source.number for source in packed}
    return PackedContext(packed, turns, tuple(one for one in first if one.number in numbers))


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


def _pack_sources(
    sources: Sequence[Source], room: int, reader: Reader, settings: ContextSettings, tables: SourceTables | None
) -> tuple[ReadSource, ...]:
    """The first sources that fit `room` tokens."""
    packed: list[ReadSource] = []
    max_tokens = int(room * settings.max_source_share)
    for source in sources:
        # Reserve room for the line above the text, which names document, page and heading.
        name = source.document[: settings.name_characters]
        heading = " > ".join(source.heading)[-settings.name_characters :]
        room -= settings.source_tokens + reader.count_tokens(f"{name} {source.page_label} {heading}")
        # Narrow a source that is too long, then truncate it if even the passage alone is.
        text = source.text
        tokens = reader.count_tokens(text)
        if tokens > min(max_tokens, room):
            text = _narrow(source, min(max_tokens, room), tokens, reader)
            tokens = reader.count_tokens(text)
        if tokens > room:
            text = _truncate(text, room, tokens)
        if not text.strip():
            break
        if tables is not None and tokens <= room:
            text, tokens = _with_tables(source, text, tokens, room, tables, reader)
        packed.append(ReadSource(source.number, name, source.page_label, heading, text.strip()))
        room -= min(tokens, room)
    return tuple(packed)


def _with_tables(
    source: Source, text: str, tokens: int, room: int, tables: SourceTables, reader: Reader
) -> tuple[str, int]:
    """A part of a source's text with its tables in Markdown, and its tokens; as it was where that does not fit."""
    written = with_markdown_tables(text, source.start + source.text.find(text), tables.of(source))
    if written == text:
        return text, tokens
    more = reader.count_tokens(written)
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


def _truncate(text: str, max_tokens: int, text_tokens: int) -> str:
    """The first `max_tokens` tokens of a text, approximately, up to the end of a sentence or line if there is one."""
    kept = text[: len(text) * max(max_tokens, 0) // max(text_tokens, 1)]
    end = max(kept.rfind(mark) for mark in SENTENCE_ENDS)
    return kept[: end + 1] if end >= 0 else kept

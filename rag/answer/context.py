"""Sources + history + budget -> what goes into the prompt, counted in the reader's own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.reader import Reader, ReadSource, Sampling, Turn
from rag.records import Source
from rag.settings import ContextSettings


@dataclass(frozen=True, slots=True)
class Packed:
    """What fits."""

    sources: tuple[ReadSource, ...]
    history: tuple[Turn, ...]


def pack(
    question: str,
    sources: Sequence[Source],
    history: Sequence[Turn],
    reader: Reader,
    sampling: Sampling,
    settings: ContextSettings,
) -> Packed:
    """Take the best sources that fit the reader, then the newest turns that still do.

    Of a source that would take more than a quarter of the room, the lines around what was found go in alone. The last
    one is cut to what is left, at a line or sentence if one ends there; at most a quarter of the room goes to the
    history, so that it never pushes the sources out.
    """
    room = reader.context_tokens - sampling.max_tokens - settings.prompt_tokens - reader.count_tokens(question)
    turns: list[Turn] = []
    left = int(room * settings.max_history_share)
    for turn in reversed(history):
        left -= reader.count_tokens(turn.question) + reader.count_tokens(turn.answer)
        if left < 0:
            break
        turns.insert(0, turn)
        room -= reader.count_tokens(turn.question) + reader.count_tokens(turn.answer)
    packed: list[ReadSource] = []
    widest = int(room * settings.max_source_share)
    for source in sources:
        name = source.document[: settings.name_characters]
        heading = " > ".join(source.heading)[-settings.name_characters :]
        room -= settings.source_tokens + reader.count_tokens(f"{name} {source.page_label} {heading}")
        whole = source.text
        length = reader.count_tokens(whole)
        if length > min(widest, room):
            whole = _around(source, min(widest, room), length, reader)
            length = reader.count_tokens(whole)
        text = whole if length <= room else _cut(whole, room, length)
        if not text.strip():
            break
        packed.append(ReadSource(source.number, name, source.page_label, heading, text.strip()))
        room -= min(length, room)
    return Packed(tuple(packed), tuple(turns))


def _around(source: Source, tokens: int, length: int, reader: Reader) -> str:
    """The passage found, with as many whole lines before and behind it as `tokens` allow; the source has `length`."""
    first, last = source.best or (0, len(source.text))
    narrow = source.narrowest
    spare = int(0.9 * (tokens - reader.count_tokens(narrow)) * len(source.text) / max(length, 1))  # characters
    if spare <= 0:
        return narrow
    before = source.text[:first]
    if len(before) > spare // 2:
        before = before[-(spare // 2) :].partition("\n")[2]
    after = source.text[last:]
    if len(before) + len(after) > spare:
        cut = after[: spare - len(before)]
        after = cut[: cut.rfind("\n") + 1]
    wider = before + narrow + after
    return wider if reader.count_tokens(wider) <= tokens else narrow


def _cut(text: str, tokens: int, length: int) -> str:
    """The beginning of a text of `length` tokens that takes about `tokens`, up to the end of a sentence or line."""
    kept = text[: len(text) * max(tokens, 0) // max(length, 1)]
    end = max(kept.rfind(mark) for mark in ("\n", "。", "！", "？", ". ", "! ", "? "))
    return kept[: end + 1] if end >= 0 else kept

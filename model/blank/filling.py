"""Texts with blanks: a conversation turned into a text that ends with one, or a text in which somebody typed `[MASK]`.

A model that fills in blanks knows no roles and follows no instructions, so a conversation becomes lines of `Question:
…` and `Answer: …`, the last of which is to be filled in. Does not know which model fills the blanks.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from model.stream import Cleaner, TokenText
from rag.errors import CheckpointRefused, ReaderError
from rag.language import has_chinese_without_kana
from rag.reader import Sampling

if TYPE_CHECKING:
    from model.prompt import ChatMessage, PromptPart
    from model.reader import GlmReader

BLANK = re.compile(r"(\[[gs]?MASK\])")
MIN_FILLING = 8  # tokens; a text that leaves less room for filling its blank is refused


def conversation_text(messages: Sequence[ChatMessage]) -> str:
    """System messages and sources, then each question and answer on a line, up to where the last answer starts."""
    before = [f"{message.content}\n\n" for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    in_chinese = has_chinese_without_kana(turns[-1].content)
    question, answer = ("问题：", "回答：") if in_chinese else ("Question: ", "Answer: ")
    lines = [(question if turn.role == "user" else answer) + turn.content for turn in turns]
    return "".join([*before, *(turn.sources for turn in turns), "\n".join([*lines, answer])])


def ending_in_blank(text: str, special_tokens: Mapping[str, int]) -> list[PromptPart]:
    """A text and the blank after it: `[gMASK]`, for long texts, or `[MASK]` for a model that has no other."""
    mask = special_tokens.get("[gMASK]", special_tokens.get("[MASK]"))
    if mask is None:
        raise CheckpointRefused(
            "The tokenizer has no {token}, which this model's prompts need: choose another checkpoint.", token="[gMASK]"
        )
    return [text.rstrip(), mask]


def framed(parts: Sequence[PromptPart], special_tokens: Mapping[str, int]) -> list[PromptPart]:
    """A text with blanks, with the control tokens around it.

    GLM-130B: an end token unless the text ends with a blank, and `sop` (`fill_blanks` in `generate.py` of
    THUDM/GLM-130B). GLM-10B: `[CLS]` before it, an end token and `<|startofpiece|>` after it
    (`build_inputs_with_special_tokens` and `build_inputs_for_generation` in `tokenization_glm.py`).
    """
    if "sop" in special_tokens:
        masks = {special_tokens[name] for name in ("[MASK]", "[gMASK]", "[sMASK]")}
        ending = [] if parts and parts[-1] in masks else [special_tokens["eos"]]
        return [*parts, *ending, special_tokens["sop"]]
    # BERT's tokenizer, which GLM-Large uses, has no <|endoftext|> and ends texts with [SEP].
    end = special_tokens.get("<|endoftext|>", special_tokens.get("[SEP]"))
    start, piece = special_tokens.get("[CLS]"), special_tokens.get("<|startofpiece|>")
    if end is None or start is None or piece is None:
        raise CheckpointRefused(
            "The tokenizer has no {token}, which this model's prompts need: choose another checkpoint.", token="[CLS]"
        )
    return [start, *parts, end, piece]


def fill_blanks(reader: GlmReader, text: str, sampling: Sampling, stop: threading.Event) -> Iterator[str]:
    """Yield `text` in pieces, with each `[MASK]`, `[sMASK]` and `[gMASK]` replaced by what the model puts there.

    Blanks are filled one after another, with the earlier ones already filled; `sampling.max_tokens` limits each. Raises
    ReaderError if the text does not fit the model's context, or has a kind of blank that the model does not know.
    """
    pieces = BLANK.split(text)  # text and blanks in turn
    known = reader.tokenizer.special_tokens
    unknown = next((piece for piece in pieces[1::2] if piece not in known), None)
    if unknown is not None:
        raise ReaderError("{reader} does not know {blank}: write [MASK].", reader=reader.name, blank=unknown)
    # Like the original's tokenizer, encode the text around a blank without the space next to it.
    ids = [reader.tokenizer.encode(piece.strip()) if at % 2 == 0 else [known[piece]] for at, piece in enumerate(pieces)]
    yield pieces[0]
    for at in range(1, len(pieces), 2):
        flat = [token for part in ids for token in part]
        prompt = [part for part in reader.prompter.framed(flat) if isinstance(part, int)]
        room = min(sampling.max_tokens, reader.context_tokens - len(prompt))
        if room < min(MIN_FILLING, sampling.max_tokens):
            raise ReaderError(
                "The text takes {tokens:,} tokens, and {reader} has a context of {context:,}, with what it fills in:"
                " shorten the text.",
                tokens=len(prompt),
                reader=reader.name,
                context=reader.context_tokens,
            )
        ids[at] = []
        yield from _fill(reader, prompt, dataclasses.replace(sampling, max_tokens=room), stop, ids[at])
        if stop.is_set():
            return
        yield pieces[at + 1]


def _fill(
    reader: GlmReader, prompt: list[int], sampling: Sampling, stop: threading.Event, filled: list[int]
) -> Iterator[str]:
    """Yield what fills the first blank of `prompt`, and append its tokens to `filled`."""
    text, cleaner = TokenText(reader.tokenizer), Cleaner(reader.family.prompt)
    for token in reader.batch.generate(prompt, reader.completed(sampling), reader.stop_ids, stop):
        filled.append(token)
        if piece := cleaner.feed(text.feed(token)):
            yield piece
    if rest := cleaner.end():
        yield rest

"""Streaming: tokens -> text in whole characters, with each family's post-processing done piece by piece.

The joined pieces equal the whole answer post-processed at once. Does not know models.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from model.families import PromptFormat
from model.tokenizer import Tokenizer
from rag.language import COMMON_HAN

TRAINING_TIME = "[[训练时间]]"  # ChatGLM writes this where the end date of its training should be
FULL_WIDTH = {",": "，", "!": "！", ":": "：", ";": "；", "?": "？"}
REASONING_START, REASONING_END = "<think>", "</think>"


class TokenText:
    """Incremental detokenizer: a character is emitted with the token of its last byte; invalid bytes are dropped."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._characters = codecs.getincrementaldecoder("utf-8")("ignore")
        self._leading = tokenizer.leading_space

    def feed(self, token: int) -> str:
        """The characters that this token completes, if any."""
        data = self._tokenizer.token_bytes(token)
        if self._leading and data:
            self._leading = False
            data = data.removeprefix(b" ")
        return self._characters.decode(data)


class Cleaner:
    """Post-processing of a streaming answer, as the original chat functions do it at its end (`process_response`).

    White space around the answer is removed, `[[训练时间]]` becomes 2023年, and ChatGLM-6B's ASCII punctuation next to
    Chinese becomes full-width. Reasoning before the answer, by models with chat templates of their own, is removed.
    """

    def __init__(self, prompt_format: PromptFormat, *, reasoning: bool = False) -> None:
        """`reasoning`: the prompt ends with <think>, so the answer starts with reasoning without a mark."""
        self._widen = prompt_format is PromptFormat.CHATGLM1
        self._dated = prompt_format in (PromptFormat.CHATGLM1, PromptFormat.CHATGLM2, PromptFormat.CHATGLM3)
        self.reasoning = reasoning  # whether the last text was reasoning; still true at the end if no answer came
        self._may_reason = prompt_format is PromptFormat.TEMPLATE and not reasoning  # until the first words are known
        self._held = ""  # not emitted yet, because later text may change it
        self._last = ""  # the last character emitted; "" before the first

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what later text can no longer change."""
        self._held += text
        return self._release(final=False)

    def end(self) -> str:
        """Return what was held back; the answer is complete."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        if self._skip_reasoning(final=final):
            return ""
        if self._dated:
            self._held = self._held.replace(TRAINING_TIME, "2023年")
        text = self._held if self._last else self._held.lstrip()
        ready = len(text.rstrip()) if final else self._ready(text)
        shown, self._held = text[:ready], text[ready:]
        following = self._held[:1]
        if self._widen:
            shown = widen(shown, self._last, following)
        self._last = shown[-1:] or self._last
        return shown

    def _skip_reasoning(self, *, final: bool) -> bool:
        """Drop reasoning from the held text; return whether the answer, or its first word, is still to come."""
        if self._may_reason:
            start = self._held.lstrip()
            if len(start) < len(REASONING_START) and REASONING_START.startswith(start) and not final:
                return True
            self._may_reason, self.reasoning = False, start.startswith(REASONING_START)
        if self.reasoning:
            before, ended, after = self._held.partition(REASONING_END)
            self.reasoning = not ended
            self._held = after if ended else before[-len(REASONING_END) :]
        return self.reasoning

    def _ready(self, text: str) -> int:
        """How many of the characters later text can no longer change."""
        end = len(text.rstrip())
        if self._dated:
            begun = next((n for n in range(len(TRAINING_TIME), 0, -1) if text.endswith(TRAINING_TIME[:n])), 0)
            end = min(end, len(text) - begun)
        if self._widen and end and text[end - 1] in FULL_WIDTH and end == len(text):
            end -= 1
        return end


class StopText:
    """Ends a streaming answer before the first of some texts. Takes linear time in the answer for each of them."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops`: texts that are not empty."""
        self._stops, self._held = stops, ""
        self.found = False

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what cannot be part of a stop."""
        if self.found:
            return ""
        self._held += text
        places = [place for place in map(self._held.find, self._stops) if place >= 0]
        if places:
            self.found = True
            return self._held[: min(places)]
        begun = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        ready, self._held = self._held[: len(self._held) - begun], self._held[len(self._held) - begun :]
        return ready

    def end(self) -> str:
        """Return what was held back; the answer is complete."""
        return "" if self.found else self._held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the start of `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


def widen(text: str, before: str, after: str) -> str:
    """`text` with `, ! : ; ?` next to a Chinese character made full-width.

    `before` and `after` are the characters around it, "" if there are none.
    """
    around = f"{before or ' '}{text}{after}"
    changed = re.sub(
        rf"(?<=[{COMMON_HAN}])[,!:;?]|[,!:;?](?=[{COMMON_HAN}])", lambda mark: FULL_WIDTH[mark.group()], around
    )
    return changed[1 : 1 + len(text)]

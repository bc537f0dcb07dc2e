"""Tokens become text while they come: whole characters only, and each family's habits cleaned away.

What comes out piece by piece, joined, is what the whole answer would be cleaned to. Knows no models.
"""

from __future__ import annotations

import codecs
import re

from model.families import PromptFormat
from model.tokenizer import Tokenizer
from rag.language import COMMON_HAN

TRAINING_TIME = "[[训练时间]]"  # ChatGLM writes it for the date its training ended
FULL_WIDTH = {",": "，", "!": "！", ":": "：", ";": "；", "?": "？"}
THINKING_BEGINS, THINKING_ENDS = "<think>", "</think>"


class TokenText:
    """Text of tokens that come one at a time; a character comes when its last byte has, a broken one never."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._characters = codecs.getincrementaldecoder("utf-8")("ignore")
        self._leading = tokenizer.leading_space

    def feed(self, token: int) -> str:
        """The characters this token completes; may be none."""
        data = self._tokenizer.token_bytes(token)
        if self._leading and data:
            self._leading = False
            data = data.removeprefix(b" ")
        return self._characters.decode(data)


class Cleaner:
    """What the original chat functions do to an answer (`process_response`), done while it streams.

    White space around the answer goes, `[[训练时间]]` becomes 2023年, and ChatGLM-6B's ASCII punctuation beside
    Chinese becomes full-width. Thinking aloud before the answer, by models with templates of their own, is left out.
    """

    def __init__(self, prompt_format: PromptFormat, *, thinking: bool = False) -> None:
        """`thinking`: the prompt ends in it, so it is not begun by a mark."""
        self._widen = prompt_format is PromptFormat.CHATGLM1
        self._dated = prompt_format in (PromptFormat.CHATGLM1, PromptFormat.CHATGLM2, PromptFormat.CHATGLM3)
        self.thinking = thinking  # whether what came last is thinking; still so at the end where no answer came
        self._may_think = prompt_format is PromptFormat.TEMPLATE and not thinking  # until the first words have come
        self._held = ""  # not given out yet: what comes next decides
        self._last = ""  # the last character given out; "" before the first

    def feed(self, text: str) -> str:
        """What can be shown once `text` has come."""
        self._held += text
        return self._give(final=False)

    def end(self) -> str:
        """What was held back, when no more comes."""
        return self._give(final=True)

    def _give(self, *, final: bool) -> str:
        if self._in_thinking(final=final):
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

    def _in_thinking(self, *, final: bool) -> bool:
        """Drop what was thought; whether the answer is still to come, or what is held may yet begin a thought."""
        if self._may_think:
            start = self._held.lstrip()
            if len(start) < len(THINKING_BEGINS) and THINKING_BEGINS.startswith(start) and not final:
                return True
            self._may_think, self.thinking = False, start.startswith(THINKING_BEGINS)
        if self.thinking:
            before, ended, after = self._held.partition(THINKING_ENDS)
            self.thinking = not ended
            self._held = after if ended else before[-len(THINKING_ENDS) :]
        return self.thinking

    def _ready(self, text: str) -> int:
        """How many characters no later text can change."""
        end = len(text.rstrip())
        if self._dated:
            begun = next((n for n in range(len(TRAINING_TIME), 0, -1) if text.endswith(TRAINING_TIME[:n])), 0)
            end = min(end, len(text) - begun)
        if self._widen and end and text[end - 1] in FULL_WIDTH and end == len(text):
            end -= 1
        return end


def widen(text: str, before: str, after: str) -> str:
    """`text` with `, ! : ; ?` made full-width beside a Chinese character; `before` and `after` stand around it."""
    around = f"{before or ' '}{text}{after}"
    changed = re.sub(
        rf"(?<=[{COMMON_HAN}])[,!:;?]|[,!:;?](?=[{COMMON_HAN}])", lambda mark: FULL_WIDTH[mark.group()], around
    )
    return changed[1 : 1 + len(text)]

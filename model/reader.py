"""A GLM on this machine as a reader: question and sources in, answer out, piece by piece.

Implements `rag.reader.Reader`. Does not know where the model came from or how its weights are held.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from model.families import Family, PromptFormat
from model.generate import generate
from model.prompt import ChatMessage, Prompter, chat_messages
from model.stream import Cleaner, TokenText
from model.tokenizer import Tokenizer
from rag.errors import ReaderError
from rag.reader import ReadRequest, Sampling

THINKING = 0.25  # of the context: set aside for thinking aloud, where a model does that before it answers


class GlmReader:
    """A loaded model, its tokenizer and its prompts.

    `model` is a transformers model and `tokenizer` a `model.tokenizer.Tokenizer`, for whoever needs them; `why` says
    in one sentence how precision and device were chosen. Several answers may be read at a time.
    """

    uses_evidence = False
    writes_markdown = True

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        family: Family,
        *,
        name: str,
        context_tokens: int,
        stop_ids: frozenset[int],
        template: str = "",
        why: str = "",
    ) -> None:
        """`context_tokens`: prompt, thinking and answer; `template`: the checkpoint's own chat template."""
        self.model = model
        self.tokenizer = tokenizer
        self.family = family
        self.name = name
        self.stop_ids = stop_ids
        self.why = why
        self.prompter = Prompter(tokenizer, family.prompt, template)
        self.thinking_tokens = int(THINKING * context_tokens) if self._thinks() else 0
        self.context_tokens = context_tokens - self.thinking_tokens

    @property
    def weight_bytes(self) -> int:
        """Memory that the weights take, bytes."""
        return sum(tensor.nbytes for tensor in (*self.model.parameters(), *self.model.buffers()))

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens."""
        return len(self.tokenizer.encode(text))

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the answer to a question over its sources, in pieces."""
        return self.chat(chat_messages(request), request.sampling, stop)

    def chat(self, messages: Sequence[ChatMessage], sampling: Sampling, stop: threading.Event) -> Iterator[str]:
        """Yield the answer to the last of `messages`, in pieces; ends within one token once `stop` is set.

        `sampling.max_tokens` is the answer's own limit; thinking aloud has `thinking_tokens` beside it. ReaderError
        when it takes all of both.
        """
        ids, room = self.prompter.fit(messages, self.context_tokens, sampling.max_tokens)
        limit = room + self.thinking_tokens
        text = TokenText(self.tokenizer)
        cleaner = Cleaner(self.family.prompt, thinking=self.thinking_tokens > 0)
        thought = answered = 0
        for token in generate(self.model, ids, dataclasses.replace(sampling, max_tokens=limit), self.stop_ids, stop):
            thought, answered = thought + cleaner.thinking, answered + (not cleaner.thinking)
            piece = cleaner.feed(text.feed(token))
            if piece:
                yield piece
            if answered >= room:
                break
        rest = cleaner.end()
        if cleaner.thinking and not stop.is_set():
            raise ReaderError(
                f"{self.name} thought aloud for {thought:,} tokens, of {limit:,} at most, and gave no answer: ask for"
                " less at a time, or choose a model that answers at once, such as GLM-4-9B-0414."
            )
        if rest:
            yield rest

    def _thinks(self) -> bool:
        """Whether prompts end with the model thinking aloud, as the template of GLM-Z1 has it."""
        if self.family.prompt is not PromptFormat.TEMPLATE:
            return False
        ids = self.prompter.ids([ChatMessage("user", "?")])
        tail = b"".join(self.tokenizer.token_bytes(token) for token in ids[-8:])
        return tail.rstrip().endswith(b"<think>")

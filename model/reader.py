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
from model.prompt import Message, Prompter, messages_for
from model.stream import Cleaner, TokenText
from model.tokenizer import Tokenizer
from rag.reader import ReadRequest, Sampling


class GlmReader:
    """A loaded model, its tokenizer and its prompts.

    `model` is a transformers model and `tokenizer` a `model.tokenizer.Tokenizer`, for whoever needs them; `why` says
    in one sentence how precision and device were chosen. Several answers may be read at a time.
    """

    uses_evidence = False

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
        """`context_tokens`: prompt and answer; `template`: the checkpoint's own chat template."""
        self.model = model
        self.tokenizer = tokenizer
        self.family = family
        self.name = name
        self.context_tokens = context_tokens
        self.stop_ids = stop_ids
        self.why = why
        self.prompter = Prompter(tokenizer, family.prompt, template)

    @property
    def weight_bytes(self) -> int:
        """Memory that the weights take, bytes."""
        return sum(tensor.nbytes for tensor in (*self.model.parameters(), *self.model.buffers()))

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens."""
        return len(self.tokenizer.encode(text))

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the answer to a question over its sources, in pieces."""
        return self.chat(messages_for(request), request.sampling, stop)

    def chat(self, messages: Sequence[Message], sampling: Sampling, stop: threading.Event) -> Iterator[str]:
        """Yield the answer to the last of `messages`, in pieces; ends within one token once `stop` is set."""
        ids, room = self.prompter.fit(messages, self.context_tokens, sampling.max_tokens)
        sampling = dataclasses.replace(sampling, max_tokens=room)
        text = TokenText(self.tokenizer)
        cleaner = Cleaner(self.family.prompt, thinking=self._thinks(ids))
        for token in generate(self.model, ids, sampling, self.stop_ids, stop):
            piece = cleaner.feed(text.feed(token))
            if piece:
                yield piece
        rest = cleaner.end()
        if rest:
            yield rest

    def _thinks(self, ids: Sequence[int]) -> bool:
        """Whether the prompt ends with the model thinking aloud, as the template of GLM-Z1 does."""
        if self.family.prompt is not PromptFormat.TEMPLATE:
            return False
        tail = b"".join(self.tokenizer.token_bytes(token) for token in ids[-8:])
        return tail.rstrip().endswith(b"<think>")

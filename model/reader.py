"""A GLM on this machine as a reader: implements `rag.reader.Reader` with a loaded model.

Does not know where the model came from, or how its weights are stored.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model.batch import Batch
from model.families import Family, KvPrecision, PromptFormat, SamplingDefaults
from model.learned_prefix import LearnedPrefix
from model.prompt import ChatMessage, Prompter, chat_messages
from model.prompt_cache import PromptBlocks
from model.sampling import completed
from model.stream import Cleaner, TokenText
from model.tokenizer import Tokenizer
from rag.errors import ReaderError, answer_too_long
from rag.messages import Message
from rag.reader import NOT_SHARED, Prompt, PromptCacheUsage, PromptScopes, ReadRequest, Sampling

NO_REASON = Message("")
REASONING_SHARE = 0.25  # share of the context reserved for reasoning, by models that reason before they answer


@dataclass
class Usage:
    """What an answer has taken, in tokens."""

    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt, that had been read before
    completion_tokens: int = 0  # including reasoning


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How a loaded model reads and answers."""

    context_tokens: int  # longest prompt, reasoning and answer together
    stop_ids: frozenset[int] = frozenset()  # tokens that end an answer
    template: str = ""  # chat template of the checkpoint, "" if it has none
    sampling: SamplingDefaults | None = None  # for numbers that nobody chose; None: the family's
    prompt_cache_bytes: int = 0  # memory for what is kept of prompts
    kv: KvPrecision = KvPrecision.FULL  # of keys and values


class GlmReader:
    """A loaded model, its tokenizer and its prompts.

    `model` is the transformers model; `why` says in one sentence how precision and device were chosen. Thread-safe:
    several answers are generated together.
    """

    quotes_evidence = False
    writes_markdown = True

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        family: Family,
        settings: ReaderSettings,
        *,
        name: str,
        why: Message = NO_REASON,
        prefix: LearnedPrefix = (),
    ) -> None:
        """`name`: as people see it; `prefix`: of an adapter, placed before every prompt."""
        self.model = model
        self.tokenizer = tokenizer
        self.family = family
        self.name = name
        self.stop_ids = settings.stop_ids
        self.prefix = prefix
        self.sampling = settings.sampling or family.sampling
        self.batch = Batch(model, prefix, prompt_cache_bytes=settings.prompt_cache_bytes, kv=settings.kv)
        self.why = why
        self.prompter = Prompter(tokenizer, family.prompt, settings.template)
        self.reasoning_tokens = int(REASONING_SHARE * settings.context_tokens) if self._always_reasons() else 0
        self.context_tokens = settings.context_tokens - self.reasoning_tokens

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights, in bytes."""
        return sum(tensor.nbytes for tensor in (*self.model.parameters(), *self.model.buffers()))

    def completed(self, sampling: Sampling) -> Sampling:
        """`sampling`, with numbers that nobody chose as the model's makers recommend them."""
        return completed(sampling, self.sampling)

    @property
    def prompt_cache_usage(self) -> PromptCacheUsage:
        """How much is kept of the prompts so far."""
        return self.batch.prompt_cache.usage

    def clear_prompt_cache(self) -> None:
        """Drop everything kept of prompts."""
        self.batch.prompt_cache.clear()

    def forget_document(self, document_id: str) -> None:
        """Drop what is kept of a document's sources, and of all conversations, since they may repeat its words."""
        self.batch.prompt_cache.forget(document_id)

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens."""
        return len(self.tokenizer.encode(text))

    def prompt(self, request: ReadRequest) -> Prompt:
        """The prompt that `answer` reads for a request, without the turns that do not fit."""
        messages = self._messages(request)
        kept, ids = self.prompter.fitting(messages, self.context_tokens - request.sampling.max_tokens)
        known = self.batch.prompt_cache.known(self._blocks(messages, ids, request.scopes))
        return Prompt(self.prompter.text(kept), len(ids), known)

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the answer to a question from its sources, in pieces. Raises ReaderError and AnswerCut."""
        return self.chat(self._messages(request), request.sampling, stop, scopes=request.scopes)

    def _messages(self, request: ReadRequest) -> list[ChatMessage]:
        return chat_messages(request, instructed=not self.family.fills_blanks)

    def _blocks(self, messages: Sequence[ChatMessage], ids: list[int], scopes: PromptScopes) -> PromptBlocks:
        common = 0 if scopes == NOT_SHARED else self.prompter.common_tokens(messages, ids)
        return PromptBlocks(ids, scopes, common)

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        stop: threading.Event,
        usage: Usage | None = None,
        scopes: PromptScopes = NOT_SHARED,
    ) -> Iterator[str]:
        """Yield the answer to the last of `messages`, in pieces; ends within one token once `stop` is set.

        `usage` is counted up while the answer comes; what is computed may be shared among `scopes`.
        `sampling.max_tokens` limits the answer alone; reasoning has `reasoning_tokens` of its own. Raises ReaderError
        if the model reasons until both are used up, AnswerCut after the last piece of an answer that reached its limit.
        """
        ids, room = self.prompter.fit(messages, self.context_tokens, sampling.max_tokens)
        limit = room + self.reasoning_tokens
        usage = usage or Usage()
        usage.prompt_tokens = len(ids)
        text = TokenText(self.tokenizer)
        cleaner = Cleaner(self.family.prompt, reasoning=self.reasoning_tokens > 0)
        reasoned = answered = 0
        at_limit = False
        # One token more than allowed distinguishes a complete answer from one that is cut off.
        sampling = dataclasses.replace(self.completed(sampling), max_tokens=limit + 1)
        blocks = self._blocks(messages, ids, scopes)
        for token in self.batch.generate(blocks, sampling, self.stop_ids, stop):
            usage.cached_tokens = blocks.reused
            at_limit = answered == room or reasoned + answered == limit
            if at_limit:
                break
            usage.completion_tokens += 1
            reasoned, answered = reasoned + cleaner.reasoning, answered + (not cleaner.reasoning)
            if piece := cleaner.feed(text.feed(token)):
                yield piece
        rest = cleaner.end()
        if cleaner.reasoning and not stop.is_set():
            raise ReaderError(
                "{reader} reasoned for {tokens:,} of at most {limit:,} tokens and gave no answer: ask for less at a"
                " time, or choose a model that answers at once, such as GLM-4-9B-0414.",
                reader=self.name,
                tokens=reasoned,
                limit=limit,
            )
        if rest:
            yield rest
        if at_limit and not stop.is_set():
            raise answer_too_long(room)

    def _always_reasons(self) -> bool:
        """Whether the chat template ends prompts with <think>, as GLM-Z1's does."""
        if self.family.prompt is not PromptFormat.TEMPLATE:
            return False
        ids = self.prompter.ids([ChatMessage("user", "?")])
        tail = b"".join(self.tokenizer.token_bytes(token) for token in ids[-8:])
        return tail.rstrip().endswith(b"<think>")

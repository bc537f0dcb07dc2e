"""Answers of several people generated together, one step of the model over all of them.

A sequence joins when its prompt has been read and leaves with its last token, while the others go on (iteration-level
scheduling: Yu et al. 2022, "Orca", OSDI). Prompts are read one after another, in chunks; between two chunks those who
are being answered get their next tokens, for at most half the time that the chunk took, so that neither waits for
long (Agrawal et al. 2024, "Sarathi-Serve", OSDI, with time in place of tokens).

One thread runs the model, as long as somebody waits for a token. Does not know text or prompts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from transformers.cache_utils import Cache

from model.assemble import dimensions_of
from model.device import free_bytes, torch_errors
from model.families import KvPrecision
from model.generate import DECODING, PREFILL, PromptStopped, forward, last_positions, read_prompt
from model.kv_cache import preallocated_cache
from model.learned_prefix import LearnedPrefix, learned_tokens
from model.prompt_cache import BLOCK, PromptBlocks, PromptCache
from model.ragged import RaggedCache, ragged_attention, supports_ragged
from model.sampling import make_sampler
from rag.bugs import bugs_become
from rag.errors import AskError, OutOfMemory, ReaderError
from rag.reader import Sampling

MAX_SEQUENCES: Final = 16  # generated at a time; others wait
POLL_SECONDS: Final = 0.05  # between two looks at whether an answer was stopped, while it waits for a token
DECODING_SHARE: Final = 0.5  # of the time of a chunk of a prompt: what answers being written get before the next chunk
CACHE_SHARE: Final = 0.8  # of the memory that is free while nothing is generated: for keys and values


@dataclass(frozen=True, slots=True)
class _Ended:
    """There are no more tokens; `error` is why, if something went wrong."""

    error: AskError | None = None


@dataclass(eq=False)
class _Sequence:
    """One answer that is being generated, or waits."""

    blocks: PromptBlocks  # of the prompt and, as they come, of the answer
    sampling: Sampling
    stop_ids: frozenset[int]
    stop: threading.Event
    tokens: queue.SimpleQueue[int | _Ended] = field(default_factory=queue.SimpleQueue)
    is_left: bool = False  # nobody takes its tokens any more
    cache: Cache | None = None
    chunks: Iterator[torch.Tensor] | None = None  # of the prompt, while it is read
    logits: torch.Tensor | None = None  # (vocab,) of the next token
    given: int = 0  # tokens of the answer
    retried: bool = False

    def __post_init__(self) -> None:
        self.ids = self.blocks.ids
        self.capacity = len(self.ids) + self.sampling.max_tokens  # tokens
        self.sample = make_sampler(self.sampling, self.ids)

    def stopped(self) -> bool:
        """Whether its tokens are not wanted any more."""
        return self.is_left or self.stop.is_set()

    def end(self, error: AskError | None = None) -> None:
        """Give no more tokens, and let go of the memory."""
        self.cache = self.chunks = self.logits = None
        self.tokens.put(_Ended(error))


class Batch:
    """What generates all answers of one model. Thread-safe."""

    def __init__(
        self,
        model: Any,
        prefix: LearnedPrefix = (),
        *,
        most: int = MAX_SEQUENCES,
        prompt_cache_bytes: int = 0,
        kv: KvPrecision = KvPrecision.FULL,
    ) -> None:
        """`model`: of transformers; `prefix`: of an adapter, in front of every prompt; `most`: sequences generated at
        a time; `prompt_cache_bytes`: memory for what is kept of prompts; `kv`: of keys and values.
        """
        self.prompt_cache = PromptCache(model, prompt_cache_bytes)
        self._model, self._prefix, self._most, self._kv = model, prefix, most, kv
        self._together = supports_ragged(model)
        self._token_bytes = dimensions_of(model.config).kv_bytes_per_token(model.dtype.itemsize, kv)
        self._condition = threading.Condition()  # guards the lists of waiting ones, and the thread
        self._waiting: list[_Sequence] = []
        self._working = False
        self._reading: list[_Sequence] = []  # these two belong to the thread
        self._writing: list[_Sequence] = []
        self._budget: int | None = None  # bytes for keys and values; None: unknown

    @property
    def counts(self) -> tuple[int, int]:
        """How many answers are being generated, and how many wait for memory or for their turn."""
        with self._condition:
            return len(self._reading) + len(self._writing), len(self._waiting)

    def generate(
        self, prompt: Sequence[int] | PromptBlocks, sampling: Sampling, stop_ids: frozenset[int], stop: threading.Event
    ) -> Iterator[int]:
        """Yield the tokens that follow a prompt, until one of `stop_ids`, `sampling.max_tokens` or `stop`.

        What is computed for a prompt given as blocks is kept for its scopes, and that for one given as ids for nobody.
        A closed or dropped iterator leaves the batch. Raises ReaderError, and OutOfMemory when the prompt does not fit
        the device.
        """
        if stop.is_set() or sampling.max_tokens < 1:
            return
        blocks = prompt if isinstance(prompt, PromptBlocks) else PromptBlocks(list(prompt))
        sequence = _Sequence(blocks, sampling, stop_ids, stop)
        self._enter(sequence)
        try:
            while not stop.is_set():
                try:
                    token = sequence.tokens.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if isinstance(token, int):
                    yield token
                elif token.error is None:
                    return
                else:
                    raise token.error
        finally:
            sequence.is_left = True

    def _enter(self, sequence: _Sequence) -> None:
        with self._condition:
            self._waiting.append(sequence)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="generating", daemon=True).start()

    # ---- the thread

    def _work(self) -> None:
        """Generate until nobody waits for a token."""
        try:
            with _errors_told():
                while self._admit():
                    read_seconds = self._read()
                    ends = time.perf_counter() + DECODING_SHARE * read_seconds
                    while self._write() and time.perf_counter() < ends:
                        pass
        except AskError as error:
            self._fail(error)

    def _fail(self, error: AskError) -> None:
        """Give up: no answer goes on."""
        with self._condition:
            for sequence in (*self._reading, *self._writing, *self._waiting):
                sequence.end(error)
            self._reading, self._writing, self._waiting = [], [], []
            self._working = False

    def _admit(self) -> bool:
        """Take in those who wait, as far as memory goes; False when there is nothing to do, and the thread ends."""
        with self._condition:
            self._reading = _wanted(self._reading)
            self._writing = _wanted(self._writing)
            self._waiting = _wanted(self._waiting)
            while self._waiting and self._has_room(self._waiting[0]):
                self._reading.append(self._waiting.pop(0))
            if self._budget is not None:  # answers come before what is kept
                self.prompt_cache.allow(self._budget - self._needed([*self._reading, *self._writing]))
            self._working = bool(self._reading or self._writing)
            return self._working

    def _has_room(self, sequence: _Sequence) -> bool:
        """Whether its keys and values fit beside those of the others; the first may try in any case."""
        others = [*self._reading, *self._writing]
        if not others:
            free = free_bytes(self._model.device)
            self._budget = None if free is None else int((free + self.prompt_cache.usage.bytes) * CACHE_SHARE)
            return True
        fits = self._budget is None or self._needed([*others, sequence]) <= self._budget
        return fits and len(others) < self._most

    def _needed(self, sequences: Sequence[_Sequence]) -> int:
        """The bytes of their keys and values."""
        return int(self._token_bytes) * sum(one.capacity for one in sequences)

    def _read(self) -> float:
        """Read a chunk of the prompt of whoever came first; the seconds that it took."""
        if not self._reading:
            return 0.0
        began = time.perf_counter()
        sequence = self._reading[0]
        try:
            with _errors_told(), torch_errors(PREFILL):
                if self._read_chunk(sequence):
                    return time.perf_counter() - began
        except PromptStopped:
            sequence.end()
        except AskError as error:
            if isinstance(error, OutOfMemory) and self._gives_back_for(sequence):
                return time.perf_counter() - began
            sequence.end(error)
        else:
            self._writing.append(sequence)
        self._reading.remove(sequence)
        return time.perf_counter() - began

    def _gives_back_for(self, sequence: _Sequence) -> bool:
        """Let go of what is kept of other prompts and begin again, once; False if nothing is kept."""
        if sequence.retried or not self.prompt_cache.clear():
            return False
        sequence.cache, sequence.chunks, sequence.retried = None, None, True
        return True

    def _read_chunk(self, sequence: _Sequence) -> bool:
        """Read the next chunk of its prompt; whether there is another."""
        if sequence.cache is None or sequence.chunks is None:
            sequence.cache = preallocated_cache(self._model.config, sequence.capacity, self._prefix, self._kv)
            self.prompt_cache.restore(sequence.blocks, sequence.cache)
            sequence.chunks = read_prompt(self._model, list(sequence.ids), sequence.cache, sequence.stopped)
        sequence.logits = next(sequence.chunks)
        self.prompt_cache.keep(sequence.blocks, sequence.cache)
        return int(sequence.cache.get_seq_length()) - learned_tokens(sequence.cache) < len(sequence.ids)

    def _write(self) -> bool:
        """Give everybody who is being answered the next token; whether anybody is left."""
        for sequence in self._writing:
            self._give(sequence)
        self._writing = [one for one in _wanted(self._writing) if one.cache is not None]
        if self._writing:
            try:
                with _errors_told(), torch_errors(DECODING):
                    self._step()
                    self._keep_answers()
            except AskError as error:
                self.prompt_cache.clear()
                for sequence in self._writing:
                    sequence.end(error)
                self._writing = []
        return bool(self._writing)

    def _keep_answers(self) -> None:
        """Keep what has been computed of answers whenever it fills a block."""
        for one in self._writing:
            if one.cache is not None and len(one.ids) % BLOCK == 0:
                self.prompt_cache.keep(one.blocks, one.cache)

    def _give(self, sequence: _Sequence) -> None:
        """Sample the next token of a sequence, which may end it."""
        assert sequence.logits is not None
        try:
            with _errors_told(), torch_errors(DECODING):
                token = sequence.sample(sequence.logits)
        except AskError as error:
            sequence.end(error)
            return
        if token in sequence.stop_ids:
            sequence.end()
            return
        sequence.tokens.put(token)
        sequence.ids.append(token)
        sequence.given += 1
        if sequence.given == sequence.sampling.max_tokens:
            sequence.end()

    @torch.inference_mode()
    def _step(self) -> None:
        """Compute the logits of the next tokens of all who are being answered."""
        sequences = self._writing
        # On a CPU alone, too: it attends to keys and values as they are; transformers repeats them for all heads.
        alone = len(sequences) == 1 and self._model.device.type != "cpu"
        if alone or not self._together:
            for one in sequences:
                assert one.cache is not None
                one.logits = forward(self._model, one.ids, 1, one.cache)
            return
        caches = [one.cache for one in sequences if one.cache is not None]
        positions = [
            last_positions(self._model, one.ids, 1, cache) for one, cache in zip(sequences, caches, strict=True)
        ]
        with ragged_attention(self._model):
            output = self._model(
                input_ids=torch.tensor([[one.ids[-1]] for one in sequences], device=self._model.device),
                position_ids=torch.cat(positions),
                past_key_values=RaggedCache(caches),
                use_cache=True,
                logits_to_keep=1,
            )
        logits = output.logits[:, -1].float().cpu()
        for one, row in zip(sequences, logits, strict=True):
            one.logits = row


def _wanted(sequences: Sequence[_Sequence]) -> list[_Sequence]:
    """Those whose tokens are still wanted; the others end."""
    for sequence in sequences:
        if sequence.stopped():
            sequence.end()
    return [sequence for sequence in sequences if not sequence.stopped()]


def _errors_told() -> Any:
    bug = ReaderError("The model failed because of an error in the program; see the log.")
    return bugs_become(bug, PromptStopped)

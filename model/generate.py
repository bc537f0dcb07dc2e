"""Generates the tokens of one answer: the prompt in chunks, then one step per token, interruptible at any time.

`generate` has no second thread and no queue: each `next()` computes one token in the caller's thread. So an exception
reaches the caller as it is, an iterator that is closed or dropped stops computing, and nothing can time out.
`model.batch` generates several answers together from the same parts. Does not know text or prompts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from model.device import torch_errors
from model.families import BIDIRECTIONAL_TYPES
from model.learned_prefix import LearnedPrefix, begin_with, learned_tokens
from model.memory import PROMPT_CHUNK
from model.sampling import make_sampler
from rag.messages import Message
from rag.reader import Sampling

PREFILL = Message("reading the prompt")
DECODING = Message("answering")


class PromptStopped(Exception):
    """The person pressed Stop while the prompt was being read."""


class PreallocatedLayer(DynamicLayer):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """KV cache of one layer in memory allocated once, so that appending a token copies nothing."""

    def __init__(self, memory: CacheMemory) -> None:
        """`memory`: shared by the layers of one cache."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory = memory
        self._store: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (batch, heads, new, channels) each; returns all keys and values, (batch, heads, length, channels)."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._store is None:
            self._store = (self._memory.take(key_states), self._memory.take(value_states))
            self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        for store, states in zip(self._store, (key_states, value_states), strict=True):
            store[:, :, start:end] = states
        self.keys, self.values = (store[:, :, :end] for store in self._store)
        return self.keys, self.values


class CacheMemory:
    """One allocation for the keys and values of all layers, so that the heap does not fragment between them."""

    def __init__(self, capacity: int, count: int) -> None:
        """`capacity`: tokens of prompt and answer; `count`: tensors that will be taken from it."""
        self._capacity = capacity
        self._count = count
        self._free: list[torch.Tensor] = []

    def take(self, states: torch.Tensor) -> torch.Tensor:
        """Uninitialised (batch, heads, capacity, channels) of the dtype and device of `states`."""
        batch, heads, _, channels = states.shape
        shape = (batch, heads, self._capacity, channels)
        if states.device.type != "cpu":  # torch's allocator does not fragment there, and layers may be on several GPUs
            return states.new_empty(shape)
        if not self._free:
            self._free = list(states.new_empty(self._count, *shape))
        found = self._free.pop()
        return found if found.shape == shape else states.new_empty(shape)


def preallocated_cache(config: Any, capacity: int, prefix: LearnedPrefix = ()) -> Cache:
    """A KV cache for `capacity` tokens behind a learned prefix.

    Layers other than plain attention keep the class transformers gives them.
    """
    cache = DynamicCache(config=config)
    plain = [type(layer) is DynamicLayer for layer in cache.layers]
    learned = prefix[0][0].shape[-2] if prefix else 0
    memory = CacheMemory(learned + capacity, 2 * sum(plain))
    cache.layers = [PreallocatedLayer(memory) if own else layer for layer, own in zip(cache.layers, plain, strict=True)]
    return begin_with(cache, prefix)


def generate(
    model: Any,
    ids: Sequence[int],
    sampling: Sampling,
    stop_ids: frozenset[int],
    stop: threading.Event,
    *,
    chunk: int = PROMPT_CHUNK,
) -> Iterator[int]:
    """Yield the tokens that follow `ids`, until one of `stop_ids`, `sampling.max_tokens` or `stop`.

    `chunk`: tokens of the prompt per forward pass. Raises ReaderError, and OutOfMemory when the prompt does not fit
    the device.
    """
    if stop.is_set() or sampling.max_tokens < 1:
        return
    sample = make_sampler(sampling, ids)
    cache = preallocated_cache(model.config, len(ids) + sampling.max_tokens)
    all_ids = list(ids)
    try:
        with torch_errors(PREFILL):
            *_, logits = read_prompt(model, all_ids, cache, stop.is_set, chunk)
    except PromptStopped:
        return
    for _ in range(sampling.max_tokens - 1):
        with torch_errors(DECODING):
            token = sample(logits)
        if token in stop_ids:
            return
        yield token
        if stop.is_set():
            return
        all_ids.append(token)
        with torch_errors(DECODING):
            logits = forward(model, all_ids, 1, cache)
    with torch_errors(DECODING):
        token = sample(logits)
    if token not in stop_ids:
        yield token


def read_prompt(
    model: Any, ids: list[int], cache: Cache, stopped: Callable[[], bool], chunk: int = PROMPT_CHUNK
) -> Iterator[torch.Tensor]:
    """Fill the cache with what it lacks of the prompt; after each chunk, its logits, (vocab,) float32 on the CPU.

    The last are those after the prompt. A prompt of the first generations attends in both directions, so it goes
    through in one pass. Raises PromptStopped.
    """
    if model.config.model_type in BIDIRECTIONAL_TYPES:
        chunk = len(ids)
    for start in range(int(cache.get_seq_length()) - learned_tokens(cache), len(ids), chunk):
        part = ids[: start + chunk]
        with _stoppable_between_layers(model, stopped):
            logits = forward(model, part, len(part) - start, cache)
        yield logits


@torch.inference_mode()
def forward(model: Any, ids: list[int], new: int, cache: Cache) -> torch.Tensor:
    """Run the last `new` of all `ids` through the model; logits of the next token, (vocab,) float32 on the CPU."""
    inputs = {"input_ids": torch.tensor([ids[-new:]], device=model.device), "past_key_values": cache}
    if model.config.model_type in BIDIRECTIONAL_TYPES:
        inputs["position_ids"] = last_positions(model, ids, new, cache)
    output = model(**inputs, use_cache=True, logits_to_keep=1)
    return torch.as_tensor(output.logits[0, -1].float().cpu())


def last_positions(model: Any, ids: list[int], new: int, cache: Cache) -> torch.Tensor:
    """The positions of the last `new` of all `ids`, (1, new), or (1, 2, new) for the first generations.

    A learned prefix takes the first positions, except in the first generations.
    """
    if model.config.model_type in BIDIRECTIONAL_TYPES:  # their positions depend on the whole prompt
        all_ids = torch.tensor([ids], device=model.device)
        inputs = model.prepare_inputs_for_generation(all_ids, next_sequence_length=new)
        return torch.as_tensor(inputs["position_ids"])
    end = learned_tokens(cache) + len(ids)
    return torch.arange(end - new, end, device=model.device)[None]


@contextmanager
def _stoppable_between_layers(model: Any, stopped: Callable[[], bool]) -> Iterator[None]:
    """Raise PromptStopped between two layers once `stopped`: one chunk of a prompt takes seconds on a CPU.

    Several answers may run on one model at the same time, so the hook acts in its own thread only.
    """
    own_thread = threading.get_ident()

    def check(*_: Any) -> None:
        if threading.get_ident() == own_thread and stopped():
            raise PromptStopped

    layers = getattr(model, model.base_model_prefix).layers
    hooks = [layer.register_forward_pre_hook(check) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

"""Tokens one after another: the prompt in chunks, then one step a token, stopped at once when asked.

There is no second thread and no queue: each `next()` computes one token in the caller's thread. So an exception
reaches the caller as it is, an iterator that is closed or forgotten stops computing, and nothing can time out.
Does not know text or prompts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from model.device import failures
from rag.errors import ReaderError
from rag.reader import Sampling

PROMPT_CHUNK = 512  # tokens of a prompt that go through the model at a time
LIKELIEST = 1024  # tokens looked at first for the smallest set with `top_p` of the probability


class _Stopped(Exception):
    """The person pressed Stop while the prompt was read."""


class ReservedLayer(DynamicLayer):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """Keys and values of one layer in memory set aside once: growing by a token copies nothing."""

    def __init__(self, pool: Pool) -> None:
        """`pool`: what the layers of one cache share."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._pool = pool
        self._store: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add (batch, heads, new, channels) and return all so far, (batch, heads, length, channels) each."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._store is None:
            self._store = (self._pool.take(key_states), self._pool.take(value_states))
            self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        for store, states in zip(self._store, (key_states, value_states), strict=True):
            store[:, :, start:end] = states
        self.keys, self.values = (store[:, :, :end] for store in self._store)
        return self.keys, self.values


class Pool:
    """Memory for the keys and values of all layers in one piece, so that nothing else comes to lie between them."""

    def __init__(self, capacity: int, count: int) -> None:
        """`capacity`: tokens, prompt and answer; `count`: tensors that will be asked for."""
        self._capacity = capacity
        self._count = count
        self._free: list[torch.Tensor] = []

    def take(self, states: torch.Tensor) -> torch.Tensor:
        """Room for `capacity` tokens like `states`, (batch, heads, capacity, channels)."""
        batch, heads, _, channels = states.shape
        shape = (batch, heads, self._capacity, channels)
        if not self._free:
            self._free = list(states.new_empty(self._count, *shape))
        found = self._free.pop()
        return found if found.shape == shape else states.new_empty(shape)


def reserved_cache(config: Any, capacity: int) -> Cache:
    """A cache for `capacity` tokens; layers that are not plain attention keep the library's own kind."""
    cache = DynamicCache(config=config)
    plain = [type(layer) is DynamicLayer for layer in cache.layers]
    pool = Pool(capacity, 2 * sum(plain))
    cache.layers = [ReservedLayer(pool) if ours else layer for layer, ours in zip(cache.layers, plain, strict=True)]
    return cache


def generate(
    model: Any,
    ids: Sequence[int],
    sampling: Sampling,
    stop_ids: frozenset[int],
    stop: threading.Event,
    *,
    chunk: int = PROMPT_CHUNK,
) -> Iterator[int]:
    """Yield the tokens that follow `ids`, up to one of `stop_ids`, `sampling.max_tokens` or `stop`.

    Raises ReaderError with one sentence; OutOfMemory when the prompt does not fit the device.
    """
    if stop.is_set() or sampling.max_tokens < 1:
        return
    draw = drawer(sampling)
    cache = reserved_cache(model.config, len(ids) + sampling.max_tokens)
    every = list(ids)
    try:
        with failures("reading the prompt"):
            scores = _read_prompt(model, every, cache, stop, chunk)
    except _Stopped:
        return
    for _ in range(sampling.max_tokens - 1):
        with failures("answering"):
            token = draw(scores)
        if token in stop_ids:
            return
        yield token
        if stop.is_set():
            return
        every.append(token)
        with failures("answering"):
            scores = _step(model, every, 1, cache)
    with failures("answering"):
        token = draw(scores)
    if token not in stop_ids:
        yield token


def _read_prompt(model: Any, ids: list[int], cache: Cache, stop: threading.Event, chunk: int) -> torch.Tensor:
    """Feed the prompt; scores after its last token. A first-generation prompt sees both ways and goes in whole."""
    if model.config.model_type == "chatglm1":
        chunk = len(ids)
    scores = torch.empty(0)
    with _checked_at_each_layer(model, stop):
        for start in range(0, len(ids), chunk):
            part = ids[: start + chunk]
            scores = _step(model, part, len(part) - start, cache)
    return scores


@torch.inference_mode()
def _step(model: Any, ids: list[int], new: int, cache: Cache) -> torch.Tensor:
    """Run the last `new` of all `ids` through the model; float32 scores for the next token, (vocab,) on the CPU."""
    device = model.device
    if model.config.model_type == "chatglm1":  # its positions depend on the whole prompt
        every = torch.tensor([ids], device=device)
        inputs = model.prepare_inputs_for_generation(every, next_sequence_length=new, past_key_values=cache)
        inputs.pop("logits_to_keep")
    else:
        inputs = {"input_ids": torch.tensor([ids[-new:]], device=device), "past_key_values": cache}
    output = model(**{**inputs, "use_cache": True, "logits_to_keep": 1})
    return torch.as_tensor(output.logits[0, -1].float().cpu())


@contextmanager
def _checked_at_each_layer(model: Any, stop: threading.Event) -> Iterator[None]:
    """Raise _Stopped between two layers once `stop` is set: a chunk of a prompt takes seconds on a CPU.

    Several answers may run on one model at a time; each minds its own thread only.
    """
    mine = threading.get_ident()

    def check(*_: Any) -> None:
        if threading.get_ident() == mine and stop.is_set():
            raise _Stopped

    layers = getattr(model, model.base_model_prefix).layers
    hooks = [layer.register_forward_pre_hook(check) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def drawer(sampling: Sampling) -> Callable[[torch.Tensor], int]:
    """A function from scores (vocab,) to the next token; on the CPU, so that a seed means the same everywhere."""
    generator = torch.Generator()
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)

    def draw(scores: torch.Tensor) -> int:
        if not bool(torch.isfinite(scores).all()):
            raise ReaderError("The model gave no usable scores, as fp16 can overflow; choose the precision bf16.")
        if sampling.temperature <= 0:
            return int(scores.argmax())
        tokens, probabilities = nucleus(scores / sampling.temperature, sampling.top_p)
        return int(tokens[torch.multinomial(probabilities, 1, generator=generator)])

    return draw


def nucleus(scores: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest set of tokens with a probability of at least `top_p`, and their shares, likeliest first.

    Top-p sampling (Holtzman et al. 2020, arXiv:1904.09751). Sorts the whole vocabulary only when it has to.
    """
    total = scores.logsumexp(0)
    for count in (min(LIKELIEST, len(scores)), len(scores)):
        best, tokens = scores.topk(count)
        probabilities = (best - total).exp()
        before = probabilities.cumsum(0) - probabilities
        kept = int((before < top_p).sum())
        if kept < count:
            break
    kept = max(kept, 1)
    return tokens[:kept], probabilities[:kept]

"""Generates the tokens of one answer: the prompt in chunks, then one step per token; it can be interrupted at any time.

`generate` has no second thread and no queue: each `next()` computes one token in the caller's thread. So exceptions
reach the caller unchanged, an iterator that is closed or dropped stops computing, and nothing can time out.
`model.batch` generates several answers together from the same parts. Does not know text or prompts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import Cache

from model.device import torch_errors
from model.families import BIDIRECTIONAL_TYPES
from model.kv_cache import preallocated_cache
from model.learned_prefix import learned_tokens
from model.memory import PROMPT_CHUNK
from model.sampling import make_sampler
from rag.messages import Message
from rag.reader import Sampling

PREFILL = Message("reading the prompt")
DECODING = Message("answering")


class PromptStopped(Exception):
    """The person pressed Stop while the prompt was being read."""


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
    """Fill the cache with the rest of the prompt; after each chunk, yield its logits, (vocab,) float32 on the CPU.

    The last ones are those after the prompt. The first generations attend to a prompt in both directions, so it goes
    through in one pass. Raises PromptStopped.
    """
    if model.config.model_type in BIDIRECTIONAL_TYPES:
        chunk = len(ids)
    for start in range(int(cache.get_seq_length()) - learned_tokens(cache), len(ids), chunk):
        part = ids[: start + chunk]
        with stoppable_between_layers(model, stopped):
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
def stoppable_between_layers(model: Any, stopped: Callable[[], bool]) -> Iterator[None]:
    """Raise PromptStopped between two layers once `stopped`: one chunk of a prompt takes seconds on a CPU.

    Several answers may run on one model at the same time, so the hook only acts in its own thread.
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

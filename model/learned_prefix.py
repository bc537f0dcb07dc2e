"""A learned prefix: keys and values that every layer attends to before those of the prompt (P-Tuning v2).

Liu et al. 2022, arXiv:2110.07602, call it deep prompt tuning. The prefix takes the first places of the KV cache.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from model.families import BIDIRECTIONAL_TYPES

# Keys and values of each layer, (1, heads, tokens, channels).
LearnedPrefix = tuple[tuple[torch.Tensor, torch.Tensor], ...]


def learned_tokens(cache: Cache | None) -> int:
    """How many places of a cache a learned prefix takes."""
    return int(getattr(cache, "learned_tokens", 0))


def begin_with(cache: Cache, prefix: LearnedPrefix) -> Cache:
    """Put a prefix into an empty cache, and return it."""
    for layer, (keys, values) in enumerate(prefix):
        cache.update(keys, values, layer)
    cache.learned_tokens = prefix[0][0].shape[-2] if prefix else 0  # type: ignore[attr-defined]
    return cache


class _PrefixLayer(DynamicLayer):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """A prefix in front of whatever it is given, which it does not keep."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values = keys, values
        self._kept = (keys, values)
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, heads, new, channels) each -> the same with the prefix in front, (batch, heads, tokens + new, …)."""
        kept = (one.expand(len(key_states), -1, -1, -1) for one in self._kept)
        return tuple(torch.cat(both, dim=-2) for both in zip(kept, (key_states, value_states), strict=True))  # type: ignore[return-value]


class PrefixOnly(Cache):
    """A cache that never holds anything but a prefix, so that a layer can be computed twice (checkpointing)."""

    def __init__(self, prefix: LearnedPrefix) -> None:
        super().__init__(layers=[_PrefixLayer(*both) for both in prefix])
        self.learned_tokens = prefix[0][0].shape[-2]


def inputs_behind(model: Any, ids: torch.Tensor, prefix: LearnedPrefix) -> dict[str, Any]:
    """Inputs of a model for one pass over all of `ids` (1, length) after a prefix, which may be empty."""
    if not prefix:
        return {"input_ids": ids, "use_cache": False}
    cache = PrefixOnly(prefix)
    if model.config.model_type not in BIDIRECTIONAL_TYPES:
        return {"input_ids": ids, "past_key_values": cache, "use_cache": True}
    # Positions depend on the whole prompt.
    inputs: dict[str, Any] = model.prepare_inputs_for_generation(ids, past_key_values=cache, use_cache=True)
    del inputs["logits_to_keep"]
    return inputs

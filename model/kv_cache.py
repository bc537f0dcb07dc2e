"""KV caches in memory that is allocated once, with keys and values as they are computed or in INT8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from model.families import KvPrecision
from model.learned_prefix import LearnedPrefix, begin_with

Parts = tuple[torch.Tensor, ...]  # what a layer stores of some tokens, which are the last dimension but one of each


@dataclass(frozen=True, slots=True)
class Int8States:
    """Keys or values in INT8, each token of each head with a scale of its own."""

    values: torch.Tensor  # (batch, heads, length, channels) int8
    scales: torch.Tensor  # (batch, heads, length, 1), of the dtype in which the model computes

    @classmethod
    def quantised(cls, states: torch.Tensor) -> Int8States:
        """(batch, heads, length, channels), quantised: the largest channel of a token and head becomes 127."""
        largest = states.abs().amax(-1, keepdim=True).float()
        scales = (largest / 127).clamp(min=torch.finfo(states.dtype).tiny).to(states.dtype)
        values = (states.float() / scales.float()).round_().clamp_(-127, 127)
        return cls(values.to(torch.int8), scales)

    @property
    def shape(self) -> torch.Size:
        """(batch, heads, length, channels)."""
        return self.values.shape

    def dense(self) -> torch.Tensor:
        """The states, (batch, heads, length, channels) in the dtype of the scales."""
        return self.values.to(self.scales.dtype).mul_(self.scales)


States = torch.Tensor | Int8States  # keys or values of a layer


class PreallocatedLayer(DynamicLayer):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """KV cache of one layer in memory allocated once, so that appending a token copies nothing."""

    def __init__(self, memory: CacheMemory) -> None:
        """`memory`: shared by the layers of one cache."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory = memory
        self._stores: Parts = ()
        self._length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (batch, heads, new, channels) each; returns all keys and values, (batch, heads, length, channels)."""
        keys, values = self.append(key_states, value_states)
        return _dense(keys), _dense(values)

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[States, States]:
        """Like `update`, but returns keys and values as they are stored."""
        self.put(self._encoded(keys, values))
        return self._decoded(self.taken(0, self._length))

    def put(self, parts: Parts) -> None:
        """Append tokens of another layer of this kind, as returned by `taken`."""
        if not self._stores:
            self._stores = self._memory.take(parts)
            self.dtype, self.device, self.is_initialized = parts[0].dtype, parts[0].device, True
        start, self._length = self._length, self._length + parts[0].shape[-2]
        for store, part in zip(self._stores, parts, strict=True):
            store[:, :, start : self._length] = part

    def put_at(
        self, place: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, reach: int
    ) -> tuple[States, States]:
        """Store one token, (batch, heads, 1, channels) each, at a place given as a tensor, (1,) int64.

        Returns what is stored in the first `reach` places. The token belongs to the cache once it is counted.
        """
        for store, part in zip(self._stores, self._encoded(keys, values), strict=True):
            store.index_copy_(2, place, part)
        return self._decoded(self.taken(0, reach))

    def count(self, tokens: int) -> None:
        """Count tokens that `put_at` stored behind the last one."""
        self._length += tokens

    @property
    def capacity(self) -> int:
        """Tokens that there is memory for."""
        return self._memory.capacity

    def taken(self, start: int, end: int) -> Parts:
        """What is stored of some tokens; not a copy."""
        return tuple(store[:, :, start:end] for store in self._stores)

    def truncate(self, length: int) -> None:
        """Forget all tokens from `length` on."""
        self._length = min(self._length, length)

    def get_seq_length(self) -> int:
        """Tokens so far."""
        return self._length

    def _encoded(self, keys: torch.Tensor, values: torch.Tensor) -> Parts:
        return keys, values

    def _decoded(self, parts: Parts) -> tuple[States, States]:
        keys, values = parts
        return keys, values


class Int8Layer(PreallocatedLayer):  # type: ignore[no-untyped-call]
    """The same, with keys and values in INT8."""

    def _encoded(self, keys: torch.Tensor, values: torch.Tensor) -> Parts:
        key, value = Int8States.quantised(keys), Int8States.quantised(values)
        return key.values, key.scales, value.values, value.scales

    def _decoded(self, parts: Parts) -> tuple[States, States]:
        keys, key_scales, values, value_scales = parts
        return Int8States(keys, key_scales), Int8States(values, value_scales)


def _dense(states: States) -> torch.Tensor:
    return states.dense() if isinstance(states, Int8States) else states


class CacheMemory:
    """One allocation for what all layers store of a kind, so that the heap does not fragment between them."""

    def __init__(self, capacity: int, layers: int) -> None:
        """`capacity`: tokens of prompt and answer; `layers`: number of layers that will take from it."""
        self.capacity, self._layers = capacity, layers
        self._free: list[Parts] = []

    def take(self, parts: Parts) -> Parts:
        """For each part (batch, heads, tokens, channels) a tensor (batch, heads, capacity, channels).

        Its content is undefined on a CPU; on a GPU it is zero, since a recorded pass multiplies what it then masks.
        """
        shapes = [(*part.shape[:2], self.capacity, part.shape[-1]) for part in parts]
        if parts[0].device.type != "cpu":  # torch's allocator does not fragment; layers may be on several GPUs
            return tuple(part.new_zeros(shape) for part, shape in zip(parts, shapes, strict=True))
        if not self._free:
            stores = (part.new_empty(self._layers, *shape) for part, shape in zip(parts, shapes, strict=True))
            self._free = list(zip(*stores, strict=True))
        found = self._free.pop()
        if [store.shape for store in found] == shapes:
            return found
        return tuple(part.new_empty(shape) for part, shape in zip(parts, shapes, strict=True))


def preallocated_cache(
    config: Any, capacity: int, prefix: LearnedPrefix = (), kv: KvPrecision = KvPrecision.FULL
) -> Cache:
    """A KV cache for `capacity` tokens behind a learned prefix; `kv`: of keys and values.

    Layers other than plain attention keep the class transformers gives them.
    """
    cache = DynamicCache(config=config)
    plain = [type(layer) is DynamicLayer for layer in cache.layers]
    learned = prefix[0][0].shape[-2] if prefix else 0
    memory = CacheMemory(learned + capacity, sum(plain))
    kind = Int8Layer if kv is KvPrecision.INT8 else PreallocatedLayer
    cache.layers = [kind(memory) if own else layer for layer, own in zip(cache.layers, plain, strict=True)]
    return begin_with(cache, prefix)


def preallocated(cache: Cache, layer: int) -> PreallocatedLayer:
    """A layer of a cache that only has layers of this module."""
    own = cache.layers[layer]
    assert isinstance(own, PreallocatedLayer)
    return own


def append(cache: Cache, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[States, States]:
    """Append (batch, heads, new, channels) to a layer; returns all keys and values as they are stored."""
    own = cache.layers[layer]
    return own.append(keys, values) if isinstance(own, PreallocatedLayer) else cache.update(keys, values, layer)


def truncate(cache: Cache, length: int) -> None:
    """Forget all tokens from `length` on, in the layers of this module."""
    for layer in cache.layers:
        if isinstance(layer, PreallocatedLayer):
            layer.truncate(length)


def has_plain_attention(config: Any) -> bool:
    """Whether all layers keep keys and values of every token, so that their caches are those of this module."""
    return all(isinstance(layer, PreallocatedLayer) for layer in preallocated_cache(config, 1).layers)

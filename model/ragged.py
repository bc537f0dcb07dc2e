"""Attention of several sequences whose new tokens are joined one after another, each with its own cache.

In a pass that adds tokens to several sequences, all matrix products are shared, so the weights are read once for all.
Only attention is computed sequence by sequence, over that sequence's own keys and values. So nothing is padded, and a
sequence joins or leaves without any copying.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.cache_utils import Cache

from model.kv_cache import Int8States, States, append

_CONVERTED: Final = 1 << 18  # keys or values converted at a time: a megabyte, which stays in the processor's cache
_LEAST_TOKENS: Final = 64  # of a block
NAME: Final = "ask_ragged"  # of the attention, as transformers knows it


@dataclass(frozen=True, slots=True)
class Rows:
    """The new tokens of one sequence."""

    count: int
    mask: torch.Tensor | None = None  # (count, length) added to their scores; None: each sees all of its sequence


ONE_TOKEN: Final = Rows(1)


class RaggedCache(Cache):
    """The caches of several sequences, which a model sees as that of a single one."""

    def __init__(self, caches: Sequence[Cache], rows: Sequence[Rows]) -> None:
        """`rows`: the new tokens of each sequence."""
        super().__init__(layers=[])
        self.caches, self.rows = caches, rows

    def update(  # type: ignore[override] # its parameters have other names
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[list[States], list[States]]:
        """Append (1, heads, rows of all, channels); returns all keys and values of each sequence, for `attend_each`."""
        counts = [rows.count for rows in self.rows]
        each = zip(self.caches, torch.split(keys, counts, dim=2), torch.split(values, counts, dim=2), strict=True)
        updated = [append(cache, layer, key, value) for cache, key, value in each]
        return [key for key, _ in updated], [value for _, value in updated]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Number of tokens of the longest sequence."""
        return max(int(cache.get_seq_length(layer_idx)) for cache in self.caches)


def attend_each(
    query: torch.Tensor,
    keys: Sequence[States],
    values: Sequence[States],
    rows: Sequence[Rows],
    scale: float | None = None,
) -> torch.Tensor:
    """Attention of the new tokens of each sequence to its own, (1, heads, rows of all, channels) -> same shape.

    `keys`, `values`: (1, key heads, length, channels) of each sequence. Query heads that share a key head
    (grouped-query attention, Ainslie et al. 2023, arXiv:2305.13245) see the same keys and values, which are not
    repeated for them.
    """
    queries = torch.split(query, [one.count for one in rows], dim=2)
    mixed = [
        _attend_token(part, key, value, one.mask, scale)
        if one.count == 1
        else _attend_rows(part, key, value, one.mask, scale)
        for part, key, value, one in zip(queries, keys, values, rows, strict=True)
    ]
    return torch.cat(mixed, dim=2) if len(mixed) > 1 else mixed[0]


def _attend_rows(
    query: torch.Tensor, keys: States, values: States, mask: torch.Tensor | None, scale: float | None
) -> torch.Tensor:
    """Attention of (1, heads, rows, channels) to all of one sequence's keys and values -> same shape."""
    key, value = (one.dense() if isinstance(one, Int8States) else one for one in (keys, values))
    heads, key_heads = query.shape[1], key.shape[1]
    grouped = query.view(key_heads, heads // key_heads, *query.shape[2:])
    key, value = (one.transpose(0, 1).expand(-1, heads // key_heads, -1, -1) for one in (key, value))
    mask = None if mask is None else mask.to(query.device)  # layers may be on several GPUs
    mixed = functional.scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=scale)
    return mixed.reshape(1, heads, query.shape[2], -1)


def _attend_token(
    query: torch.Tensor, keys: States, values: States, mask: torch.Tensor | None, scale: float | None
) -> torch.Tensor:
    """Attention of (1, heads, 1, channels), the heads of a key head as rows of one query -> same shape."""
    heads, key_heads = query.shape[1], keys.shape[1]
    grouped = query.reshape(1, key_heads, heads // key_heads, query.shape[-1])
    if mask is None:
        return _attend_one(grouped, keys, values, scale).reshape(1, heads, 1, -1)
    return _attend_masked(grouped, keys, values, mask, scale).reshape(1, heads, 1, -1)


def _attend_masked(
    query: torch.Tensor, keys: States, values: States, mask: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Attention of (1, key heads, rows, channels) to keys and values that a mask (1, length) partly hides.

    By matrix products rather than SDPA, whose kernel for masks has each key head read by a single multiprocessor.
    """
    key, value = (one.dense() if isinstance(one, Int8States) else one for one in (keys, values))
    scores = _float_product(query[0], key[0].transpose(-1, -2))
    scores = scores.mul_(query.shape[-1] ** -0.5 if scale is None else scale).add_(mask)
    return (scores.softmax(-1).to(value.dtype) @ value[0])[None]


def _float_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(batch, n, k) @ (batch, k, m) in float32, without converting them where the device can do so."""
    if left.device.type == "cuda" and left.dtype is not torch.float32:
        return torch.bmm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()


def _attend_one(query: torch.Tensor, keys: States, values: States, scale: float | None) -> torch.Tensor:
    """Attention of (1, key heads, rows, channels) to all of one sequence's keys and values -> same shape."""
    if isinstance(keys, torch.Tensor) and isinstance(values, torch.Tensor):
        # One row for each key head, as in the first generations: SDPA in bfloat16 takes twice as long.
        by_blocks = query.shape[2] == 1 and query.dtype is torch.bfloat16 and query.device.type == "cpu"
        if not by_blocks:
            return functional.scaled_dot_product_attention(query, keys, values, scale=scale)
    return attend_by_blocks(query, keys, values, scale)


def attend_by_blocks(query: torch.Tensor, keys: States, values: States, scale: float | None = None) -> torch.Tensor:
    """Attention of (1, key heads, rows, channels) in float32, converting a block of tokens at a time.

    Only the numbers of INT8 are converted: a scale belongs to a token, and goes into the token's score or weight.
    """
    key, value = (one.values if isinstance(one, Int8States) else one for one in (keys, values))
    _, heads, length, channels = key.shape
    step = max(_CONVERTED // (heads * channels), _LEAST_TOKENS)
    blocks = [slice(start, min(start + step, length)) for start in range(0, length, step)]
    rows = query.float() * (channels**-0.5 if scale is None else scale)
    scores = rows.new_empty(*rows.shape[:-1], length)
    block_of_keys = rows.new_empty(1, heads, step, channels)
    for block in blocks:
        part = block_of_keys[:, :, : block.stop - block.start].copy_(key[:, :, block])
        scores[..., block] = rows @ part.transpose(-1, -2)
    if isinstance(keys, Int8States):
        scores.mul_(keys.scales.float().transpose(-1, -2))
    weights = scores.softmax(-1)
    if isinstance(values, Int8States):
        weights.mul_(values.scales.float().transpose(-1, -2))
    mixed = rows.new_zeros(*rows.shape[:-1], value.shape[-1])
    block_of_values = rows.new_empty(1, heads, step, value.shape[-1])
    for block in blocks:
        mixed += weights[..., block] @ block_of_values[:, :, : block.stop - block.start].copy_(value[:, :, block])
    return mixed.to(query.dtype)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    cache: Cache | None,
    layer: int,
) -> torch.Tensor:
    """Attention to what a cache holds for a layer, and to `key` and `value`, which are added to it if there is one.

    All (batch, heads, length, channels); `mask` (batch, 1, length, past + length) is added to the scores. With a
    RaggedCache, each sequence attends to its own tokens, with the masks in the cache.
    """
    if isinstance(cache, RaggedCache):
        return attend_each(query, *cache.update(key, value, layer), cache.rows)
    if cache is not None:
        key, value = cache.update(key, value, layer)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def _attention(
    _: torch.nn.Module,
    query: torch.Tensor,
    key: Sequence[torch.Tensor],
    value: Sequence[torch.Tensor],
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    *,
    rows: Sequence[Rows],
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """`attend_each` with the signature that transformers expects: returns (1, rows of all, heads, channels)."""
    return attend_each(query, key, value, rows, scaling).transpose(1, 2), None


@contextmanager
def ragged_attention(model: Any, cache: RaggedCache) -> Iterator[None]:
    """Make a model attend to a cache with `attend_each`. No other thread may use the model meanwhile."""
    AttentionInterface.register(NAME, partial(_attention, rows=cache.rows))
    usual = model.config._attn_implementation
    model.config._attn_implementation = NAME  # a name without a mask function: no mask is made
    try:
        yield
    finally:
        model.config._attn_implementation = usual


def supports_ragged(model: Any) -> bool:
    """Whether a model's attention can be replaced in every layer, or accepts a RaggedCache itself, as our own does."""
    if getattr(model, "takes_ragged_cache", False):
        return True
    plain = {"full_attention"} >= set(getattr(model.config, "layer_types", None) or ())
    return plain and bool(getattr(model, "_supports_attention_backend", False))

"""Maps published tensors to the parameters of the model that runs: names, splits and packed integers.

ChatGLM2, ChatGLM3 and GLM-4 as first published are transformers' `GlmForCausalLM` under other names, with query, key
and value in one matrix. ChatGLM-6B (`model.chatglm1`) and GLM-10B (`model.blank`) keep their names, and so do
checkpoints in the layout of transformers. Reads tensors through `model.checkpoint`, one at a time; does not know
devices or precisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from model.checkpoint import LazyMatrix, TensorFiles
from model.families import CheckpointLayout
from model.model_config import positive_int, supported_layout
from rag.errors import CheckpointRefused

ROWS_PER_BLOCK = 4096  # bytes converted to another dtype at a time


@dataclass(frozen=True, slots=True)
class Weight:
    """One parameter of a model, with a scale for each row if it is published quantised."""

    values: torch.Tensor | LazyMatrix  # floating point, or int8 with `scale`
    scale: torch.Tensor | None = None  # (rows,) floating point; the weight is values * scale[:, None]
    bits: int = 16  # bits of the values as published: 16, 8 or 4

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """The dequantised tensor in `dtype`; integers are scaled in float32, as the original does on a CPU."""
        if isinstance(self.values, torch.Tensor) and self.scale is None:
            return self.values.to(dtype)
        dense = torch.empty(self.values.shape, dtype=dtype)
        for start in range(0, len(self.values), ROWS_PER_BLOCK):
            block = slice(start, start + ROWS_PER_BLOCK)
            dense[block] = self.dense_rows(block)
        return dense

    def dense_rows(self, block: slice) -> torch.Tensor:
        """Rows of the tensor: in their stored dtype, or dequantised to float32."""
        rows = self.values[block]
        return rows if self.scale is None else rows.float() * self.scale[block].float()[:, None]

    def slice_rows(self, start: int, stop: int) -> Weight:
        """Rows `start` to `stop` as a separate weight."""
        scale = None if self.scale is None else self.scale[start:stop].clone()
        if isinstance(self.values, LazyMatrix):
            return Weight(self.values.slice_rows(start, stop), scale, self.bits)
        return Weight(self.values[start:stop].clone(), scale, self.bits)


@dataclass(frozen=True, slots=True)
class TensorMapping:
    """How the published tensors of one checkpoint become the parameters of the model that runs."""

    layout: CheckpointLayout
    bits: int  # bits of published integers, 8 or 4; 0: not quantised
    query_rows: int = 0  # of the fused query, key and value matrix
    key_value_rows: int = 0  # of the key part, and the same of the value part

    def targets(self, name: str) -> list[tuple[str, slice]]:
        """The parameters that a published tensor becomes, each with its rows; empty if it is not needed.

        Raises CheckpointRefused for a name that no GLM of this layout has.
        """
        if name.endswith(("rotary_emb.inv_freq", "rotary_pos_emb.inv_freq")):
            return []
        if self.layout is CheckpointLayout.GLM10B:
            return [(_WORD_EMBEDDINGS.sub("transformer.word_embeddings.", name.removeprefix("glm.")), slice(None))]
        if self.layout is not CheckpointLayout.FUSED_QKV:
            return [(name, slice(None))]
        for pattern, replacement in _FUSED_NAMES:
            target, count = pattern.subn(replacement, name)
            if count and "query_key_value" in target:
                query, one = self.query_rows, self.key_value_rows
                bounds = (("q", 0, query), ("k", query, query + one), ("v", query + one, query + 2 * one))
                return [(target.replace("query_key_value", f"{part}_proj"), slice(*rows)) for part, *rows in bounds]
            if count:
                return [(target, slice(None))]
        raise CheckpointRefused(
            "The checkpoint has a tensor {tensor} that no ChatGLM2, ChatGLM3 or GLM-4 has; choose another checkpoint.",
            tensor=name,
        )


_WORD_EMBEDDINGS = re.compile(r"^word_embeddings\.")
_FUSED_NAMES = tuple(
    (re.compile(f"^transformer\\.{pattern}$"), replacement)
    for pattern, replacement in (
        (r"embedding\.word_embeddings\.weight", "model.embed_tokens.weight"),
        (r"output_layer\.weight", "lm_head.weight"),
        (r"encoder\.final_layernorm\.weight", "model.norm.weight"),
        (
            r"encoder\.layers\.(\d+)\.(input|post_attention)_layernorm\.weight",
            r"model.layers.\1.\2_layernorm.weight",
        ),
        (r"encoder\.layers\.(\d+)\.self_attention\.dense\.weight", r"model.layers.\1.self_attn.o_proj.weight"),
        (
            r"encoder\.layers\.(\d+)\.self_attention\.query_key_value\.(weight|bias)",
            r"model.layers.\1.self_attn.query_key_value.\2",
        ),
        (r"encoder\.layers\.(\d+)\.mlp\.dense_h_to_4h\.weight", r"model.layers.\1.mlp.gate_up_proj.weight"),
        (r"encoder\.layers\.(\d+)\.mlp\.dense_4h_to_h\.weight", r"model.layers.\1.mlp.down_proj.weight"),
    )
)


def tensor_mapping(config: Mapping[str, Any]) -> TensorMapping:
    """The mapping for a checkpoint with this `config.json`. Raises CheckpointRefused if it cannot be run."""
    layout = supported_layout(config)
    bits = config.get("quantization_bit") or 0
    if bits not in (0, 4, 8) or config.get("quantization_config"):
        other = config.get("quantization_config")
        method = other.get("quant_method", "unknown") if isinstance(other, Mapping) else f"{bits} bits"
        raise CheckpointRefused(
            "The checkpoint is quantised by a method that is not supported ({method}); choose the unquantised one, and"
            " a precision of int8 or int4.",
            method=str(method),
        )
    if layout is not CheckpointLayout.FUSED_QKV:
        return TensorMapping(layout, bits)
    channels, heads = positive_int(config, "kv_channels"), positive_int(config, "num_attention_heads")
    groups = positive_int(config, "multi_query_group_num") if config.get("multi_query_attention") else heads
    return TensorMapping(layout, bits, channels * heads, channels * groups)


def weights(stored: TensorFiles, mapping: TensorMapping) -> Iterator[tuple[str, Weight]]:
    """Yield every parameter of the model that runs by name, one at a time. Raises CheckpointRefused."""
    file = None
    for name in stored.files:
        if stored.files[name] != file:
            file = stored.files[name]
            stored.read_ahead(name)
        if name.endswith("_scale"):
            continue
        targets = mapping.targets(name)
        if not targets:
            continue
        weight = read_weight(stored, name, mapping.bits)
        for target, rows in targets:
            if rows == slice(None):
                yield target, weight
            else:
                yield target, weight.slice_rows(rows.start, rows.stop)


def read_weight(stored: TensorFiles, name: str, bits: int) -> Weight:
    """One published tensor; a matrix is read from disk lazily, and 4-bit integers are unpacked as it is read."""
    scale = f"{name}_scale"
    if scale in stored.files:
        return Weight(LazyMatrix(stored, name, packed=bits == 4), stored.read(scale), bits)
    matrix = stored.lazy and len(stored.shape(name)[0]) > 1
    return Weight(LazyMatrix(stored, name) if matrix else stored.read(name))

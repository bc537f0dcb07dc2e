"""From the published layouts to the ones this program runs: names, splits, packed integers, configurations.

ChatGLM2, ChatGLM3 and GLM-4 as first published are the blocks of transformers' `GlmForCausalLM` under other names,
with query, key and value in one matrix. ChatGLM-6B keeps its names (`model.chatglm1`). Native checkpoints pass
through. Reads tensors through `model.checkpoint`, one at a time; does not know devices or precisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from model.checkpoint import Rows, Stored
from model.families import Family, Layout, layout_of
from rag.errors import CheckpointRefused

READ_ROWS = 4096  # brought to another type at a time


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of a model; of a published integer checkpoint with the scale of each row."""

    values: torch.Tensor | Rows  # floating, or int8 with `scale`
    scale: torch.Tensor | None = None  # (rows,); the weight is values * scale
    bits: int = 16  # of the values as published: 16, 8 or 4

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """The tensor itself, in `dtype`; integers times their scale in float32, as the original does on a CPU."""
        if isinstance(self.values, torch.Tensor) and self.scale is None:
            return self.values.to(dtype)
        dense = torch.empty(self.values.shape, dtype=dtype)
        for start in range(0, len(self.values), READ_ROWS):
            block = slice(start, start + READ_ROWS)
            dense[block] = self.dense_rows(block)
        return dense

    def dense_rows(self, block: slice) -> torch.Tensor:
        """Some rows, in the type they are stored in; integers times their scale in float32."""
        rows = self.values[block]
        return rows if self.scale is None else rows.float() * self.scale[block].float()[:, None]

    def rows(self, start: int, stop: int) -> Weight:
        """Some of its rows as a weight of their own."""
        scale = None if self.scale is None else self.scale[start:stop].clone()
        if isinstance(self.values, Rows):
            return Weight(self.values.cut(start, stop), scale, self.bits)
        return Weight(self.values[start:stop].clone(), scale, self.bits)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the tensors of one checkpoint become those of the model that runs."""

    layout: Layout
    bits: int  # of published integers; 0 for none
    query_rows: int = 0
    group_rows: int = 0  # of key, and of value

    def targets(self, name: str) -> list[tuple[str, slice]]:
        """The names a published tensor becomes, each with its rows; [] when it is not needed.

        CheckpointRefused for a name no GLM of this layout has.
        """
        if name.endswith(("rotary_emb.inv_freq", "rotary_pos_emb.inv_freq")):
            return []
        if self.layout is not Layout.FUSED:
            return [(name, slice(None))]
        for pattern, replacement in _FUSED_NAMES:
            target, count = pattern.subn(replacement, name)
            if count and "query_key_value" in target:
                query, group = self.query_rows, self.group_rows
                bounds = (("q", 0, query), ("k", query, query + group), ("v", query + group, query + 2 * group))
                return [(target.replace("query_key_value", f"{one}_proj"), slice(*rows)) for one, *rows in bounds]
            if count:
                return [(target, slice(None))]
        raise CheckpointRefused(
            f"The checkpoint holds {name}, which no ChatGLM2, ChatGLM3 or GLM-4 has; choose another checkpoint."
        )


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


def plan_for(config: Mapping[str, Any]) -> Plan:
    """The plan for a checkpoint with this `config.json`. CheckpointRefused for one that cannot be run."""
    layout = known_layout(config)
    bits = int(config.get("quantization_bit") or 0)
    if bits not in (0, 4, 8) or config.get("quantization_config"):
        how = f"{bits} bits" if bits else str((config.get("quantization_config") or {}).get("quant_method"))
        raise CheckpointRefused(
            f"The checkpoint is quantised in a way that is not known here ({how}); choose the unquantised one,"
            " and a precision of int8 or int4."
        )
    if layout is not Layout.FUSED:
        return Plan(layout, bits)
    channels = int(config["kv_channels"])
    groups = config["multi_query_group_num"] if config.get("multi_query_attention") else config["num_attention_heads"]
    return Plan(layout, bits, channels * int(config["num_attention_heads"]), channels * int(groups))


def known_layout(config: Mapping[str, Any]) -> Layout:
    """The layout of a checkpoint; CheckpointRefused for anything that is no GLM."""
    try:
        return layout_of(config)
    except KeyError as error:
        raise CheckpointRefused(
            f"The checkpoint's architecture is {error.args[0] or 'not named'}, not a GLM; choose a GLM checkpoint."
        ) from error


def weights(stored: Stored, plan: Plan) -> Iterator[tuple[str, Weight]]:
    """Every tensor of a checkpoint under the name it has in the model that runs, one at a time."""
    for name in stored.files:
        if name.endswith("_scale"):
            continue
        targets = plan.targets(name)
        if not targets:
            continue
        weight = read_weight(stored, name, plan.bits)
        for target, rows in targets:
            if rows == slice(None):
                yield target, weight
            else:
                yield target, weight.rows(rows.start, rows.stop)


def read_weight(stored: Stored, name: str, bits: int) -> Weight:
    """One tensor, a matrix not yet read; its integers are unpacked where it is published in 4 bits."""
    scale = f"{name}_scale"
    if scale in stored.files:
        return Weight(Rows(stored, name, packed=bits == 4), stored.read(scale), bits)
    matrix = len(stored.shape(name)[0]) > 1
    return Weight(Rows(stored, name) if matrix else stored.read(name))


def native_config(config: Mapping[str, Any], family: Family) -> Any:
    """The configuration of the transformers model that runs a checkpoint with this `config.json`."""
    layout = known_layout(config)
    try:
        if layout is Layout.FIRST:
            return _first_config(config)
        if layout is Layout.FUSED:
            return _fused_config(config, family)
    except KeyError as error:
        raise CheckpointRefused(f"config.json does not say {error.args[0]}; download it again.") from error
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**config)
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointRefused(
            f"The installed transformers does not know the architecture {config['model_type']};"
            " choose another checkpoint."
        ) from error


def _first_config(config: Mapping[str, Any]) -> Any:
    from model.chatglm1 import ChatGLM1Config

    if config["model_type"] == "chatglm1":
        return ChatGLM1Config(**config)
    ids = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return ChatGLM1Config(
        vocab_size=config["vocab_size"],
        hidden_size=config["hidden_size"],
        intermediate_size=config["inner_hidden_size"],
        num_hidden_layers=config["num_layers"],
        num_attention_heads=config["num_attention_heads"],
        layer_norm_eps=config["layernorm_epsilon"],
        max_position_embeddings=config["max_sequence_length"],
        mask_token_id=config["mask_token_id"],
        gmask_token_id=config["gmask_token_id"],
        architectures=["ChatGLM1ForCausalLM"],
        **ids,
    )


def _fused_config(config: Mapping[str, Any], family: Family) -> Any:
    from transformers import GlmConfig

    expected = {
        "rmsnorm": True, "post_layer_norm": True, "add_bias_linear": False,
        "apply_residual_connection_post_layernorm": False,
    }  # fmt: skip
    for name, value in expected.items():
        if config.get(name, value) != value:
            raise CheckpointRefused(f"config.json says {name}={config[name]}, which no published GLM does.")
    ratio = float(config.get("rope_ratio", 1))
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 10000.0 * ratio, "partial_rotary_factor": 0.5}
    if family.positions_divided and ratio != 1:
        rope |= {"rope_type": "linear", "rope_theta": 10000.0, "factor": ratio}
    heads = int(config["num_attention_heads"])
    return GlmConfig(
        vocab_size=config["padded_vocab_size"],
        hidden_size=config["hidden_size"],
        intermediate_size=config["ffn_hidden_size"],
        num_hidden_layers=config["num_layers"],
        num_attention_heads=heads,
        num_key_value_heads=config["multi_query_group_num"] if config.get("multi_query_attention") else heads,
        head_dim=config["kv_channels"],
        max_position_embeddings=config["seq_length"],
        rms_norm_eps=config["layernorm_epsilon"],
        attention_bias=bool(config.get("add_qkv_bias")),
        rope_parameters=rope,
        pad_token_id=config.get("pad_token_id"),
        eos_token_id=config.get("eos_token_id"),
        tie_word_embeddings=False,
        architectures=["GlmForCausalLM"],
    )

"""Translates a published `config.json` into the configuration of the transformers class that runs the checkpoint.

Every number in it is checked here, because a checkpoint may come from anybody: whatever is missing, of the wrong type
or out of range is a CheckpointRefused that names the field. Reads no tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from model.families import BIDIRECTIONAL_TYPES, CheckpointLayout, Family, detect_layout
from rag.errors import CheckpointRefused

# Fields of every published GLM-10B, GLM-2B and GLM-Large, with the values that GLM10BForCausalLM computes.
_GLM10B_FIELDS = {"relative_encoding": False, "block_position_encoding": True}
# Fields of every published ChatGLM2, ChatGLM3 and GLM-4, with the values that GlmForCausalLM computes.
_FUSED_QKV_FIELDS = {
    "rmsnorm": True,
    "post_layer_norm": True,
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
}
_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


def supported_layout(config: Mapping[str, Any]) -> CheckpointLayout:
    """The tensor layout of a checkpoint. Raises CheckpointRefused if it is not a GLM that can be run here."""
    try:
        return detect_layout(config)
    except KeyError as error:
        raise CheckpointRefused(
            "The checkpoint's architecture is {architecture}, not a GLM; choose a GLM checkpoint.",
            architecture=error.args[0] or "not named",
        ) from error


def transformers_config(config: Mapping[str, Any], family: Family) -> Any:
    """The configuration of the transformers model that runs a checkpoint with this `config.json`.

    `family` decides what `rope_ratio` means. Raises CheckpointRefused for a field that is missing or makes no sense.
    """
    layout = supported_layout(config)
    try:
        if layout is CheckpointLayout.CHATGLM1:
            translated = _chatglm1_config(config)
        elif layout is CheckpointLayout.GLM10B:
            translated = _glm10b_config(config)
        elif layout is CheckpointLayout.GLM130B:
            translated = _glm130b_config(config)
        elif layout is CheckpointLayout.FUSED_QKV:
            translated = _fused_qkv_config(config, family)
        else:
            translated = _library_config(config)
    except KeyError as error:
        raise CheckpointRefused(
            "config.json has no field {field}; download it again.", field=str(error.args[0])
        ) from error
    except (StrictDataclassError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointRefused(
            "config.json is not valid ({reason}); download it again.", reason=_shown(" ".join(str(error).split()))
        ) from error
    _check_sizes(translated)
    return translated


def positive_int(config: Mapping[str, Any], field: str) -> int:
    """A field that is a size or a count. Raises KeyError if it is missing, CheckpointRefused if it is not positive."""
    value = config[field]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CheckpointRefused(
            "config.json says {field} = {value}, which must be a positive whole number; download it again.",
            field=field,
            value=_shown(repr(value), 40),
        )
    return value


def _positive_number(config: Mapping[str, Any], field: str, default: float | None = None) -> float:
    value = config[field] if default is None else config.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise CheckpointRefused(
            "config.json says {field} = {value}, which must be a positive number; download it again.",
            field=field,
            value=_shown(repr(value), 40),
        )
    return float(value)


def _check_sizes(config: Any) -> None:
    """Refuse sizes that no network can have, whichever layout they came from."""
    values = {field: getattr(config, field, None) for field in (*_SIZES, "max_position_embeddings")}
    sizes = {field: positive_int(values, field) for field in values}
    heads = sizes["num_attention_heads"]
    groups = getattr(config, "num_key_value_heads", heads)
    multiple_of = {"hidden_size": heads} if config.model_type in BIDIRECTIONAL_TYPES else {}
    if groups is not None:
        multiple_of["num_attention_heads"] = positive_int({"num_key_value_heads": groups}, "num_key_value_heads")
    for field, divisor in multiple_of.items():
        if sizes[field] % divisor:
            raise CheckpointRefused(
                "config.json says {field} = {value}, which must be a multiple of {divisor}; download it again.",
                field=field,
                value=sizes[field],
                divisor=divisor,
            )


def _shown(text: str, longest: int = 200) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


def _library_config(config: Mapping[str, Any]) -> Any:
    """A configuration that transformers itself knows, for a model that reads and writes only text."""
    from transformers import CONFIG_MAPPING, AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    model_type = str(config["model_type"])
    if model_type not in CONFIG_MAPPING:
        raise CheckpointRefused(
            "The installed transformers does not know the architecture {architecture}; choose another checkpoint.",
            architecture=model_type,
        )
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise CheckpointRefused(
            "The checkpoint's architecture is {architecture}, which is not a text-only language model; choose one that"
            " is, such as zai-org/GLM-4-9B-0414.",
            architecture=model_type,
        )
    return AutoConfig.for_model(**config)


def _chatglm1_config(config: Mapping[str, Any]) -> Any:
    from model.chatglm1 import ChatGLM1Config

    if config["model_type"] == "chatglm1":  # written by model.convert
        return ChatGLM1Config(**config)
    # Ids may be 0, which sizes may not.
    ids: dict[str, Any] = {
        field: _token_id(config, field)
        for field in ("bos_token_id", "eos_token_id", "pad_token_id", "mask_token_id", "gmask_token_id")
    }
    return ChatGLM1Config(
        vocab_size=positive_int(config, "vocab_size"),
        hidden_size=positive_int(config, "hidden_size"),
        intermediate_size=positive_int(config, "inner_hidden_size"),
        num_hidden_layers=positive_int(config, "num_layers"),
        num_attention_heads=positive_int(config, "num_attention_heads"),
        layer_norm_eps=_positive_number(config, "layernorm_epsilon"),
        max_position_embeddings=positive_int(config, "max_sequence_length"),
        architectures=["ChatGLM1ForCausalLM"],
        **ids,
    )


def _glm10b_config(config: Mapping[str, Any]) -> Any:
    """Without the ids of special tokens, which are the tokenizer's (`model.load.adopt_token_ids`)."""
    from model.blank.glm10b import GLM10BConfig

    if config["model_type"] == "glm10b":  # written by transformers' save_pretrained
        return GLM10BConfig(**config)
    _check_fields(config, _GLM10B_FIELDS)
    hidden = positive_int(config, "hidden_size")
    return GLM10BConfig(
        vocab_size=positive_int(config, "vocab_size"),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=positive_int(config, "num_layers"),
        num_attention_heads=positive_int(config, "num_attention_heads"),
        max_position_embeddings=positive_int(config, "max_sequence_length"),
        architectures=["GLM10BForCausalLM"],
    )


def _glm130b_config(config: Mapping[str, Any]) -> Any:
    from model.blank.glm130b import GLM130BConfig

    return GLM130BConfig(**config)


def _check_fields(config: Mapping[str, Any], published: Mapping[str, bool]) -> None:
    """Refuse a config that differs from every published checkpoint."""
    for field, expected in published.items():
        if config.get(field, expected) != expected:
            raise CheckpointRefused(
                "config.json says {field} = {value}, which no published GLM has; choose another checkpoint.",
                field=field,
                value=_shown(repr(config[field]), 40),
            )


def _token_id(config: Mapping[str, Any], field: str) -> int:
    value = config[field]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CheckpointRefused(
            "config.json says {field} = {value}, which is not a token id; download it again.",
            field=field,
            value=_shown(repr(value), 40),
        )
    return value


def _fused_qkv_config(config: Mapping[str, Any], family: Family) -> Any:
    from transformers import GlmConfig

    _check_fields(config, _FUSED_QKV_FIELDS)
    ratio = _positive_number(config, "rope_ratio", 1)
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 10000.0 * ratio, "partial_rotary_factor": 0.5}
    if family.divides_positions and ratio != 1:
        rope |= {"rope_type": "linear", "rope_theta": 10000.0, "factor": ratio}
    heads = positive_int(config, "num_attention_heads")
    groups = positive_int(config, "multi_query_group_num") if config.get("multi_query_attention") else heads
    stops = config.get("eos_token_id")
    return GlmConfig(
        vocab_size=positive_int(config, "padded_vocab_size"),
        hidden_size=positive_int(config, "hidden_size"),
        intermediate_size=positive_int(config, "ffn_hidden_size"),
        num_hidden_layers=positive_int(config, "num_layers"),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=positive_int(config, "kv_channels"),
        max_position_embeddings=positive_int(config, "seq_length"),
        rms_norm_eps=_positive_number(config, "layernorm_epsilon"),
        attention_bias=bool(config.get("add_qkv_bias")),
        rope_parameters=rope,
        pad_token_id=None if config.get("pad_token_id") is None else _token_id(config, "pad_token_id"),
        eos_token_id=stops if stops is None or isinstance(stops, list) else _token_id(config, "eos_token_id"),
        tie_word_embeddings=False,
        architectures=["GlmForCausalLM"],
    )

"""Builds a model from its tensors one at a time; each is converted to its precision and moved to its device at once.

Memory never holds more than the model so far and one tensor, so the peak while loading is little more than the model's
own size. Does not know where the tensors come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from model.device import attention_implementation, compute_dtype, release_freed_memory
from model.families import BIDIRECTIONAL_TYPES, SHARING_HEADS, ModelDimensions, Precision
from model.placement import Placement, connect
from model.quantise import Int8Embedding, quantised_linear
from model.weight_layout import Weight
from rag.errors import CheckpointRefused

TensorProgress = Callable[[int, int], None]  # tensors placed, tensors in total

_INTEGER = (Precision.INT8, Precision.INT4)


def register_class(model_type: str) -> None:
    """Make transformers' Auto classes know a model type of our own classes."""
    if model_type == "chatglm1":
        import model.chatglm1
    elif model_type == "glm10b":
        import model.blank.glm10b
    elif model_type == "glm130b":
        import model.blank.glm130b  # noqa: F401 - registers itself


def empty_model(config: Any, attention: str = "sdpa") -> Any:
    """A model of this configuration on the meta device, so without memory for its weights, in evaluation mode.

    `attention`: the attention implementation, as transformers names it.
    """
    register_class(config.model_type)
    with torch.device("meta"):
        empty: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, attn_implementation=attention
        )
    return empty.eval()


def dimensions_of(config: Any) -> ModelDimensions:
    """The dimensions of a model from its configuration, which may be of transformers or of our own classes."""
    heads = config.num_attention_heads
    own = config.model_type in BIDIRECTIONAL_TYPES
    return ModelDimensions(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        ffn=config.intermediate_size,
        heads=heads,
        groups=heads if own else config.num_key_value_heads,
        head_dim=config.hidden_size // heads if own else config.head_dim,
        vocab=config.vocab_size,
        tied=bool(config.tie_word_embeddings),
        one_piece=own,
        gated=config.model_type not in ("chatglm1", "glm10b"),
        experts=getattr(config, "n_routed_experts", 0) or 0,
        expert_ffn=getattr(config, "moe_intermediate_size", 0) or 0,
    )


def assemble(
    config: Any,
    weights: Iterable[tuple[str, Weight]],
    precision: Precision,
    device: torch.device,
    progress: TensorProgress | None = None,
    placement: Placement | None = None,
) -> Any:
    """The model of `config` with `weights` at a precision on a device, in evaluation mode.

    `placement`: puts the layers on several devices; `device` is the first of them. Raises CheckpointRefused if a tensor
    is missing, unknown or has the wrong shape.
    """
    model = empty_for(config, precision, device)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    total = len(expected)
    for name, weight in weights:
        if name not in expected:
            raise CheckpointRefused(
                "The checkpoint has a tensor {tensor} that its architecture does not have; download it again.",
                tensor=name,
            )
        shape = expected.pop(name)
        if tuple(weight.values.shape) != shape:
            raise CheckpointRefused(
                "{tensor} has the shape {found}, but config.json asks for {expected}; download the checkpoint again.",
                tensor=name,
                found=str(tuple(weight.values.shape)),
                expected=str(shape),
            )
        place(model, name, weight, precision, placement.device_of(name) if placement else device)
        if progress:
            progress(total - len(expected), total)
    if expected and not (set(expected) == {"lm_head.weight"} and config.tie_word_embeddings):
        raise CheckpointRefused(
            "The checkpoint lacks {missing} of {total} tensors ({first}); download it again.",
            missing=len(expected),
            total=total,
            first=next(iter(expected)),
        )
    finish(model, device, tie=bool(expected))
    if placement:
        connect(model, placement)
    return model


def empty_for(config: Any, precision: Precision, device: torch.device) -> Any:
    """The model of `config` as it will run at a precision on a device, without memory for its weights."""
    if device.type == "cpu":
        release_freed_memory()
    dtype = compute_dtype(precision, device)
    return empty_model(config, attention_implementation(config.model_type, dtype, device))


def finish(model: Any, device: torch.device, *, tie: bool) -> None:
    """Add what no checkpoint holds: the rotary embeddings and, with `tie`, an output matrix that is the embedding."""
    if tie:
        _tie_output_matrix(model, device)
    _rebuild_rotary_embeddings(model, device)


def place(model: Any, name: str, weight: Weight, precision: Precision, device: torch.device) -> None:
    """Set one parameter of `model`; if `precision` requires it, replace its module with a quantised one."""
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    if leaf == "weight" and precision in _INTEGER:
        replacement = _quantised_module(path, module, weight, precision, device)
        if replacement is not None:
            parent, _, own = path.rpartition(".")
            setattr(model.get_submodule(parent), own, replacement)
            return
    values = weight.dense(compute_dtype(precision, device)).to(device)
    if isinstance(module, nn.Linear | nn.LayerNorm) or leaf == "weight":
        setattr(module, leaf, nn.Parameter(values, requires_grad=False))
    else:
        setattr(module, leaf, values)


def _quantised_module(
    path: str, module: nn.Module, weight: Weight, precision: Precision, device: torch.device
) -> nn.Module | None:
    """The quantised replacement of an embedding or a linear layer; None for a module that is not replaced.

    At either precision, the embedding and the output matrix use 8 bits; on a CPU, so do those of shared keys and
    values.
    """
    vocabulary = path.endswith(("lm_head", "embed_tokens", "word_embeddings"))
    if isinstance(module, nn.Embedding):
        if not vocabulary:
            return None
        return Int8Embedding.quantised(weight, compute_dtype(precision, device)).to(device)
    if not isinstance(module, nn.Linear):
        return None
    bias = None if module.bias is None or module.bias.is_meta else module.bias.data
    in_8_bits = vocabulary or (device.type == "cpu" and weight.scale is None and _is_shared(path, module))
    return quantised_linear(weight, bias, Precision.INT8 if in_8_bits else precision, device)


def _is_shared(path: str, module: nn.Linear) -> bool:
    """Whether a matrix computes keys or values that are each shared by at least SHARING_HEADS query heads.

    They are 1% of GLM-4-9B's weights but, in 4 bits, cause a quarter of INT4's loss (benchmarks/LOG.md).
    """
    is_key_or_value = path.endswith(("k_proj", "v_proj"))
    return is_key_or_value and module.out_features * SHARING_HEADS <= module.in_features


def _tie_output_matrix(model: Any, device: torch.device) -> None:
    """Use the embedding as the output matrix (`tie_word_embeddings`); such checkpoints hold it only once."""
    embedding = model.get_input_embeddings()
    if isinstance(embedding, Int8Embedding):
        weight = Weight(embedding.values.cpu(), embedding.scale.cpu(), 8)
        model.lm_head = quantised_linear(weight, None, Precision.INT8, device)
    else:
        model.lm_head.weight = embedding.weight


def _rebuild_rotary_embeddings(model: Any, device: torch.device) -> None:
    """Create the rotary embeddings, whose frequencies are in no checkpoint and have no memory on meta."""
    for path, module in list(model.named_modules()):
        if type(module).__name__.endswith("RotaryEmbedding"):
            parent, _, own = path.rpartition(".")
            setattr(model.get_submodule(parent), own, type(module)(config=model.config).to(device))

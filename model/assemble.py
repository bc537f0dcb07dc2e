"""A model put together from its tensors, one at a time, each brought to its precision and device at once.

Memory never holds more than the model so far and one tensor, so loading peaks little above the model's own size.
Does not know where tensors come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from model.device import attention_for, compute_dtype, keep_memory_tight
from model.families import Geometry, Precision
from model.layout import Weight
from model.quantise import Int8Embedding, Int8Linear, quantised_linear
from rag.errors import CheckpointRefused

Tick = Callable[[int, int], None]  # tensors placed, tensors in all

_INTEGER = (Precision.INT8, Precision.INT4)


def skeleton(config: Any, attention: str = "sdpa") -> Any:
    """A model of this configuration without memory for its weights; `attention` as transformers names it."""
    if config.model_type == "chatglm1":
        import model.chatglm1  # noqa: F401 - makes AutoModelForCausalLM know the type
    with torch.device("meta"):
        empty: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, attn_implementation=attention
        )
    return empty.eval()


def geometry_of(config: Any) -> Geometry:
    """The shape of a model, from a configuration of transformers or of `model.chatglm1`."""
    heads = config.num_attention_heads
    first = config.model_type == "chatglm1"
    return Geometry(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        ffn=config.intermediate_size,
        heads=heads,
        groups=heads if first else config.num_key_value_heads,
        head_dim=config.hidden_size // heads if first else config.head_dim,
        vocab=config.vocab_size,
        gated=not first,
        experts=getattr(config, "n_routed_experts", 0) or 0,
        expert_ffn=getattr(config, "moe_intermediate_size", 0) or 0,
    )


def assemble(
    config: Any,
    weights: Iterable[tuple[str, Weight]],
    precision: Precision,
    device: torch.device,
    tick: Tick | None = None,
) -> Any:
    """The model of `config` with `weights`, ready to answer.

    CheckpointRefused when a tensor is missing, unknown or of a wrong shape.
    """
    if device.type == "cpu":
        keep_memory_tight()
    dtype = compute_dtype(precision, device)
    model = skeleton(config, attention_for(config.model_type, dtype, device))
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    total = len(expected)
    for name, weight in weights:
        if name not in expected:
            raise CheckpointRefused(f"The checkpoint holds {name}, which its architecture has not; download it again.")
        if tuple(weight.values.shape) != expected.pop(name):
            raise CheckpointRefused(
                f"{name} has the shape {tuple(weight.values.shape)}, which does not go with config.json;"
                " download the checkpoint again."
            )
        place(model, name, weight, precision, device)
        if tick:
            tick(total - len(expected), total)
    if set(expected) == {"lm_head.weight"} and config.tie_word_embeddings:
        _tie(model)
    elif expected:
        raise CheckpointRefused(
            f"The checkpoint lacks {len(expected)} of {total} tensors ({next(iter(expected))}); download it again."
        )
    _rebuild_rotary(model, device)
    return model


def place(model: Any, name: str, weight: Weight, precision: Precision, device: torch.device) -> None:
    """Put one tensor where it belongs, as a module of integers where `precision` says so."""
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    if leaf == "weight" and precision in _INTEGER:
        replacement = _integer_module(path, module, weight, precision, device)
        if replacement is not None:
            parent, _, own = path.rpartition(".")
            setattr(model.get_submodule(parent), own, replacement)
            return
    values = weight.dense(compute_dtype(precision, device)).to(device)
    if isinstance(module, nn.Linear | nn.LayerNorm) or leaf == "weight":
        setattr(module, leaf, nn.Parameter(values, requires_grad=False))
    else:
        setattr(module, leaf, values)


def _integer_module(
    path: str, module: nn.Module, weight: Weight, precision: Precision, device: torch.device
) -> nn.Module | None:
    """What takes the place of an embedding or a linear layer; None for what stays as it is.

    On a CPU, embedding and output matrix take 8 bits at both precisions; on CUDA they stay in 16.
    """
    vocabulary = path.endswith(("lm_head", "embed_tokens", "word_embeddings"))
    if vocabulary and device.type == "cuda":
        return None
    if isinstance(module, nn.Embedding):
        return Int8Embedding(weight)
    if not isinstance(module, nn.Linear):
        return None
    bias = None if module.bias is None or module.bias.is_meta else module.bias.data
    return quantised_linear(weight, bias, Precision.INT8 if vocabulary else precision, device)


def _tie(model: Any) -> None:
    """Let the output matrix be the embedding, which small models publish once."""
    embedding = model.get_input_embeddings()
    if isinstance(embedding, Int8Embedding):
        model.lm_head = Int8Linear(Weight(embedding.values, embedding.scale, 8), None)
    else:
        model.lm_head.weight = embedding.weight


def _rebuild_rotary(model: Any, device: torch.device) -> None:
    """Rotary frequencies are in no checkpoint; a skeleton's have no memory, so they are made anew."""
    for path, module in list(model.named_modules()):
        if type(module).__name__.endswith("RotaryEmbedding"):
            parent, _, own = path.rpartition(".")
            setattr(model.get_submodule(parent), own, type(module)(config=model.config).to(device))

"""Gradients through weights that are not trained: quantised matrices, and layers that are computed twice.

INT8 and INT4 modules call integer kernels that have no gradient. As in QLoRA (Dettmers et al. 2023, arXiv:2305.14314),
the gradient used is that of the product with the dequantised matrix.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from model.quantise import Int4Linear, Int8Linear

SHORT_TOKENS: Final = 64  # of a pair whose activations are all kept


class _Product(torch.autograd.Function):
    """y = x W^T + b with a frozen, quantised W: the gradient of x is that of y times W."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, module: Int4Linear | Int8Linear) -> torch.Tensor:
        ctx.module = module
        return type(module).forward(module, states)  # type: ignore[arg-type]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        weight = ctx.module.weight
        return gradients[0].to(weight.dtype) @ weight, None


def is_quantised(model: nn.Module) -> bool:
    """Whether matrices of a model are in the integer formats of this project."""
    return any(isinstance(module, Int4Linear | Int8Linear) for module in model.modules())


@contextmanager
def trainable_through(model: Any) -> Iterator[None]:
    """Let gradients pass through a model, keeping one layer's activations at a time; its weights get none.

    Each layer's inputs are kept, and the rest is computed again on the way back (Chen et al. 2016, arXiv:1604.06174),
    unless the pair is so short that all activations are small.
    """
    layers = list(getattr(model, model.base_model_prefix).layers)
    quantised = [module for module in model.modules() if isinstance(module, Int4Linear | Int8Linear)]
    for module in quantised:
        module.forward = functools.partial(_forward, module)  # type: ignore[method-assign]
    for layer in layers:
        layer.forward = functools.partial(_checkpointed, layer.forward)
    try:
        yield
    finally:
        for module in (*layers, *quantised):
            del module.forward  # the method of its class again


def _checkpointed(forward: Any, states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    if states.shape[-2] <= SHORT_TOKENS or not torch.is_grad_enabled():
        return forward(states, *args, **kwargs)
    return checkpoint(forward, states, *args, use_reentrant=False, **kwargs)


def _forward(module: Int4Linear | Int8Linear, states: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = _Product.apply(states, module)  # type: ignore[no-untyped-call]
    return product

"""The layers of a BERT encoder (Devlin et al., NAACL 2019) as a single call, during which other threads can run.

If called one by one, each of the 180 operations takes Python's lock again when it ends, and has to wait for whoever
holds it: next to one thread of plain Python, a question takes 149 instead of 23 ms (`benchmarks/LOG.md`). TorchScript
takes the lock only once, which makes it 32 ms. The results are the same to the last bit.
"""

from __future__ import annotations

import warnings
from typing import Optional, Union

import torch
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

# For each layer: weight and bias of queries, keys and values together, of the attention's output, of the norm after it,
# of the widening and the narrowing product, and of the last norm.
Layer = list[torch.Tensor]
_Scalars = list[Optional[Union[int, float, complex]]]  # noqa: UP007, UP045 - TorchScript knows no other spelling


def _product(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A linear layer, in the precision of its bias. The weight may be in oneDNN's layout."""
    states = states.to(bias.dtype)
    if weight.is_mkldnn:
        # What torch's compiler makes of a linear layer with constant weights; not a public interface.
        scalars = torch.jit.annotate(_Scalars, [])  # type: ignore[no-untyped-call]
        return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", scalars, "")  # type: ignore[no-any-return]
    return linear(states, weight, bias)


def _through(
    states: torch.Tensor,
    layers: list[Layer],
    seen: Optional[torch.Tensor],  # noqa: UP045 - as above
    heads: int,
    epsilon: float,
) -> torch.Tensor:
    """Vectors (n, tokens, width) float32 after these layers; `seen`: the tokens to attend to, all with None."""
    count, tokens, width = states.shape[0], states.shape[1], states.shape[2]
    for layer in layers:
        split = _product(states, layer[0], layer[1]).view(count, tokens, 3, heads, width // heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        attended = scaled_dot_product_attention(query, key, value, attn_mask=seen)
        attended = attended.transpose(1, 2).reshape(count, tokens, width)
        states = _product(attended, layer[2], layer[3]) + states
        states = layer_norm(states, [width], layer[4], layer[5], epsilon)
        widened = gelu(_product(states, layer[6], layer[7]))
        states = _product(widened, layer[8], layer[9]) + states
        states = layer_norm(states, [width], layer[10], layer[11], epsilon)
    return states


with warnings.catch_warnings():
    # Deprecated, but its successor needs a compiler on the machine. `_through` does the same.
    warnings.simplefilter("ignore", DeprecationWarning)
    through = torch.jit.script(_through)

"""BERT encoders on a CPU in bfloat16, with half the processor time that they take in sentence-transformers.

What is computed is what `torch.autocast` computes, to the last bit: matrix products and attention in bfloat16, sums and
layer normalisation in float32. But weights are rounded once and kept in the layout that the products need, and a layer
is fifteen calls instead of fifty. For a question of 17 tokens that is 17 instead of 35 ms (`benchmarks/LOG.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rag.records import Vectors

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

ROWS: Final = 24  # tokens of a usual batch, for which the layout of weights is chosen


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer; each pair is a weight and a bias."""

    attention: _Product  # queries, keys and values at once
    attended: _Product
    attended_norm: tuple[torch.Tensor, torch.Tensor]
    widened: _Product
    narrowed: _Product
    norm: tuple[torch.Tensor, torch.Tensor]


class BertEncoder:
    """Texts to vectors with the weights of a sentence-transformers model: BERT, then the mean over the tokens."""

    def __init__(self, model: SentenceTransformer) -> None:
        """Takes over the weights of the layers, so that the model itself can no longer compute."""
        bert: Any = model[0].auto_model
        self._model, self._embeddings = model, bert.embeddings
        self._normalised = len(model) > 2  # the model does so itself
        self._heads, self._epsilon = bert.config.num_attention_heads, bert.config.layer_norm_eps
        self._layers = [_layer_of(layer) for layer in bert.encoder.layer]
        del bert.encoder.layer[:]

    def encode(self, texts: list[str], prompt: str) -> Vectors:
        """Unit vectors (n, d) float32 of texts behind a prompt; an overlong text is cut off at its end."""
        import torch

        with torch.inference_mode():
            tokens = self._model.preprocess(texts, prompt=prompt)
            mask = tokens["attention_mask"]
            states = self._states(tokens["input_ids"], mask)
            counted = mask.unsqueeze(-1).expand(states.size()).to(states.dtype)
            mean = torch.sum(states * counted, 1) / torch.clamp(counted.sum(1), min=1e-9)
            for _ in range(self._normalised + 1):  # twice changes the last bit
                mean = torch.nn.functional.normalize(mean, dim=-1)
        unit: Vectors = mean.numpy()
        return unit

    def _states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The last layer's vectors, (n, tokens, width) float32, of ids and their mask, (n, tokens) each."""
        embeddings = self._embeddings
        states = embeddings.word_embeddings.weight[ids] + embeddings.token_type_embeddings.weight[0]
        states = states + embeddings.position_embeddings.weight[: ids.shape[1]]
        states = self._norm(states, (embeddings.LayerNorm.weight, embeddings.LayerNorm.bias))
        seen = None if bool(mask.all()) else mask[:, None, None, :].bool()
        for layer in self._layers:
            states = self._through(states, layer, seen)
        return states

    def _through(self, states: torch.Tensor, layer: _Layer, seen: torch.Tensor | None) -> torch.Tensor:
        import torch

        count, tokens, width = states.shape
        heads = layer.attention(states.bfloat16()).view(count, tokens, 3, self._heads, width // self._heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attended = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        attended = attended.transpose(1, 2).reshape(count, tokens, width)
        states = self._norm(layer.attended(attended) + states, layer.attended_norm)
        widened = torch.nn.functional.gelu(layer.widened(states.bfloat16()))
        return self._norm(layer.narrowed(widened) + states, layer.norm)

    def _norm(self, states: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.nn.functional.layer_norm(states, (states.shape[-1],), *weights, self._epsilon)


class _Product:
    """Linear layers of the same input as one, in bfloat16."""

    def __init__(self, *linear: torch.nn.Linear) -> None:
        import torch

        weight = torch.cat([one.weight.detach() for one in linear]).bfloat16()
        bias = torch.cat([one.bias.detach() for one in linear]).bfloat16()
        self._linear: Callable[..., torch.Tensor] = torch.nn.functional.linear
        self._arguments: tuple[Any, ...] = (weight, bias)
        # What torch's compiler makes of a linear layer whose weights do not change; it is no public interface.
        operations = torch.ops.mkldnn
        if hasattr(operations, "_linear_pointwise") and operations._is_mkldnn_bf16_supported():
            self._linear = operations._linear_pointwise
            packed = operations._reorder_linear_weight(weight, ROWS)
            self._arguments = (packed, bias, "none", [], "")

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        return self._linear(states, *self._arguments)


def _layer_of(layer: Any) -> _Layer:
    attention = layer.attention
    return _Layer(
        _Product(attention.self.query, attention.self.key, attention.self.value),
        _Product(attention.output.dense),
        _norm_of(attention.output.LayerNorm),
        _Product(layer.intermediate.dense),
        _Product(layer.output.dense),
        _norm_of(layer.output.LayerNorm),
    )


def _norm_of(norm: torch.nn.LayerNorm) -> tuple[torch.Tensor, torch.Tensor]:
    return norm.weight.detach(), norm.bias.detach()


def is_mean_of_bert(model: SentenceTransformer) -> bool:
    """Whether a model is what `BertEncoder` computes."""
    modules = [type(module).__name__ for module in model]
    if modules[:2] != ["Transformer", "Pooling"] or modules[2:] not in ([], ["Normalize"]):
        return False
    bert: Any = model[0].auto_model
    pooling: Any = model[1]
    config = bert.config
    usual = config.hidden_act == "gelu" and getattr(config, "position_embedding_type", "absolute") == "absolute"
    return type(bert).__name__ == "BertModel" and usual and pooling.pooling_mode == "mean" and pooling.include_prompt

"""BERT encoders on a CPU, in half to three quarters of the processor time that sentence-transformers needs.

The results equal those of sentence-transformers (under `torch.autocast` if in bfloat16) to the last bit. But weights
are rounded once and kept in the layout that the products need, a layer is fifteen operations instead of fifty, and all
layers are one call (`layers.py`). A question of 17 tokens takes 17 instead of 35 ms in bfloat16, 16 instead of 23 in
float32 (`benchmarks/LOG.md`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rag.records import Vectors

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

ROWS: Final = 24  # tokens of a usual batch, for which the weights' layout is chosen


class BertEncoder:
    """Texts to vectors, with the weights of a sentence-transformers model: BERT, then the mean over the tokens."""

    def __init__(self, model: SentenceTransformer, *, bfloat16: bool) -> None:
        """Takes over the weights of the layers, so the model itself can no longer compute."""
        from rag.embed.layers import through

        bert: Any = model[0].auto_model
        self._model, self._embeddings, self._through = model, bert.embeddings, through
        self._normalised = len(model) > 2  # the model does so itself
        self._heads, self._epsilon = bert.config.num_attention_heads, bert.config.layer_norm_eps
        self._layers = [_layer_of(layer, bfloat16=bfloat16) for layer in bert.encoder.layer]
        del bert.encoder.layer[:]

    def encode(self, texts: list[str], prompt: str) -> Vectors:
        """Unit vectors (n, d) float32 of texts, each after a prompt; a text that is too long is cut off at its end."""
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
        after: torch.Tensor = self._through(states, self._layers, seen, self._heads, self._epsilon)
        return after

    def _norm(self, states: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.nn.functional.layer_norm(states, (states.shape[-1],), *weights, self._epsilon)


def _layer_of(layer: Any, *, bfloat16: bool) -> list[torch.Tensor]:
    """The weights of a layer as `layers.through` takes them."""
    attention = layer.attention
    own = attention.self
    return [
        *_product_of(own.query, own.key, own.value, bfloat16=bfloat16),
        *_product_of(attention.output.dense, bfloat16=bfloat16),
        *_norm_of(attention.output.LayerNorm),
        *_product_of(layer.intermediate.dense, bfloat16=bfloat16),
        *_product_of(layer.output.dense, bfloat16=bfloat16),
        *_norm_of(layer.output.LayerNorm),
    ]


def _product_of(*linear: torch.nn.Linear, bfloat16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of several linear layers with the same input, as one layer."""
    import torch

    weight = torch.cat([one.weight.detach() for one in linear])
    bias = torch.cat([one.bias.detach() for one in linear])
    if not bfloat16:
        return weight, bias
    weight, operations = weight.bfloat16(), torch.ops.mkldnn
    if hasattr(operations, "_linear_pointwise") and operations._is_mkldnn_bf16_supported():
        weight = operations._reorder_linear_weight(weight, ROWS)
    return weight, bias.bfloat16()


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

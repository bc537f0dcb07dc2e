"""How much memory fine-tuning takes, computed from a model's dimensions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch

from model.adapters import Method
from model.device import compute_dtype
from model.families import ModelDimensions, Precision
from model.finetune.train import TrainingSettings
from model.memory import needed_bytes

ADAM_BYTES: Final = 16  # per trained weight, in float32: the weight, its gradient and two means
ANSWER_SHARE: Final = 0.25  # share of a pair's tokens that are the answer, for which logits are computed
LOGIT_BYTES: Final = 12  # per logit: as computed, in float32, and its gradient


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes needed for training, by purpose."""

    weights: int  # of the model, with what the libraries and the device take
    trained: int  # the adapter, its gradients and what AdamW keeps
    inputs: int  # of every layer
    layer: int  # all activations of one layer, and their gradients
    matrix: int  # the largest quantised matrix, dequantised
    logits: int  # of the answer

    @property
    def total(self) -> int:
        """All of them together."""
        return sum(getattr(self, one.name) for one in fields(self))


def training_memory(
    dimensions: ModelDimensions, precision: Precision, settings: TrainingSettings, device: torch.device
) -> TrainingMemory:
    """Memory for pairs of `settings.longest` tokens. Computed, not measured."""
    width, tokens = compute_dtype(precision, device).itemsize, settings.longest
    hidden, attention = dimensions.hidden, dimensions.heads * dimensions.head_dim
    inner = dimensions.ffn * (3 if dimensions.gated else 2)  # gate, up and their product; or before and after GELU
    activations = tokens * (8 * hidden + 4 * attention + inner) * width
    quantised = precision in (Precision.INT8, Precision.INT4)
    prefix = settings.prefix_tokens if settings.method is Method.P_TUNING else 0
    return TrainingMemory(
        weights=needed_bytes(dimensions, precision, 0, device),
        trained=trained_weights(dimensions, settings) * ADAM_BYTES,
        inputs=dimensions.layers * tokens * hidden * width + prefix * dimensions.kv_bytes_per_token(width),
        layer=2 * activations,
        matrix=2 * dimensions.largest_matrix if quantised else 0,
        logits=int(tokens * ANSWER_SHARE) * dimensions.vocab * LOGIT_BYTES,
    )


def trained_weights(dimensions: ModelDimensions, settings: TrainingSettings) -> int:
    """Number of weights that an adapter has."""
    if settings.method is Method.P_TUNING:
        return settings.prefix_tokens * dimensions.layers * 2 * dimensions.groups * dimensions.head_dim
    hidden, ffn = dimensions.hidden, dimensions.ffn
    query, key = dimensions.heads * dimensions.head_dim, dimensions.groups * dimensions.head_dim
    # Inputs and outputs of each matrix: attention, then the feed-forward network.
    sides = 4 * hidden + 2 * query + 2 * key + 2 * hidden + (3 if dimensions.gated else 2) * ffn
    return settings.rank * dimensions.layers * sides

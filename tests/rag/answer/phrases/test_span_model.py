"""The model that finds spans: how its weights are stored, and how a span is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rag.answer.phrases.features import COUNT
from rag.answer.phrases.span_model import (
    FILE,
    LAYERS,
    PARTS,
    Encoded,
    Network,
    best_span,
    open_span_model,
    pack_difference,
)
from tests.fakes import ExactEmbedder


def test_the_best_span_lies_within_one_sentence_and_in_order() -> None:
    places = [None, None, (0, 0, 3), (0, 4, 8), None, (1, 0, 2), (1, 3, 6)]
    starts = np.log(np.array([0.1, 0, 0.1, 0.5, 0, 0.2, 0.1], np.float32) + 1e-9)
    ends = np.log(np.array([0.1, 0, 0.4, 0.1, 0, 0.1, 0.3], np.float32) + 1e-9)
    span = best_span(starts, ends, places)
    assert span is not None
    assert (span.sentence, span.start, span.end) == (1, 0, 6)
    assert best_span(starts[:2], ends[:2], places[:2]) is None


def test_packed_differences_come_back_within_half_a_step() -> None:
    difference = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    packed, scale = pack_difference(difference)
    numbers = torch.stack([packed & 15, packed >> 4], -1).flatten(1).float() - 8.0
    restored = numbers * scale.float()[:, None]
    assert (restored - difference).abs().le(scale.float()[:, None] * 0.51).all()
    assert packed.numel() * 2 == difference.numel()


def test_another_embedder_has_no_such_model() -> None:
    assert open_span_model(ExactEmbedder.name, ExactEmbedder.folder) is None


def test_the_stored_weights_are_small() -> None:
    assert FILE.stat().st_size < 10_000_000


def small_network(folder: Path, change: float) -> Network:
    """Of 24 dimensions and random weights; the trained layers differ from the embedder's by up to `change`."""
    made = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=made)

    shapes = {"intermediate.dense.weight": (48, 24), "intermediate.dense.bias": (48,), "output.dense.weight": (24, 48)}
    base = {
        f"encoder.layer.{n}.{part}": random(*shapes.get(part, (24, 24) if "dense.weight" in part else (24,)))
        for n in range(LAYERS)
        for part in PARTS
    }
    for n in range(LAYERS):
        for name in ("query", "key", "value"):
            base[f"encoder.layer.{n}.attention.self.{name}.weight"] = random(24, 24)
    for name, rows in (("word_embeddings", 9), ("position_embeddings", 9), ("token_type_embeddings", 1)):
        base[f"embeddings.{name}.weight"] = random(rows, 24)
    base |= {"embeddings.LayerNorm.weight": torch.ones(24), "embeddings.LayerNorm.bias": torch.zeros(24)}
    packed, scale = pack_difference(random(24, 24) * change)
    trained = {
        "encoder.layer.11.attention.output.dense.weight.packed": packed,
        "encoder.layer.11.attention.output.dense.weight.scale": scale,
        "encoder.layer.11.attention.output.dense.bias": random(24) * change,
        "feat.weight": random(24, COUNT),
        "feat.bias": random(24),
        "hid.weight": random(16, 24 + COUNT),
        "hid.bias": random(16),
        "out.weight": random(2, 16),
        "out.bias": random(2),
    }
    save_file(base, folder / "base.safetensors")
    save_file(trained, folder / "trained.safetensors", metadata={"first_trained": "6"})
    with (
        safe_open(str(folder / "base.safetensors"), "pt") as opened,
        safe_open(str(folder / "trained.safetensors"), "pt") as changed,
    ):
        return Network(opened, changed)


def test_probabilities_are_those_of_no_answer_and_of_the_tokens_of_sentences(tmp_path: Path) -> None:
    encoded = Encoded(
        [0, 4, 2, 5, 6, 2], np.zeros((6, COUNT), np.float32), [None, None, None, (0, 0, 2), (0, 3, 5), None]
    )
    starts, ends = small_network(tmp_path, 0.0).log_probabilities(encoded)
    for scores in (starts, ends):
        assert np.isclose(np.exp(scores).sum(), 1.0, atol=1e-5)
        assert np.exp(scores[[1, 2, 5]]).max() < 1e-6
    changed, _ = small_network(tmp_path, 1.0).log_probabilities(encoded)
    assert not np.allclose(changed, starts)

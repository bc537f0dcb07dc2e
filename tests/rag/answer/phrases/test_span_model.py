"""The model that finds spans: how its weights are stored, and how a span is chosen."""

from __future__ import annotations

import numpy as np
import torch

from rag.answer.phrases.span_model import FILE, best_span, open_span_model, pack_difference
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
    assert open_span_model(ExactEmbedder()) is None


def test_the_stored_weights_are_small() -> None:
    assert FILE.stat().st_size < 10_000_000

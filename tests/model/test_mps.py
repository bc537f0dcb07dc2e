"""What only an Apple GPU can show: run with `pytest -m gpu` where there is one."""

import threading

import pytest
import torch

from model.families import Precision
from model.generate import generate
from model.load import load_reader
from model.load_settings import LoadSettings
from rag.reader import ReadRequest, ReadSource, Sampling
from tests.model.checkpoints import NAMES, cases, load, publish, reference
from tests.model.cut import until_cut
from tests.model.test_load import native

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs an Apple GPU (MPS), and there is none"),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_the_original(name, tmp_path):
    model = load(publish(name, tmp_path), name, Precision.FP32, "mps")
    for case in set(cases(name)) & {"short", "long"}:
        with torch.no_grad():
            logits = model(input_ids=reference(name)[f"{case}.input_ids"].to("mps")).logits.cpu()
        assert (logits - reference(name)[f"{case}.logits"]).abs().max() < 1e-3


def test_the_same_text_as_on_a_cpu(tmp_path):
    native(tmp_path)
    tokens = [
        list(generate(load_reader(tmp_path, LoadSettings(precision="fp32", device=device)).model, [5] * 700,
                      Sampling(32, 0), frozenset(), threading.Event()))
        for device in ("cpu", "mps")
    ]  # fmt: skip
    assert tokens[0] == tokens[1]


def test_auto_loads_in_16_bits_and_answers(tmp_path):
    native(tmp_path)
    reader = load_reader(tmp_path, LoadSettings(device="mps"))
    assert reader.name.endswith("FP16 · mps")
    request = ReadRequest("what?", (ReadSource(1, "a.pdf", "1", "", "text"),), sampling=Sampling(12, 0))
    assert "".join(until_cut(reader.answer(request, threading.Event())))

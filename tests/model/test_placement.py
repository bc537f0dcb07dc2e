"""A model over several GPUs: how its layers are put on them, and how its inputs follow."""

import dataclasses

import pytest
import torch

from model import placement as placing
from model.families import GB, Precision, find_family
from model.load import prepare
from model.load_settings import LoadSettings
from model.memory import needed_bytes
from model.placement import Placement, connect, moved, spread, total_free
from rag.errors import OutOfMemory
from tests.model.checkpoints import load, publish, reference
from tests.model.tiny_tokenizers import write_tokenizer

GPUS = tuple(torch.device("cuda", at) for at in range(8))
GLM_130B = find_family("GLM-130B").dimensions


@pytest.mark.parametrize(
    ("precision", "gigabytes"),
    [(Precision.BF16, [40] * 8), (Precision.INT8, [24] * 8), (Precision.INT4, [24] * 4), (Precision.INT4, [80, 24])],
)
def test_every_gpu_holds_what_it_is_given(precision, gigabytes):
    devices = GPUS[: len(gigabytes)]
    layers = spread(GLM_130B, precision, 2048, devices, [one * GB for one in gigabytes]).layers
    assert len(layers) == GLM_130B.layers
    assert list(layers) == sorted(layers, key=lambda device: device.index)
    whole = needed_bytes(GLM_130B, precision, 2048, GPUS[0])
    for device, one in zip(devices, gigabytes, strict=True):
        assert layers.count(device) * whole / GLM_130B.layers < 1.05 * one * GB
    if len(set(gigabytes)) == 1:
        counts = [layers.count(device) for device in devices]
        assert max(counts[1:]) - min(counts[1:]) <= 1
        assert counts[0] <= counts[1]


def test_what_does_not_fit_is_refused_with_its_figures():
    with pytest.raises(OutOfMemory, match=r"needs 26\d\.\d GB in BF16 with 2048 .* on 4 GPUs with 96\.0 GB free"):
        spread(GLM_130B, Precision.BF16, 2048, GPUS[:4], [24 * GB] * 4)


def test_the_memory_of_several_is_less_than_their_sum():
    assert total_free(GLM_130B, [24 * GB], 2048, GPUS[0]) == 24 * GB
    assert 90 * GB < total_free(GLM_130B, [24 * GB] * 4, 2048, GPUS[0]) < 96 * GB
    assert total_free(GLM_130B, [24 * GB, 1000], 2048, GPUS[0]) == 24 * GB


def test_only_layers_leave_the_first_device():
    placed = Placement(GPUS[0], (GPUS[0], GPUS[1]))
    assert placed.device_of("model.layers.1.self_attn.q_proj.weight") == GPUS[1]
    assert placed.device_of("transformer.layers.0.mlp.dense_h_to_4h.bias") == GPUS[0]
    assert placed.device_of("transformer.final_layernorm.weight") == GPUS[0]
    assert placed.device_of("lm_head.weight") == GPUS[0]


@pytest.mark.parametrize("name", ["chatglm1", "chatglm2", "glm130b"])
def test_inputs_follow_the_layers_and_the_output_comes_back(name, tmp_path, monkeypatch):
    model = load(publish(name, tmp_path), name) if name != "glm130b" else converted_130b(tmp_path)
    ids = reference(name)[("gmask_end" if name == "glm130b" else "long") + ".input_ids"]
    with torch.no_grad():
        wanted = model(ids).logits
    went = []

    def record(value, device):
        if isinstance(value, torch.Tensor):
            went.append(device)
        return moved(value, torch.device("cpu"))

    monkeypatch.setattr(placing, "moved", record)
    connect(model, Placement(GPUS[0], (GPUS[0], GPUS[1], GPUS[2])))
    with torch.no_grad():
        assert torch.equal(model(ids).logits, wanted)
    assert went[-1] == GPUS[0]


def converted_130b(folder):
    from tests.model.test_glm130b import converted

    return load(converted(folder, 1), "glm130b")


def test_tensors_are_moved_wherever_they_are():
    there = torch.device("meta")
    one = torch.zeros(1)
    given = {"a": (one, [one, None]), "b": "text", "c": dataclasses.field()}
    found = moved(given, there)
    assert found["a"][0].device == there
    assert found["a"][1][0].device == there
    assert found["a"][1][1] is None
    assert found["c"] is given["c"]


def test_a_model_is_spread_only_if_it_does_not_fit_on_the_first(tmp_path, monkeypatch):
    folder = publish("chatglm2", tmp_path)
    write_tokenizer("chatglm2", folder)
    prepared = dataclasses.replace(prepare(folder, LoadSettings(device="cpu")), devices=GPUS[:2])
    free = {GPUS[0]: 80 * GB, GPUS[1]: 80 * GB}
    choice = dataclasses.replace(prepare(folder, LoadSettings(device="cpu")).choose("bf16"), needed=90 * GB)
    monkeypatch.setattr("model.load.free_bytes", lambda device: free[device])
    assert prepared.placement(dataclasses.replace(choice, needed=10 * GB)) is None
    assert set(prepared.placement(choice).layers) == set(GPUS[:2])
    assert prepared.free_bytes() > 150 * GB

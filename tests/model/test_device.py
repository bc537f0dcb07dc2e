"""The device by what the machine has, and its free memory."""

import pytest
import torch

from model.device import (
    _control_group_available,
    _linux_available,
    attention_implementation,
    compute_dtype,
    free_bytes,
    pick_device,
)
from model.families import GB, Precision, find_family
from model.listing import memory_by_precision
from model.memory import choose_precision
from rag.errors import OutOfMemory, ReaderError, SettingRefused

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda:0"), torch.device("mps")


@pytest.fixture
def apple(monkeypatch):
    """A GPU of Apple's, as far as torch is asked about it."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 16 * GB)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 4 * GB)


@pytest.mark.parametrize("device", ["cuda:99", "mps", "mps:1", "cpu:1", "meta", "toaster"])
def test_an_unknown_device_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingRefused, match="choose auto"):
        pick_device(device)


def test_a_gpu_is_taken_by_its_number(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(pick_device(name)) for name in ("auto", "cuda", "cuda:1")] == ["cuda:0", "cuda:0", "cuda:1"]
    with pytest.raises(SettingRefused, match="This machine has no cuda:2; choose auto or cpu"):
        pick_device("cuda:2")


def test_an_apple_gpu_is_used_where_it_is_asked_for(apple):
    assert pick_device("mps") == MPS
    assert pick_device("auto") == CPU
    with pytest.raises(SettingRefused, match="no mps:1"):
        pick_device("mps:1")
    assert free_bytes(MPS) == 12 * GB
    assert compute_dtype(Precision.FP16, MPS) is torch.float16
    assert attention_implementation("glm4", torch.float16, MPS) == "sdpa"


@pytest.mark.parametrize("published_bits", [0, 4, 8])
def test_an_apple_gpu_computes_in_16_bits(apple, published_bits):
    dimensions = find_family("glm-edge-1.5b-chat").dimensions
    found = choose_precision(dimensions, "auto", 8_192, MPS, free_bytes(MPS), published_bits=published_bits)
    assert found.precision is Precision.FP16
    with pytest.raises(OutOfMemory, match="choose a smaller model"):
        choose_precision(find_family("glm-4-9b-chat").dimensions, "auto", 8_192, MPS, free_bytes(MPS))


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_integers_are_refused_on_an_apple_gpu_and_what_to_do_is_said(apple, precision):
    dimensions = find_family("glm-edge-1.5b-chat").dimensions
    with pytest.raises(ReaderError, match=f"no kernel for {precision.upper()} on Apple's GPUs here; choose"):
        choose_precision(dimensions, precision, 8_192, MPS, free_bytes(MPS))
    memory = memory_by_precision(find_family("glm-edge-1.5b-chat"), MPS)
    assert memory[Precision.BF16] is not None
    assert memory[Precision(precision)] is None


def test_flash_attention_is_used_on_ampere_in_16_bits(gpu):
    wanted = "flash_attention_2" if gpu else "sdpa"
    assert attention_implementation("glm", torch.bfloat16, CUDA) == wanted
    assert attention_implementation("glm4", torch.float16, CUDA) == wanted
    assert attention_implementation("glm", torch.float32, CUDA) == "sdpa"
    assert attention_implementation("chatglm1", torch.bfloat16, CUDA) == "sdpa"
    assert attention_implementation("glm", torch.bfloat16, CPU) == "sdpa"


def test_free_memory_is_read_where_the_system_tells(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   1000 kB\n")
    assert _linux_available(tmp_path / "meminfo") == 1_024_000
    assert _linux_available(tmp_path / "nothing") is None
    assert _control_group_available(tmp_path) is None
    for name, content in (("memory.max", "5000"), ("memory.current", "3000"), ("memory.stat", "inactive_file 500\n")):
        (tmp_path / name).write_text(content)
    assert _control_group_available(tmp_path) == 2500
    (tmp_path / "memory.max").write_text("max")
    assert _control_group_available(tmp_path) is None
    assert free_bytes(CPU) > 0

"""The device by what the machine has, and its free memory."""

import pytest
import torch

from model.device import (
    _control_group_available,
    _linux_available,
    attention_implementation,
    free_bytes,
    pick_device,
)
from rag.errors import SettingRefused

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")


@pytest.mark.parametrize("device", ["cuda:99", "mps", "toaster"])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(SettingRefused, match="choose auto"):
        pick_device(device)


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

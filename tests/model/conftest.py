"""What several of these tests run on."""

import pytest
import torch


@pytest.fixture(params=[(7, 5), (8, 0)], ids=["turing", "ampere"])
def gpu(request, monkeypatch):
    """A GPU, as far as torch and the libraries are asked about it; whether it calculates in bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: request.param)
    monkeypatch.setattr("model.device.is_flash_attn_2_available", lambda: True)
    monkeypatch.setattr("model.memory.find_spec", lambda name: object())
    return request.param >= (8, 0)

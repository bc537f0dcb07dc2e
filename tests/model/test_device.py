"""Device and precision by what the machine has, and memory reckoned before anything is loaded."""

from types import SimpleNamespace

import pytest
import torch

from model.device import (
    DEFAULT_CONTEXT,
    _control_group_available,
    _linux_available,
    attention_implementation,
    choose_precision,
    compute_dtype,
    free_bytes,
    needed_bytes,
    pick_device,
)
from model.families import FAMILIES, Precision, find_family
from model.listing import list_models, memory_by_precision
from model.load import context_length
from rag.errors import OutOfMemory, ReaderError, SettingRefused

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
GIGA = 1_000_000_000


@pytest.mark.parametrize("device", ["cuda:99", "mps", "toaster"])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(SettingRefused, match="choose auto"):
        pick_device(device)


def test_an_unknown_precision_is_refused():
    with pytest.raises(SettingRefused, match="int4"):
        choose_precision(FAMILIES[0].dimensions, "int3", 100, CPU, None)


@pytest.mark.parametrize(
    ("free", "published", "wanted"),
    [(20.0, 0, Precision.INT8), (6.5, 0, Precision.INT4), (20.0, 4, Precision.INT4), (None, 0, Precision.INT8)],
)
def test_auto_takes_the_best_that_fits(free, published, wanted):
    dimensions = find_family("chatglm2-6b").dimensions
    have = None if free is None else int(free * GIGA)
    fit = choose_precision(dimensions, "auto", 8192, CPU, have, published_bits=published)
    assert fit.precision is wanted
    assert "8192 tokens" in str(fit.why)
    assert str(free) in str(fit.why) or free is None


@pytest.fixture(params=[(7, 5), (8, 0)], ids=["turing", "ampere"])
def gpu(request, monkeypatch):
    """A GPU, as far as torch and the libraries are asked about it; whether it calculates in bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: request.param)
    monkeypatch.setattr("model.device.is_flash_attn_2_available", lambda: True)
    monkeypatch.setattr("model.device.find_spec", lambda name: object())
    return request.param >= (8, 0)


def test_a_gpu_without_bfloat16_takes_float16_and_calculates_integers_in_float32(gpu):
    dimensions = find_family("GLM-4-9B-0414").dimensions
    full = Precision.BF16 if gpu else Precision.FP16
    assert choose_precision(dimensions, "auto", 8192, CUDA, 40 * GIGA).precision is full
    assert choose_precision(dimensions, "auto", 8192, CUDA, 17 * GIGA).precision is Precision.INT8
    assert choose_precision(dimensions, "auto", 8192, CUDA, 12 * GIGA).precision is Precision.INT4
    assert compute_dtype(full, CUDA) is (torch.bfloat16 if gpu else torch.float16)
    for precision in (Precision.INT8, Precision.INT4):  # float16 overflows in GLM-4-0414
        assert compute_dtype(precision, CUDA) is (torch.bfloat16 if gpu else torch.float32)
    cache = needed_bytes(dimensions, Precision.INT4, 1000, CUDA) - needed_bytes(dimensions, Precision.INT4, 0, CUDA)
    assert cache == 1000 * dimensions.cache_bytes_per_token * (1 if gpu else 2)


def test_a_gpu_without_bitsandbytes_is_told_how_to_get_int4(gpu, monkeypatch):
    monkeypatch.setattr("model.device.find_spec", lambda name: None)
    dimensions = find_family("GLM-4-9B-0414").dimensions
    with pytest.raises(OutOfMemory, match=r"in INT4 it needs \d+\.\d GB: pip install bitsandbytes"):
        choose_precision(dimensions, "auto", 8192, CUDA, 12 * GIGA)
    with pytest.raises(OutOfMemory, match="choose a smaller model") as refused:
        choose_precision(dimensions, "auto", 8192, CUDA, 2 * GIGA)
    assert "bitsandbytes" not in str(refused.value)  # it would not help


def test_flash_attention_is_used_on_ampere_in_16_bits(gpu):
    wanted = "flash_attention_2" if gpu else "sdpa"
    assert attention_implementation("glm", torch.bfloat16, CUDA) == wanted
    assert attention_implementation("glm4", torch.float16, CUDA) == wanted
    assert attention_implementation("glm", torch.float32, CUDA) == "sdpa"
    assert attention_implementation("chatglm1", torch.bfloat16, CUDA) == "sdpa"
    assert attention_implementation("glm", torch.bfloat16, CPU) == "sdpa"


def test_a_mixture_of_experts_takes_16_bits_or_nothing(gpu):
    """Its experts are not linear layers, and bitsandbytes leaves everything else as it is."""
    dimensions = find_family("GLM-4.5-Air").dimensions
    full = Precision.BF16 if gpu else Precision.FP16
    assert choose_precision(dimensions, "auto", 8192, CUDA, 300 * GIGA).precision is full
    for wanted, raised in (("auto", OutOfMemory), ("int4", ReaderError)):
        with pytest.raises(raised):
            choose_precision(dimensions, wanted, 8192, CUDA, 80 * GIGA)


@pytest.mark.parametrize("wanted", ["auto", "bf16"])
def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(wanted):
    dimensions = find_family("GLM-4-32B-0414").dimensions
    with pytest.raises(OutOfMemory, match=r"needs \d+\.\d GB .* 10\.0 GB are free on cpu; choose"):
        choose_precision(dimensions, wanted, 8192, CPU, 10 * GIGA)


def test_more_context_needs_more_memory():
    dimensions = find_family("chatglm-6b").dimensions
    short, long = (needed_bytes(dimensions, Precision.INT4, tokens, CPU) for tokens in (0, 2048))
    assert long - short == 2048 * 28 * 2 * 4096 * 2


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


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize("name", ["GLM-4-9B-0414", "chatglm2-6b", "glm-4-9b-chat-1m"])
def test_the_memory_listed_is_the_memory_that_loading_asks_for(name, device):
    family = find_family(name)
    tokens = context_length(SimpleNamespace(max_position_embeddings=family.context), family, None, device)
    for precision, listed in memory_by_precision(family, device).items():
        choose_precision(family.dimensions, precision.value, tokens, device, listed)
        with pytest.raises(OutOfMemory, match=f"with {tokens} tokens of context"):
            choose_precision(family.dimensions, precision.value, tokens, device, listed - 1)


def test_the_list_names_the_context_its_memory_is_for():
    assert f"{DEFAULT_CONTEXT['cpu']:,} tokens of context" in list_models("cpu", free=GIGA)

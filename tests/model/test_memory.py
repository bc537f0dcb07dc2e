"""Memory reckoned before anything is loaded, and the precision and context that fit in it."""

from types import SimpleNamespace

import pytest
import torch

from model.device import compute_dtype
from model.families import FAMILIES, GB, KvPrecision, Precision, find_family
from model.listing import list_models, memory_by_precision
from model.load import context_length
from model.memory import DEFAULT_CONTEXT, MIN_CONTEXT, choose_precision, needed_bytes
from rag.errors import OutOfMemory, ReaderError, SettingRefused

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
# Resident peak at full size, GB, by `benchmarks/memory.py` (benchmarks/LOG.md).
MEASURED = [
    ("chatglm2-6b", "int4", 2048, 4.365),
    ("chatglm2-6b", "int4", 8192, 4.54),
    ("chatglm-6b", "int4", 2048, 5.84),
    ("chatglm-6b", "int8", 2048, 8.28),
]
MEASURED_WITH_INT8 = ("chatglm2-6b", "int4", 32_768, 4.812)  # keys and values in INT8


@pytest.mark.parametrize(("name", "precision", "context", "peak"), MEASURED)
def test_the_memory_reckoned_is_the_peak_that_was_measured(name, precision, context, peak):
    """Never less, and at most 2% more."""
    needed = needed_bytes(find_family(name).dimensions, Precision(precision), context, CPU) / GB
    assert peak <= needed < 1.02 * peak


def test_the_memory_reckoned_with_keys_and_values_in_int8_is_the_peak_that_was_measured():
    name, precision, context, peak = MEASURED_WITH_INT8
    dimensions = find_family(name).dimensions
    assert peak <= needed_bytes(dimensions, Precision(precision), context, CPU, KvPrecision.INT8) / GB < 1.02 * peak


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize(("name", "context"), [("chatglm-6b", 2048), ("chatglm2-6b", 8192)])
def test_both_6b_models_fit_in_6_gb(name, context, device, monkeypatch):
    """The claim of their makers: INT4 on a card of 6 GB."""
    monkeypatch.setattr("model.memory.find_spec", lambda name: object())
    found = choose_precision(find_family(name).dimensions, "auto", context, device, 6 * GB, shortest=MIN_CONTEXT)
    assert (found.precision, found.context) == (Precision.INT4, context)
    assert found.needed <= 6 * GB
    assert "shortened" not in str(found.why)


@pytest.mark.parametrize("wanted", ["auto", "int4"])
def test_a_context_that_nobody_asked_for_is_shortened_to_what_fits(wanted, gpu):
    """Both numbers are said, and 256 tokens more would not fit."""
    dimensions, free = find_family("chatglm3-6b-128k").dimensions, 6 * GB
    found = choose_precision(dimensions, wanted, 65_536, CUDA, free, shortest=MIN_CONTEXT)
    assert found.precision is Precision.INT4
    assert MIN_CONTEXT < found.context < 65_536
    assert needed_bytes(dimensions, Precision.INT4, found.context, CUDA) == found.needed <= free
    assert needed_bytes(dimensions, Precision.INT4, found.context + 256, CUDA) > free
    assert f"shortened from 65536 to {found.context} tokens" in str(found.why)


def test_a_context_that_was_asked_for_is_refused_with_the_one_that_fits(gpu):
    dimensions = find_family("chatglm3-6b-128k").dimensions
    fitting = choose_precision(dimensions, "int4", 65_536, CUDA, 6 * GB, shortest=MIN_CONTEXT).context
    for wanted in ("auto", "int4"):
        with pytest.raises(OutOfMemory, match=rf"with {fitting} tokens it fits: lower --context"):
            choose_precision(dimensions, wanted, 65_536, CUDA, 6 * GB)


def test_no_context_is_shortened_below_the_least():
    with pytest.raises(OutOfMemory, match=r"with 2048 tokens of context and 3\.0 GB are free"):
        choose_precision(find_family("chatglm-6b").dimensions, "auto", 8192, CPU, 3 * GB, shortest=MIN_CONTEXT)


def test_an_unknown_precision_is_refused():
    with pytest.raises(SettingRefused, match="int4"):
        choose_precision(FAMILIES[0].dimensions, "int3", 100, CPU, None)


@pytest.mark.parametrize(
    ("free", "published", "wanted"),
    [(20.0, 0, Precision.INT8), (6.5, 0, Precision.INT4), (20.0, 4, Precision.INT4), (None, 0, Precision.INT8)],
)
def test_auto_takes_the_best_that_fits(free, published, wanted):
    dimensions = find_family("chatglm2-6b").dimensions
    have = None if free is None else int(free * GB)
    fit = choose_precision(dimensions, "auto", 8192, CPU, have, published_bits=published)
    assert fit.precision is wanted
    assert "8192 tokens" in str(fit.why)
    assert str(free) in str(fit.why) or free is None


def test_a_gpu_without_bfloat16_takes_float16_and_calculates_integers_in_float32(gpu):
    dimensions = find_family("GLM-4-9B-0414").dimensions
    full = Precision.BF16 if gpu else Precision.FP16
    assert choose_precision(dimensions, "auto", 8192, CUDA, 40 * GB).precision is full
    assert choose_precision(dimensions, "auto", 8192, CUDA, 17 * GB).precision is Precision.INT8
    assert choose_precision(dimensions, "auto", 8192, CUDA, 10 * GB).precision is Precision.INT4
    assert compute_dtype(full, CUDA) is (torch.bfloat16 if gpu else torch.float16)
    for precision in (Precision.INT8, Precision.INT4):  # float16 overflows in GLM-4-0414
        assert compute_dtype(precision, CUDA) is (torch.bfloat16 if gpu else torch.float32)
    longer = needed_bytes(dimensions, Precision.INT4, 2000, CUDA) - needed_bytes(dimensions, Precision.INT4, 1000, CUDA)
    cache = 1000 * dimensions.kv_bytes_per_token(2 if gpu else 4)
    repeated = 1000 * 2 * dimensions.heads * dimensions.head_dim * (2 if gpu else 4)  # for all heads, in one layer
    assert longer == pytest.approx(cache + repeated, rel=0.05)


def test_a_gpu_without_bitsandbytes_is_told_how_to_get_int4(gpu, monkeypatch):
    monkeypatch.setattr("model.memory.find_spec", lambda name: None)
    dimensions = find_family("GLM-4-9B-0414").dimensions
    with pytest.raises(OutOfMemory, match=r"in INT4 it needs \d+\.\d GB: pip install bitsandbytes"):
        choose_precision(dimensions, "auto", 8192, CUDA, 12 * GB)
    with pytest.raises(OutOfMemory, match="choose a smaller model") as refused:
        choose_precision(dimensions, "auto", 8192, CUDA, 2 * GB)
    assert "bitsandbytes" not in str(refused.value)  # it would not help


def test_a_mixture_of_experts_takes_16_bits_or_nothing(gpu):
    """Its experts are not linear layers, and bitsandbytes leaves everything else as it is."""
    dimensions = find_family("GLM-4.5-Air").dimensions
    full = Precision.BF16 if gpu else Precision.FP16
    assert choose_precision(dimensions, "auto", 8192, CUDA, 300 * GB).precision is full
    for wanted, raised in (("auto", OutOfMemory), ("int4", ReaderError)):
        with pytest.raises(raised):
            choose_precision(dimensions, wanted, 8192, CUDA, 80 * GB)


@pytest.mark.parametrize("wanted", ["auto", "bf16"])
def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(wanted):
    dimensions = find_family("GLM-4-32B-0414").dimensions
    with pytest.raises(OutOfMemory, match=r"needs \d+\.\d GB .* 10\.0 GB are free on cpu; choose"):
        choose_precision(dimensions, wanted, 8192, CPU, 10 * GB)


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize("name", ["GLM-4-9B-0414", "chatglm2-6b", "glm-4-9b-chat-1m"])
def test_the_memory_listed_is_the_memory_that_loading_asks_for(name, device):
    family = find_family(name)
    tokens = context_length(SimpleNamespace(max_position_embeddings=family.context), family, None, device)
    for precision, listed in memory_by_precision(family, device).items():
        choose_precision(family.dimensions, precision.value, tokens, device, listed)
        with pytest.raises(OutOfMemory, match=f"with {tokens} tokens of context"):
            choose_precision(family.dimensions, precision.value, tokens, device, listed - 1)


def test_the_list_marks_what_fits_with_a_shorter_context():
    """GLM-4-9B in INT4 needs 6.8 GB with 8,192 tokens on a CPU, and 6.5 GB with 2,048."""
    lines = {line.split()[0]: line for line in list_models("cpu", free=66 * GB // 10).splitlines() if "zai-org" in line}
    assert "6.8+" in lines["zai-org/GLM-4-9B-0414"]
    assert "4.6*" in lines["zai-org/chatglm2-6b"]
    assert "+" not in lines["zai-org/GLM-4-32B-0414"]


def test_the_list_is_for_the_context_that_is_asked_for():
    """ChatGLM2-6B-32k in INT4 with its whole context; a context of 8K stays 8K."""
    listed = list_models("cpu", free=20 * GB, context=32_768)
    lines = {line.split()[0]: line for line in listed.splitlines() if "zai-org" in line}
    assert "32,768 tokens of context" in listed
    assert "5.3*" in lines["zai-org/chatglm2-6b-32k"]
    assert "4.6*" in lines["zai-org/chatglm2-6b"]


def test_the_list_names_the_context_its_memory_is_for():
    assert f"{DEFAULT_CONTEXT['cpu']:,} tokens of context" in list_models("cpu", free=GB)

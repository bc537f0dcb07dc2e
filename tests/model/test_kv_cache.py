"""KV caches in memory allocated once: exact as they are computed; in INT8 half the size, and close to that."""

import threading

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import GlmMoeDsaConfig

from model.batch import Batch
from model.families import GB, KvPrecision, Precision, find_family
from model.generate import forward
from model.kv_cache import (
    CacheMemory,
    Int8Layer,
    Int8States,
    PreallocatedLayer,
    has_plain_attention,
    preallocated_cache,
)
from model.load import load_reader
from model.load_settings import LoadSettings
from model.memory import choose_precision, needed_bytes
from model.prompt_cache import BLOCK
from model.ragged import ONE_TOKEN, attend_each
from rag.errors import OutOfMemory, SettingRefused
from rag.reader import Sampling
from tests.model.checkpoints import load, publish
from tests.model.reciting import recite
from tests.model.test_batch import STARTS, prompts, together
from tests.model.test_prompt_cache import answer, asked

CPU = torch.device("cpu")
FULL, INT8 = KvPrecision.FULL, KvPrecision.INT8


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: load(publish(name, root / name), name) for name in STARTS}


def states(length, channels=64, dtype=torch.float32):
    return torch.randn(1, 2, length, channels).to(dtype)


def test_a_preallocated_cache_equals_concatenation():
    layer, parts = PreallocatedLayer(CacheMemory(10, 1)), [states(length) for length in (3, 1, 2)]
    for at, part in enumerate(parts):
        keys, values = layer.update(part, part + 1)
        assert torch.equal(keys, torch.cat(parts[: at + 1], dim=2))
        assert torch.equal(values, keys + 1)
        assert layer.get_seq_length() == keys.shape[2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_each_number_is_within_half_a_step_of_its_token_and_head(dtype):
    torch.manual_seed(0)
    exact = states(50, dtype=dtype) * torch.logspace(-1, 2, 50)[:, None].to(dtype)
    exact[:, :, 7] = 0
    step = exact.float().abs().amax(-1, keepdim=True) / 127
    found = Int8States.quantised(exact).dense()
    assert found.dtype is dtype
    rounding = {torch.float32: 0, torch.bfloat16: 2**-8, torch.float16: 2**-11}[dtype]
    assert bool(((found.float() - exact.float()).abs() <= step * (0.5 + 127 * rounding) + 1e-6).all())
    assert not found[:, :, 7].any()


def test_in_int8_parts_give_what_the_whole_gives():
    torch.manual_seed(0)
    whole, parts = Int8Layer(CacheMemory(10, 1)), Int8Layer(CacheMemory(10, 1))
    keys, values = states(6), states(6, channels=32)
    for start, end in ((0, 3), (3, 4), (4, 6)):
        found = parts.update(keys[:, :, start:end], values[:, :, start:end])
    assert all(map(torch.equal, found, whole.update(keys, values)))
    copy = Int8Layer(CacheMemory(10, 1))
    copy.put(whole.taken(0, 6))
    assert all(map(torch.equal, copy.taken(0, 6), whole.taken(0, 6)))


def held_bytes(config, kv):
    cache = preallocated_cache(config, 100, kv=kv)
    for at in range(len(cache.layers)):
        cache.update(states(5, 128, torch.bfloat16), states(5, 128, torch.bfloat16), at)
    return sum(part.untyped_storage().nbytes() for part in cache.layers[0].taken(0, 5))


def test_int8_takes_half_the_memory_and_the_estimate_says_so(models):
    config = models["chatglm2"].config
    assert held_bytes(config, INT8) / held_bytes(config, FULL) == (128 + 2) / (2 * 128)
    dimensions = find_family("chatglm2-6b").dimensions
    assert dimensions.kv_bytes_per_token(2, INT8) / dimensions.kv_bytes_per_token() == (128 + 2) / (2 * 128)
    saved = [needed_bytes(dimensions, Precision.INT4, 32_768, CPU, kv) / GB for kv in (FULL, INT8)]
    assert saved[0] - saved[1] == pytest.approx(0.46 - 0.03, abs=0.01)  # one layer is needed as it is computed


def test_with_int8_a_longer_context_fits():
    dimensions, free = find_family("glm-4-9b-chat-1m").dimensions, 12 * GB
    full, short = (
        choose_precision(dimensions, "int4", 500_000, CPU, free, shortest=2_048, kv=kv) for kv in (FULL, INT8)
    )
    assert full.context < short.context < 500_000
    assert "keys and values in INT8; the context is shortened" in str(short.why)
    with pytest.raises(OutOfMemory):
        choose_precision(dimensions, "int4", short.context, CPU, free)


def logits_of(model, ids, kv, read=20):
    """Logits after each token of `ids` from the last of those that are read at once."""
    cache = preallocated_cache(model.config, len(ids), kv=kv)
    found = [forward(model, ids[:read], read, cache)]
    found += [forward(model, ids[:end], 1, cache) for end in range(read + 1, len(ids) + 1)]
    return torch.stack(found)


@pytest.mark.parametrize(("name", "tokens"), [("chatglm1", 40), ("chatglm2", 2), ("chatglm3", 6), ("glm4", 7)])
def test_logits_in_int8_are_closer_than_bfloat16_and_greedy_text_begins_the_same(models, name, tokens):
    """Random weights amplify errors, in bfloat16 to 0.02 to 0.03 of the logits (benchmarks/LOG.md)."""
    model = models[name]
    ids = [*range(5, 40), *STARTS[name]]
    exact, found = (logits_of(model, [*ids, *range(50, 90)], kv, len(ids)) for kv in (FULL, INT8))
    assert 0 < (found - exact).norm() / exact.norm() < 0.025
    exact_text, text = (
        list(Batch(model, kv=kv).generate(ids, Sampling(tokens, 0), frozenset(), threading.Event()))
        for kv in (FULL, INT8)
    )
    assert text == exact_text


@pytest.mark.parametrize("length", [1, 2048, 2500])
def test_attention_to_int8_is_attention_to_what_it_stands_for(length):
    torch.manual_seed(0)
    query = torch.randn(1, 8, 1, 64)
    keys, values = (Int8States.quantised(states(length)) for _ in range(2))
    found = attend_each(query, [keys], [values], [ONE_TOKEN], 0.3)
    assert torch.allclose(found, attend_each(query, [keys.dense()], [values.dense()], [ONE_TOKEN], 0.3), atol=1e-5)


def test_a_row_for_each_key_head_is_computed_as_exactly_as_by_torch():
    torch.manual_seed(0)
    query, keys, values = (torch.randn(1, 2, length, 64).bfloat16() for length in (1, 2500, 2500))
    exact = scaled_dot_product_attention(query.float(), keys.float(), values.float())
    by_torch = scaled_dot_product_attention(query, keys, values)
    found = attend_each(query, [keys], [values], [ONE_TOKEN])
    assert found.dtype is torch.bfloat16
    assert (found - exact).norm() <= (by_torch - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("name", STARTS)
def test_answers_given_together_in_int8_are_those_given_alone(models, name):
    requests = [(ids, Sampling(12 + n, 0)) for n, ids in enumerate(prompts(name, 4))]
    alone = [together(Batch(models[name], kv=INT8), [one])[0] for one in requests]
    assert together(Batch(models[name], kv=INT8), requests) == alone


def test_the_prompt_cache_keeps_int8_as_it_is(models):
    full, short = (Batch(models["chatglm3"], prompt_cache_bytes=10**8, kv=kv) for kv in (FULL, INT8))
    for batch in (full, short):
        answer(batch, asked(0))
    assert short.prompt_cache.usage.bytes < full.prompt_cache.usage.bytes / 3  # of 32 bits
    fresh = Batch(models["chatglm3"], kv=INT8)
    assert answer(short, asked(40)) == (answer(fresh, asked(40))[0], 3 * BLOCK)


def test_a_learned_prefix_is_kept_in_int8_too(models):
    model = models["chatglm3"]
    shape = (1, model.config.num_key_value_heads, 5, model.config.head_dim)
    torch.manual_seed(0)
    prefix = tuple((torch.randn(shape), torch.randn(shape)) for _ in range(model.config.num_hidden_layers))
    ids = list(range(5, 40))
    exact, found = (
        forward(model, ids, len(ids), preallocated_cache(model.config, 40, prefix, kv)) for kv in (FULL, INT8)
    )
    assert 0 < (found - exact).norm() / exact.norm() < 0.025


def test_a_reader_says_that_it_keeps_int8(tmp_path):
    reader = load_reader(recite(tmp_path, ["yes"]), LoadSettings(precision="fp32", device="cpu", kv=INT8))
    assert "keys and values in INT8" in str(reader.why)


def test_a_model_with_other_caches_is_refused(tmp_path, monkeypatch):
    assert not has_plain_attention(GlmMoeDsaConfig())
    monkeypatch.setattr("model.load.has_plain_attention", lambda config: False)
    with pytest.raises(SettingRefused, match="leave the option out"):
        load_reader(recite(tmp_path, ["yes"]), LoadSettings(precision="fp32", device="cpu", kv=INT8))

"""Integer matrices: what they keep of the weights, and that all ways to multiply by them agree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GlmConfig

from model import quantise
from model.assemble import assemble, dimensions_of, empty_model
from model.checkpoint import unpack_int4
from model.families import Precision
from model.quantise import (
    Int4Linear,
    Int8Embedding,
    Int8Linear,
    bitsandbytes_linear,
    group_size,
    pack_avx512,
    packs_for_avx512,
    quantise_int4_groups,
    quantised_linear,
    unpack_avx512,
    unpacked_blocks,
)
from model.weight_layout import Weight
from rag.errors import ReaderError

CPU = torch.device("cpu")


def relative(ours, wanted):
    return float((ours.float() - wanted).norm() / wanted.norm())


def matrix(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.02


@pytest.mark.parametrize(("kind", "bound"), [(Int8Linear, 0.01), (Int4Linear, 0.1)])
@pytest.mark.parametrize("shape", [(128, 256), (16, 32), (80, 160), (2560, 64)])
@pytest.mark.parametrize("count", [1, 3, 63, 65, 255, 257])
def test_products_are_near_those_of_the_matrix(kind, bound, shape, count):
    """Few rows go through the kernel and many through the unpacked matrix; blocks are smaller than matrices."""
    dense, states = matrix(*shape), torch.randn(count, shape[1]).bfloat16()
    linear = kind.quantised(Weight(dense), None)
    assert relative(linear.weight, dense) < bound
    assert relative(linear(states), states.float() @ linear.weight.float().t()) < 0.01


@pytest.mark.parametrize("kind", [Int8Linear, Int4Linear])
def test_bias_and_shape_of_a_batch(kind):
    dense, bias, states = matrix(32, 64), torch.randn(32), torch.randn(2, 5, 64).bfloat16()
    with_bias, without = kind.quantised(Weight(dense), bias), kind.quantised(Weight(dense), None)
    assert with_bias(states).shape == (2, 5, 32)
    assert torch.allclose(with_bias(states), without(states) + bias.bfloat16())


def test_the_matrix_given_is_not_changed():
    dense = matrix(64, 64)
    before = dense.clone()
    for kind in (Int8Linear, Int4Linear):
        kind.quantised(Weight(dense), None)
    assert torch.equal(dense, before)


def test_unpacking_in_blocks_changes_nothing(monkeypatch):
    states = torch.randn(300, 64).bfloat16()
    linear = Int4Linear.quantised(Weight(matrix(256, 64)), None)
    whole = linear(states)
    monkeypatch.setattr(quantise, "WEIGHTS_PER_BLOCK", 64 * 64)
    assert torch.allclose(linear(states), whole, atol=1e-3)
    assert len(list(unpacked_blocks(256, 64))) == 4


@pytest.mark.parametrize("kind", [Int4Linear, Int8Linear])
def test_both_types_of_unpacked_weights_give_what_the_kernel_gives(monkeypatch, kind):
    linear, states = kind.quantised(Weight(matrix(256, 128)), torch.randn(256)), torch.randn(300, 128).bfloat16()
    few = torch.cat([linear(part) for part in states.split(10)]).float()  # by the kernel
    for dtype in (torch.bfloat16, torch.float32):
        monkeypatch.setattr(quantise, "dense_dtype", lambda dtype=dtype: dtype)
        monkeypatch.setattr(quantise, "ROWS_AT_A_TIME", 64)
        many = linear(states)
        assert many.dtype is torch.bfloat16
        assert relative(many, few) < 0.006


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_no_copy_of_all_rows_is_made_in_another_type(monkeypatch, dtype):
    """A prompt of 2,040 tokens in a matrix of 16,384 columns would take 134 MB more."""
    monkeypatch.setattr(quantise, "dense_dtype", lambda: dtype)
    layer = Int4Linear.quantised(Weight(matrix(64, 1024)), None)
    rows = torch.randn(4 * quantise.ROWS_AT_A_TIME, 1024).bfloat16()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiled:
        layer(rows)
    taken = [event.nbytes() for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    assert 0 < max(taken) <= quantise.ROWS_AT_A_TIME * 1024 * 4


@pytest.mark.parametrize(
    ("processor", "dtype"),
    [
        ({"architecture": "x86_64", "cpu_name": "Intel Xeon", "avx512_bf16": True}, torch.float32),
        ({"architecture": "x86_64", "cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, torch.bfloat16),
        ({"architecture": "x86_64", "cpu_name": "AMD EPYC", "avx512_bf16": True}, torch.bfloat16),
        ({"architecture": "x86_64", "cpu_name": "AMD EPYC", "avx512_bf16": False}, torch.float32),
        ({"architecture": "aarch64"}, torch.bfloat16),
        ({}, torch.bfloat16),
    ],
)
def test_unpacked_weights_have_the_type_that_the_processor_multiplies_faster(monkeypatch, processor, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    quantise.dense_dtype.cache_clear()
    assert quantise.dense_dtype() is dtype
    quantise.dense_dtype.cache_clear()


def test_another_packing_order_gives_the_same_products(monkeypatch):
    linear, states = Int4Linear.quantised(Weight(matrix(128, 64)), None), torch.randn(300, 64).bfloat16()
    fast, weight = linear(states), linear.weight
    monkeypatch.setattr(quantise, "packs_for_avx512", lambda: False)
    assert relative(linear(states), fast.float()) < 0.01
    assert relative(linear.weight, weight.float()) < 0.005


@pytest.mark.skipif(not packs_for_avx512(), reason="this machine's kernel packs in another order")
@settings(max_examples=20, deadline=None)
@given(blocks=st.integers(1, 3), pairs=st.integers(1, 8), seed=st.integers(0, 99))
def test_unpacking_is_the_inverse_of_the_kernel_s_packing(blocks, pairs, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, 16, (64 * blocks, 32 * pairs), dtype=torch.int32, generator=generator)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values, 1)
    assert torch.equal(unpack_avx512(packed, *values.shape), values.t().to(torch.uint8))
    assert torch.equal(pack_avx512(values.to(torch.uint8)), packed)


def test_published_integers_are_taken_as_they_are():
    values = torch.randint(-8, 8, (64, 64), dtype=torch.int8)
    scale = torch.rand(64).bfloat16()
    wanted = values.float() * scale.float()[:, None]
    for bits, kind in ((4, Int4Linear), (8, Int8Linear)):
        linear = kind.quantised(Weight(values, scale, bits), None)
        assert torch.equal(linear.weight.float(), wanted.bfloat16().float())


def test_even_columns_are_in_the_high_nibble():
    packed = torch.tensor([[0x1F, -0x80]], dtype=torch.int8)  # 0001 1111, 1000 0000
    assert unpack_int4(packed).tolist() == [[1, -1, -8, 0]]


@pytest.mark.parametrize("shift", [0.0, 0.3, -1.0, 5.0])
def test_zero_stays_zero_and_the_largest_weight_of_a_group_is_kept(shift):
    """At 4 bits; what is in the middle of a group's weights matters less to a model than these two."""
    dense = matrix(64, 256) * 50 + shift
    dense[:, ::7] = 0
    values, scales = quantise_int4_groups(dense, 64)
    scale, zero = (part.float().t()[..., None] for part in scales.unbind(-1))
    groups = dense.view(64, -1, 64)
    again = (values.float().view(groups.shape) - 8) * scale + zero
    step = scale.abs()
    assert ((again - groups).abs() / step)[groups == 0].max() < 0.05
    largest = groups.abs().argmax(-1, keepdim=True)
    assert ((again - groups).abs() / step).gather(-1, largest).max() < 0.6
    assert ((again - groups).abs() / step).max() < 1.1


def test_rows_of_zeros():
    linear = Int8Linear.quantised(Weight(torch.zeros(16, 32)), None)
    assert torch.equal(linear(torch.ones(1, 32).bfloat16()), torch.zeros(1, 16).bfloat16())
    assert (
        relative(Int4Linear.quantised(Weight(torch.full((16, 32), 0.5)), None).weight, torch.full((16, 32), 0.5)) < 0.01
    )


def test_embedding():
    dense = matrix(100, 64)
    embedding = Int8Embedding.quantised(Weight(dense))
    tokens = torch.tensor([[1, 99], [0, 1]])
    assert embedding(tokens).shape == (2, 2, 64)
    assert relative(embedding(tokens), dense[tokens]) < 0.01


def test_an_embedding_gives_the_dtype_it_is_asked_for():
    """float32 on GPUs that have no bfloat16."""
    assert Int8Embedding.quantised(Weight(matrix(8, 64)), torch.float32)(torch.tensor([1])).dtype is torch.float32


def test_matrices_that_no_kernel_takes_are_not_quantised():
    assert group_size(48) is None
    assert quantised_linear(Weight(matrix(64, 48)), None, Precision.INT8, CPU) is None
    assert isinstance(quantised_linear(Weight(matrix(8, 64)), None, Precision.INT4, CPU), Int8Linear)
    with pytest.raises(ValueError, match="48 columns"):
        Int4Linear.quantised(Weight(matrix(64, 48)), None)


def test_a_missing_bitsandbytes_names_the_install_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(ReaderError, match="pip install bitsandbytes"):
        quantised_linear(Weight(matrix(64, 64)), None, Precision.INT4, torch.device("cuda:0"))


@pytest.mark.parametrize(("precision", "bound"), [(Precision.INT8, 0.03), (Precision.INT4, 0.15)])
def test_bitsandbytes_where_it_is_installed(precision, bound):
    """On a GPU where there is one; the library has a backend for CPUs too."""
    pytest.importorskip("bitsandbytes", reason="INT8 and INT4 on a GPU need bitsandbytes, which is not installed")
    device, dense = torch.device("cuda:0" if torch.cuda.is_available() else "cpu"), matrix(256, 256)
    states = torch.randn(5, 256).bfloat16()
    linear = bitsandbytes_linear(Weight(dense), torch.ones(256), precision, device)
    assert relative(linear(states.to(device)).cpu(), states.float() @ dense.t() + 1) < bound


def small(groups, heads=8):
    """A model with random weights, and how much memory was reckoned for them."""
    config = GlmConfig(
        vocab_size=64, hidden_size=512, intermediate_size=1024, num_hidden_layers=2, num_attention_heads=heads,
        num_key_value_heads=groups, head_dim=512 // heads, pad_token_id=0, eos_token_id=1, attention_bias=True,
    )  # fmt: skip
    random = ((name, Weight(torch.randn(one.shape))) for name, one in empty_model(config).state_dict().items())
    model = assemble(config, random, Precision.INT4, CPU)
    return model, dimensions_of(config).weight_bytes(Precision.INT4)


@pytest.mark.parametrize(("groups", "kept"), [(1, Int8Linear), (2, Int8Linear), (4, Int4Linear), (8, Int4Linear)])
def test_in_int4_keys_and_values_that_many_heads_share_have_8_bits(groups, kept):
    model, reckoned = small(groups)
    attention = model.model.layers[1].self_attn
    assert {type(attention.k_proj), type(attention.v_proj)} == {kept}
    assert {type(attention.q_proj), type(attention.o_proj), type(model.model.layers[1].mlp.down_proj)} == {Int4Linear}
    assert attention.v_proj.bias is not None
    held = sum(one.nbytes for one in (*model.parameters(), *model.buffers()) if one.dim() > 1)
    assert held == pytest.approx(reckoned, rel=0.01)

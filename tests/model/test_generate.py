"""The generation loop: seeds, stops, chunks, caches and errors, on the tiny reference models."""

import threading

import pytest
import torch
from transformers import GlmConfig, GlmForCausalLM

from model.generate import generate
from rag.errors import OutOfMemory, ReaderError
from rag.reader import Sampling
from tests.model.checkpoints import load, publish

PROMPTS = {"chatglm1": [10, 20, 30, 241, 244], "chatglm3": [225, 227, 10, 20, 30]}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: load(publish(name, root / name), name) for name in PROMPTS}


def run(models, name, sampling, stop_ids=frozenset(), **options):
    return list(generate(models[name], PROMPTS[name], sampling, stop_ids, threading.Event(), **options))


@pytest.mark.parametrize("name", PROMPTS)
def test_same_seed_same_tokens(models, name):
    warm = [run(models, name, Sampling(20, 1.0, 0.9, seed)) for seed in (1, 1, 2)]
    assert warm[0] == warm[1]
    assert warm[0] != warm[2]


@pytest.mark.parametrize("name", PROMPTS)
def test_temperature_0_ignores_the_seed(models, name):
    assert run(models, name, Sampling(20, 0, 0.9, 1)) == run(models, name, Sampling(20, 0, 0.9, None))


@pytest.mark.parametrize("length", [0, 1, 7])
def test_max_tokens_is_respected(models, length):
    assert len(run(models, "chatglm3", Sampling(length, 0))) == length


def test_a_stop_id_ends_and_is_not_given(models):
    free = run(models, "chatglm3", Sampling(20, 0))
    assert run(models, "chatglm3", Sampling(20, 0), frozenset({free[5]})) == free[: free.index(free[5])]


@pytest.mark.parametrize("name", PROMPTS)
def test_stop_ends_within_one_token(models, name):
    stop = threading.Event()
    tokens = generate(models[name], PROMPTS[name], Sampling(1000, 0), frozenset(), stop)
    next(tokens)
    stop.set()
    assert list(tokens) == []


def test_stop_before_the_start_computes_nothing():
    stop = threading.Event()
    stop.set()
    assert list(generate(None, [1], Sampling(), frozenset(), stop)) == []


def test_stop_while_the_prompt_is_read_ends_between_two_layers(models):
    model, stop, seen = models["chatglm3"], threading.Event(), []

    def layer_done(*_):
        seen.append(1)
        stop.set()

    hook = model.model.layers[0].register_forward_hook(layer_done)
    try:
        assert list(generate(model, PROMPTS["chatglm3"], Sampling(), frozenset(), stop)) == []
    finally:
        hook.remove()
    assert len(seen) == 1
    assert not any(layer._forward_pre_hooks for layer in model.model.layers)


def test_two_answers_at_a_time_do_not_stop_each_other(models):
    """Stopping one while its prompt is read leaves the other, on another thread, alone."""
    wanted = run(models, "chatglm3", Sampling(40, 0))
    got = []
    stopped = threading.Event()
    thread = threading.Thread(target=lambda: got.extend(run(models, "chatglm3", Sampling(40, 0))))
    thread.start()
    for _ in range(10):
        tokens = generate(models["chatglm3"], PROMPTS["chatglm3"], Sampling(), frozenset(), stopped)
        next(tokens, None)
        stopped.set()
        list(tokens)
        stopped.clear()
    thread.join()
    assert got == wanted


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory, "Memory ran out"),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory, "Memory ran out"),
        (MemoryError(), OutOfMemory, "Memory ran out"),
        (RuntimeError("CUDA error: an illegal access\nlong"), ReaderError, r"\(CUDA error: an illegal access\)"),
        (IndexError("index out of range in self"), ReaderError, "IndexError"),
    ],
)
@pytest.mark.parametrize("step", [0, 2])
def test_errors_arrive_as_one_sentence(models, error, raised, message, step):
    model, calls = models["chatglm3"], []

    def fail(*_):
        calls.append(1)
        if len(calls) > step:
            raise error

    hook = model.register_forward_pre_hook(fail)
    try:
        tokens = generate(model, PROMPTS["chatglm3"], Sampling(9, 0), frozenset(), threading.Event())
        with pytest.raises(raised, match=message) as caught:
            list(tokens)
    finally:
        hook.remove()
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_memory_of_a_long_prompt_grows_with_its_length(monkeypatch):
    """Twice the prompt, twice the largest tensor at most: nothing is prompt by prompt, or prompt by vocabulary."""
    config = GlmConfig(
        vocab_size=30_000, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, pad_token_id=0, eos_token_id=1, max_position_embeddings=10_000,
    )  # fmt: skip
    model = GlmForCausalLM(config).eval()
    largest = []

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest[-1] = max(largest[-1], result.numel())
            return result

    for length in (1000, 2000, 4000):  # benchmarks/long_prompt.py goes to 32,768, and measures memory itself
        largest.append(0)
        with Largest():
            list(generate(model, [5] * length, Sampling(1, 0), frozenset(), threading.Event(), chunk=100))
    assert largest[1] <= 2.1 * largest[0]
    assert largest[2] <= 2.1 * largest[1]
    assert largest[2] < 4000 * 4000 / 10


def test_a_forgotten_iterator_leaves_nothing_running(models):
    threads = threading.active_count()
    tokens = generate(models["chatglm3"], PROMPTS["chatglm3"], Sampling(1000, 0), frozenset(), threading.Event())
    next(tokens)
    assert threading.active_count() == threads
    tokens.close()
    assert list(tokens) == []

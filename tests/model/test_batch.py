"""Answers generated together are those generated alone, whoever joins, leaves, stops or fails meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from model.batch import Batch
from model.generate import generate
from model.ragged import attend_each
from rag.errors import OutOfMemory, ReaderError
from rag.reader import Sampling
from tests.model.checkpoints import load, publish
from tests.waiting import until

# By layout: grouped queries, none, and the two positions of the first generation.
STARTS = {"chatglm1": [10, 20, 30, 241, 244], "chatglm2": [225, 227, 10], "glm4": [225, 227, 10], "chatglm3": [5, 7]}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: load(publish(name, root / name), name) for name in STARTS}


def prompts(name, count):
    """Prompts of different lengths."""
    start = STARTS[name]
    if name == "chatglm1":  # whose prompts end so
        return [[*range(1, 1 + 7 * n), *start] for n in range(count)]
    return [[*start, *range(10, 10 + 7 * n)] for n in range(count)]


def alone(model, ids, sampling, stop_ids=frozenset()):
    return list(generate(model, ids, sampling, stop_ids, threading.Event()))


def together(batch, requests, stop_ids=frozenset()):
    """The tokens of all requests, begun at the same time."""
    with ThreadPoolExecutor(len(requests)) as people:
        return list(people.map(lambda request: list(batch.generate(*request, stop_ids, threading.Event())), requests))


@pytest.mark.parametrize("name", STARTS)
def test_each_answer_is_the_one_generated_alone(models, name):
    kinds = [{}, {"top_k": 9}, {"repetition_penalty": 1.3}]
    samplings = [Sampling(12 + n, 0.9 * (n % 2), 0.8, seed=n, **kinds[n // 2]) for n in range(6)]
    requests = list(zip(prompts(name, 6), samplings, strict=True))
    assert together(Batch(models[name]), requests) == [alone(models[name], *request) for request in requests]


@pytest.mark.parametrize("name", STARTS)
def test_an_answer_without_others_is_the_one_generated_alone_and_repeats_no_keys(models, name, monkeypatch):
    def repeating(*_):
        raise AssertionError("transformers' attention was used for a single token")

    monkeypatch.setattr("model.batch.forward", repeating)
    ids = prompts(name, 3)[2]
    tokens = Batch(models[name]).generate(ids, Sampling(30, 0), frozenset(), threading.Event())
    assert list(tokens) == alone(models[name], ids, Sampling(30, 0))


def test_answers_are_computed_in_common_steps(models):
    model, sizes = models["chatglm3"], []

    def seen(module, arguments, inputs):
        sizes.append(inputs["input_ids"].shape)

    handle = model.register_forward_pre_hook(seen, with_kwargs=True)
    together(Batch(model), [(ids, Sampling(30, 0)) for ids in prompts("chatglm3", 6)])
    handle.remove()
    assert max(rows for rows, _ in sizes) == 6
    assert len(sizes) < 6 * 30


def test_one_who_comes_later_joins(models):
    model = models["chatglm3"]
    batch, (first, second) = Batch(model), prompts("chatglm3", 2)
    wanted = alone(model, first, Sampling(60, 0)), alone(model, second, Sampling(20, 0))
    begun = batch.generate(first, Sampling(60, 0), frozenset(), threading.Event())
    early = [next(begun) for _ in range(5)]
    late = list(batch.generate(second, Sampling(20, 0), frozenset(), threading.Event()))
    assert batch.counts == (1, 0)
    assert (early + list(begun), late) == wanted


def test_stop_ends_one_of_them_alone(models):
    model = models["chatglm3"]
    batch, stop, (first, second) = Batch(model), threading.Event(), prompts("chatglm3", 2)
    stopped = batch.generate(first, Sampling(2_000, 0), frozenset(), stop)
    other = batch.generate(second, Sampling(40, 0), frozenset(), threading.Event())
    begun = [next(stopped), next(other)][1:]
    stop.set()
    assert list(stopped) == []
    assert begun + list(other) == alone(model, second, Sampling(40, 0))


def idle(batch):
    until(lambda: batch.counts == (0, 0) and not batch._working)
    return True


def test_an_answer_that_nobody_takes_any_more_leaves_and_the_thread_ends(models):
    batch = Batch(models["chatglm3"])
    tokens = batch.generate([5, 7], Sampling(5_000, 0), frozenset(), threading.Event())
    next(tokens)
    assert batch.counts == (1, 0)
    tokens.close()
    assert idle(batch)


def test_a_stop_id_ends_one_and_is_not_given(models):
    model = models["chatglm3"]
    free = alone(model, [5, 7], Sampling(20, 0))
    ended = together(Batch(model), [([5, 7], Sampling(20, 0))] * 2, frozenset({free[5]}))
    assert ended == [free[: free.index(free[5])]] * 2


def test_more_than_fit_wait_and_are_answered_later(models, monkeypatch):
    model = models["chatglm3"]
    requests = [(ids, Sampling(10, 0)) for ids in prompts("chatglm3", 5)]
    expected = [alone(model, *request) for request in requests]
    assert together(Batch(model, most=2), requests) == expected
    monkeypatch.setattr("model.batch.free_bytes", lambda device: 0)
    assert together(Batch(model), requests) == expected


def test_an_answer_that_fails_leaves_the_others(models, monkeypatch):
    model = models["chatglm3"]
    batch, (first, second) = Batch(model), prompts("chatglm3", 2)
    other = batch.generate(first, Sampling(60, 0), frozenset(), threading.Event())
    begun = [next(other)]
    original = torch.nn.functional.embedding

    def too_much(ids, *arguments, **options):
        if ids.numel() > 1:
            raise torch.OutOfMemoryError("out of memory")
        return original(ids, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "embedding", too_much)
        with pytest.raises(OutOfMemory):
            list(batch.generate(second, Sampling(5, 0), frozenset(), threading.Event()))
    assert begun + list(other) == alone(model, first, Sampling(60, 0))


def test_a_bug_in_a_step_is_told_and_the_next_answer_is_given(models, monkeypatch):
    batch = Batch(models["chatglm3"])
    with monkeypatch.context() as patched:
        patched.setattr(Batch, "_step", lambda self: 1 / 0)
        with pytest.raises(ReaderError, match="because of an error in the program"):
            list(batch.generate([5, 7], Sampling(5, 0), frozenset(), threading.Event()))
    assert len(list(batch.generate([5, 7], Sampling(5, 0), frozenset(), threading.Event()))) == 5


@pytest.mark.parametrize("key_heads", [1, 2, 8])
def test_attention_of_each_is_that_of_repeated_key_heads(key_heads):
    torch.manual_seed(0)
    query = torch.randn(3, 8, 1, 16)
    keys, values = ([torch.randn(1, key_heads, length, 16) for length in (1, 5, 40)] for _ in range(2))
    expected = [
        torch.nn.functional.scaled_dot_product_attention(
            query[at : at + 1],
            key.repeat_interleave(8 // key_heads, 1),
            value.repeat_interleave(8 // key_heads, 1),
            scale=0.3,
        )
        for at, (key, value) in enumerate(zip(keys, values, strict=True))
    ]
    assert torch.allclose(attend_each(query, keys, values, 0.3), torch.cat(expected), atol=1e-6)

"""Answers generated together are those generated alone, whoever joins, leaves, stops or fails meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch

from model.batch import Batch
from model.generate import forward, generate
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


@contextmanager
def passes_seen(model, batch, people=1, then=lambda: None):
    """The number of tokens in each pass of the model, as they come; the first waits until so many `people` ask."""
    sizes = []

    def see(module, arguments, inputs):
        if not sizes:
            until(lambda: sum(batch.counts) == people)
            then()
        sizes.append(inputs["input_ids"].numel())

    handle = model.register_forward_pre_hook(see, with_kwargs=True)
    try:
        yield sizes
    finally:
        handle.remove()


@pytest.mark.parametrize("name", STARTS)
def test_each_answer_is_the_one_generated_alone(models, name):
    kinds = [{}, {"top_k": 9}, {"repetition_penalty": 1.3}]
    samplings = [Sampling(12 + n, 0.9 * (n % 2), 0.8, seed=n, **kinds[n // 2]) for n in range(6)]
    requests = list(zip(prompts(name, 6), samplings, strict=True))
    assert together(Batch(models[name]), requests) == [alone(models[name], *request) for request in requests]


@pytest.mark.parametrize("name", STARTS)
def test_an_answer_without_others_is_the_one_generated_alone_and_repeats_no_keys(models, name, monkeypatch):
    def of_prompts(model, ids, new, cache):
        assert new > 1, "transformers' attention was used for a single token"
        return forward(model, ids, new, cache)

    monkeypatch.setattr("model.passes.forward", of_prompts)
    ids = prompts(name, 3)[2]
    tokens = Batch(models[name]).generate(ids, Sampling(30, 0), frozenset(), threading.Event())
    assert list(tokens) == alone(models[name], ids, Sampling(30, 0))


def test_answers_are_computed_in_common_steps(models, monkeypatch):
    monkeypatch.setattr("model.batch.DECODING_SHARE", 0)  # of the first pass, which waits here for the other people
    model, batch = models["chatglm3"], Batch(models["chatglm3"])
    with passes_seen(model, batch, 6) as sizes:
        together(batch, [(ids, Sampling(30, 0)) for ids in prompts("chatglm3", 6)])
    assert sizes.count(6) > 20
    assert len(sizes) < 2 * 30


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
        patched.setattr("model.batch.run_together", lambda *_: 1 / 0)
        with pytest.raises(ReaderError, match="because of an error in the program"):
            list(batch.generate([5, 7], Sampling(5, 0), frozenset(), threading.Event()))
    assert len(list(batch.generate([5, 7], Sampling(5, 0), frozenset(), threading.Event()))) == 5

"""Prompts of several people are read in one pass: each as if it were alone, whoever stops or fails meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, Glm4Config, Glm4MoeConfig, GlmConfig

from model.batch import DECODING_SHARE, Batch
from model.families import KvPrecision
from model.generate import PromptStopped, forward
from model.kv_cache import preallocated_cache
from model.memory import PROMPT_CHUNK
from model.passes import LARGE_PASS, LARGE_PASS_FREE, PassLimits, Piece, pass_limits, rows_to_read, run_together
from model.prompt_cache import BLOCK, PromptBlocks
from model.ragged import Rows, attend_each
from rag.errors import OutOfMemory
from rag.reader import Sampling
from tests.model.checkpoints import load, publish
from tests.model.test_batch import STARTS, alone, passes_seen, prompts, together
from tests.model.test_prompt_cache import ANN, BEN, EXPERTS, MB, NATIVE, asked, idle
from tests.waiting import until

GREEDY = Sampling(20, 0)
LIMITS = PassLimits()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: load(publish(name, root / name), name) for name in STARTS}


def whole(model, ids):
    """Logits after a prompt that is read alone."""
    return forward(model, ids, len(ids), preallocated_cache(model.config, 200))


# ---- one pass


def pieces_of(name, model):
    """A prompt, a token of an answer, and a prompt of which the beginning has been read, where that can be."""
    first, second, third = prompts(name, 6)[3:]
    answered, read = [*second, 7], 0 if name == "chatglm1" else 11
    caches = [preallocated_cache(model.config, 200) for _ in range(3)]
    forward(model, second, len(second), caches[1])
    if read:
        forward(model, third[:read], read, caches[2])
    return [
        Piece(first, len(first), caches[0]),
        Piece(answered, 1, caches[1]),
        Piece(third, len(third) - read, caches[2]),
    ]


def test_a_gpu_with_memory_to_spare_reads_more_at_a_time(monkeypatch):
    gpu = torch.device("cuda:0")
    monkeypatch.setattr("model.passes.free_bytes", lambda device: LARGE_PASS_FREE)
    assert pass_limits(gpu) == pass_limits(torch.device("cpu")) == LIMITS
    monkeypatch.setattr("model.passes.free_bytes", lambda device: LARGE_PASS_FREE + 1)
    assert rows_to_read([9_000], pass_limits(gpu), first_waited=False) == [LARGE_PASS]
    assert rows_to_read([300] * 8, pass_limits(gpu), first_waited=False) == [300] * 6 + [0, 0]
    assert pass_limits(torch.device("cpu")) == LIMITS


@pytest.mark.parametrize("name", STARTS)
def test_logits_of_each_are_those_it_has_alone(models, name):
    model = models[name]
    pieces = pieces_of(name, model)
    found = run_together(model, pieces, lambda: False)
    for piece, row in zip(pieces, found, strict=True):
        assert torch.allclose(row, whole(model, piece.ids), atol=2e-5)
        assert piece.cache.get_seq_length() == len(piece.ids)


@pytest.mark.parametrize("key_heads", [1, 2, 8])
def test_attention_of_each_is_that_of_repeated_key_heads(key_heads):
    torch.manual_seed(0)
    counts, lengths = (1, 1, 4, 3), (1, 40, 4, 30)
    masks = [torch.ones(new, length).tril(length - new).log() for new, length in zip(counts, lengths, strict=True)]
    query = torch.randn(1, 8, sum(counts), 16)
    keys, values = ([torch.randn(1, key_heads, length, 16) for length in lengths] for _ in range(2))
    expected = [
        torch.nn.functional.scaled_dot_product_attention(
            part, *(one.repeat_interleave(8 // key_heads, 1) for one in (key, value)), attn_mask=mask, scale=0.3
        )
        for part, key, value, mask in zip(query.split(counts, dim=2), keys, values, masks, strict=True)
    ]
    rows = [Rows(new, mask if new > 1 else None) for new, mask in zip(counts, masks, strict=True)]
    assert torch.allclose(attend_each(query, keys, values, rows, 0.3), torch.cat(expected, dim=2), atol=1e-6)


def test_a_pass_ends_between_two_layers_once_it_is_stopped(models):
    model = models["chatglm3"]
    pieces = [Piece(ids, len(ids), preallocated_cache(model.config, 200)) for ids in prompts("chatglm3", 2)]
    with pytest.raises(PromptStopped):
        run_together(model, pieces, lambda: pieces[0].cache.get_seq_length() > 0)
    lengths = [pieces[1].cache.get_seq_length(layer) for layer in range(len(model.model.layers))]
    assert lengths == [len(pieces[1].ids), *[0] * (len(lengths) - 1)]


# ---- what is read in the next one


def test_short_prompts_are_read_together_and_those_that_do_not_fit_in_the_next_pass():
    assert rows_to_read([64] * 8, LIMITS, first_waited=False) == [64] * 4 + [0] * 4
    assert rows_to_read([200, 30, 100], LIMITS, first_waited=False) == [0, 30, 100]
    assert rows_to_read([200], LIMITS, first_waited=True) == [200]
    assert rows_to_read([], LIMITS, first_waited=False) == []


def test_a_long_prompt_is_passed_over_every_other_time_at_most():
    assert rows_to_read([9_000, 64, 64], LIMITS, first_waited=False) == [0, 64, 64]
    assert rows_to_read([9_000, 64, 64], LIMITS, first_waited=True) == [PROMPT_CHUNK, 0, 0]
    assert rows_to_read([9_000, 2_000], LIMITS, first_waited=False) == [0, PROMPT_CHUNK]
    assert rows_to_read([9_000, 2_000], LIMITS, first_waited=True) == [PROMPT_CHUNK, 0]


def test_prompts_of_about_one_length_are_read_in_order_of_arrival():
    assert rows_to_read([2_000, 2_000, 1_500], LIMITS, first_waited=False) == [PROMPT_CHUNK, 0, 0]


def test_a_prompt_in_one_piece_is_read_whole():
    assert rows_to_read([2_000, 1_900], LIMITS, first_waited=False, in_one_piece=True) == [2_000, 0]
    assert rows_to_read([2_000, 900], LIMITS, first_waited=False, in_one_piece=True) == [0, 900]
    assert rows_to_read([900, 100, 100], LIMITS, first_waited=False, in_one_piece=True) == [0, 100, 100]


def test_no_pass_has_more_tokens_than_a_chunk_and_every_prompt_ends():
    unread, passes, waited = [3_000, 700, 64, 256, 5_000, 10], 0, False
    while any(unread):
        left = [one for one in unread if one]
        rows = rows_to_read(left, LIMITS, first_waited=waited)
        waited = not rows[0]
        assert sum(rows) <= (PROMPT_CHUNK if sum(map(bool, rows)) == 1 else LIMITS.together)
        assert sum(rows) > 0
        unread = [one - count for one, count in zip(left, rows, strict=True)]
        passes += 1
    assert passes <= 9_030 / PROMPT_CHUNK + 6


# ---- several people


@pytest.mark.parametrize("name", STARTS)
def test_prompts_that_wait_at_the_same_time_are_read_in_one_pass_with_the_same_answers(models, name):
    model, batch = models[name], Batch(models[name])
    requests = [(ids, GREEDY) for ids in prompts(name, 6)]
    with passes_seen(model, batch, 6) as sizes:
        found = together(batch, requests)
    assert found == [alone(model, *request) for request in requests]
    assert sum(size > 6 for size in sizes) <= 2  # what came before the first pass, and the rest


@pytest.mark.parametrize("config", [GlmConfig(**NATIVE), Glm4Config(**NATIVE), Glm4MoeConfig(**NATIVE, **EXPERTS)])
def test_models_of_transformers_give_the_same_answers_too(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    batch, requests = Batch(model), [(ids, GREEDY) for ids in prompts("glm4", 5)]
    with passes_seen(model, batch, 5) as sizes:
        found = together(batch, requests)
    assert found == [alone(model, *request) for request in requests]
    assert max(sizes) > max(len(ids) for ids, _ in requests)


def test_behind_a_learned_prefix_and_in_int8_the_answers_are_the_same_too(models):
    torch.manual_seed(0)
    model = models["chatglm3"]
    shape = (1, model.config.num_key_value_heads, 5, model.config.head_dim)
    prefix = tuple((torch.randn(shape), torch.randn(shape)) for _ in range(model.config.num_hidden_layers))
    requests = [(ids, GREEDY) for ids in prompts("chatglm3", 5)]
    for kv in KvPrecision:
        batch = Batch(model, prefix, kv=kv)
        with passes_seen(model, batch, 5):
            found = together(batch, requests)
        assert found == [together(Batch(model, prefix, kv=kv), [one])[0] for one in requests]


def test_a_short_prompt_is_answered_while_a_long_one_is_read(models, monkeypatch):
    monkeypatch.setattr("model.batch.DECODING_SHARE", 0)
    model, batch = models["chatglm3"], Batch(models["chatglm3"])
    long = [5 + n % 200 for n in range(6 * PROMPT_CHUNK)]
    begun = []

    def person(ids):
        tokens = batch.generate(ids, Sampling(4, 0), frozenset(), threading.Event())
        first = next(tokens)
        begun.append(len(ids))
        return [first, *tokens]

    with ThreadPoolExecutor(2) as people, passes_seen(model, batch, 2) as sizes:
        reading = people.submit(person, long)
        until(lambda: batch.counts[0] == 1)
        short = people.submit(person, [5, 7, 9])
        assert [reading.result(), short.result()] == [alone(model, ids, Sampling(4, 0)) for ids in (long, [5, 7, 9])]
    assert begun == [3, len(long)]
    assert sizes[:3] == [PROMPT_CHUNK, 3, PROMPT_CHUNK + 1]  # the last with a token of the short one's answer


def test_tokens_that_take_long_do_not_hold_up_who_waits_for_a_first_one(models, monkeypatch):
    """A pass that reads takes 3 seconds here; one that only writes takes twice what that leaves for writing."""
    clock, passes = [0.0], []

    def timed(model, pieces, stopped):
        passes.append(("reads", 3.0) if any(piece.new > 1 for piece in pieces) else ("writes", 2.9))
        clock[0] += passes[-1][1]
        return run_together(model, pieces, stopped)

    monkeypatch.setattr("model.batch.run_together", timed)
    monkeypatch.setattr("model.batch.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    model, batch = models["chatglm3"], Batch(models["chatglm3"])
    long = [5 + n % 200 for n in range(6 * PROMPT_CHUNK)]
    with passes_seen(model, batch, 2):
        together(batch, [([5, 7, 9], Sampling(30, 0)), (long, Sampling(2, 0))])
    last = max(at for at, (kind, _) in enumerate(passes) if kind == "reads")
    seconds = {kind: sum(one for name, one in passes[:last] if name == kind) for kind in ("reads", "writes")}
    assert 0 < seconds["writes"] < seconds["reads"] * DECODING_SHARE + 2.9


def test_people_who_ask_over_the_same_sources_at_once_have_them_read_once(models):
    model = models["chatglm3"]
    batch, people = Batch(model, prompt_cache_bytes=100 * MB), [asked(n, BLOCK) for n in (0, 10, 20)]
    scopes = [ANN, BEN, ANN]
    requests = [(PromptBlocks(list(ids), scope, BLOCK), GREEDY) for ids, scope in zip(people, scopes, strict=True)]
    with passes_seen(model, batch, 4) as sizes, ThreadPoolExecutor(1) as first:
        before = first.submit(list, batch.generate([5, 7], GREEDY, frozenset(), threading.Event()))
        until(lambda: batch.counts[0] == 1)
        found = together(batch, requests)
        assert before.result() == alone(model, [5, 7], GREEDY)
    assert found == [alone(model, ids, GREEDY) for ids in people]
    assert sorted(blocks.reused for blocks, _ in requests) == [0, BLOCK, BLOCK]
    assert len(people[0]) <= max(sizes) <= len(people[0]) + 1


def test_a_prompt_that_begins_as_one_before_it_waits_even_if_nothing_could_be_kept(models):
    """It is read in the pass after, not held up for good."""
    model, batch = models["chatglm3"], Batch(models["chatglm3"], prompt_cache_bytes=1)
    people = [asked(n, BLOCK) for n in (0, 10)]
    requests = [(PromptBlocks(list(ids), ANN, BLOCK), GREEDY) for ids in people]
    with passes_seen(model, batch, 2):
        assert together(batch, requests) == [alone(model, ids, GREEDY) for ids in people]


@pytest.mark.parametrize("tokens", [3, 100])
def test_stop_of_one_whose_prompt_is_read_with_anothers_ends_that_one_alone(models, tokens):
    """100 tokens are most of the pass, which ends at once, 3 are not."""
    model, batch, stop = models["chatglm3"], Batch(models["chatglm3"]), threading.Event()
    blocker, stopped, other = [5, 7], list(range(10, 10 + tokens)), list(range(30, 80))
    layers, calls = model.model.layers, []

    def count(_, arguments):
        calls.append(arguments[0].shape[1])
        if len(calls) > 1 and arguments[0].shape[1] >= tokens + len(other):
            stop.set()

    with passes_seen(model, batch, 3), ThreadPoolExecutor(3) as people:
        handles = [layer.register_forward_pre_hook(count) for layer in layers[1:]]
        first = people.submit(list, batch.generate(blocker, GREEDY, frozenset(), threading.Event()))
        until(lambda: batch.counts[0] == 1)
        second = people.submit(list, batch.generate(stopped, GREEDY, frozenset(), stop))
        third = people.submit(list, batch.generate(other, GREEDY, frozenset(), threading.Event()))
        found = first.result(), second.result(), third.result()
    for handle in handles:
        handle.remove()
    assert stop.is_set()
    assert found == (alone(model, blocker, GREEDY), [], alone(model, other, GREEDY))
    together_tokens = tokens + len(other)
    assert sum(size >= together_tokens for size in calls) == (1 if tokens == 100 else len(layers) - 1)
    assert idle(batch)


def test_where_memory_runs_out_for_several_each_is_read_alone_and_only_what_fails_then_ends(models, monkeypatch):
    model, batch = models["chatglm3"], Batch(models["chatglm3"])
    original, failing = torch.nn.functional.silu, 40  # tokens in a pass, which fails in the middle of a layer

    def too_much(states, *arguments, **options):
        if states.numel() // states.shape[-1] >= failing:
            raise torch.OutOfMemoryError("out of memory")
        return original(states, *arguments, **options)

    people = [[5, 7], list(range(10, 40)), list(range(50, 85)), list(range(90, 150))]
    expected = [alone(model, ids, GREEDY) for ids in people]
    monkeypatch.setattr(torch.nn.functional, "silu", too_much)
    for module in model.modules():
        if hasattr(module, "act_fn"):
            monkeypatch.setattr(module, "act_fn", too_much)

    def person(ids):
        try:
            return list(batch.generate(ids, GREEDY, frozenset(), threading.Event()))
        except OutOfMemory:
            return None

    with passes_seen(model, batch, 4) as sizes, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(person, people)) == [*expected[:3], None]
    assert any(one > failing > other for one, other in pairwise(sizes))

"""Choosing the next token: as transformers does it, each answer by itself, and as the makers of a model recommend."""

import json
import threading
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from model.families import FAMILIES, GREEDY, SamplingDefaults, find_family
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage
from model.sampling import completed, make_sampler, nucleus, penalised, recommended_sampling
from rag.errors import ReaderError
from rag.reader import Sampling
from tests.model.cut import until_cut
from tests.model.test_load import native

SETTINGS = [
    SamplingDefaults(0.95, 0.7),
    SamplingDefaults(0.8, 0.8, 50, 1.2),
    SamplingDefaults(1.0, 1.0, 5, 0.9),
    SamplingDefaults(0.6, 0.95, 40),
    SamplingDefaults(0.6, 0.01, 0, 2.0),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_tokens_have_the_probabilities_that_transformers_gives_them(setting):
    prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5]
    for seed in range(20):
        logits = 4 * torch.randn(2_000, generator=torch.Generator().manual_seed(seed))
        theirs = LogitsProcessorList([
            RepetitionPenaltyLogitsProcessor(setting.repetition_penalty),
            TemperatureLogitsWarper(setting.temperature),
            TopKLogitsWarper(setting.top_k or len(logits)),
            TopPLogitsWarper(setting.top_p),
        ])(torch.tensor([prompt]), logits[None].clone())[0].softmax(0)  # fmt: skip
        scores = penalised(logits, sorted(set(prompt)), setting.repetition_penalty) / setting.temperature
        tokens, shares = nucleus(scores, setting.top_p, setting.top_k)
        ours = torch.zeros(2_000).index_put((tokens,), shares / shares.sum())
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_token_that_was_given_is_penalised_from_then_on():
    logits = torch.tensor([2.0, 1.9, -1.0, 0.0])
    sample = make_sampler(Sampling(temperature=0, repetition_penalty=1.5), [3])
    assert [sample(logits) for _ in range(3)] == [0, 1, 0]  # 2/1.5 > 1.9/1.5
    assert make_sampler(Sampling(temperature=0, repetition_penalty=1.5), [0])(logits) == 1
    assert logits.tolist() == pytest.approx([2.0, 1.9, -1.0, 0.0])


def test_samplers_share_nothing():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    samplings = [Sampling(temperature=1.0, seed=seed, repetition_penalty=1.3, top_k=20) for seed in range(4)]
    alone = []
    for sampling in samplings:
        sample = make_sampler(sampling, [1, 2])
        alone.append([sample(logits) for _ in range(12)])
    samplers = [make_sampler(sampling, [1, 2]) for sampling in samplings]
    in_turn = [[sample(logits) for sample in samplers] for _ in range(12)]
    assert [list(answer) for answer in zip(*in_turn, strict=True)] == alone
    assert len({tuple(answer) for answer in alone}) == 4


def test_without_a_seed_answers_differ():
    logits = torch.zeros(1_000)
    drawn = Counter(make_sampler(Sampling(temperature=1.0), [])(logits) for _ in range(20))
    assert len(drawn) > 10


@pytest.mark.parametrize("temperature", [0.0, 1e-45, 1e-30, 9e-6])
def test_a_temperature_close_to_zero_is_greedy(temperature):
    logits = 50 * torch.randn(500, generator=torch.Generator().manual_seed(1))
    assert make_sampler(Sampling(temperature=temperature), [])(logits) == int(logits.argmax())


def test_top_k_of_one_is_greedy():
    logits = torch.randn(500, generator=torch.Generator().manual_seed(1))
    for seed in range(5):
        assert make_sampler(Sampling(temperature=2.0, top_k=1, seed=seed), [])(logits) == int(logits.argmax())


def test_logits_that_are_not_finite_are_an_error():
    with pytest.raises(ReaderError, match="bf16"):
        make_sampler(Sampling(), [])(torch.tensor([1.0, float("nan")]))


@given(
    scores=st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=40),
    top_p=st.floats(0.01, 1.0),
)
def test_nucleus_is_the_smallest_set_with_enough_mass(scores, top_p):
    tensor = torch.tensor(scores)
    tokens, shares = nucleus(tensor, top_p)
    probabilities = tensor.softmax(0)
    assert torch.allclose(shares, probabilities[tokens], atol=1e-5)
    assert float(shares.sum()) >= top_p - 1e-4
    assert float(shares[:-1].sum()) < top_p + 1e-4
    others = [value for at, value in enumerate(probabilities.tolist()) if at not in set(tokens.tolist())]
    assert all(value <= float(shares.min()) + 1e-6 for value in others)


def test_nucleus_of_a_flat_vocabulary_needs_all_of_it():
    tokens, _ = nucleus(torch.zeros(5000), 0.9)
    assert 4490 <= len(tokens) <= 4510


def test_nucleus_keeps_at_least_one_token():
    assert nucleus(torch.tensor([0.0, 9.0]), 0.0)[0].tolist() == [1]


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("chatglm-6b", SamplingDefaults(0.95, 0.7)), ("chatglm-6b-int4", SamplingDefaults(0.95, 0.7)),
        ("chatglm2-6b", SamplingDefaults(0.8, 0.8)), ("chatglm3-6b-32k", SamplingDefaults(0.8, 0.8)),
        ("glm-4-9b-chat", SamplingDefaults(0.8, 0.8)), ("GLM-Z1-9B-0414", SamplingDefaults(0.6, 0.95, 40)),
        ("GLM-4.5-Air", SamplingDefaults(0.6, 0.95)), ("glm-10b", GREEDY), ("GLM-130B", SamplingDefaults(1.0, 0.7)),
    ],
)  # fmt: skip
def test_families_sample_as_they_were_published(name, published):
    assert find_family(name).sampling == published


def test_no_family_penalises_what_it_is_to_quote():
    assert {family.sampling.repetition_penalty for family in FAMILIES} == {1.0}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 30, "repetition_penalty": 1.05},
         SamplingDefaults(0.7, 0.9, 30, 1.05)),
        ({"temperature": 0.5, "eos_token_id": [1, 2]}, SamplingDefaults(0.5)),  # a file counts as a whole
        ({"do_sample": False, "temperature": 0.5}, GREEDY),
        ({"eos_token_id": 2, "do_sample": True}, SamplingDefaults(0.8, 0.8)),
        ({"temperature": "hot", "top_p": float("nan"), "top_k": -4}, SamplingDefaults(0.8, 0.8)),
        ({"temperature": True, "top_p": 1e300, "top_k": 2.5, "repetition_penalty": 0}, SamplingDefaults(0.8, 0.8)),
    ],
)  # fmt: skip
def test_a_checkpoint_says_how_to_sample_it(tmp_path, content, expected):
    family = SamplingDefaults(0.8, 0.8)
    assert recommended_sampling(tmp_path, family) == family
    (tmp_path / "generation_config.json").write_text(json.dumps(content))
    assert recommended_sampling(tmp_path, family) == expected


def test_what_somebody_chose_counts_before_what_is_recommended():
    published = SamplingDefaults(0.8, 0.7, 40, 1.1)
    assert completed(Sampling(), published) == Sampling(temperature=0.8, top_p=0.7, top_k=40, repetition_penalty=1.1)
    chosen = Sampling(9, 0.0, 1.0, 3, 0, 1.0)
    assert completed(chosen, published) == chosen


def test_a_reader_samples_as_its_checkpoint_recommends_and_streams_the_same_for_a_seed(tmp_path):
    native(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"temperature": 0.9, "top_k": 7}))
    reader = load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu"))
    assert reader.sampling == SamplingDefaults(0.9, 1.0, 7)

    def answer(**chosen):
        messages = [ChatMessage("user", "hello")]
        return "".join(until_cut(reader.chat(messages, Sampling(20, **chosen), threading.Event())))

    explicit = answer(seed=5, temperature=0.9, top_p=1.0, top_k=7)
    assert answer(seed=5) == explicit
    assert answer(seed=6) != explicit
    assert answer(seed=5, temperature=0.0) == answer(seed=6, temperature=0.0)

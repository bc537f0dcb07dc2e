"""A prompt that begins as an earlier one did is read from where it differs, for those who may share it, and answered
as without.
"""

import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, Glm4Config, Glm4MoeConfig, GlmConfig

from model.batch import Batch
from model.families import Precision
from model.generate import forward, generate
from model.kv_cache import preallocated_cache
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage, chat_messages
from model.prompt_cache import BLOCK, PromptBlocks, PromptCache, can_reuse
from model.reader import Usage
from rag.answer.quote import QuoteReader
from rag.errors import OutOfMemory
from rag.reader import CachesPrompts, PromptScopes, ReadRequest, ReadSource, Sampling
from tests.model.checkpoints import load, publish
from tests.model.reciting import recite
from tests.model.test_batch import idle, together
from tests.model.tiny_tokenizers import write_tokenizer

CAUSAL = ("chatglm2", "chatglm3", "glm4")
MB = 1_000_000
TWELVE = Sampling(12, 0)
EVERYBODY, ANN, BEN = (PromptScopes("shared", f"person {name}") for name in ("", "ann", "ben"))
ANNS_OWN, BENS_OWN = (PromptScopes(name, name) for name in ("ann", "ben"))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: publish(name, root / name) for name in (*CAUSAL, "chatglm1")}


@pytest.fixture(scope="module")
def models(published):
    return {name: load(folder, name) for name, folder in published.items()}


def sources(count: int = 3 * BLOCK) -> list[int]:
    """Ids of instruction and sources."""
    return [5 + n * 7 % 180 for n in range(count)]


def asked(question: int, common: int = 3 * BLOCK) -> list[int]:
    return [*sources(common), *(20 + question + n for n in range(9))]


def answer(batch, ids, scopes=EVERYBODY, common=3 * BLOCK, sampling=TWELVE, stop=None):
    """The answer, and how many tokens of the prompt were not read again."""
    blocks = PromptBlocks(list(ids), scopes, common)
    tokens = list(batch.generate(blocks, sampling, frozenset(), stop or threading.Event()))
    assert idle(batch)
    return tokens, blocks.reused


def alone(model, ids, sampling=TWELVE):
    return list(generate(model, ids, sampling, frozenset(), threading.Event()))


def caching(model, most_bytes=100 * MB, **options):
    return Batch(model, prompt_cache_bytes=most_bytes, **options)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT8, Precision.INT4])
@pytest.mark.parametrize("name", CAUSAL)
def test_the_second_question_over_the_same_sources_has_the_answer_that_it_has_alone(published, name, precision):
    model = load(published[name], name, precision)
    batch = caching(model)
    assert answer(batch, asked(0)) == (alone(model, asked(0)), 0)
    assert answer(batch, asked(40)) == (alone(model, asked(40)), 3 * BLOCK)


NATIVE = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16,
    "num_key_value_heads": 2, "vocab_size": 256, "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1}


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(GlmConfig(**NATIVE), id="GLM-Edge"),
        pytest.param(Glm4Config(**NATIVE), id="GLM-4-0414"),
        pytest.param(Glm4MoeConfig(**NATIVE, **EXPERTS), id="GLM-4.5"),
    ],
)
def test_models_of_transformers_give_the_same_answer_too(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    batch = caching(model)
    assert answer(batch, asked(0)) == (alone(model, asked(0)), 0)
    assert answer(batch, asked(40)) == (alone(model, asked(40)), 3 * BLOCK)


def test_behind_a_learned_prefix_the_answer_is_the_same_too(models):
    torch.manual_seed(0)
    model = models["chatglm3"]
    config = model.config
    shape = (1, config.num_key_value_heads, 5, config.head_dim)
    prefix = tuple((torch.randn(shape), torch.randn(shape)) for _ in range(config.num_hidden_layers))
    batch, fresh = caching(model, prefix=prefix), Batch(model, prefix)
    answer(batch, asked(0))
    expected = list(fresh.generate(asked(40), TWELVE, frozenset(), threading.Event()))
    assert answer(batch, asked(40)) == (expected, 3 * BLOCK)
    assert expected != alone(model, asked(40))


@pytest.mark.parametrize("name", CAUSAL)
def test_logits_behind_what_was_kept_are_those_of_the_whole_prompt(models, name):
    model, cache = models[name], PromptCache(models[name], 100 * MB)
    first, second = PromptBlocks(asked(0), EVERYBODY, 3 * BLOCK), PromptBlocks(asked(40), EVERYBODY, 3 * BLOCK)
    filled = preallocated_cache(model.config, 300)
    forward(model, first.ids, len(first.ids), filled)
    cache.keep(first, filled)
    restored = preallocated_cache(model.config, 300)
    cache.restore(second, restored)
    rest = forward(model, second.ids, len(second.ids) - second.reused, restored)
    whole = forward(model, second.ids, len(second.ids), preallocated_cache(model.config, 300))
    assert second.reused == 3 * BLOCK
    assert torch.allclose(rest, whole, atol=1e-5)


def test_a_prompt_that_differs_in_the_middle_is_read_from_the_last_whole_block_before(models):
    model = models["chatglm3"]
    batch, other = caching(model), asked(0)
    answer(batch, asked(0))
    other[2 * BLOCK - 3] += 1
    assert answer(batch, other) == (alone(model, other), BLOCK)
    shorter = asked(0)[: 2 * BLOCK]
    assert answer(batch, shorter) == (alone(model, shorter), BLOCK)  # whose last token has to be read


def test_the_next_turn_reuses_the_answer_before(models):
    model, batch = models["chatglm3"], caching(models["chatglm3"])
    said, _ = answer(batch, asked(0), sampling=Sampling(2 * BLOCK, 0))
    following = [*asked(0), *said, 7, 8, 9]
    assert answer(batch, following) == (alone(model, following), len(following) // BLOCK * BLOCK)


def test_people_share_what_holds_instruction_and_sources_alone(models):
    batch = caching(models["chatglm3"])
    long_question = [*sources(), *range(10, 10 + 2 * BLOCK), 3]
    answer(batch, long_question, ANN)
    assert answer(batch, long_question, BEN)[1] == 3 * BLOCK
    assert answer(batch, long_question, ANN)[1] == 5 * BLOCK


def test_what_is_one_persons_own_is_reused_by_nobody_else(models):
    batch = caching(models["chatglm3"])
    answer(batch, asked(0), ANNS_OWN)
    assert answer(batch, asked(0), BENS_OWN)[1] == 0
    assert answer(batch, asked(0), EVERYBODY)[1] == 0
    assert answer(batch, asked(0), ANNS_OWN)[1] == 3 * BLOCK


def test_a_block_that_ends_in_the_question_is_not_shared(models):
    batch, ids = caching(models["chatglm3"]), [*sources(), *range(10, 10 + BLOCK)]
    answer(batch, ids, ANN, common=3 * BLOCK - 1)
    assert answer(batch, ids, BEN, common=3 * BLOCK - 1)[1] == 2 * BLOCK


def test_nothing_is_kept_for_a_request_that_names_nobody(models):
    batch = caching(models["chatglm3"])
    for _ in range(2):
        assert answer(batch, asked(0), PromptScopes())[1] == 0
    assert batch.prompt_cache.usage.bytes == 0


def test_answers_given_together_are_those_given_alone(models):
    model = models["glm4"]
    batch = caching(model)
    answer(batch, asked(0))
    prompts = [asked(n) for n in range(0, 60, 10)]
    requests = [(PromptBlocks(list(ids), EVERYBODY, 3 * BLOCK), Sampling(20, 0)) for ids in prompts]
    assert together(batch, requests) == [alone(model, ids, Sampling(20, 0)) for ids in prompts]
    assert [blocks.reused for blocks, _ in requests] == [3 * BLOCK] * 6


def test_what_was_read_until_stop_is_kept(models, monkeypatch):
    model = models["chatglm3"]
    batch, stop, ids = caching(model), threading.Event(), asked(0, 20 * BLOCK)
    layers, seen = len(model.model.layers), []

    def count(*_):
        seen.append(1)
        if len(seen) == layers + 1:  # in the second chunk of 512 tokens
            stop.set()

    handle = model.model.layers[-1].register_forward_pre_hook(count)
    second = model.model.layers[0].register_forward_pre_hook(count)
    assert answer(batch, ids, common=20 * BLOCK, stop=stop)[0] == []
    handle.remove()
    second.remove()
    tokens, reused = answer(batch, ids, common=20 * BLOCK)
    assert reused == 512
    assert tokens == alone(model, ids)


def test_memory_is_bounded_and_the_least_recently_used_goes_first(models):
    batch = caching(models["chatglm3"])
    answer(batch, asked(0))
    of_three = batch.prompt_cache.usage.bytes
    batch = caching(models["chatglm3"], of_three + 1)
    answer(batch, asked(0))
    other = [6, *asked(0)[1 : 2 * BLOCK + 9]]
    answer(batch, other, common=2 * BLOCK)
    assert batch.prompt_cache.usage.bytes <= of_three
    assert answer(batch, other, common=2 * BLOCK)[1] == 2 * BLOCK
    assert answer(batch, asked(0))[1] == BLOCK  # the beginning, which is worth most, went last


def test_a_prompt_longer_than_the_bound_keeps_its_beginning(models):
    batch = caching(models["chatglm3"])
    answer(batch, asked(0))
    batch = caching(models["chatglm3"], batch.prompt_cache.usage.bytes + 1)
    ids = asked(0, 30 * BLOCK)
    answer(batch, ids, common=30 * BLOCK)
    assert answer(batch, ids, common=30 * BLOCK)[1] == 3 * BLOCK


def test_an_answer_that_needs_the_memory_gets_it(models, monkeypatch):
    model = models["chatglm3"]
    batch = caching(model)
    answer(batch, asked(0))
    kept = batch.prompt_cache.usage.bytes
    assert kept
    monkeypatch.setattr("model.batch.free_bytes", lambda device: 0)
    assert answer(batch, asked(40))[0] == alone(model, asked(40))
    assert batch.prompt_cache.usage.bytes == 0


def test_where_memory_runs_out_all_that_was_kept_is_given_back_before_an_answer_fails(models, monkeypatch):
    model, original = models["chatglm3"], torch.nn.functional.embedding
    batch, failures = caching(model), []
    answer(batch, asked(0))

    def too_much(ids, *arguments, **options):
        if len(failures) < most and ids.numel() > 1:
            failures.append(1)
            raise torch.OutOfMemoryError("out of memory")
        return original(ids, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "embedding", too_much)
    most = 1
    assert answer(batch, asked(40)) == (alone(model, asked(40)), 3 * BLOCK)  # of which it had a copy
    most = 3
    with pytest.raises(OutOfMemory):
        answer(batch, asked(60))
    assert len(failures) == 3


def test_the_first_generation_keeps_nothing(models):
    batch = caching(models["chatglm1"])
    ids = [*sources(2 * BLOCK), 10, 20, 30, 241, 244]
    for _ in range(2):
        assert answer(batch, ids, common=2 * BLOCK) == (alone(models["chatglm1"], ids), 0)
    assert batch.prompt_cache.usage.most_bytes == 0
    assert [can_reuse(models[name]) for name in ("chatglm1", *CAUSAL)] == [False, True, True, True]


def test_of_a_removed_document_nothing_is_kept_nor_of_conversations(models):
    """What others have asked about other documents need not be read again; a beginning in common counts as common."""
    batch, other = caching(models["chatglm3"]), [*sources(BLOCK), *range(10, 10 + 2 * BLOCK), 3]

    def reused(ids, *documents):
        return answer(batch, ids, PromptScopes("shared", "ann", frozenset(documents)))[1]

    for _ in range(2):
        read = [reused(asked(0), "a", "b"), reused(other, "b", "c"), reused([*asked(0), *range(BLOCK)], "a", "b")]
    assert read == [3 * BLOCK, 3 * BLOCK, 4 * BLOCK]
    batch.prompt_cache.forget("c")
    assert reused(other, "b", "c") == BLOCK
    assert reused([*asked(0), *range(BLOCK)], "a", "b") == 3 * BLOCK
    batch.prompt_cache.forget("b")
    assert batch.prompt_cache.usage.bytes == 0
    batch.prompt_cache.forget("a")


def test_usage_counts_what_was_read_and_what_was_not(models):
    batch = caching(models["chatglm3"])
    answer(batch, asked(0))
    answer(batch, asked(40))
    usage = batch.prompt_cache.usage
    assert (usage.read_tokens, usage.cached_tokens) == (3 * BLOCK + 9 + 9, 3 * BLOCK)
    assert 0 < usage.bytes < usage.most_bytes == 100 * MB
    batch.prompt_cache.clear()
    assert batch.prompt_cache.usage.bytes == 0
    assert answer(batch, asked(0))[1] == 0


def reader_of(tmp_path, **options):
    return load_reader(
        recite(tmp_path, ["yes"]), LoadSettings(precision="fp32", device="cpu", prompt_cache=100 * MB, **options)
    )


def request(question, scopes, history=()):
    source = ReadSource(1, "a.pdf", "3", "Sales", "Sales rose by a tenth. " * 40)
    return ReadRequest(question, (source,), history, Sampling(8, 0), scopes=scopes)


def test_a_reader_tells_what_it_will_not_read_again(tmp_path):
    reader, first = reader_of(tmp_path), request("Why?", ANN)
    assert reader.prompt(first).cached_tokens == 0
    assert list(reader.answer(first, threading.Event())) == ["yes"]
    again, other = reader.prompt(first), reader.prompt(request("How much did costs rise?", BEN))
    assert again.tokens - again.cached_tokens <= BLOCK
    messages = chat_messages(first)
    common = reader.prompter.common_tokens(messages, reader.prompter.ids(messages))
    assert 900 < other.cached_tokens == common // BLOCK * BLOCK < again.cached_tokens
    assert reader.prompt(request("Why?", BENS_OWN)).cached_tokens == 0
    usage = Usage()
    messages = [ChatMessage("user", "word " * 2 * BLOCK)]
    for _ in range(2):
        list(reader.chat(messages, Sampling(8, 0), threading.Event(), usage, ANN))
    assert usage.cached_tokens >= 2 * BLOCK
    reader.clear_prompt_cache()
    assert reader.prompt(first).cached_tokens == reader.prompt_cache_usage.bytes == 0


def test_the_reader_says_how_much_it_may_keep_or_why_nothing(tmp_path, published, monkeypatch):
    assert "prompt cache of up to 0.1 GB" in str(reader_of(tmp_path / "glm").why)
    monkeypatch.setattr("model.load.free_bytes", lambda device: 10_000 * MB)
    reader = load_reader(tmp_path / "glm", LoadSettings(precision="fp32", device="cpu", context=2_048))
    assert 2_200 * MB < reader.prompt_cache_usage.most_bytes < 2_500 * MB  # a quarter of what is left
    write_tokenizer("chatglm1", published["chatglm1"])
    first = load_reader(published["chatglm1"], LoadSettings(precision="fp32", device="cpu", prompt_cache=100 * MB))
    assert "no prompt cache, as this model reads a prompt in both directions" in str(first.why)
    assert first.prompt_cache_usage.most_bytes == 0


def test_readers_that_cache_prompts_are_told_from_others(tmp_path):
    assert isinstance(reader_of(tmp_path), CachesPrompts)
    assert not isinstance(QuoteReader(), CachesPrompts)

import json
import random
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file
from transformers import GlmConfig, GlmForCausalLM

from model.adapters import CONFIG, TRAINING, WEIGHTS, Method, apply_adapter, list_adapters, read_adapter
from model.assemble import dimensions_of
from model.blank.glm10b import GLM10BConfig, GLM10BForCausalLM
from model.blank.glm130b import GLM130BConfig, GLM130BForCausalLM
from model.families import GB, Precision, find_family
from model.finetune.__main__ import answer_end, main
from model.finetune.frozen import trainable_through
from model.finetune.memory import trained_weights, training_memory
from model.finetune.pairs import Example, Pair, example, read_pairs, split
from model.finetune.train import PLOT, STATE, Base, Trainer, TrainingSettings
from model.kv_cache import preallocated_cache
from model.learned_prefix import PrefixOnly
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage, chat_messages
from model.quantise import Int4Linear, Int8Linear
from model.weight_layout import Weight
from rag.errors import AnswerCut, CheckpointRefused, ReaderError, SettingRefused
from rag.reader import ReadRequest, Sampling
from tests.model.checkpoints import load, publish
from tests.model.reference import write_native_tokenizer

BASE = Base("tiny", "owner/tiny")
FEW = TrainingSettings(epochs=4, rate=0.1, held_out=0, prefix_tokens=8, step_pairs=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny GLM that knows nothing, with weights large enough for an adapter to work with."""
    folder = tmp_path_factory.mktemp("base")
    write_native_tokenizer(folder / "tokenizer.json")
    torch.manual_seed(1)
    config = GlmConfig(
        vocab_size=272, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, pad_token_id=0, eos_token_id=258, initializer_range=0.2,
    )  # fmt: skip
    GlmForCausalLM(config).save_pretrained(folder)
    return folder


def pairs_of(count):
    numbers = random.Random(0)
    return [Pair(ReadRequest(f"p{at}?", ()), str(numbers.randint(100, 999))) for at in range(count)]


def examples_of(reader, pairs):
    end = answer_end(reader.stop_ids, reader.tokenizer.special_tokens)
    return [example(pair, reader.prompter, end, 512) for pair in pairs]


def trained(base, folder, settings, count, precision="fp32"):
    """Train on some pairs; the reader without and with the adapter, and the epochs."""
    reader = load_reader(base, LoadSettings(precision=precision, device="cpu"))
    epochs = Trainer(reader.model, settings, folder).train(examples_of(reader, pairs_of(count)), [], BASE)
    return load_reader(base, LoadSettings(precision=precision, device="cpu", adapter=folder)), epochs


def answer(reader, question):
    text = ""
    try:
        for piece in reader.chat([ChatMessage("user", question)], Sampling(12, 0), threading.Event()):
            text += piece
    except AnswerCut:
        pass
    return text


def logits(model, ids, prefix=()):
    cache = {"past_key_values": PrefixOnly(prefix)} if prefix else {}
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), **cache).logits


def chatglm_6b(folder):
    """A tiny ChatGLM-6B, and a prompt of six tokens with two more behind it."""
    model = load(publish("chatglm1", folder), "chatglm1")
    return model, [5, 6, 7, 8, model.config.gmask_token_id, model.config.bos_token_id, 9, 10]


def glm_10b(folder):
    config = GLM10BConfig(
        vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, bos_token_id=90, eos_token_id=91, pad_token_id=92, mask_token_ids=[93],
    )  # fmt: skip
    return GLM10BForCausalLM(config).eval(), [5, 6, 7, 8, 93, 90, 9, 10]


def glm_130b(folder):
    config = GLM130BConfig(
        vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        bos_token_id=90, eos_token_id=91, pad_token_id=92, mask_token_id=93, gmask_token_id=94, smask_token_id=95,
    )  # fmt: skip
    return GLM130BForCausalLM(config).eval(), [5, 6, 7, 8, 94, 90, 9, 10]


@pytest.mark.slow
def test_lora_teaches_fifty_pairs_word_for_word_and_leaves_the_base_as_it_was(base, tmp_path):
    files = {path.name: path.read_bytes() for path in base.iterdir()}
    before = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    settings = TrainingSettings(Method.LORA, epochs=55, rate=0.015, step_pairs=25, held_out=0, patience=55, rank=16)
    reader, epochs = trained(base, tmp_path / "pumps", settings, 50)
    assert epochs[-1].loss < 0.15
    assert [answer(reader, pair.request.question) for pair in pairs_of(50)] == [pair.answer for pair in pairs_of(50)]
    assert answer(before, "p1?") != pairs_of(2)[1].answer
    assert {path.name: path.read_bytes() for path in base.iterdir()} == files
    assert reader.name == f"{base.name} · pumps · FP32 · cpu"
    ids = list(range(3, 20))
    untouched = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    assert torch.equal(logits(untouched.model, ids), logits(before.model, ids))
    assert not torch.allclose(logits(reader.model, ids), logits(before.model, ids), atol=0.1)


@pytest.mark.parametrize("precision", ["fp32", "int4"])
def test_p_tuning_teaches_pairs_to_a_model_of_any_precision(base, tmp_path, precision):
    settings = TrainingSettings(epochs=150, rate=0.1, step_pairs=3, held_out=0, patience=150, prefix_tokens=32)
    reader, epochs = trained(base, tmp_path / "pumps", settings, 3, precision)
    assert epochs[-1].loss < 0.3 < epochs[0].loss
    questions, expected = [pair.request.question for pair in pairs_of(3)], [pair.answer for pair in pairs_of(3)]
    assert [answer(reader, question) for question in questions] == expected
    with ThreadPoolExecutor() as threads:  # the same when they are generated together
        assert list(threads.map(lambda question: answer(reader, question), questions)) == expected


@pytest.mark.parametrize("method", list(Method))
def test_a_saved_adapter_gives_the_logits_that_peft_gives(base, tmp_path, method):
    import peft

    settings = TrainingSettings(method, epochs=1, rate=0.05, held_out=0, prefix_tokens=8)
    trained(base, tmp_path, settings, 4)
    ours, theirs = (load_reader(base, LoadSettings(precision="fp32", device="cpu")).model for _ in range(2))
    prefix = apply_adapter(ours, read_adapter(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = peft.PeftModel.from_pretrained(theirs, tmp_path).eval()
    ids = list(range(3, 20))
    assert len(prefix) == (2 if method is Method.P_TUNING else 0)
    torch.testing.assert_close(logits(ours, ids, prefix), logits(reference, ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [chatglm_6b, glm_10b, glm_130b])
def test_the_first_generations_are_trained_by_p_tuning(tmp_path, kind):
    model, tokens = kind(tmp_path / "base")
    one = Example(tuple(tokens[:6]), (9, 10))
    epochs = Trainer(model, FEW, tmp_path / "out").train([one], [], BASE)
    assert epochs[-1].loss < epochs[0].loss


@pytest.mark.parametrize("kind", [Int4Linear, Int8Linear])
def test_gradients_pass_through_quantised_matrices(kind):
    torch.manual_seed(0)
    module = kind.quantised(Weight(torch.randn(128, 64)), torch.randn(128))
    model = torch.nn.Module()
    model.base_model_prefix, model.model = "model", torch.nn.Module()
    model.model.layers = torch.nn.ModuleList([torch.nn.Sequential(module)])
    states = torch.randn(3, 64, dtype=torch.bfloat16, requires_grad=True)
    wanted = torch.randn(3, 128, dtype=torch.bfloat16)
    with trainable_through(model):
        (module(states) * wanted).sum().backward()
    torch.testing.assert_close(states.grad, wanted @ module.weight)
    assert "forward" not in vars(module)


@pytest.mark.parametrize("kind", [chatglm_6b, glm_10b, glm_130b])
def test_a_prefix_of_the_first_generations_is_seen_by_every_token_while_reading_and_while_writing(tmp_path, kind):
    torch.manual_seed(0)
    model, tokens = kind(tmp_path)
    config, ids = model.config, torch.tensor([tokens])
    shape = (1, config.num_attention_heads, 5, config.hidden_size // config.num_attention_heads)
    prefix = tuple((torch.randn(shape), torch.randn(shape)) for _ in range(config.num_hidden_layers))

    def run(cache, new):
        inputs = model.prepare_inputs_for_generation(ids[:, :-2] if new is None else ids, new, cache, use_cache=True)
        with torch.no_grad():
            return model(**inputs).logits

    whole = model(**model.prepare_inputs_for_generation(ids, past_key_values=PrefixOnly(prefix))).logits
    cache = preallocated_cache(config, 32, prefix)
    stepwise = [run(cache, None), run(cache, 2)]
    torch.testing.assert_close(torch.cat(stepwise, dim=1), whole.detach(), atol=1e-4, rtol=1e-4)
    other = tuple((keys, torch.randn_like(values)) for keys, values in prefix)
    changed = model(**model.prepare_inputs_for_generation(ids, past_key_values=PrefixOnly(other))).logits
    assert bool(((changed - whole).abs().amax(-1) > 1e-3).all())


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(base, tmp_path):
    trained(base, tmp_path / "whole", FEW, 4)
    reader = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    first, learning = Trainer(reader.model, FEW, tmp_path / "broken"), examples_of(reader, pairs_of(4))

    def break_off(epoch, done, total):
        if (epoch, done) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.train(learning, [], BASE, break_off)
    assert "forward" not in vars(reader.model.model.layers[0])
    assert (tmp_path / "broken" / STATE).exists()
    again = Trainer(load_reader(base, LoadSettings(precision="fp32", device="cpu")).model, FEW, tmp_path / "broken")
    assert again.resume() == 2
    assert len(again.train(learning, [], BASE)) == 4
    assert (tmp_path / "broken" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    assert not (tmp_path / "broken" / STATE).exists()
    assert again.resume() == 0


def test_layers_that_are_computed_twice_give_the_same_adapter(base, tmp_path, monkeypatch):
    trained(base, tmp_path / "kept", FEW, 4)
    monkeypatch.setattr("model.finetune.frozen.SHORT_TOKENS", 0)
    trained(base, tmp_path / "again", FEW, 4)
    first, second = (load_file(tmp_path / name / WEIGHTS)["prompt_embeddings"] for name in ("kept", "again"))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def test_a_run_is_not_resumed_with_other_options(base, tmp_path):
    reader = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    tmp_path.joinpath(STATE).write_bytes(b"")
    torch.save({"settings": {"rate": 1}}, tmp_path / STATE)
    with pytest.raises(SettingRefused, match="other options"):
        Trainer(reader.model, FEW, tmp_path).resume()


def test_training_ends_when_the_held_out_loss_no_longer_falls_and_keeps_the_best_epoch(base, tmp_path):
    settings = TrainingSettings(epochs=60, rate=0.1, step_pairs=2, patience=2, prefix_tokens=8)
    reader = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    learning, measuring = examples_of(reader, pairs_of(4))[:2], examples_of(reader, pairs_of(4))[2:]
    epochs = Trainer(reader.model, settings, tmp_path).train(learning, measuring, BASE)
    best = min(range(len(epochs)), key=lambda at: epochs[at].held_out)
    assert len(epochs) == best + 3 < 60
    kept = json.loads((tmp_path / TRAINING).read_text())
    assert kept["best_epoch"] == best + 1
    assert kept["pairs"] == 4
    adapted = load_reader(base, LoadSettings(precision="fp32", device="cpu", adapter=tmp_path))
    losses = [_held_out_loss(adapted, one) for one in measuring]
    assert sum(losses) / sum(len(one.answer) for one in measuring) == pytest.approx(epochs[best].held_out, rel=1e-4)


def _held_out_loss(reader, one):
    scores = logits(reader.model, [*one.prompt, *one.answer], reader.prefix)[0, len(one.prompt) - 1 : -1]
    return torch.nn.functional.cross_entropy(scores, torch.tensor(one.answer), reduction="sum").item()


def test_lora_of_a_quantised_model_is_refused(base, tmp_path):
    reader = load_reader(base, LoadSettings(precision="int8", device="cpu"))
    with pytest.raises(ReaderError, match="--method p-tuning"):
        Trainer(reader.model, TrainingSettings(Method.LORA), tmp_path)


# ---- pairs


def test_a_pair_is_asked_as_on_the_page_and_its_answer_ends(base, tmp_path):
    line = {
        "question": "Who signed?",
        "answer": "Anna [2]",
        "sources": [{"number": 2, "document": "a.pdf", "page": "3", "heading": "Deed", "text": "Signed: Anna"}],
        "evidence": [{"number": 2, "text": "Signed: Anna"}],
    }
    (tmp_path / "pairs.jsonl").write_text(json.dumps(line) + "\n\n")
    (pair,) = read_pairs(tmp_path / "pairs.jsonl")
    reader = load_reader(base, LoadSettings(precision="fp32", device="cpu"))
    user = reader.tokenizer.special_tokens["<|user|>"]
    one = example(pair, reader.prompter, answer_end(frozenset({3, user}), {"<|user|>": user}), 2000)
    assert one == Example(
        tuple(reader.prompter.ids(chat_messages(pair.request))), (*reader.tokenizer.encode("Anna [2]"), user)
    )
    assert [source.number for source in pair.request.sources] == [2]
    assert "[2] a.pdf · page 3 · Deed\nSigned: Anna" in chat_messages(pair.request)[-1].sources
    length = len(one.prompt) + len(one.answer)
    assert example(pair, reader.prompter, user, length) is not None
    assert example(pair, reader.prompter, user, length - 1) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "a"}', "line 1: the field 'answer' is missing"),
        ('{"question": 1, "answer": "a"}', "line 1 cannot be read: 1 is not a text"),
        ('{"question": "a", "answer": "b", "sources": [{"page": "1"}]}', "the field 'text' is missing"),
        ("", "holds no pairs"),
    ],
)
def test_files_that_are_no_pairs_are_refused_with_the_line(tmp_path, line, message):
    (tmp_path / "pairs.jsonl").write_text(line)
    with pytest.raises(SettingRefused, match=message):
        read_pairs(tmp_path / "pairs.jsonl")


def test_what_is_held_out_is_not_learned_from():
    examples = [Example((at,), (at,)) for at in range(20)]
    learning, measuring = split(examples, 0.25, 7)
    assert len(measuring) == 5
    assert sorted([*learning, *measuring], key=lambda one: one.prompt) == examples
    assert split(examples, 0.25, 7) == (learning, measuring)
    assert split(examples[:1], 0.9, 0) == (examples[:1], [])


# ---- memory


def test_p_tuning_of_chatglm_6b_in_int4_takes_less_than_seven_gigabytes():
    family = find_family("chatglm-6b")
    assert family is not None
    settings = TrainingSettings(longest=1024, prefix_tokens=128)
    memory = training_memory(family.dimensions, Precision.INT4, settings, torch.device("cuda"))
    assert 5 * GB < memory.total < 7 * GB
    assert memory.trained == 128 * 28 * 2 * 4096 * 16
    assert training_memory(family.dimensions, Precision.BF16, settings, torch.device("cuda")).total > 13 * GB


def test_the_number_of_trained_weights_is_that_of_peft(base, tmp_path):
    for method in Method:
        model = load_reader(base, LoadSettings(precision="fp32", device="cpu")).model
        settings = TrainingSettings(method, prefix_tokens=8, rank=4)
        trainer = Trainer(model, settings, tmp_path)
        assert sum(one.numel() for one in trainer._adapted.parameters() if one.requires_grad) == trained_weights(
            dimensions_of(model.config), settings
        )


# ---- adapters on disk


@pytest.fixture(scope="module")
def adapters(base, tmp_path_factory):
    """A folder with an adapter of each method."""
    folder = tmp_path_factory.mktemp("adapters")
    for method in Method:
        trained(base, folder / method, TrainingSettings(method, epochs=1, held_out=0, prefix_tokens=8), 2)
    return folder


def test_adapters_are_listed_with_what_is_known_of_them(adapters, caplog):
    assert [(one.name, one.method, one.base, one.pairs) for one in list_adapters(adapters)] == [
        ("lora", Method.LORA, "tiny", 2), ("p-tuning", Method.P_TUNING, "tiny", 2),
    ]  # fmt: skip
    assert list_adapters(adapters / "nowhere") == ()
    assert {path.name for path in (adapters / "lora").iterdir()} == {CONFIG, WEIGHTS, TRAINING, PLOT}


@pytest.mark.parametrize("method", list(Method))
def test_an_adapter_of_another_model_is_refused(adapters, tmp_path, method):
    write_native_tokenizer(tmp_path / "tokenizer.json")
    config = GlmConfig(
        vocab_size=272, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, pad_token_id=0, eos_token_id=258,
    )  # fmt: skip
    GlmForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointRefused, match=r"belongs to another model \(tiny\)"):
        load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu", adapter=adapters / method))


def test_folders_without_a_usable_adapter_are_refused(base, adapters, tmp_path, caplog):
    with pytest.raises(CheckpointRefused, match="holds no adapter"):
        read_adapter(tmp_path)
    for name, config in (("kind", {"peft_type": "IA3"}), ("empty", {"peft_type": "LORA"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONFIG).write_text(json.dumps(config))
    with pytest.raises(CheckpointRefused, match="of the kind 'IA3'"):
        read_adapter(tmp_path / "kind")
    with pytest.raises(CheckpointRefused, match=f"has no {WEIGHTS}"):
        read_adapter(tmp_path / "empty")
    assert list_adapters(tmp_path) == ()
    assert len(caplog.records) == 2
    (tmp_path / "empty" / CONFIG).write_text((adapters / "p-tuning" / CONFIG).read_text())
    (tmp_path / "empty" / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(CheckpointRefused, match="copy it again"):
        load_reader(base, LoadSettings(precision="fp32", device="cpu", adapter=tmp_path / "empty"))


# ---- the command


def test_the_command_trains_resumes_and_refuses(base, tmp_path, capsys):
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "mine"
    lines = [{"question": pair.request.question, "answer": pair.answer} for pair in pairs_of(10)]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = [str(base), str(pairs), "--out", str(out), "--device", "cpu", "--precision", "fp32", "--prefix-tokens", "4"]
    assert main([*asked, "--epochs", "2", "--resume"]) == 0
    assert "epoch 2: 9 of 9 pairs" in capsys.readouterr().err
    assert read_adapter(out).base == base.name
    svg = (out / PLOT).read_text()
    assert svg.startswith("<svg")
    assert svg.count("<polyline") == 2
    for wrong, message in (
        (["--epochs", "0"], "--epochs is 0"),
        (["--held-out", "1"], "--held-out is 1"),
        (["--longest", "3"], "All 10 pairs are longer than 3 tokens"),
        (["--longest", "900000000"], "Training .* takes .* GB, and"),
    ):
        assert main([*asked, *wrong]) == 1
        assert re.search(message, capsys.readouterr().err)

"""GLM-10B against the original implementation (float32, CPU), and what is refused."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from model.batch import Batch
from model.families import Precision
from model.generate import generate
from model.load import adopt_token_ids, load_reader
from model.load_settings import LoadSettings
from model.tokenizer import decode, load_tokenizer
from rag.errors import CheckpointRefused, SettingRefused
from rag.reader import Sampling
from tests.model.checkpoints import cases, load, publish, reference
from tests.model.reference import DATA, shared
from tests.model.tiny_tokenizers import write_blank_tokenizer

TOLERANCE = 1e-4
FILLED = [case for case in cases("glm10b") if f"{case}.generated_ids" in reference("glm10b")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = publish("glm10b", tmp_path_factory.mktemp("glm10b"))
    write_blank_tokenizer("chinese", folder)
    made = load(folder, "glm10b")
    adopt_token_ids(made.config, load_tokenizer(folder))
    return made


def numbers(case, *names):
    return tuple(reference("glm10b")[f"{case}.{name}"] for name in names)


def inputs(case):
    """Token ids, and the mask of padding with a column for <|startofpiece|>."""
    ids, mask = numbers(case, "input_ids", "context_attention_mask")
    return ids, torch.cat((mask, torch.ones(len(ids), 1, dtype=torch.long)), 1)


def test_the_reference_has_every_kind_of_blank():
    assert set(FILLED) == {
        "mask_middle", "gmask_end", "smask", "two_masks_first_used", "batch_right_pad", "batch_left_pad",
    }  # fmt: skip


@pytest.mark.parametrize("case", FILLED)
def test_logits_and_hidden_states_of_every_position(model, case):
    base = model.transformer
    caught = []
    hooks = [
        part.register_forward_hook(lambda *call: caught.append(call[2]))
        for part in (*base.layers, base.final_layernorm)
    ]
    ids, mask = inputs(case)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    for hook in hooks:
        hook.remove()
    (wanted,) = numbers(case, "logits")
    assert (logits - wanted).abs().max() < TOLERANCE
    for states, name in zip(caught, ("layer_0", "layer_1", "layer_2", "final_layernorm"), strict=True):
        assert (states - numbers(case, f"hidden.{name}")[0]).abs().max() < TOLERANCE


@pytest.mark.parametrize("case", FILLED)
def test_greedy_text_of_whole_batches(model, case):
    ids, mask = inputs(case)
    output = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=32, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    assert output[:, ids.shape[1] :].tolist() == numbers(case, "generated_ids")[0].tolist()


@pytest.mark.parametrize("case", [case for case in FILLED if case != "batch_left_pad"])  # there, padding is counted
def test_greedy_text_of_our_own_loop(model, case):
    ids, mask = inputs(case)
    for row, real, wanted in zip(ids, mask, numbers(case, "generated_ids")[0], strict=True):
        sampling = Sampling(max_tokens=32, temperature=0)
        tokens = generate(model, row[real.bool()].tolist(), sampling, frozenset(), threading.Event())
        assert list(tokens) == wanted.tolist()


def test_masks_and_positions_can_be_given():
    """As the original's multiple choice, its prefix lengths and its defaults do."""
    folder_model = load_fixture()
    ids, mask, position_ids, wanted = numbers(
        "multiple_choice", "input_ids", "attention_mask", "position_ids", "lm_logits"
    )
    with torch.no_grad():
        logits = folder_model(ids, attention_mask=mask, position_ids=position_ids).logits
    assert (logits - wanted).abs().max() < TOLERANCE
    ids, prefix, wanted = numbers("sep_mask", "input_ids", "sep", "logits")
    columns = torch.arange(ids.shape[1])
    position_ids = torch.stack((columns, torch.zeros_like(columns)))[None].expand(len(ids), -1, -1)
    causal = (columns <= columns[:, None])[None, None]
    for visible, numbers_wanted in (
        (causal | (columns < prefix[:, None])[:, None, None], wanted),
        (causal.expand(len(ids), -1, -1, -1), reference("glm10b")["no_mask.logits"]),
    ):
        with torch.no_grad():
            logits = folder_model(ids, attention_mask=visible, position_ids=position_ids).logits
        assert (logits - numbers_wanted).abs().max() < TOLERANCE


@pytest.fixture
def folder(tmp_path):
    publish("glm10b", tmp_path)
    write_blank_tokenizer("chinese", tmp_path)
    return tmp_path


def test_a_checkpoint_with_the_prefix_of_a_fine_tuned_one_is_the_same(model, tmp_path):
    from safetensors.torch import load_file, save_file

    publish("glm10b", tmp_path, shards=1)
    (tmp_path / "model.safetensors.index.json").unlink()
    (path,) = tmp_path.glob("*.safetensors")
    tensors = load_file(path)
    path.unlink()
    save_file({f"glm.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    write_blank_tokenizer("gpt2", tmp_path)
    reader = load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu"))
    ids, mask = inputs("smask")
    with torch.no_grad():
        assert torch.equal(reader.model(ids, mask).logits, model(ids, mask).logits)


def test_saved_by_transformers_it_loads_again(folder, tmp_path):
    reader = load_reader(folder, LoadSettings(precision="fp32", device="cpu"))
    reader.model.save_pretrained(tmp_path / "saved")
    write_blank_tokenizer("chinese", tmp_path / "saved")
    again = load_reader(tmp_path / "saved", LoadSettings(precision="fp32", device="cpu"))
    ids, mask = inputs("gmask_end")
    with torch.no_grad():
        assert torch.equal(reader.model(ids, mask).logits, again.model(ids, mask).logits)


@pytest.mark.parametrize(
    ("precision", "bound"), [(Precision.BF16, 0.03), (Precision.INT8, 0.08), (Precision.INT4, 0.6)]
)
def test_error_of_quantised_logits_is_bounded(precision, bound, folder):
    reader = load_reader(folder, LoadSettings(precision=precision, device="cpu"))
    ids, mask = inputs("batch_right_pad")
    (wanted,) = numbers("batch_right_pad", "logits")
    with torch.no_grad():
        logits = reader.model(ids, mask).logits.float()
    assert float((logits - wanted).norm() / wanted.norm()) < bound


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"relative_encoding": True}, "relative_encoding = True"),
        ({"block_position_encoding": False}, "block_position_encoding = False"),
        ({"num_attention_heads": 0}, "num_attention_heads = 0"),
        ({"hidden_size": "64"}, "hidden_size = '64'"),
        ({"num_attention_heads": 5}, "multiple of 5"),
        ({"vocab_size": 200}, "they do not belong together"),
        ({"max_sequence_length": None}, "max_sequence_length = None"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_in_a_sentence(change, said, folder):
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointRefused, match=said):
        load_reader(folder, LoadSettings(precision="fp32", device="cpu"))


def test_text_without_a_blank_is_refused(model):
    with pytest.raises(ValueError, match="needs a mask"):
        model(torch.tensor([[243, 5, 6, 241]]))
    first = model(torch.tensor([[243, 5, 244, 240, 241]]))
    position_ids = torch.zeros(1, 2, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="cannot take it in chunks"):
        model(torch.tensor([[241, 5]]), position_ids=position_ids, past_key_values=first.past_key_values)


def test_it_is_not_converted(folder, tmp_path):
    from model.convert import convert

    with pytest.raises(SettingRefused, match="use it here as it is"):
        convert(folder, tmp_path / "target", quiet=True)


# ---- tokenizers


@pytest.mark.parametrize("kind", ["gpt2", "chinese", "wordpiece"])
def test_text_goes_there_and_back_and_never_gives_a_special_token(kind, tmp_path):
    write_blank_tokenizer(kind, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert decode(tokenizer, tokenizer.encode("the fox, on page 12")) == "the fox, on page 12"
    special = set(tokenizer.special_tokens.values()) - {tokenizer.special_tokens.get("[UNK]")}
    for name in tokenizer.special_tokens:
        assert not special & set(tokenizer.encode(f"a {name} b"))
    assert all(tokenizer.token_bytes(token) == b"" for token in (*special, 10_000))


@pytest.mark.parametrize("name", ["glm10b_english", "glm10b_chinese"])
def test_special_tokens_follow_the_vocabulary_in_the_published_order(name, tmp_path):
    folder = shared(f"tokenizers/{name}")
    for path in folder.iterdir():
        if path.name != "added_tokens.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert load_tokenizer(tmp_path).special_tokens == load_tokenizer(folder).special_tokens


@pytest.mark.parametrize(
    ("kind", "file", "content"),
    [
        ("gpt2", "vocab.json", "{"), ("gpt2", "vocab.json", '{"a": "b"}'), ("gpt2", "merges.txt", "a b c"),
        ("gpt2", "vocab.json", '{"é漢": 1}'), ("gpt2", "merges.txt", "zz qq"),
        ("chinese", "cog-pretrain.model", "x"), ("chinese", "added_tokens.json", '{"[CLS]": 1}'),
        ("wordpiece", "vocab.txt", "a\nb"), ("wordpiece", "vocab.txt", ""),
    ],
)  # fmt: skip
def test_damaged_tokenizers_are_refused(kind, file, content, tmp_path):
    write_blank_tokenizer(kind, tmp_path)
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointRefused):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["glm10b_english", "glm10b_chinese"])
def test_published_tokenizers_give_the_original_ids(name):
    folder = shared(f"tokenizers/{name}")
    original = json.loads((folder / "encodings.json").read_text())
    tokenizer = load_tokenizer(folder)
    assert original["special_ids"].items() <= tokenizer.special_tokens.items()
    parsed = (*tokenizer.special_tokens, "<unk>")  # the original finds these inside a text, ours does not
    for one in original["encodings"]:
        if not any(token in one["text"] for token in parsed):
            assert tokenizer.encode(one["text"]) == one["ids_no_special"]


def load_fixture():
    """The model without the ids of its special tokens, which explicit masks and positions do not need."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        assert (DATA / "glm10b").is_dir()
        return load(publish("glm10b", Path(folder)), "glm10b")


def test_answers_generated_together_are_those_generated_alone(model):
    start, *rest = inputs("gmask_end")[0][0].tolist()
    prompts, sampling = [[start, *[20] * n, *rest] for n in range(3)], Sampling(12, 0)
    alone = [list(generate(model, ids, sampling, frozenset(), threading.Event())) for ids in prompts]
    batch = Batch(model)
    with ThreadPoolExecutor(3) as people:
        together = people.map(lambda ids: list(batch.generate(ids, sampling, frozenset(), threading.Event())), prompts)
    assert list(together) == alone

"""A folder becomes a reader; and every way that can go wrong is one sentence."""

import json
import pickle
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import Glm4Config, Glm4ForCausalLM, GlmConfig, GlmForCausalLM

from model.checkpoint import open_checkpoint
from model.families import Precision, find_family
from model.load import display_name, load_reader, prepare
from model.load_settings import LoadSettings
from rag.errors import AskError, CheckpointRefused, ModelMissing, ReaderError, SettingRefused
from rag.reader import ReadRequest, ReadSource, Sampling
from tests.model.checkpoints import INTEGERS, NAMES, publish
from tests.model.cut import until_cut
from tests.model.reference import DATA, write_native_tokenizer
from tests.model.tiny_tokenizers import write_tokenizer

SMALL = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "eos_token_id": 259, "max_position_embeddings": 4096,
}  # fmt: skip


def native(folder, model_type="glm", **changes):
    """A tiny native checkpoint with its tokenizer, written by transformers itself."""
    kinds = {"glm": (GlmConfig, GlmForCausalLM), "glm4": (Glm4Config, Glm4ForCausalLM)}
    config_class, model_class = kinds[model_type]
    torch.manual_seed(0)
    model = model_class(config_class(**{**SMALL, **changes}))
    model.save_pretrained(folder)
    write_native_tokenizer(folder / "tokenizer.json")
    return model


@pytest.mark.parametrize("model_type", ["glm", "glm4"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8", "int4"])
def test_native_checkpoints_answer(tmp_path, model_type, precision):
    original = native(tmp_path, model_type)
    reader = load_reader(tmp_path, LoadSettings(precision=precision, device="cpu"))
    if precision == "fp32":
        ids = torch.tensor([[260, 264, 5, 6, 7]])
        with torch.no_grad():
            assert torch.equal(reader.model(ids).logits, original(ids).logits)
    request = ReadRequest("what?", (ReadSource(1, "a.pdf", "1", "", "text"),), sampling=Sampling(12, 0))
    text = "".join(until_cut(reader.answer(request, threading.Event())))
    assert text == "".join(until_cut(reader.answer(request, threading.Event())))
    assert "\ufffd" not in text
    assert reader.name == f"{tmp_path.name} · {precision.upper()} · cpu"
    assert reader.context_tokens == 4096
    assert reader.stop_ids >= {259, 256 + 2}


def test_a_context_longer_than_the_models_is_refused_with_both_numbers(tmp_path):
    native(tmp_path)
    assert load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu", context=4096)).context_tokens == 4096
    with pytest.raises(SettingRefused, match=r"has a context of 4,096 tokens, less than the 4,097 of --context"):
        load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu", context=4097))


def test_tied_output_matrix(tmp_path):
    original = native(tmp_path, tie_word_embeddings=True)
    assert "lm_head.weight" not in open_checkpoint(tmp_path).files
    ids = torch.tensor([[260, 264, 5, 6, 7]])
    with torch.no_grad():
        wanted = original(ids).logits
        exact = load_reader(tmp_path, LoadSettings(precision="fp32")).model(ids).logits
        coarse = load_reader(tmp_path, LoadSettings(precision="int8")).model(ids).logits
    assert torch.equal(exact, wanted)
    assert (coarse.float() - wanted).norm() / wanted.norm() < 0.03


@pytest.mark.parametrize("name", [*NAMES, *INTEGERS])
def test_published_folders_become_readers(tmp_path, name):
    folder = publish(name, tmp_path / "checkpoint")
    family = name.split("-")[0]
    write_tokenizer(family, folder)
    reader = load_reader(folder)
    assert reader.family.prompt == family
    assert reader.count_tokens("你好，世界") > 1
    bits = {"4": Precision.INT4, "8": Precision.INT8}.get(name[-1] if name in INTEGERS else "", Precision.INT8)
    assert reader.name.endswith(f"{bits.upper()} · cpu")
    assert ("published in" in str(reader.why)) == (name in INTEGERS)
    assert family != "chatglm3" or reader.stop_ids >= {2, 64795, 64797}


def test_a_mixture_of_experts_is_loaded_by_the_library(tmp_path):
    from transformers import Glm4MoeConfig, Glm4MoeForCausalLM

    config = Glm4MoeConfig(
        **SMALL, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1, n_group=1,
        topk_group=1, first_k_dense_replace=1,
    )  # fmt: skip
    torch.manual_seed(0)
    Glm4MoeForCausalLM(config).save_pretrained(tmp_path)
    write_native_tokenizer(tmp_path / "tokenizer.json")
    reader = load_reader(tmp_path, LoadSettings(device="cpu"))
    assert "BF16" in reader.name
    request = ReadRequest("what?", (), sampling=Sampling(5, 0))
    assert isinstance("".join(until_cut(reader.answer(request, threading.Event()))), str)
    for precision in ("int4", "int8"):
        with pytest.raises(ReaderError, match=f"cannot be quantised to {precision.upper()} here; choose bf16"):
            load_reader(tmp_path, LoadSettings(device="cpu", precision=precision))


# ---- what can be wrong with a folder


def broken(tmp_path, damage):
    folder = publish("chatglm3", tmp_path / "checkpoint", pickled="bin" in damage.__name__)
    write_tokenizer("chatglm3", folder)
    damage(folder)
    return folder


def no_config(folder):
    (folder / "config.json").unlink()


def config_cut(folder):
    (folder / "config.json").write_text('{"model_type": "chat')


def config_of_another(folder):
    (folder / "config.json").write_text('{"model_type": "llama"}')


def config_incomplete(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["ffn_hidden_size"]
    (folder / "config.json").write_text(json.dumps(config))


def config_of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"ffn_hidden_size": 128}))


def config_with_biases(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"add_bias_linear": True}))


def quantised_unknown(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))


def shard_missing(folder):
    (folder / "model-00002-of-00002.safetensors").unlink()


def shard_cut(folder):
    path = folder / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def bin_cut(folder):
    path = folder / "pytorch_model-00002-of-00002.bin"
    path.write_bytes(path.read_bytes()[:-1000])


def bin_of_rubbish(folder):
    (folder / "pytorch_model-00002-of-00002.bin").write_bytes(b"<html>404</html>")


def bin_with_code(folder):
    import os

    class Code:
        def __reduce__(self):
            return os.system, ("touch /tmp/never",)

    torch.save({"weight": Code()}, folder / "pytorch_model-00002-of-00002.bin")


def bin_with_plain_code(folder):
    (folder / "pytorch_model-00002-of-00002.bin").write_bytes(pickle.dumps(print, protocol=2))


def index_outside(folder):
    path = folder / "model.safetensors.index.json"
    path.write_text(path.read_text().replace("model-00002-of", "../model-00002-of"))


def no_weights(folder):
    for path in folder.glob("model*"):
        path.unlink()


def tensor_missing(folder):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    del index["weight_map"]["transformer.encoder.final_layernorm.weight"]
    path.write_text(json.dumps(index))


def tensor_unknown(folder):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    name = "transformer.prefix_encoder.embedding.weight"
    index["weight_map"][name] = "extra.safetensors"
    save_file({name: torch.zeros(2)}, folder / "extra.safetensors")
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "raised", "message"),
    [
        (no_config, ModelMissing, "no config.json"),
        (config_cut, CheckpointRefused, "config.json is not readable"),
        (config_of_another, CheckpointRefused, "architecture is llama, not a GLM"),
        (config_incomplete, CheckpointRefused, "has no field ffn_hidden_size"),
        (config_of_another_shape, CheckpointRefused, r"has the shape \(\d+"),
        (config_with_biases, CheckpointRefused, "add_bias_linear = True"),
        (quantised_unknown, CheckpointRefused, r"not supported \(gptq\)"),
        (shard_missing, ModelMissing, r"lacks 1 of its 2 weight files \(model-00002"),
        (shard_cut, CheckpointRefused, "model-00002-of-00002.safetensors is damaged"),
        (bin_cut, CheckpointRefused, "pytorch_model-00002-of-00002.bin is damaged"),
        (bin_of_rubbish, CheckpointRefused, "pytorch_model-00002-of-00002.bin is damaged"),
        (bin_with_code, CheckpointRefused, "contains program code"),
        (bin_with_plain_code, CheckpointRefused, "contains program code"),
        (index_outside, CheckpointRefused, "outside the folder"),
        (no_weights, ModelMissing, "holds no weights"),
        (tensor_missing, CheckpointRefused, r"lacks 1 of \d+ tensors \(model.norm.weight\)"),
        (tensor_unknown, CheckpointRefused, "has a tensor transformer.prefix_encoder"),
    ],
)
def test_broken_checkpoints_are_one_sentence(tmp_path, damage, raised, message):
    folder = broken(tmp_path, damage)
    with pytest.raises(raised, match=message) as caught:
        load_reader(folder, LoadSettings(precision="fp32"))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        (name, field, value)
        for name, fields in {
            "chatglm1": ("hidden_size", "inner_hidden_size", "num_layers", "num_attention_heads", "vocab_size"),
            "chatglm3": ("hidden_size", "ffn_hidden_size", "kv_channels", "num_attention_heads", "padded_vocab_size"),
            "native": ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"),
        }.items()
        for field in fields
        for value in ("64", 0, -4, True, None, 2.5, [64], "x" * 1000)
    ],
)  # fmt: skip
def test_an_invalid_size_in_a_config_is_named(tmp_path, name, field, value):
    path = DATA / name / "config.json"
    config = GlmConfig(**SMALL).to_dict() if name == "native" else json.loads(path.read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(CheckpointRefused, match=rf"config.json .*{field}.*; download it again\.$") as refused:
        load_reader(tmp_path)
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("chatglm1", {"num_attention_heads": 5}, "hidden_size = 64, which must be a multiple of 5"),
        ("chatglm1", {"gmask_token_id": "[gMASK]"}, "gmask_token_id = '\\[gMASK\\]', which is not a token id"),
        ("chatglm1", {"quantization_bit": 3}, r"not supported \(3 bits\)"),
        ("chatglm1", {"quantization_bit": "four"}, r"not supported \(four bits\)"),
        ("chatglm3", {"rope_ratio": "50"}, "rope_ratio = '50', which must be a positive number"),
        ("chatglm3", {"layernorm_epsilon": "tiny"}, "layernorm_epsilon = 'tiny'"),
        ("chatglm3", {"multi_query_group_num": 0}, "multi_query_group_num = 0"),
        ("chatglm3", {"padded_vocab_size": "big", "eos_token_id": {"a": 1}}, "padded_vocab_size = 'big'"),
    ],
)
def test_an_invalid_value_in_a_config_is_named(tmp_path, name, changes, message):
    config = json.loads((DATA / name / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointRefused, match=message):
        load_reader(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "glm4v"}, "architecture is glm4v, which is not a text-only language model; choose one that is"),
        ({"model_type": "glm4v_moe"}, "glm4v_moe, which is not a text-only"),
    ],
)
def test_glms_that_are_not_text_chat_models_are_refused(tmp_path, config, message):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointRefused, match=message):
        load_reader(tmp_path)


def test_an_early_tokenizer_of_chatglm_6b_is_refused_at_loading(tmp_path):
    """It has no special tokens of its own, and other ids."""
    folder = publish("chatglm1", tmp_path)
    write_tokenizer("chatglm2", folder)
    (folder / "tokenizer.model").rename(folder / "ice_text.model")
    with pytest.raises(CheckpointRefused, match=r"ice_text.model has no .*: it is of an early release of ChatGLM-6B"):
        load_reader(folder)


def test_files_of_two_releases_of_chatglm_6b_are_refused_at_loading(tmp_path):
    folder = publish("chatglm1", tmp_path)
    write_tokenizer("chatglm1", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"gmask_token_id": 239}))
    with pytest.raises(CheckpointRefused, match=r"\[gMASK\] is token 241 in ice_text.model and 239 in config.json"):
        load_reader(folder)


def test_a_tokenizer_without_the_tokens_of_a_prompt_is_refused_at_loading(tmp_path):
    folder = publish("chatglm3", tmp_path)
    write_native_tokenizer(folder / "tokenizer.json")
    with pytest.raises(CheckpointRefused, match="has no sop"):
        load_reader(folder)


def test_an_architecture_the_library_does_not_know(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "glm_of_tomorrow"}')
    with pytest.raises(CheckpointRefused, match="glm_of_tomorrow"):
        load_reader(tmp_path)


# ---- what people are shown


@pytest.mark.parametrize(
    ("name", "folder", "shown"),
    [
        ("THUDM/chatglm3-6b", "/cache/snapshots/0123abcd", "chatglm3-6b"),
        ("somebody/finetune-9b", "/cache/snapshots/0123abcd", "finetune-9b"),
        ("/models/mine", "/models/mine", "mine"),
        ("/models/glm-4-9b-chat-of-mine", "/models/glm-4-9b-chat-of-mine", "glm-4-9b-chat"),
    ],
)
def test_the_display_name(name, folder, shown):
    assert display_name(Path(folder), find_family("glm-4-9b-chat"), name) == shown


def test_the_current_folder_has_a_display_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert display_name(Path(), find_family("glm-4-9b-chat"), ".") == tmp_path.name


@pytest.mark.parametrize("name", ["chatglm1", "chatglm2", "glm10b", "glm130b", "glm", "glm4_moe"])
def test_every_wrong_value_in_a_config_is_refused_without_a_traceback(tmp_path, name):
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 300}
    native = {**sizes, "intermediate_size": 128, "num_key_value_heads": 2, "max_position_embeddings": 128}
    if name in ("chatglm1", "chatglm2", "glm10b"):
        config = json.loads((DATA / name / "config.json").read_text())
    else:
        config = {"model_type": name, **native}
    for field in config:
        for wrong in (0, -1, "64", None, 1.5, [], {"a": 1}, 10**30):
            (tmp_path / "config.json").write_text(json.dumps(config | {field: wrong}))
            with pytest.raises(AskError):  # of the config, or, where the value does no harm, for lack of weights
                prepare(tmp_path, LoadSettings(device="cpu"))

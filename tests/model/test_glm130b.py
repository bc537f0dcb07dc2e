"""GLM-130B against the original implementation (float32, CPU): from its parts, converted, and as a reader."""

import json
import pickle
import shutil
import threading
from pathlib import Path

import pytest
import torch

from model.blank.filling import fill_blanks
from model.blank.parts import find_parts, open_parts
from model.blank.row_integers import quantise_rows
from model.checkpoint import open_checkpoint, unpack_int4
from model.convert import convert, main
from model.families import Precision, PromptFormat, find_family
from model.generate import generate
from model.hub import find_checkpoint
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage, Prompter
from model.tokenizer import decode, load_tokenizer
from rag.errors import CheckpointRefused, ModelMissing, SettingRefused
from rag.reader import Sampling
from tests.model.checkpoints import cases, load, publish, published_tensors, reference
from tests.model.parted import write_parts
from tests.model.reference import shared
from tests.model.tiny_tokenizers import write_tokenizer

TOLERANCE = 1e-4
IDS = {
    "pad_token_id": 226, "bos_token_id": 244, "eos_token_id": [245, 226], "mask_token_id": 240, "gmask_token_id": 241,
    "smask_token_id": 242,
}  # fmt: skip
EVERY = [(count, case) for count in (1, 2, 4) for case in cases("glm130b")]


def converted(folder: Path, count: int, **options) -> Path:
    """A converted folder, with the ids of special tokens that the reference was made with."""
    convert(write_parts(folder / "parts", count), folder / "target", quiet=True, **options)
    path = folder / "target" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | IDS))
    return folder / "target"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = {}
    for count in (1, 2, 4):
        folder = converted(tmp_path_factory.mktemp(f"parts-{count}"), count, shard_bytes=100_000)
        assert len(list(folder.glob("*.safetensors"))) > 2
        made[count] = load(folder, "glm130b")
    return made


@pytest.mark.parametrize(("count", "case"), EVERY)
def test_logits_and_hidden_states_from_any_number_of_parts(models, count, case):
    numbers, base = reference("glm130b"), models[count].transformer
    caught = []
    parts = (*base.layers, base.final_layernorm)
    hooks = [part.register_forward_hook(lambda *call: caught.append(call[2])) for part in parts]
    with torch.no_grad():
        logits = models[count](numbers[f"{case}.input_ids"]).logits
    for hook in hooks:
        hook.remove()
    assert (logits - numbers[f"{case}.logits"]).abs().max() < TOLERANCE
    for states, name in zip(caught, ("layer_0", "layer_1", "layer_2", "final_layernorm"), strict=True):
        wanted = numbers[f"{case}.hidden.{name}"]
        assert (states - wanted).abs().max() < TOLERANCE * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("case", cases("glm130b"))
def test_greedy_text(models, case):
    ids, wanted = (reference("glm130b")[f"{case}.{what}"] for what in ("input_ids", "generated_ids"))
    output = models[2].generate(input_ids=ids, max_new_tokens=32, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert output[:, ids.shape[1] :].tolist() == wanted.tolist()
    sampling = Sampling(max_tokens=32, temperature=0)
    assert list(generate(models[4], ids[0].tolist(), sampling, frozenset(), threading.Event())) == wanted[0].tolist()


def test_transformers_loads_the_converted_folder(models, tmp_path):
    from transformers import AutoModelForCausalLM

    import model

    model.register()
    folder = converted(tmp_path, 2, dtype=torch.float32)
    ours = AutoModelForCausalLM.from_pretrained(folder)
    ids = reference("glm130b")["gmask_end.input_ids"]
    with torch.no_grad():
        assert torch.allclose(ours(ids).logits, models[2](ids).logits, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_tensor_is_joined_as_it_was(count, tmp_path):
    stored = open_parts(find_parts(write_parts(tmp_path, count)))
    whole = published_tensors("glm130b")
    assert stored.files.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(stored.map(name), tensor)
        assert stored.shape(name) == (tuple(tensor.shape), tensor.dtype)


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.02), (4, 0.35)])
@pytest.mark.parametrize("count", [1, 2])
def test_quantised_parts_are_dequantised(bits, bound, count, tmp_path):
    stored = open_parts(find_parts(write_parts(tmp_path, count, quantised=bits)))
    for name, tensor in published_tensors("glm130b").items():
        assert stored.map(name).shape == tensor.shape
        assert float((stored.map(name).float() - tensor.float()).norm() / tensor.float().norm()) < bound


@pytest.mark.parametrize("bits", [8, 4])
def test_written_in_8_and_4_bits_it_loads_as_such(bits, tmp_path):
    folder = converted(tmp_path, 2, bits=bits)
    stored = open_checkpoint(folder)
    name = "transformer.layers.1.mlp.dense_h_to_4h.weight"
    values, scale = stored.read(name), stored.read(f"{name}_scale")
    whole = published_tensors("glm130b")[name]
    assert values.dtype == torch.int8
    assert values.shape == (len(whole), whole.shape[1] * bits // 8)
    dense = (unpack_int4(values) if bits == 4 else values).float() * scale.float()[:, None]
    step = whole.float().abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    assert ((dense - whole.float()).abs() <= 0.51 * step).all()
    model = load(folder, "glm130b", Precision.INT4 if bits == 4 else Precision.INT8)
    loaded = model.transformer.layers[1].mlp.dense_h_to_4h.weight.float()
    assert (loaded - dense).abs().max() < 0.01 * dense.abs().max()  # the scales are rounded to bfloat16
    if bits == 8:  # the tiny model's random weights amplify errors: BF16 alone is off by 0.10, 4 bits by 1.1
        ids, wanted = (reference("glm130b")[f"gmask_long.{what}"] for what in ("input_ids", "logits"))
        with torch.no_grad():
            logits = model(ids).logits.float()
        assert float((logits - wanted).norm() / wanted.norm()) < 0.3


def test_rows_of_zeros_and_of_tiny_weights_can_be_quantised():
    weight = torch.tensor([[0.0, 0.0], [1e-9, -1e-9], [3.0, -7.0]])
    for bits in (8, 4):
        values, scale = quantise_rows(weight, bits)
        dense = (unpack_int4(values) if bits == 4 else values).float() * scale.float()[:, None]
        assert torch.isfinite(dense).all()
        assert torch.allclose(dense[2], weight[2], atol=7 / (2 ** (bits - 1) - 1))


def test_converting_resumes_and_says_what_it_writes(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = converted(tmp_path, 2, shard_bytes=100_000)
    count = len(list(folder.glob("*.safetensors")))
    assert f"GB in {count} files" in caplog.text
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    (folder / sorted(kept)[1]).unlink()
    convert(tmp_path / "parts", folder, shard_bytes=100_000, quiet=True)
    changed = {path.name for path in folder.glob("*.safetensors") if path.stat().st_mtime_ns != kept[path.name]}
    assert changed == {sorted(kept)[1]}
    assert "GB in 1 files" in caplog.text


def test_a_disk_that_is_too_full_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    with pytest.raises(SettingRefused, match=r"writes 0\.0 GB and 0\.0 GB are free"):
        converted(tmp_path, 2)
    assert not list((tmp_path / "target").glob("*.safetensors"))


def test_the_command(tmp_path, capsys):
    write_parts(tmp_path / "parts", 2, iteration="49300")
    write_tokenizer("glm130b", tmp_path / "parts")
    assert main([str(tmp_path / "parts"), str(tmp_path / "target"), "--bits", "4"]) == 0
    assert "shards" in capsys.readouterr().out
    assert (tmp_path / "target" / "ice_text.model").exists()
    assert main([str(tmp_path / "target"), str(tmp_path / "again")]) == 1
    assert "use it as it is" in capsys.readouterr().err


def test_parts_that_cannot_be_used_are_refused(tmp_path):
    parts = write_parts(tmp_path / "missing", 4)
    (parts / "mp_rank_01_model_states.pt").unlink()
    with pytest.raises(ModelMissing, match="lacks part 1"):
        convert(parts, tmp_path / "target")
    with pytest.raises(ModelMissing, match=r"convert it first: python -m model\.convert"):
        load_reader(write_parts(tmp_path / "parts", 2))
    mixed = write_parts(tmp_path / "mixed", 2)
    shutil.copy(write_parts(tmp_path / "four", 4) / "mp_rank_01_model_states.pt", mixed)
    with pytest.raises(CheckpointRefused, match="another shape than in the first part"):
        convert(mixed, tmp_path / "target-mixed", quiet=True)
    other = tmp_path / "other"
    other.mkdir()
    torch.save({"module": {"a": torch.zeros(1)}}, other / "mp_rank_00_model_states.pt")
    with pytest.raises(CheckpointRefused, match="does not hold a GLM-130B"):
        convert(other, tmp_path / "target-other")
    chatglm2 = publish("chatglm2", tmp_path / "chatglm2")
    with pytest.raises(SettingRefused, match="Only GLM-130B is written in 4 bits"):
        convert(chatglm2, tmp_path / "target-2", bits=4)


class Exploit:
    """Unpickled, it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_part_is_never_run(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for save in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))):
        save({"module": Exploit(tmp_path / "run")}, folder / "mp_rank_00_model_states.pt")
        with pytest.raises(CheckpointRefused):
            convert(folder, tmp_path / "target")
    assert not (tmp_path / "run").exists()


def test_it_is_not_looked_for_on_the_hub():
    with pytest.raises(ModelMissing, match=r"not on the hub: ask its makers"):
        find_checkpoint("GLM-130B")
    family = find_family("GLM-130B")
    assert family.dimensions.weight_bytes(Precision.INT4) / 1e9 == pytest.approx(73, abs=3)


# ---- tokenizer and prompts


def test_the_published_tokenizer_gives_the_original_ids(tmp_path):
    source = shared("tokenizers/glm130b_icetk")
    shutil.copy(source / "ice_text.model", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "glm130b"}')
    tokenizer = load_tokenizer(tmp_path)
    original = json.loads((source / "encodings.json").read_text())
    assert tokenizer.special_tokens == original["special_ids"]
    for one in original["encodings"]:
        assert tokenizer.encode(one["text"]) == one["ids"]
    prompter = Prompter(tokenizer, PromptFormat.GLM130B)
    for one in original["fill_blanks"]:
        pieces = [one["raw_text"]]
        for mask in ("[MASK]", "[gMASK]", "[sMASK]"):
            if mask in one["raw_text"]:
                before, _, after = one["raw_text"].partition(mask)
                pieces = [before, tokenizer.special_tokens[mask], after]
        if len(pieces) == 1:
            pieces.append(tokenizer.special_tokens["[gMASK]"])
        ids = [token for one in pieces for token in ([one] if isinstance(one, int) else tokenizer.encode(one))]
        assert prompter.framed(ids) == one["input_ids"]


def test_the_tokenizer_of_chatglm_is_refused(tmp_path):
    write_tokenizer("chatglm1", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "glm130b"}')
    with pytest.raises(CheckpointRefused, match="belongs to ChatGLM-6B"):
        load_tokenizer(tmp_path)


def test_as_a_reader_it_fills_the_blank_after_a_question(tmp_path):
    """A tiny one with the vocabulary of its tokenizer."""
    from model.blank.glm130b import GLM130BConfig, GLM130BForCausalLM

    torch.manual_seed(0)
    folder = tmp_path / "GLM-130B"
    config = GLM130BConfig(
        vocab_size=20_300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, pad_token_id=20002, architectures=["GLM130BForCausalLM"],
    )  # fmt: skip
    GLM130BForCausalLM(config).save_pretrained(folder)
    write_tokenizer("glm130b", folder)
    reader = load_reader(folder, LoadSettings(precision="fp32", device="cpu"))
    names = reader.tokenizer.special_tokens
    assert reader.model.config.bos_token_id == names["sop"]
    ids = reader.prompter.ids([ChatMessage("user", "the fox?")])
    assert ids[-2:] == [names["[gMASK]"], names["sop"]]
    assert decode(reader.tokenizer, ids) == "Question: the fox? Answer:"
    text = "".join(fill_blanks(reader, "the [MASK] fox", Sampling(max_tokens=3, temperature=0), threading.Event()))
    assert text.startswith("the ")
    assert text.endswith(" fox")

"""A model is quantised once for a checkpoint, and the next start reads it as it was."""

import os
import shutil
import time

import pytest
import torch
from safetensors.torch import save_file

import model.kept
import model.load
from model.checkpoint import open_checkpoint
from model.kept import MAX_MODELS, UNFINISHED_SECONDS
from model.load import load_reader
from model.load_settings import LoadSettings
from tests.model.checkpoints import INTEGERS, NAMES, publish
from tests.model.reciting import recite
from tests.model.test_load import native
from tests.model.tiny_tokenizers import write_blank_tokenizer, write_tokenizer

IDS = torch.tensor([[260, 264, 5, 6, 7]])


@pytest.fixture
def quantised(monkeypatch):
    """Counts how often a checkpoint is quantised."""
    calls = []
    assemble = model.load.assemble
    monkeypatch.setattr("model.load.assemble", lambda *given: calls.append(given[2]) or assemble(*given))
    return calls


def load(folder, kept, precision="int4", progress=None):
    return load_reader(folder, LoadSettings(precision=precision, device="cpu", keep_in=kept), progress=progress)


def same(first, second):
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    with torch.no_grad():
        assert torch.equal(first.model(IDS).logits, second.model(IDS).logits)


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True}, {"attention_bias": True}], ids=str)
def test_the_second_start_reads_what_the_first_quantised(tmp_path, quantised, precision, changes):
    native(tmp_path / "a", **changes)
    seen = []
    first = load(tmp_path / "a", tmp_path / "kept", precision)
    second = load(tmp_path / "a", tmp_path / "kept", precision, progress=lambda *done: seen.append(done))
    assert len(quantised) == 1
    same(first, second)
    assert seen[-1][0] == seen[-1][1] > 0
    assert first.weight_bytes == second.weight_bytes
    assert first.name == second.name


@pytest.mark.parametrize("shape", [(100, 33), (7,), (5, 6, 2)])
def test_a_large_tensor_is_read_in_blocks_of_rows(tmp_path, monkeypatch, shape):
    written = torch.randn(shape)
    save_file({"large": written, "other": torch.ones(2)}, tmp_path / "model.safetensors")
    monkeypatch.setattr("model.checkpoint.MAX_MAPPED_BYTES", 20)
    assert torch.equal(open_checkpoint(tmp_path).read("large"), written)


@pytest.mark.parametrize("name", [*NAMES, *INTEGERS])
def test_every_family_is_kept(tmp_path, quantised, name):
    folder = publish(name, tmp_path / "a")
    write_tokenizer(name.split("-")[0], folder)
    precision = "int8" if name.endswith("8") else "int4"
    first, second = (load(folder, tmp_path / "kept", precision) for _ in range(2))
    assert len(quantised) == 1
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_a_tied_model_of_the_original_kind_is_kept(tmp_path, quantised):
    publish("glm10b", tmp_path / "a")
    write_blank_tokenizer("chinese", tmp_path / "a")
    first, second = (load(tmp_path / "a", tmp_path / "kept") for _ in range(2))
    assert len(quantised) == 1
    theirs = second.model.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in first.model.state_dict().items())


def test_other_precisions_are_not_kept(tmp_path):
    native(tmp_path / "a")
    load(tmp_path / "a", tmp_path / "kept", "bf16")
    assert not (tmp_path / "kept").exists()


def changed_weights(folder, monkeypatch):
    native(folder, hidden_size=128)


def touched(folder, monkeypatch):
    os.utime(folder / "model.safetensors", (1, 1))


def changed_code(folder, monkeypatch):
    monkeypatch.setattr("model.kept._code_version", lambda: "newer")


@pytest.mark.parametrize("change", [changed_weights, touched, changed_code])
def test_another_checkpoint_or_other_code_quantises_anew(tmp_path, quantised, monkeypatch, change):
    native(tmp_path / "a")
    load(tmp_path / "a", tmp_path / "kept")
    change(tmp_path / "a", monkeypatch)
    load(tmp_path / "a", tmp_path / "kept")
    assert len(quantised) == 2
    left = 1 if change is changed_code else 2  # what other code made of the same checkpoint is of no more use
    assert len(list((tmp_path / "kept").iterdir())) == left


def cut(path):
    shard = next(path.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-100])


def shard_lost(path):
    next(path.glob("*.safetensors")).unlink()


def emptied(path):
    (path / "model.safetensors.index.json").write_text('{"weight_map": {}}')


def of_another_shape(path):
    other = path.parent.parent / "other"
    native(other, hidden_size=128)
    load(other, path.parent / "elsewhere")
    made = next((path.parent / "elsewhere").iterdir())
    shutil.rmtree(path)
    made.rename(path)


@pytest.mark.parametrize("damage", [cut, shard_lost, emptied, of_another_shape])
def test_a_damaged_one_is_quantised_anew(tmp_path, quantised, caplog, damage):
    native(tmp_path / "a")
    first = load(tmp_path / "a", tmp_path / "kept")
    damage(next((tmp_path / "kept").iterdir()))
    quantised.clear()
    same(first, load(tmp_path / "a", tmp_path / "kept"))
    assert len(quantised) == 1
    assert "is damaged and quantised anew" in caplog.text
    load(tmp_path / "a", tmp_path / "kept")
    assert len(quantised) == 1


def test_the_models_used_last_are_kept(tmp_path, quantised):
    folders = [recite(tmp_path / f"model{at}", [f"answer{at}"]) for at in range(MAX_MODELS + 1)]
    for folder in folders[:-1]:
        load(folder, tmp_path / "kept")
    long_ago = time.time() - 3600
    for path in (tmp_path / "kept").iterdir():
        os.utime(path, (long_ago, long_ago))
    load(folders[0], tmp_path / "kept")
    load(folders[-1], tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == MAX_MODELS
    quantised.clear()
    load(folders[0], tmp_path / "kept")
    assert quantised == []


def test_what_a_crash_left_is_removed_a_day_later(tmp_path):
    native(tmp_path / "a")
    old, new = (tmp_path / "kept" / f"{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.mkdir(parents=True)
    long_ago = time.time() - UNFINISHED_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    load(tmp_path / "a", tmp_path / "kept")
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_keeps_nothing_and_the_model_answers(tmp_path, monkeypatch, caplog):
    native(tmp_path / "a")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patched:
        patched.setattr("model.kept.shutil.disk_usage", lambda path: usage)
        assert load(tmp_path / "a", tmp_path / "kept").context_tokens == 4096
    assert list((tmp_path / "kept").iterdir()) == []

    def fails(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("model.kept.save_file", fails)
    assert load(tmp_path / "a", tmp_path / "kept").context_tokens == 4096
    assert list((tmp_path / "kept").iterdir()) == []
    assert "The quantised model is not kept: No space left on device" in caplog.text


def test_a_model_appears_only_when_it_is_complete(tmp_path, monkeypatch):
    """Whoever kills the program while it writes finds nothing that looks whole."""
    native(tmp_path / "a")
    seen = []
    save_file = model.kept.save_file

    def watch(tensors, path):
        save_file(tensors, path)
        seen.extend(one.suffix for one in (tmp_path / "kept").iterdir())

    monkeypatch.setattr("model.kept.save_file", watch)
    load(tmp_path / "a", tmp_path / "kept")
    assert set(seen) == {model.kept.UNFINISHED}
    assert [one.suffix for one in (tmp_path / "kept").iterdir()] == [""]

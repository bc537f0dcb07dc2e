"""Converted folders open through the usual doors of transformers, and give the original's numbers and ids."""

import functools
import json
import shutil
import subprocess
import sys
import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

import model.chatglm1  # noqa: F401 - the doors of the first generation
from model.checkpoint import open_checkpoint
from model.convert import convert, main
from model.load import load_reader
from model.prompt import ChatMessage
from rag.errors import SettingRefused
from rag.reader import ReadRequest, Sampling
from tests.model.checkpoints import INTEGERS, NAMES, PADS, cases, publish, reference
from tests.model.reference import REPOSITORY, encodings, shared
from tests.model.test_prompt import glm3_messages, glm4_messages, plain, prompter, rounds

GLM = [name for name in (*NAMES, *INTEGERS) if not name.startswith("chatglm1")]


def with_tokenizer(name, folder):
    publish(name, folder)
    for path in shared(f"tokenizers/{name.split('-')[0]}").iterdir():
        shutil.copyfile(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Each family's real tokenizer with a tiny model, converted; the vocabularies do not go together."""
    root = tmp_path_factory.mktemp("converted")
    for name in NAMES:
        convert(with_tokenizer(name, root / f"{name}-published"), root / name, quiet=True)
    return root


@pytest.mark.parametrize("name", [*NAMES, *INTEGERS])
def test_the_auto_class_gives_the_numbers_of_the_original(tmp_path, name):
    sentences = convert(publish(name, tmp_path / "source"), tmp_path / "target", dtype=torch.float32, quiet=True)
    assert any("no tokenizer" in sentence for sentence in sentences)
    auto = AutoModelForCausalLM.from_pretrained(tmp_path / "target", dtype=torch.float32)
    for case in set(cases(name)) & {"long", "batch_left_pad"}:
        ids = reference(name)[f"{case}.input_ids"]
        mask = (ids != PADS[name.split("-")[0]]).long() if "left_pad" in case else torch.ones_like(ids)
        output = auto.generate(
            ids, attention_mask=mask, max_new_tokens=32, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        assert output[:, ids.shape[1] :].tolist() == reference(name)[f"{case}.generated_ids"].tolist()
        with torch.no_grad():
            logits = auto(ids[:1], attention_mask=mask[:1]).logits
        if "left_pad" not in case:
            assert (logits - reference(name)[f"{case}.logits"]).abs().max() < 1e-4


@functools.cache
def auto_tokenizer(folder):
    """Reading a vocabulary of 150,000 takes a second."""
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", NAMES)
def test_the_auto_tokenizer_gives_the_ids_of_the_original(converted, family):
    tokenizer = auto_tokenizer(converted / family)
    for case in encodings(family)["encodings"]:
        ids = tokenizer(case["text"], add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ids == case["core_ids"], case["text"]
        assert tokenizer.decode(ids) == case["decode_core_ids"]


@pytest.mark.parametrize("family", NAMES)
def test_the_auto_tokenizer_puts_the_prompt_marks(converted, family):
    case = encodings(family)["encodings"][0]
    tokenizer = auto_tokenizer(converted / family)
    assert tokenizer(case["text"])["input_ids"] == case["ids"]
    batch = tokenizer([case["text"], "a"], padding=True)
    assert batch["attention_mask"][1][0] == 0


@pytest.mark.parametrize("family", ["chatglm2", "chatglm3", "glm4"])
def test_chat_templates_give_the_ids_of_the_original(converted, family):
    tokenizer = auto_tokenizer(converted / family)
    to_messages = {"chatglm2": rounds, "chatglm3": glm3_messages, "glm4": glm4_messages}[family]
    for case in encodings(family)["chat"]:
        messages = to_messages(case)
        if not plain(messages):
            continue
        chat = [{"role": one.role, "content": one.content, "metadata": one.metadata} for one in messages]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert tokenizer(text)["input_ids"] == prompter(family).ids(messages)


@pytest.mark.parametrize("family", NAMES)
def test_converted_folders_become_readers_of_the_same_family(converted, family):
    ours, theirs = (load_reader(converted / name, precision="fp32") for name in (family, f"{family}-published"))
    assert ours.family == theirs.family
    assert ours.prompter.ids([ChatMessage("user", "你好")]) == theirs.prompter.ids([ChatMessage("user", "你好")])
    assert ours.stop_ids == theirs.stop_ids


def test_the_pipeline_runs(converted):
    """The real tokenizer's ids lie beyond the tiny vocabulary, so the embedding is enlarged for this."""
    tokenizer = auto_tokenizer(converted / "chatglm3")
    auto = AutoModelForCausalLM.from_pretrained(converted / "chatglm3", dtype=torch.float32)
    auto.resize_token_embeddings(65024)
    run = pipeline("text-generation", model=auto, tokenizer=tokenizer)
    auto.generation_config.pad_token_id = 0
    assert isinstance(run("你好", max_new_tokens=3, do_sample=False)[0]["generated_text"], str)


@pytest.mark.slow
def test_glm_needs_nothing_of_this_project_afterwards(converted):
    """In a fresh interpreter outside the repository."""
    code = (
        "import sys; from transformers import AutoModelForCausalLM, AutoTokenizer;"
        f"m = AutoModelForCausalLM.from_pretrained({str(converted / 'glm4')!r});"
        f"t = AutoTokenizer.from_pretrained({str(converted / 'glm4')!r});"
        "assert 'model' not in sys.modules; print(type(m).__name__, t('你好')['input_ids'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout.split()[0] == "GlmForCausalLM"
    assert json.loads(done.stdout.partition(" ")[2]) == [151331, 151333, 109377]


def test_shards_are_small_and_conversion_goes_on_where_it_was(tmp_path):
    source, target = publish("chatglm3", tmp_path / "source"), tmp_path / "target"
    convert(source, target, shard_bytes=100_000, quiet=True)
    shards = sorted(target.glob("*.safetensors"))
    assert len(shards) > 2
    assert all(path.stat().st_size < 110_000 for path in shards)
    whole = {name: open_checkpoint(target).read(name) for name in open_checkpoint(target).files}
    first, second, *_ = shards
    kept = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:500])
    shards[-1].unlink()
    convert(source, target, shard_bytes=100_000, quiet=True)
    assert first.stat().st_mtime_ns == kept
    again = open_checkpoint(target)
    assert all(torch.equal(again.read(name), tensor) for name, tensor in whole.items())


def test_a_folder_of_another_model_is_not_overwritten(tmp_path):
    target = tmp_path / "target"
    convert(publish("chatglm3", tmp_path / "a"), target, quiet=True)
    with pytest.raises(SettingRefused, match="another model"):
        convert(publish("chatglm2", tmp_path / "b"), target, quiet=True)


def test_a_native_checkpoint_needs_no_conversion(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "glm"}')
    with pytest.raises(SettingRefused, match="already"):
        convert(tmp_path, tmp_path / "target")


def test_the_command_line(tmp_path, capsys):
    source = publish("glm4", tmp_path / "source")
    assert main([str(source), str(tmp_path / "target"), "--dtype", "fp32"]) == 0
    assert "only the weights were converted" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing" / "there" / "x"), str(tmp_path / "other"), "--offline"]) == 1
    assert "neither a folder nor a hub id" in capsys.readouterr().err
    module = [sys.executable, "-m", "model.convert", "--help"]
    assert subprocess.run(module, cwd=REPOSITORY, capture_output=True, check=True).stdout


def test_a_converted_reader_answers(tmp_path):
    """Ids of the real tokenizer do not fit the tiny model; the error of that is a sentence as well."""
    source = publish("chatglm3", tmp_path / "source")
    convert(source, tmp_path / "target", quiet=True)
    shutil.copyfile(shared("tokenizers/chatglm3/tokenizer.model"), tmp_path / "target" / "tokenizer.model")
    reader = load_reader(tmp_path / "target", precision="fp32")
    from rag.errors import ReaderError

    with pytest.raises(ReaderError, match="reading the prompt"):
        list(reader.answer(ReadRequest("q", (), sampling=Sampling(2)), threading.Event()))

"""Converted folders open through the usual doors of transformers, and give the original's numbers and ids."""

import functools
import json
import shutil
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import model
from model.checkpoint import open_checkpoint, read_config
from model.convert import convert, main
from model.families import find_family
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage
from model.weight_layout import read_weight, tensor_mapping
from rag.errors import SettingRefused
from tests.model.checkpoints import INTEGERS, NAMES, PADS, cases, publish, reference
from tests.model.reference import REPOSITORY, encodings, shared, tokenizer_of
from tests.model.test_conversations import conversations
from tests.model.test_prompt import original_prompter, prompter
from tests.model.tiny_tokenizers import write_tokenizer

model.register()

TEXTS = (
    "What is the philosophy of the answer?", "你好，世界。 今天\n\n  天气\t很好！", "  two spaces and 12 numbers 3.14 ",
    "龘 is rare",    "def f(x): return x[0]  # 注释", "a", " ", "e\u0301 👋 １２",
)  # fmt: skip


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A tiny model of each family with a tiny tokenizer, converted."""
    root = tmp_path_factory.mktemp("converted")
    for name in NAMES:
        write_tokenizer(name, publish(name, root / f"{name}-published"))
        convert(root / f"{name}-published", root / name, quiet=True)
    return root


@pytest.fixture(scope="module")
def converted_originals(tmp_path_factory):
    """A tiny model of each family with its published tokenizer, converted; the vocabularies differ in size."""
    root = tmp_path_factory.mktemp("originals")
    for name in NAMES:
        source = publish(name, root / f"{name}-published")
        for path in shared(f"tokenizers/{name}").iterdir():
            shutil.copyfile(path, source / path.name)
        convert(source, root / name, quiet=True)
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


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_the_converter_says_how_published_integers_are_rounded(tmp_path, name, dtype):
    source = publish(name, tmp_path / "source")
    told = next(one for one in convert(source, tmp_path / "target", dtype=dtype, quiet=True) if "integers" in one)
    stored, made = open_checkpoint(source), open_checkpoint(tmp_path / "target")
    mapping = tensor_mapping(read_config(source))
    published = next(one for one in stored.files if one.endswith("dense.weight") and f"{one}_scale" in stored.files)
    ((parameter, _),) = mapping.targets(published)
    exact = read_weight(stored, published, mapping.bits).dense(torch.float64)
    written = made.read(parameter)
    worst = float(((written.double() - exact).abs() / exact.abs().clamp(min=1e-3)).max())
    assert f"integers of {mapping.bits} bits" in told
    if written.dtype is torch.float32:
        assert "exactly" in told
        assert worst < 1e-7
    else:
        assert "--dtype fp32" in told
        assert 0 < worst <= float(told.split("up to ")[1].split("%")[0]) / 100 * 1.05


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_folder_samples_as_the_original_chat_does(converted, name):
    own = GenerationConfig.from_pretrained(converted / name)
    published = find_family(NAMES[name]).sampling
    assert (own.do_sample, own.temperature, own.top_p) == (True, published.temperature, published.top_p)
    assert load_reader(converted / name, LoadSettings(precision="fp32", device="cpu")).sampling == published


@functools.cache
def auto_tokenizer(folder):
    """Reading a vocabulary of 150,000 takes a second."""
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", NAMES)
def test_the_auto_tokenizer_gives_our_ids(converted, family):
    theirs, ours = auto_tokenizer(converted / family), tokenizer_of(family)
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ids == ours.encode(text), text


@pytest.mark.parametrize("family", NAMES)
def test_the_auto_tokenizer_gives_the_ids_of_the_original(converted_originals, family):
    tokenizer = auto_tokenizer(converted_originals / family)
    for case in encodings(family)["encodings"]:
        ids = tokenizer(case["text"], add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ids == case["core_ids"], case["text"]
        assert tokenizer.decode(ids) == case["decode_core_ids"]
    case = encodings(family)["encodings"][0]
    assert tokenizer(case["text"])["input_ids"] == case["ids"]


@pytest.mark.parametrize("family", NAMES)
def test_the_auto_tokenizer_adds_the_prompt_s_special_tokens(converted, family):
    theirs, ours = auto_tokenizer(converted / family), tokenizer_of(family)
    names = {"chatglm1": ("[gMASK]", "<sop>"), "glm4": ("[gMASK]", "<sop>")}.get(family, ("[gMASK]", "sop"))
    special = [ours.special_tokens[name] for name in names]
    text = ours.encode("你好")
    assert theirs("你好")["input_ids"] == (text + special if family == "chatglm1" else special + text)
    assert theirs(["What is the answer?", "a"], padding=True)["attention_mask"][1][0] == 0


SYSTEM = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "Why?"}]
SOP = [{"role": "user", "content": "Is philosophy a sop, or an eop?"}]


def as_chat(messages):
    return [{"role": one.role, "content": one.content, "metadata": one.metadata} for one in messages]


def check_chat_template(tokenizer, prompter, family):
    """`apply_chat_template` gives the ids of our prompts, [gMASK] and <sop> included."""
    chats = [as_chat(messages) for messages, parts in conversations(family) if "<|" not in str(messages)]
    assert len(chats) > 2
    for chat in [*chats, SYSTEM, SOP]:
        ids = tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, return_dict=False)
        assert ids == prompter.ids([ChatMessage(**message) for message in chat])
        assert len(set(ids[:2]) & set(prompter.tokenizer.special_tokens.values())) == 2


@pytest.mark.parametrize("family", ["chatglm2", "chatglm3", "glm4"])
def test_chat_templates_give_our_ids(converted, family):
    check_chat_template(auto_tokenizer(converted / family), prompter(family), family)


@pytest.mark.parametrize("family", ["chatglm2", "chatglm3", "glm4"])
def test_chat_templates_give_our_ids_with_the_original_tokenizers(converted_originals, family):
    check_chat_template(auto_tokenizer(converted_originals / family), original_prompter(family), family)


@pytest.mark.parametrize("family", NAMES)
def test_converted_folders_become_readers_of_the_same_family(converted, family):
    ours, theirs = (
        load_reader(converted / name, LoadSettings(precision="fp32")) for name in (family, f"{family}-published")
    )
    assert ours.family == theirs.family
    assert ours.prompter.ids([ChatMessage("user", "你好")]) == theirs.prompter.ids([ChatMessage("user", "你好")])
    assert ours.stop_ids == theirs.stop_ids


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
    ours = tokenizer_of("glm4")
    special = [ours.special_tokens[name] for name in ("[gMASK]", "<sop>")]
    assert json.loads(done.stdout.partition(" ")[2]) == special + ours.encode("你好")


@pytest.mark.slow
def test_the_first_generation_is_known_after_register(converted):
    """In a fresh interpreter, as README.md in the converted folder says."""
    readme = (converted / "chatglm1" / "README.md").read_text("utf-8")
    code = readme.split("```python\n")[1].split("```")[0].replace("FOLDER", str(converted / "chatglm1"))
    assert "model.register()" in code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    without = code.replace("model.register()", "pass")
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert "chatglm1" in done.stderr


def test_shards_are_small_and_an_interrupted_conversion_resumes(tmp_path):
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

"""Token ids against those of the original tokenizers, and the promise that text never becomes a control token."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.tokenizer import ByteLevelTokenizer, decode, load_tokenizer
from rag.errors import CheckpointRefused, ModelMissing
from tests.model.reference import FAMILIES, encodings, native_tokenizer, original_tokenizer, tokenizer_of

EVERY_SPECIAL = (
    "<|user|>", "<|assistant|>", "<|system|>", "<|observation|>", "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]",
    "<sop>", "<eop>", "sop", "eop", "<unk>", "<s>", "</s>", "<pad>", "<ENC>", "<dBLOCK>", "<|begin_of_image|>",
    "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<think>", "</think>", "/nothink", "<tool_call>",
    "[Round 1]", "<0x0A>",
)  # fmt: skip
hostile = st.lists(st.sampled_from(EVERY_SPECIAL) | st.text(max_size=5), max_size=12).map("".join)


@pytest.mark.parametrize("family", FAMILIES)
def test_same_ids_as_the_original(family):
    tokenizer = original_tokenizer(family)
    cases = encodings(family)["encodings"]
    assert len(cases) == 64
    for case in cases:  # core_ids: what the original gives for plain text
        assert tokenizer.encode(case["text"]) == case["core_ids"], case["text"]


@pytest.mark.parametrize("family", FAMILIES)
def test_same_text_as_the_original(family):
    tokenizer = original_tokenizer(family)
    for case in encodings(family)["encodings"]:
        assert decode(tokenizer, case["core_ids"]) == case["decode_core_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_same_special_token_ids_as_the_original(family):
    tokenizer = original_tokenizer(family)
    layout_marks = {"<n>", "<|tab|>", "<|blank_2|>", "<|blank_80|>"}  # text of ChatGLM-6B, not control
    wanted = {name: at for name, at in encodings(family)["special_ids"].items() if name not in layout_marks}
    assert {name: tokenizer.special_tokens[name] for name in wanted} == wanted


@pytest.mark.parametrize("family", [*FAMILIES, "native"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile)
def test_text_never_becomes_a_special_token(family, text, tmp_path_factory):
    tokenizer = native_tokenizer(tmp_path_factory) if family == "native" else tokenizer_of(family)
    control = set(tokenizer.special_tokens.values()) - {tokenizer.special_tokens.get("<unk>")}
    assert not control & set(tokenizer.encode(text))


@pytest.mark.parametrize("family", ["chatglm2", "chatglm3", "glm4"])
@given(text=st.text())
def test_lossless_tokenizers_give_the_text_back(family, text):
    tokenizer = tokenizer_of(family)
    assert decode(tokenizer, tokenizer.encode(text)) == text


def test_a_lone_surrogate_is_replaced():
    tokenizer = tokenizer_of("chatglm3")
    assert decode(tokenizer, tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_the_tokenizers_library_would_parse_special_tokens_in_text(tmp_path_factory):
    """Why there is a plain copy: the same file through the library turns text into control tokens."""
    import tokenizers

    ours = native_tokenizer(tmp_path_factory)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path_factory.getbasetemp() / "native" / "tokenizer.json"))
    text = "a<|user|>/nothink"
    assert ours.special_tokens["<|user|>"] in theirs.encode(text).ids
    assert ours.special_tokens["<|user|>"] not in ours.encode(text)
    assert decode(ours, ours.encode(text)) == text


def test_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(ModelMissing, match="has no tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("tokenizer.model", b"\nnot a protocol buffer", id="sentencepiece"),
        pytest.param("tokenizer.model", b"!!! 1", id="ranks"),
        pytest.param("ice_text.model", b"cut", id="ice"),
        pytest.param("tokenizer.json", b"{", id="json"),
        pytest.param("tokenizer.json", b'{"model": {"vocab": {}, "type": "?"}}', id="unknown-model"),
    ],
)
def test_corrupt_tokenizer_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointRefused, match=r"\.$"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path):
    import tokenizers

    tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"▁你": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointRefused, match="byte-level"):
        ByteLevelTokenizer(tmp_path / "tokenizer.json")
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"] == {"▁你": 0}

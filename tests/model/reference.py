"""Reference numbers of the original implementations, and tokenizers to test with.

Numbers are in `tests/data`. Tests use small tokenizers of their own (`tiny_tokenizers`); those that compare ids with
the published tokenizers (10 MB) are extras, skipped unless there is a folder `shared` beside the repository.
"""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from model.tokenizer import ByteLevelTokenizer, Tokenizer, load_tokenizer
from tests.model.tiny_tokenizers import write_tokenizer

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "tests" / "data"
SHARED = REPOSITORY.parent / "shared" / "reference"
FAMILIES = ("chatglm1", "chatglm2", "chatglm3", "glm4")


def shared(path: str) -> Path:
    """A file or folder of the reference data that is not in the repository; skips the test if it is not there."""
    if not (SHARED / path).exists():
        pytest.skip(f"the reference data ({path}) is not beside the repository")
    return SHARED / path


@functools.cache
def tokenizer_of(family: str) -> Tokenizer:
    """A small tokenizer of the kind a family has."""
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(family, Path(folder))
        return load_tokenizer(Path(folder), roles=family != "chatglm2")


@functools.cache
def original_tokenizer(family: str) -> Tokenizer:
    """The published tokenizer of a family; skips the test if it is not there."""
    return load_tokenizer(shared(f"tokenizers/{family}"), roles=family != "chatglm2")


@functools.cache
def encodings(family: str) -> dict[str, Any]:
    """What the original tokenizer made of 64 texts and of conversations."""
    content: dict[str, Any] = json.loads((shared(f"tokenizers/{family}") / "encodings.json").read_text())
    return content


def native_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ByteLevelTokenizer:
    """A small byte-level tokenizer with added tokens, special and not, some inside the vocabulary."""
    path = tmp_path_factory.getbasetemp() / "native" / "tokenizer.json"
    if not path.exists():
        path.parent.mkdir()
        write_native_tokenizer(path)
    return ByteLevelTokenizer(path)


def write_native_tokenizer(path: Path) -> None:
    """A `tokenizer.json` of the kind native GLM checkpoints have, 256 bytes and a dozen added tokens."""
    import tokenizers
    from tokenizers import AddedToken, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: at for at, letter in enumerate(letters)} | {"/nothink": 256, "th": 257}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[("t", "h")], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>")
    roles = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special + roles])
    ordinary = ("<think>", "</think>", "/nothink", "<tool_call>")
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=False) for name in ordinary])
    tokenizer.save(str(path))

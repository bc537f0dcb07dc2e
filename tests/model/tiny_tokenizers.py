"""Small tokenizers in the published file formats, trained on a few lines of text, for tests without the real ones."""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
import struct
from pathlib import Path

import sentencepiece

FILES = {
    "chatglm1": "ice_text.model", "chatglm2": "tokenizer.model", "chatglm3": "tokenizer.model",
    "glm4": "tokenizer.model",
}  # fmt: skip
ICE_SPECIAL_TOKENS = ("[MASK]", "[gMASK]", "[sMASK]", "<unused_0>", "<sop>", "<eop>", "<ENC>", "<dBLOCK>")
ICE_FIRST_SPECIAL = 240  # as in tests/data/chatglm1/config.json
CORPUS = (
    "The quick brown fox jumps over the lazy dog, and then the other dog jumps over the fox.",
    "What is the philosophy of the answer? The answer is in the source, on page 12 of the report.",
    "def answer(question, sources): return sources[0].text  # the first source",
    "0123456789 + - * / = ( ) { } [ ] < > | \\ ^ _ ` ~ @ # $ % & ; : ' \" ! ?",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz",
    "你好，世界。今天天气很好，我们去公园散步吧。",
    "问：什么是机器学习？答：机器学习是人工智能的一个分支。",
    "资料中没有答案。根据资料回答问题，每句话末尾注明编号。",
)


def write_tokenizer(family: str, folder: Path) -> Path:
    """Write the tokenizer of a family (chatglm1, chatglm2, chatglm3 or glm4) into a folder; returns the file.

    Of glm10b, that of the Chinese ones; `write_blank_tokenizer` knows all three. Of glm130b, one with ids beyond those
    of tests/data/glm130b.
    """
    if family == "glm10b":
        return write_blank_tokenizer("chinese", folder)
    if family == "glm130b":
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "ice_text.model"
        path.write_bytes(_train(model_type="unigram", vocab_size=200, normalization_rule_name="nmt_nfkc"))
        return path
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[family]
    path.write_bytes(_content("chatglm2" if family == "chatglm3" else family))
    return path


def write_blank_tokenizer(kind: str, folder: Path) -> Path:
    """Write a tokenizer of GLM-10B (gpt2), GLM-10B-chinese (chinese) or GLM-Large (wordpiece); returns its file.

    The special tokens are those of tests/data/glm10b, except that WordPiece has its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted({letter for line in CORPUS for letter in line if " " < letter <= "~"})
    added = {
        "<|endoftext|>": 240, "<|startofpiece|>": 241, "<|endofpiece|>": 242, "[CLS]": 243, "[MASK]": 244,
        "[SEP]": 245, "[UNK]": 246, "[gMASK]": 247, "[sMASK]": 248,
    }  # fmt: skip
    if kind == "gpt2":
        path = folder / "vocab.json"
        vocab = {piece: at for at, piece in enumerate([*letters, "Ġ", "Ċ", "th", "the", "Ġthe"])}
        path.write_text(json.dumps({**vocab, "<|endoftext|>": added.pop("<|endoftext|>")}))
        (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e\nĠ the\n", encoding="utf-8")
    elif kind == "chinese":
        path = folder / "cog-pretrain.model"
        path.write_bytes(_train(model_type="unigram", vocab_size=220, normalization_rule_name="nmt_nfkc"))
    else:
        path = folder / "vocab.txt"
        lower = [letter for letter in letters if not letter.isupper()]
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *lower, *(f"##{one}" for one in lower), "the", "fox"]
        path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
        added = {"<|startofpiece|>": 241, "<|endofpiece|>": 242}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    return path


@functools.cache
def _content(family: str) -> bytes:
    return {"chatglm1": _ice_text, "chatglm2": _byte_fallback_bpe, "glm4": _tiktoken_ranks}[family]()


def _train(**options: object) -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=written, character_coverage=1.0, num_threads=1, minloglevel=2,
        hard_vocab_limit=False, **options,
    )  # fmt: skip
    return written.getvalue()


def _byte_fallback_bpe() -> bytes:
    return _train(
        model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )  # fmt: skip


def _ice_text() -> bytes:
    """A Unigram of 256 pieces, the special tokens moved to where the tiny model has them."""
    blanks = [f"<|blank_{count}|>" for count in range(2, 81)]
    trained = _train(
        model_type="unigram", vocab_size=256, normalization_rule_name="nmt_nfkc", pad_id=3,
        control_symbols=list(ICE_SPECIAL_TOKENS), user_defined_symbols=["<n>", "<|tab|>", *blanks],
    )  # fmt: skip
    fields = list(_fields(trained))
    pieces = [content for number, content in fields if number == 1]
    special = [piece for piece in pieces if any(name.encode() in piece for name in ICE_SPECIAL_TOKENS)]
    others = [piece for piece in pieces if piece not in special]
    while len(others) < ICE_FIRST_SPECIAL:  # pieces no text contains
        filler = f"\ue000{len(others)}".encode()
        others.append(b"\x0a" + bytes([len(filler)]) + filler + b"\x15" + struct.pack("<f", -99.0))
    ordered = [*others[:ICE_FIRST_SPECIAL], *special, *others[ICE_FIRST_SPECIAL:]]
    rest = [(number, content) for number, content in fields if number != 1]
    return b"".join(_field(number, content) for number, content in [*((1, piece) for piece in ordered), *rest])


def _tiktoken_ranks() -> bytes:
    """Byte-pair merges by frequency in the corpus; 256 bytes and 200 merges."""
    words = [
        [bytes([byte]) for byte in word.encode()] for line in CORPUS for word in line.replace(" ", "\0 ").split("\0")
    ]
    tokens = [bytes([byte]) for byte in range(256)]
    for _ in range(200):
        counts: dict[tuple[bytes, bytes], int] = {}
        for word in words:
            for pair in itertools.pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        left, right = max(counts, key=lambda pair: (counts[pair], pair))
        tokens.append(left + right)
        words = [_merge(word, left, right) for word in words]
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))


def _merge(word: list[bytes], left: bytes, right: bytes) -> list[bytes]:
    merged: list[bytes] = []
    for token in word:
        if merged and merged[-1] == left and token == right:
            merged[-1] = left + right
        else:
            merged.append(token)
    return merged


# ---- protocol buffers, as far as a SentencePiece model needs them: length-delimited fields at the top level


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        assert tag & 7 == 2, "the top level of a SentencePiece model has messages only"
        length, at = _varint(data, at)
        found.append((tag >> 3, data[at : at + length]))
        at += length
    return found


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])

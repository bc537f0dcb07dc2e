"""Reads a SwissArmyTransformer checkpoint in its model-parallel parts, the form in which GLM-130B was given out.

Each `mp_rank_00_model_states.pt` holds a part of every tensor: rows of some matrices, columns of others. A tensor is
joined when it is read, from one part after another, each mapped only meanwhile, so memory holds little more than the
largest tensor. Quantised parts are dequantised. Files are opened with `weights_only=True`, so no code in them is ever
run. (`tools/convert_tp.py` of THUDM/GLM-130B.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import TensorFiles, file_errors, unpack_int4
from rag.errors import CheckpointRefused, ModelMissing

PART = re.compile(r"mp_rank_(\d+)_model_states\.pt")
HEAD_DIM = 128  # of GLM-130B; used if no part holds rotary frequencies
CONTEXT = 2048  # tokens that GLM-130B was trained with
_MATRIX = "transformer.layers.0.attention.query_key_value.weight"


class Split(Enum):
    """How a tensor is split into parts."""

    WHOLE = "every part holds all of it"
    ROWS = "one block of rows after the other"
    COLUMNS = "one block of columns after the other"
    HALVES = "rows of the first half and rows of the second in each part"


_SPLITS = {
    "attention.query_key_value.weight": Split.ROWS,
    "attention.query_key_value.bias": Split.ROWS,
    "attention.dense.weight": Split.COLUMNS,
    "mlp.dense_h_to_4h.weight": Split.HALVES,
    "mlp.dense_h_to_4h.bias": Split.HALVES,
    "mlp.dense_4h_to_h.weight": Split.COLUMNS,
    "word_embeddings.weight": Split.ROWS,
}


@dataclass(frozen=True, slots=True)
class PartedTensors(TensorFiles):
    """The tensors of a checkpoint in parts, each joined as it is read."""

    parts: tuple[Path, ...]
    shapes: dict[str, tuple[tuple[int, ...], torch.dtype]]  # of the joined tensors
    bits: int  # 8 or 4 if the parts are quantised, else 0

    def map(self, name: str) -> torch.Tensor:
        """One tensor, in memory. Raises CheckpointRefused or ModelMissing if a part cannot be read or does not fit."""
        shape, dtype = self.shapes[name]
        joined = torch.empty(shape, dtype=dtype)
        for at, path in enumerate(self.parts if split_of(name) is not Split.WHOLE else self.parts[:1]):
            tensors = open_part(path)
            with file_errors(path):
                piece = self._dequantised(tensors, name)
                for place, values in _places(joined, piece, split_of(name), at, len(self.parts)):
                    if place.shape != values.shape:
                        raise CheckpointRefused(
                            "{tensor} of {file} has another shape than in the first part; the parts do not belong"
                            " together.",
                            tensor=name,
                            file=path.name,
                        )
                    place.copy_(values)
        return joined

    def read(self, name: str) -> torch.Tensor:
        """The same, since a joined tensor is never a mapped file."""
        return self.map(name)

    def shape(self, name: str) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape and dtype of a joined tensor."""
        return self.shapes[name]

    @property
    def paths(self) -> list[Path]:
        """The parts."""
        return list(self.parts)

    @property
    def lazy(self) -> bool:
        """Do not read a row block at a time, because joining a tensor reads every part."""
        return False

    def _dequantised(self, tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
        piece, scale = tensors[name], tensors.get(f"{name}_scale")
        if scale is None:
            return piece
        values = unpack_int4(piece) if self.bits == 4 else piece
        return values.to(scale.dtype) * scale[:, None]


def find_parts(folder: Path) -> list[Path]:
    """The parts in a folder, or in the folder that its file `latest` names, in order; [] if there are none.

    Raises ModelMissing if one of them is missing.
    """
    latest = folder / "latest"
    if latest.exists():
        name = latest.read_text(encoding="utf-8").strip()
        folder = folder / name if Path(name).name == name else folder
    if not folder.is_dir():
        return []
    ranks = {int(found[1]): path for path in folder.iterdir() if (found := PART.fullmatch(path.name))}
    missing = sorted(set(range(max(ranks, default=-1) + 1)) - set(ranks))
    if missing:
        raise ModelMissing(
            "{folder} lacks part {missing} of its checkpoint; copy all parts into it.",
            folder=folder.name,
            missing=missing[0],
        )
    return [ranks[rank] for rank in sorted(ranks)]


def open_parts(paths: Sequence[Path]) -> PartedTensors:
    """The tensors of a checkpoint in parts. Raises CheckpointRefused if it is not a GLM-130B."""
    first = open_part(paths[0])
    scales = {name for name in first if name.endswith("weight_scale")}
    names = [name for name in first if name not in scales]
    hidden = first.get("transformer.final_layernorm.weight")
    if hidden is None or _MATRIX not in first or any(first[name].dim() not in (1, 2) for name in names):
        raise CheckpointRefused("{file} does not hold a GLM-130B; choose another checkpoint.", file=paths[0].name)
    bits = (8 if first[_MATRIX].shape[1] == len(hidden) else 4) if scales else 0
    shapes = {}
    for name in names:
        rows, *columns = first[name].shape
        packed = 2 if bits == 4 and f"{name}_scale" in scales else 1
        split = split_of(name)
        if split in (Split.ROWS, Split.HALVES):
            rows *= len(paths)
        columns = [packed * one * (len(paths) if split is Split.COLUMNS else 1) for one in columns]
        dtype = first[f"{name}_scale"].dtype if f"{name}_scale" in scales else first[name].dtype
        shapes[name] = ((rows, *columns), dtype)
    return PartedTensors(dict.fromkeys(names, paths[0]), tuple(paths), shapes, bits)


def open_part(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of one part, memory-mapped. Raises CheckpointRefused if they cannot be read."""
    with file_errors(path):
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        tensors = content.get("module") if isinstance(content, dict) else None
        if not isinstance(tensors, dict):
            raise ValueError("no module in it")
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}


def split_of(name: str) -> Split:
    """How a tensor is split into parts."""
    return _SPLITS.get(re.sub(r"^transformer\.(layers\.\d+\.)?", "", name), Split.WHOLE)


def config_of(tensors: PartedTensors) -> dict[str, Any]:
    """The fields of a `GLM130BConfig`, worked out from tensor shapes, because the checkpoint has no file for them."""
    frequencies = next((shape for name, (shape, _) in tensors.shapes.items() if name.endswith("inv_freq")), None)
    head_dim = 2 * frequencies[-1] if frequencies else HEAD_DIM
    vocab, hidden = tensors.shapes["transformer.word_embeddings.weight"][0]
    layers = {found[1] for name in tensors.shapes if (found := re.match(r"transformer\.layers\.(\d+)\.", name))}
    return {
        "model_type": "glm130b",
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": tensors.shapes["transformer.layers.0.mlp.dense_4h_to_h.weight"][0][1],
        "num_hidden_layers": len(layers),
        "num_attention_heads": hidden // head_dim,
        "max_position_embeddings": CONTEXT,
        "architectures": ["GLM130BForCausalLM"],
    }


def _places(
    joined: torch.Tensor, piece: torch.Tensor, split: Split, at: int, count: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Where part number `at` of `count` goes in a joined tensor, and what of it goes there."""
    if split is Split.WHOLE:
        return [(joined, piece)]
    if split is Split.HALVES:
        halves = zip(joined.chunk(2), piece.chunk(2), strict=True)
        return [(whole.chunk(count)[at], half) for whole, half in halves]
    return [(joined.chunk(count, dim=1 if split is Split.COLUMNS else 0)[at], piece)]

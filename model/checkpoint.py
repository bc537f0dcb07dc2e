"""Reads a checkpoint folder: its `config.json`, and its tensors one at a time.

Opens safetensors, and `.bin` files with `weights_only=True`, so no code in a file is ever run. No file stays mapped
between two tensors: however large its shards are, reading a checkpoint takes no more memory than its largest tensor.
Errors of files, and of the libraries that read them, become AskErrors here. Does not know what the tensors mean.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from rag.errors import CheckpointRefused, ModelMissing

_INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_UNSHARDED_FILES = ("model.safetensors", "weights.safetensors", "pytorch_model.bin")
MAX_MAPPED_BYTES = 64_000_000  # bytes read through one mapping of a file before it is unmapped


@dataclass(frozen=True, slots=True)
class TensorFiles:
    """The tensors of a checkpoint folder, and which file holds each."""

    files: dict[str, Path]  # tensor name -> file, in the order of the files

    def read(self, name: str) -> torch.Tensor:
        """A copy of one tensor in memory. Raises CheckpointRefused or ModelMissing if its file cannot be read.

        A large one is copied in blocks of rows, so that the file's pages are not in memory next to the whole copy.
        """
        mapped = self.map(name)
        if mapped.nbytes <= MAX_MAPPED_BYTES:
            return mapped.clone()
        copy = torch.empty(mapped.shape, dtype=mapped.dtype)
        del mapped
        matrix = LazyMatrix(self, name)
        step = max(MAX_MAPPED_BYTES * len(copy) // copy.nbytes, 1)
        for start in range(0, len(copy), step):
            rows = slice(start, start + step)
            copy[rows] = matrix[rows]
        return copy

    def map(self, name: str) -> torch.Tensor:
        """One tensor, memory-mapped from its file, which stays mapped as long as the tensor is referenced.

        Raises CheckpointRefused or ModelMissing if the file cannot be read.
        """
        path = self.files[name]
        with file_errors(path):
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as opened:
                    mapped: torch.Tensor = opened.get_tensor(name)
                    return mapped
            tensors = _unpickle(path)
        if name not in tensors:
            raise CheckpointRefused(
                "{file} does not hold {tensor}, which the index says it does; download it again.",
                file=path.name,
                tensor=name,
            )
        return tensors[name]

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of their names."""
        return sorted(set(self.files.values()))

    @property
    def lazy(self) -> bool:
        """Whether a matrix is best read one block of rows at a time (`LazyMatrix`)."""
        return True

    def read_ahead(self, name: str) -> None:
        """Have the system read a tensor's file into its cache while earlier tensors are being worked on."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError), self.files[name].open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def shape(self, name: str) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape and dtype of one tensor, without reading its values."""
        mapped = self.map(name)
        return tuple(mapped.shape), mapped.dtype


class LazyMatrix:
    """A matrix on disk that is read row block by row block, and is never in memory as a whole.

    With `packed`, each byte holds two 4-bit integers, which are unpacked to int8 as they are read.
    """

    def __init__(
        self, stored: TensorFiles, name: str, start: int = 0, stop: int | None = None, *, packed: bool = False
    ) -> None:
        """`start`, `stop`: the rows of the published matrix that make up this one."""
        self._source = (stored, name)
        self._mapped: torch.Tensor | None = stored.map(name)
        self._read_bytes = 0  # since the file was mapped
        self._packed = packed
        rows, *columns = self._mapped.shape
        self._start, stop = start, rows if stop is None else stop
        self.shape = torch.Size((stop - start, *(columns if not packed else (2 * columns[0],))))
        self.dtype = self._mapped.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> torch.Tensor:
        """A copy of some rows, (rows, columns). Raises CheckpointRefused if the file cannot be read."""
        start, stop, _ = rows.indices(len(self))
        if self._mapped is None:
            stored, name = self._source
            self._mapped = stored.map(name)
        part = self._mapped[self._start + start : self._start + stop]
        read = unpack_int4(part) if self._packed else part.clone()
        self._read_bytes += part.numel() * part.element_size()
        if self._read_bytes > MAX_MAPPED_BYTES:  # pages that were read count as memory until the file is unmapped
            self._mapped, self._read_bytes = None, 0
        return read

    def slice_rows(self, start: int, stop: int) -> LazyMatrix:
        """Rows `start` to `stop` as a separate matrix; reads nothing."""
        stored, name = self._source
        return LazyMatrix(stored, name, self._start + start, self._start + stop, packed=self._packed)


def unpack_int4(packed: torch.Tensor) -> torch.Tensor:
    """(rows, columns / 2) int8 -> (rows, columns) int8 in -8..7: two's complement, even columns in the high nibble.

    The format of `quantization.py` in zai-org/chatglm-6b-int4.
    """
    high = packed >> 4  # arithmetic shift: keeps the sign
    low = (packed << 4) >> 4
    return torch.stack((high, low), dim=-1).flatten(-2)


def open_checkpoint(folder: Path) -> TensorFiles:
    """The tensors of `folder`.

    Raises ModelMissing if it has no weights or lacks a shard that its index names, CheckpointRefused if they cannot be
    read.
    """
    for name in _INDEX_FILES:
        if (folder / name).exists():
            weight_map = read_json(folder / name).get("weight_map")
            if not isinstance(weight_map, dict):
                raise CheckpointRefused("{file} lists no tensors; download it again.", file=name)
            return TensorFiles(_shard_paths(folder, weight_map))
    for name in _UNSHARDED_FILES:
        path = folder / name
        if path.exists():
            with file_errors(path):
                if path.suffix == ".safetensors":
                    with safe_open(path, framework="pt") as opened:
                        return TensorFiles(dict.fromkeys(opened.keys(), path))
                return TensorFiles(dict.fromkeys(_unpickle(path), path))
    raise ModelMissing(
        "{folder} holds no weights (model.safetensors or pytorch_model.bin, or an index of shards); download the"
        " checkpoint again.",
        folder=folder.name,
    )


def _shard_paths(folder: Path, weight_map: dict[str, str]) -> dict[str, Path]:
    files = {}
    for tensor, shard in weight_map.items():
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise CheckpointRefused(
                "The index names a file outside the folder ({file}); choose another checkpoint.", file=repr(shard)
            )
        files[tensor] = folder / shard
    missing = sorted({path.name for path in files.values() if not path.exists()})
    if missing:
        raise ModelMissing(
            "{folder} lacks {missing} of its {total} weight files ({first}); download it again, the others are kept.",
            folder=folder.name,
            missing=len(missing),
            total=len(set(files.values())),
            first=missing[0],
        )
    return files


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a checkpoint folder. Raises ModelMissing if there is none, CheckpointRefused if not JSON."""
    path = folder / "config.json"
    if not path.exists():
        if any(folder.glob("mp_rank_*.pt")) or (folder / "latest").exists():
            raise ModelMissing(
                "{folder} holds a checkpoint in parts; convert it first: python -m model.convert {folder} TARGET",
                folder=str(folder),
            )
        raise ModelMissing(
            "{folder} holds no config.json, so it is not a checkpoint; choose the folder that does.", folder=str(folder)
        )
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CheckpointRefused if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointRefused("{file} is not readable as JSON; download it again.", file=path.name) from error
    if not isinstance(content, dict):
        raise CheckpointRefused("{file} is not a JSON object; download it again.", file=path.name)
    return content


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Map what the libraries raise while they read a weight file to CheckpointRefused or ModelMissing."""
    try:
        yield
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower():  # torch's word for a function or class named in a pickle
            raise CheckpointRefused(
                "{file} is damaged or not a weight file; download it again.", file=path.name
            ) from error
        raise CheckpointRefused(
            "{file} contains program code and was not opened; choose a checkpoint in safetensors.", file=path.name
        ) from error
    except FileNotFoundError as error:
        raise ModelMissing("{file} is missing; download the checkpoint again.", file=path.name) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise CheckpointRefused("{file} is damaged or not a weight file; download it again.", file=path.name) from error


def _unpickle(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.bin`, memory-mapped; files older than torch 1.6 cannot be mapped and are read whole."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"PK"
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if not isinstance(content, dict):
        raise ValueError(f"{type(content).__name__} instead of named tensors")
    return content

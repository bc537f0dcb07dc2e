"""The files of a checkpoint folder: its `config.json`, and its tensors, read one at a time.

Opens safetensors, and `.bin` files with `weights_only=True`, so that no code in a file is ever run. Nothing stays
mapped between two tensors: reading a checkpoint takes the memory of its largest tensor, whatever its shards.
This is the one place that turns errors of files into sentences. Does not know what the tensors mean.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from rag.errors import CheckpointRefused, ModelMissing

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
MAPPED_BYTES = 64_000_000  # of a file kept mapped while a matrix is read from it
_SINGLE = ("model.safetensors", "weights.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class Stored:
    """The tensors of a checkpoint folder, by name."""

    files: dict[str, Path]  # tensor name -> file, in the order of the files

    def read(self, name: str) -> torch.Tensor:
        """One tensor, in memory of its own. CheckpointRefused when its file is not what it should be."""
        return self.map(name).clone()

    def map(self, name: str) -> torch.Tensor:
        """One tensor as it lies in its file, read where it is looked at and unmapped when it is let go."""
        path = self.files[name]
        with readable(path):
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as opened:
                    mapped: torch.Tensor = opened.get_tensor(name)
                    return mapped
            tensors = _unpickle(path)
        if name not in tensors:
            raise CheckpointRefused(f"{path.name} does not hold {name}, which the index promises; download it again.")
        return tensors[name]

    def shape(self, name: str) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape and type of one tensor, without reading it."""
        mapped = self.map(name)
        return tuple(mapped.shape), mapped.dtype


class Rows:
    """A matrix in a checkpoint, read by rows: what was read does not stay in memory.

    With `packed`, two 4-bit integers a byte, it is unpacked while it is read.
    """

    def __init__(
        self, stored: Stored, name: str, start: int = 0, stop: int | None = None, *, packed: bool = False
    ) -> None:
        """`start`, `stop`: the rows of the published matrix that belong to this one."""
        self._source = (stored, name)
        self._mapped: torch.Tensor | None = stored.map(name)
        self._looked_at = 0  # bytes
        self._packed = packed
        rows, *columns = self._mapped.shape
        self._start, stop = start, rows if stop is None else stop
        self.shape = torch.Size((stop - start, *(columns if not packed else (2 * columns[0],))))
        self.dtype = self._mapped.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> torch.Tensor:
        """Some rows, in memory of their own. CheckpointRefused when the file cannot be read."""
        start, stop, _ = rows.indices(len(self))
        if self._mapped is None:
            stored, name = self._source
            self._mapped = stored.map(name)
        part = self._mapped[self._start + start : self._start + stop]
        read = unpack_int4(part) if self._packed else part.clone()
        self._looked_at += part.numel() * part.element_size()
        if self._looked_at > MAPPED_BYTES:  # pages that were read count as memory until the file is unmapped
            self._mapped, self._looked_at = None, 0
        return read

    def cut(self, start: int, stop: int) -> Rows:
        """Some rows as a matrix of their own, not yet read."""
        stored, name = self._source
        return Rows(stored, name, self._start + start, self._start + stop, packed=self._packed)


def unpack_int4(packed: torch.Tensor) -> torch.Tensor:
    """(rows, columns / 2) bytes -> (rows, columns) int8: two's complement, the even column in the high nibble."""
    high = packed >> 4  # arithmetic: the sign stays
    low = (packed << 4) >> 4
    return torch.stack((high, low), dim=-1).flatten(-2)


def open_checkpoint(folder: Path) -> Stored:
    """The tensors of `folder`. ModelMissing when there are none, or when a shard its index names is not there."""
    for name in _INDEXES:
        if (folder / name).exists():
            listed = read_json(folder / name).get("weight_map")
            if not isinstance(listed, dict):
                raise CheckpointRefused(f"{name} lists no tensors; download it again.")
            return Stored(_files_of(folder, listed))
    for name in _SINGLE:
        path = folder / name
        if path.exists():
            with readable(path):
                if path.suffix == ".safetensors":
                    with safe_open(path, framework="pt") as opened:
                        return Stored(dict.fromkeys(opened.keys(), path))
                return Stored(dict.fromkeys(_unpickle(path), path))
    raise ModelMissing(
        f"{folder.name} holds no weights (model.safetensors or pytorch_model.bin, or an index of shards);"
        " download the checkpoint again."
    )


def _files_of(folder: Path, listed: dict[str, str]) -> dict[str, Path]:
    files = {}
    for tensor, shard in listed.items():
        if Path(shard).name != shard:
            raise CheckpointRefused(
                f"The index names the file {shard!r} outside the folder; choose another checkpoint."
            )
        files[tensor] = folder / shard
    missing = sorted({path.name for path in files.values() if not path.exists()})
    if missing:
        raise ModelMissing(
            f"{folder.name} lacks {len(missing)} of its {len(set(files.values()))} weight files ({missing[0]});"
            " download it again, what is there is kept."
        )
    return files


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a checkpoint folder. ModelMissing when there is none."""
    path = folder / "config.json"
    if not path.exists():
        raise ModelMissing(f"{folder} holds no config.json, so it is no checkpoint; choose the folder that does.")
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. CheckpointRefused when it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointRefused(f"{path.name} is not readable as JSON; download it again.") from error
    if not isinstance(content, dict):
        raise CheckpointRefused(f"{path.name} is not a JSON object; download it again.")
    return content


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever the libraries raise about a weight file, as one sentence."""
    try:
        yield
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower():  # what torch calls a function or class named in a pickle
            raise CheckpointRefused(f"{path.name} is damaged or no weight file; download it again.") from error
        raise CheckpointRefused(
            f"{path.name} holds program code beside its tensors and was not opened; choose a checkpoint in safetensors."
        ) from error
    except FileNotFoundError as error:
        raise ModelMissing(f"{path.name} is not there; download the checkpoint again.") from error
    except (SafetensorError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise CheckpointRefused(f"{path.name} is damaged or no weight file; download it again.") from error


def _unpickle(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.bin`, mapped and not read; files older than torch 1.6 cannot be mapped and are read."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"PK"
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if not isinstance(content, dict):
        raise ValueError(f"{type(content).__name__} instead of named tensors")
    return content

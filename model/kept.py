"""Keeps quantised models on disk, so that only the first start with a checkpoint has to quantise it.

There is one folder for each checkpoint, precision and version of the quantising code, in safetensors. A folder gets its
final name only once it is complete. The most recently used models are kept, up to MAX_MODELS.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from model import assemble, checkpoint, outliers, quantise, weight_layout
from model.checkpoint import TensorFiles, open_checkpoint
from model.families import EXACT_COLUMNS, MB, SHARING_HEADS, Precision
from model.quantise import Int4Linear, Int8Embedding, Int8Linear, packs_for_avx512
from rag.errors import AskError

log = logging.getLogger(__name__)

MAX_MODELS = 3  # on disk
SHARD_BYTES = 256 * MB  # of one file, which is in memory twice while it is written
SPARE_BYTES = 1_000 * MB  # disk space to leave free
CPU = torch.device("cpu")
OUTPUT = "lm_head."  # prefix of the output matrix, in both of our architectures
UNFINISHED = ".part"  # suffix of a folder that is being written
UNFINISHED_SECONDS = 24 * 3600  # after which nobody can still be writing it


class KeptModels:
    """The quantised models in one folder."""

    def __init__(self, folder: Path) -> None:
        """`folder`: created when the first model is kept."""
        self._folder = folder

    def load(
        self, key: str, config: Any, precision: Precision, progress: assemble.TensorProgress | None = None
    ) -> Any | None:
        """The model of a key on the CPU; None if it is not kept, or is damaged, in which case it is removed."""
        path = self._folder / key
        if not path.is_dir():
            return None
        try:
            model = _restore(config, open_checkpoint(path), precision, progress)
        except (AskError, KeyError, ValueError) as error:
            log.warning("The quantised model in %s is damaged and quantised anew: %s", path, error)
            shutil.rmtree(path, ignore_errors=True)
            return None
        os.utime(path)  # used last
        return model

    def keep(self, key: str, model: Any) -> bool:
        """Write a model that was quantised on the CPU; False, with a line in the log, if the disk has no room for it.

        Removes models beyond the limit, and versions of this checkpoint and precision from other code.
        """
        tensors = _tensors(model)
        unfinished = self._folder / f"{key}.{os.getpid()}{UNFINISHED}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(key)
            needed = sum(tensor.nbytes for tensor in tensors.values()) + SPARE_BYTES
            if shutil.disk_usage(self._folder).free < needed:
                log.info("The quantised model is not kept: %s has no room for it", self._folder)
                return False
            _write(unfinished, tensors)
            unfinished.rename(self._folder / key)
        except OSError as error:
            log.warning("The quantised model is not kept: %s", error)
            shutil.rmtree(unfinished, ignore_errors=True)
            return False
        return True

    def _make_room(self, key: str) -> None:
        now = time.time()
        folders = [path for path in self._folder.iterdir() if path.is_dir()]
        complete = sorted((path for path in folders if path.suffix != UNFINISHED), key=_modified, reverse=True)
        stale = [path for path in complete if path.name.split("-")[0] == key.split("-")[0]]
        others = [path for path in complete if path not in stale]
        left = [path for path in folders if path.suffix == UNFINISHED and now - _modified(path) > UNFINISHED_SECONDS]
        for path in (*stale, *others[MAX_MODELS - 1 :], *left):
            shutil.rmtree(path, ignore_errors=True)


def key_of(folder: Path, stored: TensorFiles, precision: Precision) -> str:
    """The name under which a checkpoint is kept: a hash of its files and the precision, and one of the code.

    Files count as the same if their names, sizes and modification times are.
    """
    files = []
    for path in stored.paths:
        found = path.stat()
        files.append([path.name, path.resolve().name, found.st_size, found.st_mtime_ns])
    config = (folder / "config.json").read_text(encoding="utf-8")
    return f"{_hash([files, config, precision.value])}-{_code_version()}"


@cache
def _code_version() -> str:
    """A hash of the quantising code, and of the order in which this machine's kernel needs its integers."""
    sources = [
        Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (assemble, checkpoint, outliers, quantise, weight_layout)
    ]
    return _hash([sources, EXACT_COLUMNS, SHARING_HEADS, torch.__version__, packs_for_avx512()])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:20]


def _modified(path: Path) -> float:
    with suppress(OSError):  # removed in the meantime
        return path.stat().st_mtime
    return 0.0


def _tensors(model: Any) -> dict[str, torch.Tensor]:
    """The tensors of a model by name, without an output matrix that is the embedding."""
    tensors: dict[str, torch.Tensor] = model.state_dict()
    if _address(model.get_output_embeddings()) == _address(model.get_input_embeddings()):
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(OUTPUT)}
    return tensors


def _address(module: nn.Module) -> int:
    return max((*module.parameters(), *module.buffers()), key=torch.numel).data_ptr()


def _write(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors and an index of them, as in a checkpoint folder, and sync them to disk."""
    folder.mkdir()
    listed: dict[str, str] = {}
    for at, shard in enumerate(_shards(tensors)):
        path = folder / f"model-{at:05}.safetensors"
        save_file(shard, path)
        with path.open("rb") as written:
            os.fsync(written.fileno())
        listed |= dict.fromkeys(shard, path.name)
    index = {"metadata": {}, "weight_map": listed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _shards(tensors: Mapping[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    shard: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if shard and sum(one.nbytes for one in shard.values()) + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard = {}
        shard[name] = tensor.detach().contiguous()
    yield shard


def _restore(config: Any, stored: TensorFiles, precision: Precision, progress: assemble.TensorProgress | None) -> Any:
    """The model of `config` with the kept tensors. Raises KeyError or ValueError if they do not fit it."""
    model = assemble.empty_for(config, precision, CPU)
    tied = not any(name.startswith(OUTPUT) for name in stored.files)
    names: dict[str, list[str]] = {}
    for name in stored.files:
        names.setdefault(name.rpartition(".")[0], []).append(name)
    done = 0
    for path, own in names.items():
        _place(model, path, {name.rpartition(".")[2]: stored.read(name) for name in own})
        done += len(own)
        if progress:
            progress(done, len(stored.files))
    assemble.finish(model, CPU, tie=tied)
    missing = [name for name, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    if missing:
        raise KeyError(missing[0])
    return model


def _place(model: Any, path: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set the tensors of one module, or replace it with a quantised one."""
    try:
        module = model.get_submodule(path)
    except AttributeError as error:
        raise KeyError(path) from error
    replacement = _quantised(module, tensors)
    if replacement is not None:
        parent, _, leaf = path.rpartition(".")
        setattr(model.get_submodule(parent), leaf, replacement)
        return
    expected = dict(module.named_parameters(recurse=False))
    for name, tensor in tensors.items():
        _check_shape(tensor.shape, expected[name].shape)
        setattr(module, name, nn.Parameter(tensor, requires_grad=False))


def _quantised(module: nn.Module, tensors: Mapping[str, torch.Tensor]) -> nn.Module | None:
    """The quantised module that replaces `module`; None if the tensors are not those of one."""
    if "packed" in tensors:
        optional = (tensors.get(name) for name in ("bias", "exact", "errors"))
        layer = Int4Linear(tensors["packed"], tensors["scales"], *optional)
        _check_shape((layer.out_features, layer.in_features), module.weight.shape)
        return layer
    if "values" not in tensors:
        return None
    _check_shape(tensors["values"].shape, module.weight.shape)
    if isinstance(module, nn.Embedding):
        return Int8Embedding(tensors["values"], tensors["scale"])
    return Int8Linear(tensors["values"], tensors["scale"], tensors.get("bias"))


def _check_shape(found: Sequence[int], expected: Any) -> None:
    if tuple(found) != tuple(expected):
        raise ValueError(f"{tuple(found)} instead of {tuple(expected)}")

"""Adapters: small trained additions to a GLM, in the files that peft writes, and how to apply them.

An adapter is a folder with `adapter_config.json` and `adapter_model.safetensors`. `training.json` next to them, which
`model.finetune` writes, tells which model it is for and how it was made. Does not train.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from model.checkpoint import read_json
from model.learned_prefix import LearnedPrefix
from rag.errors import CheckpointRefused, ReaderError

log = logging.getLogger(__name__)

CONFIG, WEIGHTS, TRAINING = "adapter_config.json", "adapter_model.safetensors", "training.json"


class Method(StrEnum):
    """How an adapter changes a model."""

    P_TUNING = "p-tuning"  # a learned prefix in the KV cache; P-Tuning v2, arXiv:2110.07602
    LORA = "lora"  # a product of two thin matrices, added to each matrix; arXiv:2106.09685


_METHODS = {"PREFIX_TUNING": Method.P_TUNING, "LORA": Method.LORA}


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter on disk."""

    folder: Path
    method: Method
    base: str  # name of the model it was trained with, as people see it; "" if unknown
    model: str  # hub id or folder of that model; "" if unknown
    pairs: int | None  # it was trained on; None if unknown

    @property
    def name(self) -> str:
        """The folder's name, as people see it."""
        return self.folder.name


def read_adapter(folder: Path) -> Adapter:
    """What a folder says about its adapter. Raises CheckpointRefused if it holds none that can be used."""
    config = _read_file(folder / CONFIG)
    method = _METHODS.get(str(config.get("peft_type")))
    if method is None:
        raise CheckpointRefused(
            "{folder} holds an adapter of the kind {kind}; only P-Tuning v2 and LoRA are supported.",
            folder=folder.name,
            kind=repr(config.get("peft_type")),
        )
    if not (folder / WEIGHTS).is_file():
        raise CheckpointRefused("{folder} has no {file}: copy it there.", folder=folder.name, file=WEIGHTS)
    training = _read_file(folder / TRAINING) if (folder / TRAINING).exists() else {}
    pairs = training.get("pairs")
    base, model = str(training.get("base", "")), str(training.get("model", ""))
    return Adapter(folder, method, base, model, pairs if isinstance(pairs, int) else None)


def list_adapters(folder: Path) -> tuple[Adapter, ...]:
    """The adapters in the subfolders of a folder, by name; unusable ones are left out, with a warning."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / CONFIG).is_file():
            try:
                found.append(read_adapter(path))
            except CheckpointRefused as error:
                log.warning("%s", error)
    return tuple(found)


def apply_adapter(model: Any, adapter: Adapter) -> LearnedPrefix:
    """Apply an adapter; returns the prefix that each prompt must start with, empty for LoRA.

    LoRA's matrices are placed next to those of `model`, which do not change. Raises CheckpointRefused for an adapter of
    another model, ReaderError if peft is missing.
    """
    if adapter.method is Method.P_TUNING:
        return _prefix(model, adapter)
    _add_lora(model, adapter)
    return ()


def _prefix(model: Any, adapter: Adapter) -> LearnedPrefix:
    """The keys and values of a prefix, which peft stores as one row for each of its tokens."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    channels = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    try:
        rows = load_file(adapter.folder / WEIGHTS)["prompt_embeddings"]
    except (OSError, SafetensorError, KeyError) as error:
        raise _unreadable(adapter) from error
    if rows.dim() != 2 or rows.shape[1] != config.num_hidden_layers * 2 * heads * channels:
        raise _of_another(adapter)
    # (tokens, layers, keys or values, heads, channels) -> layers of (1, heads, tokens, channels)
    parts = rows.view(len(rows), config.num_hidden_layers, 2, heads, channels).permute(1, 2, 3, 0, 4)
    layers = getattr(model, model.base_model_prefix).layers  # on several GPUs, if the model does not fit on one
    places = [next(layer.parameters()).device for layer in layers]
    return tuple(
        (layer[0][None].to(place, model.dtype), layer[1][None].to(place, model.dtype))
        for layer, place in zip(parts, places, strict=True)
    )


def _add_lora(model: Any, adapter: Adapter) -> None:
    peft = import_peft()
    with warnings.catch_warnings(record=True) as told:  # peft only warns of missing or unexpected tensors
        warnings.simplefilter("always")
        try:
            peft.PeftModel.from_pretrained(model, adapter.folder, is_trainable=False)
        except (OSError, SafetensorError) as error:
            raise _unreadable(adapter) from error
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise _of_another(adapter) from error
    if any("missing adapter keys" in str(one.message) for one in told):
        raise _of_another(adapter)


def import_peft() -> Any:
    """The peft module. Raises ReaderError, with the command to install it, if it is missing."""
    try:
        import peft
    except ImportError as error:
        raise ReaderError("Adapters and fine-tuning need peft: pip install peft.") from error
    return peft


def _read_file(path: Path) -> dict[str, Any]:
    """The JSON object in one of an adapter's files. Raises CheckpointRefused."""
    try:
        return read_json(path)
    except CheckpointRefused as error:
        raise CheckpointRefused(
            "{folder} holds no adapter: {file} cannot be read.", folder=path.parent.name, file=path.name
        ) from error


def _unreadable(adapter: Adapter) -> CheckpointRefused:
    return CheckpointRefused("{file} in {folder} cannot be read: copy it again.", file=WEIGHTS, folder=adapter.name)


def _of_another(adapter: Adapter) -> CheckpointRefused:
    return CheckpointRefused(
        "The adapter {adapter} belongs to another model ({base}): choose that one, or another adapter.",
        adapter=adapter.name,
        base=adapter.base or "?",
    )

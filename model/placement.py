"""Spreads a model over several GPUs: which of them holds each layer, and the moves between them.

Layers are put on the GPUs in order, as many on each as its free memory takes; a prompt and each token pass from one GPU
to the next. Embedding, last norm and output matrix are on the first. None of this has been run on several GPUs yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from model.families import GB, KvPrecision, ModelDimensions, Precision
from model.memory import needed_bytes, working_bytes
from rag.errors import OutOfMemory

_LAYER = re.compile(r"\blayers\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Placement:
    """The device of each layer of a model; everything else is on the first device."""

    first: torch.device
    layers: tuple[torch.device, ...]

    def device_of(self, name: str) -> torch.device:
        """The device of a parameter."""
        found = _LAYER.search(name)
        return self.layers[int(found[1])] if found else self.first


def total_free(dimensions: ModelDimensions, free: Sequence[int], context: int, device: torch.device) -> int:
    """Memory in bytes of several GPUs, counted as if they were one: each needs its own besides weights and cache."""
    working = working_bytes(dimensions, Precision.BF16, context, device)
    return free[0] + sum(max(0, one - working) for one in free[1:])


def spread(
    dimensions: ModelDimensions,
    precision: Precision,
    context: int,
    devices: Sequence[torch.device],
    free: Sequence[int],
    kv: KvPrecision = KvPrecision.FULL,
) -> Placement:
    """Put the layers of a model on devices with `free` bytes each. Raises OutOfMemory if they do not fit."""
    working = working_bytes(dimensions, precision, context, devices[0])
    whole = needed_bytes(dimensions, precision, context, devices[0], kv)
    vocabulary = dimensions.vocabulary_bytes(precision)
    layer = (whole - working - vocabulary) / dimensions.layers  # bytes, its share of the KV cache included
    room = [one - working for one in free]
    room[0] -= vocabulary
    most = [max(0, int(one / layer)) for one in room]
    if sum(most) < dimensions.layers:
        raise OutOfMemory(
            "The model needs {needed:.1f} GB in {precision} with {context} tokens of context, and its layers do not fit"
            " on {count} GPUs with {free:.1f} GB free; choose a smaller model, precision or context.",
            needed=whole / GB,
            precision=precision.upper(),
            context=context,
            count=len(devices),
            free=sum(free) / GB,
        )
    # Filled equally, so that no GPU lacks memory that another has left.
    share = dimensions.layers / sum(most)
    counts = [int(one * share) for one in most]
    while sum(counts) < dimensions.layers:
        emptiest = max(range(len(counts)), key=lambda at: most[at] - counts[at])
        counts[emptiest] += 1
    order = [device for device, count in zip(devices, counts, strict=True) for _ in range(count)]
    return Placement(devices[0], tuple(order))


def connect(model: Any, placement: Placement) -> None:
    """Make every layer move its inputs to its own device, and the last one its output to the first device."""
    layers = getattr(model, model.base_model_prefix).layers
    for layer, device in zip(layers, placement.layers, strict=True):

        def take(_: Any, args: Any, kwargs: Any, device: torch.device = device) -> Any:
            return moved(args, device), moved(kwargs, device)

        layer.register_forward_pre_hook(take, with_kwargs=True)
    layers[-1].register_forward_hook(lambda *call: moved(call[2], placement.first))


def moved(value: Any, device: torch.device) -> Any:
    """`value` with all tensors in it on a device; a KV cache, which keeps each layer where it is, stays as it is."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(moved(one, device) for one in value)
    if isinstance(value, list):
        return [moved(one, device) for one in value]
    if isinstance(value, dict):
        return {name: moved(one, device) for name, one in value.items()}
    return value

"""How fast a model will write on this machine, estimated from how fast its memory can be read.

Each token reads every weight once, so decoding one answer is bound by the memory's bandwidth (Pope et al. 2022,
"Efficiently Scaling Transformer Inference", section 2).
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

import torch

from model.families import Family, Precision

# Share of the bandwidth that decoding reaches, and what each layer takes besides, in seconds. Measured for the CPU and
# for an H200, where the estimate is within 35% (benchmarks/LOG.md); a guess for Apple's GPUs.
EFFICIENCY: Final = {"cpu": 0.5, "cuda": 0.8, "mps": 0.5}
LAYER_SECONDS: Final = {"cpu": 0.0, "cuda": 150e-6, "mps": 0.0}
READ_BYTES: Final = 256 << 20  # of one measurement: more than fits in a cache
RUNS: Final = 3  # of which the fastest counts, since other work can slow a run down but never speed it up


@lru_cache(maxsize=4)
def bandwidth(device: torch.device) -> float:
    """Bytes per second at which the device's memory is read; measured once, in about 0.1 s."""
    numbers = torch.zeros(READ_BYTES // 4, dtype=torch.float32, device=device)
    best = float("inf")
    for _ in range(RUNS):
        _synchronise(device)
        began = time.perf_counter()
        numbers.sum()
        _synchronise(device)
        best = min(best, time.perf_counter() - began)
    return READ_BYTES / best


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        torch.cuda.synchronize(device)
    if device.type == "mps":  # pragma: no cover - needs a GPU of Apple's
        torch.mps.synchronize()


def tokens_per_second(family: Family, precision: Precision, device: torch.device) -> float:
    """Estimated speed at which a dense model writes an answer, in tokens per second."""
    dimensions = family.dimensions
    read = dimensions.weight_bytes(precision) - dimensions.vocab * dimensions.hidden  # only one row of the embedding
    reading = read / (bandwidth(device) * EFFICIENCY[device.type])
    return 1 / (reading + dimensions.layers * LAYER_SECONDS[device.type])

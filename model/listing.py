"""`python app.py --list-models`: the table of known checkpoints, and which of them this machine can hold."""

from __future__ import annotations

import torch

from model.device import DEFAULT_CONTEXT, free_bytes, needed_bytes, pick_device
from model.families import FAMILIES, GB, Family, Precision

SHOWN = (Precision.BF16, Precision.INT8, Precision.INT4)


def list_models(device: str = "auto", free: int | None = None) -> str:
    """A table, one line a checkpoint: memory at each precision, with a mark where it fits what is free.

    `free`: bytes, measured when left out.
    """
    target = pick_device(device)
    free = free_bytes(target) if free is None else free
    have = "free memory unknown" if free is None else f"{free / GB:.1f} GB free"
    titles = (
        "model",
        "parameters",
        "layers",
        "context",
        *(f"{precision.upper()}" for precision in SHOWN),
        "licence",
        "prompt",
    )
    rows = [titles, *(_row(family, target, free) for family in FAMILIES)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(titles))]
    lines = [
        "  ".join(
            cell.ljust(width) if at in (0, 7, 8) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    note = (
        f"Gigabytes to load and answer over {DEFAULT_CONTEXT[target.type]:,} tokens (or all of a shorter context) on"
        f" {target}, computed from the published geometry; * fits here ({have})."
    )
    return "\n".join([*lines, "", note])


def memory_of(family: Family, device: torch.device) -> dict[Precision, int | None]:
    """Bytes that loading asks for at each precision; None where the checkpoint cannot be held so."""
    memory: dict[Precision, int | None] = {}
    for precision in SHOWN:
        unpublished = family.quantised_bits and precision is not _published(family)
        mixture = family.geometry.experts and precision is not Precision.BF16
        possible = not (unpublished or mixture)
        tokens = min(DEFAULT_CONTEXT[device.type], family.context)
        memory[precision] = needed_bytes(family.geometry, precision, tokens, device) if possible else None
    return memory


def _row(family: Family, device: torch.device, free: int | None) -> tuple[str, ...]:
    cells = []
    for needed in memory_of(family, device).values():
        if needed is None:
            cells.append("-")
            continue
        cells.append(f"{needed / GB:.1f}{'*' if free is not None and needed <= free else ' '}")
    context = f"{family.context // 1024}K"
    size = (f"{family.parameters:g}B", str(family.geometry.layers))
    return (family.hub_id, *size, context, *cells, family.licence, family.prompt.value)


def _published(family: Family) -> Precision:
    return Precision.INT4 if family.quantised_bits == 4 else Precision.INT8

"""`python app.py --list-models`: the table of known checkpoints, and which of them fit this machine."""

from __future__ import annotations

import torch

from model.device import can_quantise, free_bytes, pick_device
from model.families import FAMILIES, GB, Family, KvPrecision, Precision
from model.memory import DEFAULT_CONTEXT, MIN_CONTEXT, needed_bytes

LISTED_PRECISIONS = (Precision.BF16, Precision.INT8, Precision.INT4)


def list_models(
    device: str = "auto", free: int | None = None, context: int | None = None, kv: KvPrecision = KvPrecision.FULL
) -> str:
    """A text table with one line per checkpoint: memory at each precision, with a mark if it fits in free memory.

    `free`: bytes; None: measured. `context`: tokens; None: the device's default. `kv`: of keys and values. Raises
    SettingRefused for a device that this machine does not have.
    """
    target = pick_device(device)
    free = free_bytes(target) if free is None else free
    available = "free memory unknown" if free is None else f"{free / GB:.1f} GB free"
    precisions = (precision.upper() for precision in LISTED_PRECISIONS)
    titles = ("model", "parameters", "layers", "context", *precisions, "licence", "prompt")
    context = context or DEFAULT_CONTEXT[target.type]
    rows = [titles, *(_row(family, target, free, context, kv) for family in FAMILIES)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    lines = [
        "  ".join(
            cell.ljust(width) if titles[column] in ("model", "licence", "prompt") else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    keys_and_values = " with keys and values in INT8" if kv is KvPrecision.INT8 else ""
    note = (
        f"BF16, INT8, INT4: gigabytes of memory to load the model and answer with {context:,}"
        f" tokens of context (or all of a shorter context) on {target}{keys_and_values}, computed from the published"
        " dimensions."
        f" * fits in memory ({available}); + fits with a shorter context. - not available."
    )
    return "\n".join([*lines, "", note])


def memory_by_precision(
    family: Family, device: torch.device, context: int | None = None, kv: KvPrecision = KvPrecision.FULL
) -> dict[Precision, int | None]:
    """Bytes needed for loading at each precision; None if the checkpoint cannot be loaded in it.

    `context`: tokens of prompt and answer, or the model's maximum if that is less; None: the device's default; `kv`: of
    keys and values.
    """
    memory: dict[Precision, int | None] = {}
    published = {0: None, 4: Precision.INT4, 8: Precision.INT8}[family.published_bits]
    for precision in LISTED_PRECISIONS:
        requantised = published is not None and precision is not published
        quantised_experts = family.dimensions.experts and precision is not Precision.BF16
        no_kernel = precision is not Precision.BF16 and not can_quantise(device)
        possible = not (requantised or quantised_experts or no_kernel)
        tokens = min(context or DEFAULT_CONTEXT[device.type], family.context)
        memory[precision] = needed_bytes(family.dimensions, precision, tokens, device, kv) if possible else None
    return memory


def _row(family: Family, device: torch.device, free: int | None, context: int, kv: KvPrecision) -> tuple[str, ...]:
    shortest = memory_by_precision(family, device, min(MIN_CONTEXT, context), kv)
    memory = memory_by_precision(family, device, context, kv)
    cells = [_cell(memory[precision], shortest[precision], free) for precision in LISTED_PRECISIONS]
    longest = f"{family.context / 1024:g}K"
    size = (f"{family.parameters:g}B", str(family.dimensions.layers))
    return (family.hub_id, *size, longest, *cells, family.licence, family.prompt.value)


def _cell(needed: int | None, shortest: int | None, free: int | None) -> str:
    """The memory needed, with a mark if it is free. `shortest`: needed with the shortest context."""
    if needed is None or shortest is None:
        return "-"
    mark = " " if free is None else "*" if needed <= free else "+" if shortest <= free else " "
    return f"{needed / GB:.1f}{mark}"

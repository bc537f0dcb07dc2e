"""INT8 and INT4 with one scale a row, as `quantization/layers.py` of THUDM/GLM-130B makes them."""

from __future__ import annotations

import torch

BLOCK_ROWS = 4096  # quantised at a time
QUANTISED = (
    "attention.query_key_value.weight",
    "attention.dense.weight",
    "mlp.dense_h_to_4h.weight",
    "mlp.dense_4h_to_h.weight",
)


def quantise_rows(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) floating point -> integers int8 and scales (rows,) float16; `weight` is integers * scales.

    The largest weight of a row is 127 or 7. At 4 bits, two integers share a byte, even columns in the high nibble:
    (rows, columns / 2).
    """
    largest = 2 ** (bits - 1) - 1
    values = torch.empty(weight.shape, dtype=torch.int8)
    scale = torch.empty(len(weight), dtype=torch.float16)
    for start in range(0, len(weight), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        dense = weight[block].float()
        scale[block] = (dense.abs().amax(dim=1) / largest).half().clamp(min=torch.finfo(torch.float16).tiny)
        values[block] = (dense / scale[block, None].float()).round_().clamp_(-largest, largest).to(torch.int8)
    if bits == 8:
        return values, scale
    return (values[:, ::2] << 4) | (values[:, 1::2] & 0x0F), scale


def row_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of the integers and the scales of a matrix."""
    rows, columns = shape
    return rows * columns * bits // 8 + 2 * rows

"""Weights in 8 and 4 bits: modules that take the place of `nn.Linear` and `nn.Embedding`.

On a CPU they call torch's own integer kernels, which want bfloat16. Those are made for a few rows; for the many of
a prompt, weights are unpacked once and multiplied densely, which is faster from some 250 rows on (measured; see
benchmarks/LOG.md). On CUDA, bitsandbytes: NF4 and LLM.int8.

Does not know models: it is handed one `model.layout.Weight` after another. Everything works on blocks of rows, so
that no whole matrix ever stands in memory in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.device import compute_dtype
from model.families import Precision
from model.layout import Weight
from rag.errors import ReaderError

BLOCK_ROWS = 512  # quantised at a time, so that the numbers stay in the processor's cache; a multiple of KERNEL_ROWS
UNPACKED = 1 << 23  # weights unpacked and multiplied at a time
KERNEL_ROWS = 64  # rows that torch's int4 kernel packs together on AVX-512
GROUPS = (64, 32)  # weights that share a scale; the first that divides the columns
UNPACK_FROM = {Precision.INT4: 256, Precision.INT8: 64}  # rows of input from which unpacking is faster


class Int8Linear(nn.Module):
    """y = x W^T + b with W = values * scale, values int8 (out, in), one bfloat16 scale a row."""

    bias: torch.Tensor | None

    def __init__(self, weight: Weight, bias: torch.Tensor | None) -> None:
        super().__init__()
        values, scale = int8_rows(weight)
        self.values = nn.Buffer(values)
        self.scale = nn.Buffer(scale.bfloat16())
        self.register_buffer("bias", None if bias is None else bias.bfloat16())

    @property
    def weight(self) -> torch.Tensor:
        """The matrix, (out, in) bfloat16, unpacked at each call."""
        return self.values.to(torch.bfloat16) * self.scale[:, None]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., in) bfloat16 -> (..., out)."""
        rows = states.reshape(-1, states.shape[-1])
        if len(rows) < UNPACK_FROM[Precision.INT8]:
            product: torch.Tensor = torch.ops.aten._weight_int8pack_mm(rows.contiguous(), self.values, self.scale)
        else:
            product = rows.new_empty(len(rows), len(self.values))
            for block in unpacked_blocks(*self.values.shape):
                product[:, block] = functional.linear(rows, self.values[block].to(rows.dtype))
            product.mul_(self.scale)
        if self.bias is not None:
            product = product + self.bias
        return product.view(*states.shape[:-1], -1)


class Int4Linear(nn.Module):
    """y = x W^T + b with W = (values - 8) * scale + zero for each group of weights in a row, values 0..15."""

    bias: torch.Tensor | None

    def __init__(self, weight: Weight, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.values.shape
        group = group_size(self.in_features)
        if group is None:
            raise ValueError(f"{self.in_features} columns cannot be split into groups of {GROUPS}")
        self.group = group
        packed, scales = int4_matrix(weight, group)
        self.packed = nn.Buffer(packed)  # (out, in / 2) in the kernel's own order
        self.scales = nn.Buffer(scales)  # (in / group, out, 2) bfloat16: scale and zero
        self.register_buffer("bias", None if bias is None else bias.bfloat16())

    @property
    def weight(self) -> torch.Tensor:
        """The matrix, (out, in) bfloat16, unpacked at each call."""
        values = self._values(slice(None)) if plain_packing() and self.out_features % KERNEL_ROWS == 0 else None
        if values is None:  # unknown order of packing: ask the kernel
            identity = torch.eye(self.in_features, dtype=torch.bfloat16)
            return self._kernel(identity).t().contiguous()
        scale, zero = self.scales.unbind(-1)
        groups = (values.float().view(-1, self.group, self.out_features) - 8) * scale[:, None].float()
        dense = groups + zero[:, None].float()
        return dense.view(self.in_features, self.out_features).t().contiguous().bfloat16()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., in) bfloat16 -> (..., out)."""
        rows = states.reshape(-1, self.in_features)
        many = len(rows) >= UNPACK_FROM[Precision.INT4]
        if many and self.out_features % KERNEL_ROWS == 0 and plain_packing():
            product = self._dense(rows)
        else:
            product = self._kernel(rows.contiguous())
        if self.bias is not None:
            product = product + self.bias
        return product.view(*states.shape[:-1], self.out_features)

    def _kernel(self, rows: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.packed, self.group, self.scales)
        return product

    def _dense(self, rows: torch.Tensor) -> torch.Tensor:
        """The same product with the values unpacked and scaled; what is alike in a group is added afterwards."""
        scale, zero = self.scales.unbind(-1)  # (in / group, out) each
        sums = rows.view(len(rows), -1, self.group).sum(-1)  # (rows, in / group)
        product = sums @ zero
        for block in unpacked_blocks(self.out_features, self.in_features):
            centred = self._values(block).view(torch.int8).sub_(8)  # so that rounding the products costs little
            weight = centred.to(rows.dtype)  # (in, columns of the block)
            weight.view(-1, self.group, weight.shape[1]).mul_(scale[:, None, block])
            product[:, block] += rows @ weight
        return product

    def _values(self, block: slice) -> torch.Tensor:
        """The values 0..15 of some rows of the matrix, a multiple of KERNEL_ROWS, (in, rows) uint8."""
        packed = self.packed[block]
        return unpack_plain(packed, len(packed), self.in_features)


class Int8Embedding(nn.Module):
    """An embedding of int8 rows with a scale each; gives bfloat16."""

    def __init__(self, weight: Weight) -> None:
        super().__init__()
        values, scale = int8_rows(weight)
        self.values = nn.Buffer(values)
        self.scale = nn.Buffer(scale.bfloat16())

    @property
    def weight(self) -> torch.Tensor:
        """The matrix, (vocab, hidden) bfloat16, unpacked at each call."""
        return self.values.to(torch.bfloat16) * self.scale[:, None]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(...) ids -> (..., hidden)."""
        return self.values[tokens].to(self.scale.dtype) * self.scale[tokens][..., None]


def int8_rows(weight: Weight) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (rows, columns) int8 and the scale of each row: the largest weight of a row becomes 127.

    Published integers, of 8 bits or 4, are taken as they are.
    """
    if weight.scale is not None:
        return weight.values[:], weight.scale.float()
    values = torch.empty(weight.values.shape, dtype=torch.int8)
    scale = torch.empty(len(values))
    for block in row_blocks(len(values)):
        dense = weight.values[block].to(torch.float32, copy=True)
        low, high = dense.aminmax(dim=1)
        scale[block] = (torch.maximum(-low, high) / 127).clamp(min=1e-12).bfloat16().float()
        values[block] = dense.div_(scale[block, None]).round_().clamp_(-127, 127)
    return values, scale


def int4_matrix(weight: Weight, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(out, in / 2) bytes, packed as torch's kernel wants them, and (in / group, out, 2) bfloat16 scales and zeros.

    The 16 steps of a group go from its smallest weight to its largest. Published 4-bit integers are kept.
    """
    rows, columns = weight.values.shape
    packed = torch.empty(rows, columns // 2, dtype=torch.uint8)
    scales = torch.empty(columns // group, rows, 2, dtype=torch.bfloat16)
    for block in row_blocks(rows):
        if weight.scale is not None and weight.bits == 4:
            values = weight.values[block].int() + 8
            scales[:, block, 0] = weight.scale[block].bfloat16()
            scales[:, block, 1] = 0
        else:
            values, scales[:, block] = _int4_groups(weight.dense_rows(block).float(), group)
        packed[block] = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.contiguous(), 1)
    return packed, scales


def _int4_groups(dense: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) float32 -> values 0..15 int32, and (columns / group, rows, 2) bfloat16 scale and zero."""
    groups = dense.view(len(dense), -1, group)
    low, high = groups.aminmax(dim=-1)
    scale = ((high - low) / 15).clamp(min=1e-6).bfloat16()
    zero = (low + 8 * scale.float()).bfloat16()
    values = (groups - zero.float()[..., None]).div_(scale.float()[..., None]).add_(8).round_().clamp_(0, 15)
    scales = torch.stack((scale.t(), zero.t()), dim=-1).contiguous()
    return values.view(dense.shape).int(), scales


def row_blocks(rows: int) -> Iterator[slice]:
    """Slices of BLOCK_ROWS rows each."""
    return (slice(start, min(start + BLOCK_ROWS, rows)) for start in range(0, rows, BLOCK_ROWS))


def unpacked_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of so many rows, whole KERNEL_ROWS, that about UNPACKED weights are in each."""
    step = max(UNPACKED // columns // KERNEL_ROWS, 1) * KERNEL_ROWS
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def group_size(columns: int) -> int | None:
    """How many weights of a row share a scale; None when torch's kernel takes no such matrix."""
    return next((group for group in GROUPS if columns % group == 0), None)


def unpack_plain(packed: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """(rows, columns / 2) bytes in the kernel's AVX-512 order -> (columns, rows) uint8, values 0..15.

    Of 64 rows, the byte at column c and place r holds row r in its low and row r + 32 in its high nibble
    (aten/src/ATen/native/cpu/int4mm_kernel.cpp). Eight bytes are moved at a time.
    """
    words = packed.view(rows // KERNEL_ROWS, columns, KERNEL_ROWS // 2).view(torch.int64)
    low_nibbles = 0x0F0F0F0F0F0F0F0F
    values = torch.empty(columns, rows // KERNEL_ROWS, 2, words.shape[-1], dtype=torch.int64)
    values[:, :, 0] = (words & low_nibbles).transpose(0, 1)
    values[:, :, 1] = ((words >> 4) & low_nibbles).transpose(0, 1)
    return values.view(torch.uint8).view(columns, rows)


@functools.cache
def plain_packing() -> bool:
    """Whether this machine's kernel packs as `unpack_plain` believes; others (AVX2, ARM) have their own order."""
    values = torch.arange(2 * KERNEL_ROWS * 32, dtype=torch.int32).mul_(7).bitwise_right_shift_(1) % 16
    values = values.view(2 * KERNEL_ROWS, 32)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values, 1)
    if packed.shape != (2 * KERNEL_ROWS, 16) or packed.dtype != torch.uint8:
        return False
    return torch.equal(unpack_plain(packed, *values.shape), values.t().to(torch.uint8))


def quantised_linear(
    weight: Weight, bias: torch.Tensor | None, precision: Precision, device: torch.device
) -> nn.Module | None:
    """A module in place of `nn.Linear` (out, in); None where a matrix of this shape has to stay as it is."""
    if device.type == "cuda":
        return bitsandbytes_linear(weight, bias, precision, device)
    rows, columns = weight.values.shape
    if precision is Precision.INT4 and group_size(columns) is not None and rows % 16 == 0:
        return Int4Linear(weight, bias)
    return Int8Linear(weight, bias) if columns % 32 == 0 and rows % 4 == 0 else None


def bitsandbytes_linear(
    weight: Weight, bias: torch.Tensor | None, precision: Precision, device: torch.device
) -> nn.Module:
    """Bitsandbytes' module: NF4, calculated in what the model calculates in, or LLM.int8."""
    library = bitsandbytes()
    dtype = compute_dtype(precision, device)
    rows, columns = weight.values.shape
    if precision is Precision.INT4:
        module = library.nn.Linear4bit(
            columns, rows, bias is not None, compute_dtype=dtype, quant_type="nf4", device="meta"
        )
        module.weight = library.nn.Params4bit(weight.dense(dtype), requires_grad=False, quant_type="nf4", module=module)
    else:
        module = library.nn.Linear8bitLt(
            columns, rows, bias is not None, has_fp16_weights=False, threshold=6.0, device="meta"
        )
        module.weight = library.nn.Int8Params(weight.dense(torch.float16), requires_grad=False, has_fp16_weights=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    moved: nn.Module = module.to(device)
    return moved


def bitsandbytes() -> Any:
    """The library, or how to install it."""
    try:
        import bitsandbytes as library
    except ImportError as error:
        raise ReaderError(
            "INT8 and INT4 on a GPU need bitsandbytes: pip install bitsandbytes, or choose the precision bf16."
        ) from error
    return library

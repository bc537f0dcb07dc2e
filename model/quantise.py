"""Weight-only INT8 and INT4 quantisation: modules that replace `nn.Linear` and `nn.Embedding`.

On a CPU they call torch's own integer kernels, which take bfloat16 activations. Those are made for few rows; for the
many rows of a prompt, weights are unpacked and multiplied densely, which is faster from `dense_from_rows` on (measured;
see benchmarks/LOG.md). On CUDA they are bitsandbytes' NF4 and LLM.int8.

Does not know models: it takes one `model.weight_layout.Weight` after another. Everything works on blocks of rows, so
that no whole matrix is ever in memory in float32.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.device import compute_dtype
from model.families import Precision
from model.weight_layout import Weight
from rag.errors import ReaderError

BLOCK_ROWS = 64  # rows quantised at a time, so that they stay in the processor's cache; a multiple of KERNEL_ROWS
WEIGHTS_PER_BLOCK = 1 << 22  # weights unpacked and multiplied at a time
ROWS_AT_A_TIME = 256  # of activations, of which a copy in float32 may be made
KERNEL_ROWS = 64  # rows that torch's INT4 kernel interleaves on AVX-512
GROUP_SIZES = (64, 32)  # weights of a row that share a scale; the first that divides the columns is used
# Rows of activations from which unpacking is faster, by the type that is multiplied then.
_DENSE_FROM_ROWS = {
    (Precision.INT4, torch.bfloat16): 256,
    (Precision.INT4, torch.float32): 128,
    (Precision.INT8, torch.bfloat16): 64,
    (Precision.INT8, torch.float32): 64,
}


class Int8Linear(nn.Module):
    """y = x W^T + b with W = values * scale: values int8 (out, in), one bfloat16 scale per row."""

    bias: torch.Tensor | None

    def __init__(self, values: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.values = nn.Buffer(values)
        self.scale = nn.Buffer(scale)
        self.register_buffer("bias", None if bias is None else bias.bfloat16())

    @classmethod
    def quantised(cls, weight: Weight, bias: torch.Tensor | None) -> Int8Linear:
        """The layer with this weight, (out, in), quantised."""
        values, scale = quantise_int8(weight)
        return cls(values, scale.bfloat16(), bias)

    @property
    def weight(self) -> torch.Tensor:
        """The dequantised matrix, (out, in) bfloat16, computed at each call."""
        return self.values.to(torch.bfloat16) * self.scale[:, None]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., in) bfloat16 -> (..., out)."""
        rows = states.reshape(-1, states.shape[-1])
        if len(rows) < dense_from_rows(Precision.INT8):
            product: torch.Tensor = torch.ops.aten._weight_int8pack_mm(rows.contiguous(), self.values, self.scale)
        else:
            product, dtype = rows.new_empty(len(rows), len(self.values)), dense_dtype()
            for block in unpacked_blocks(*self.values.shape):
                weight = self.values[block].to(dtype)
                for part in row_parts(len(rows)):
                    product[part, block] = functional.linear(rows[part].to(dtype), weight)
            product.mul_(self.scale)
        if self.bias is not None:
            product += self.bias
        return product.view(*states.shape[:-1], -1)


class Int4Linear(nn.Module):
    """y = x W^T + b with W = (values - 8) * scale + zero: values 0..15, scale and zero per group of a row.

    The errors of some columns of W may be kept beside it (`keep_exact`).
    """

    bias: torch.Tensor | None
    exact: torch.Tensor | None
    errors: torch.Tensor | None

    def __init__(
        self,
        packed: torch.Tensor,
        scales: torch.Tensor,
        bias: torch.Tensor | None,
        exact: torch.Tensor | None = None,
        errors: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = packed.shape[0], 2 * packed.shape[1]
        self.group = self.in_features // len(scales)
        self.packed = nn.Buffer(packed)  # (out, in / 2) uint8 in the kernel's order
        self.scales = nn.Buffer(scales)  # (in / group, out, 2) bfloat16: scale and zero
        self.register_buffer("bias", None if bias is None else bias.bfloat16())
        self.register_buffer("exact", exact)  # (exact columns) int64
        self.register_buffer("errors", errors)  # (exact columns, out) bfloat16: what the values lack there

    @classmethod
    def quantised(cls, weight: Weight, bias: torch.Tensor | None) -> Int4Linear:
        """The layer with this weight, (out, in), quantised. Raises ValueError if no group divides the columns."""
        columns = weight.values.shape[1]
        group = group_size(columns)
        if group is None:
            raise ValueError(f"{columns} columns cannot be split into groups of {GROUP_SIZES}")
        return cls(*quantise_int4(weight, group), bias)

    def keep_exact(self, columns: torch.Tensor, wanted: torch.Tensor) -> None:
        """Give columns of the matrix, (exact columns) int64, their values before quantising, (out, exact columns)."""
        units = torch.zeros(len(columns), self.in_features, dtype=torch.bfloat16)
        units[torch.arange(len(columns)), columns] = 1
        self.exact = columns
        self.errors = (wanted.t().float() - self._kernel(units).float()).bfloat16()

    @property
    def weight(self) -> torch.Tensor:
        """The dequantised matrix, (out, in) bfloat16, computed at each call."""
        dense = self._dequantised()
        if self.exact is not None and self.errors is not None:
            dense[:, self.exact] += self.errors.t()
        return dense

    def _dequantised(self) -> torch.Tensor:
        values = self._values(slice(None)) if packs_for_avx512() and self.out_features % KERNEL_ROWS == 0 else None
        if values is None:  # another order: multiply by the identity matrix
            identity = torch.eye(self.in_features, dtype=torch.bfloat16)
            return self._kernel(identity).t().contiguous()
        scale, zero = self.scales.unbind(-1)
        groups = (values.float().view(-1, self.group, self.out_features) - 8) * scale[:, None].float()
        dense = groups + zero[:, None].float()
        return dense.view(self.in_features, self.out_features).t().contiguous().bfloat16()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., in) bfloat16 -> (..., out)."""
        rows = states.reshape(-1, self.in_features)
        many = len(rows) >= dense_from_rows(Precision.INT4)
        if many and self.out_features % KERNEL_ROWS == 0 and packs_for_avx512():
            product = self._dense(rows)
        else:
            product = self._kernel(rows.contiguous())
        if self.exact is not None and self.errors is not None:
            product.addmm_(rows[:, self.exact], self.errors)
        if self.bias is not None:
            product += self.bias
        return product.view(*states.shape[:-1], self.out_features)

    def _kernel(self, rows: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.packed, self.group, self.scales)
        return product

    def _dense(self, rows: torch.Tensor) -> torch.Tensor:
        """The same product from unpacked values; `zero`, which is constant in a group, is added from group sums."""
        scale, zero = self.scales.unbind(-1)  # (in / group, out) each
        product, dtype = rows.new_empty(len(rows), self.out_features), dense_dtype()
        sums = torch.cat([self._sums(rows[part], dtype) for part in row_parts(len(rows))])
        for block in unpacked_blocks(self.out_features, self.in_features):
            centred = self._values(block).view(torch.int8).sub_(8)  # smaller products, so less rounding error
            weight = centred.to(dtype)  # (in, columns of the block)
            # Scales that lie two apart are multiplied one by one, which takes several times as long.
            weight.view(-1, self.group, weight.shape[1]).mul_(scale[:, None, block].contiguous().to(dtype))
            zeros = zero[:, block].to(dtype)
            for part in row_parts(len(rows)):
                product[part, block] = torch.addmm(sums[part] @ zeros, rows[part].to(dtype), weight)
        return product

    def _sums(self, rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The sum of each group, (rows, in / group); takes a copy of the rows in another dtype."""
        return rows.view(len(rows), -1, self.group).sum(-1, dtype=dtype)

    def _values(self, block: slice) -> torch.Tensor:
        """The values 0..15 of some rows of the matrix, (in, rows) uint8; `block` is aligned to KERNEL_ROWS."""
        packed = self.packed[block]
        return unpack_avx512(packed, len(packed), self.in_features)


class Int8Embedding(nn.Module):
    """An embedding of int8 rows (vocab, hidden) with one scale per row."""

    def __init__(self, values: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.values = nn.Buffer(values)
        self.scale = nn.Buffer(scale)

    @classmethod
    def quantised(cls, weight: Weight, dtype: torch.dtype = torch.bfloat16) -> Int8Embedding:
        """The embedding with this weight, quantised; `dtype`: of the scales, and so of the hidden states."""
        values, scale = quantise_int8(weight)
        return cls(values, scale.to(dtype))

    @property
    def weight(self) -> torch.Tensor:
        """The dequantised matrix, (vocab, hidden), computed at each call."""
        return self.values.to(self.scale.dtype) * self.scale[:, None]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(...) token ids -> (..., hidden)."""
        return self.values[tokens].to(self.scale.dtype) * self.scale[tokens][..., None]


def quantise_int8(weight: Weight) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric INT8: values (rows, columns) int8 and scales (rows,) float32; the largest weight of a row is 127.

    Published 8-bit or 4-bit integers are kept as they are.
    """
    if weight.scale is not None:
        return weight.values[:], weight.scale.float()
    values = torch.empty(weight.values.shape, dtype=torch.int8)
    scale = torch.empty(len(values))
    for block in row_blocks(len(values)):
        dense = weight.values[block].to(torch.float32, copy=True)
        low, high = dense.amin(1), dense.amax(1)  # `aminmax` of a dimension takes 40 times as long
        scale[block] = (torch.maximum(-low, high) / 127).clamp(min=1e-12).bfloat16().float()
        values[block] = dense.div_(scale[block, None]).round_().clamp_(-127, 127)
    return values, scale


def quantise_int4(weight: Weight, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Asymmetric INT4 with a scale and a zero per group, as `_weight_int4pack_mm_for_cpu` takes it.

    Returns (out, in / 2) uint8, packed, and (in / group, out, 2) bfloat16, scale and zero. Published 4-bit integers are
    kept as they are.
    """
    rows, columns = weight.values.shape
    packed = torch.empty(rows, columns // 2, dtype=torch.uint8)
    scales = torch.empty(columns // group, rows, 2, dtype=torch.bfloat16)
    for block in row_blocks(rows):
        if weight.scale is not None and weight.bits == 4:
            values = (weight.values[block] + 8).to(torch.uint8)
            scales[:, block, 0] = weight.scale[block].bfloat16()
            scales[:, block, 1] = 0
        else:
            values, scales[:, block] = quantise_int4_groups(weight.dense_rows(block).float(), group)
        packed[block] = pack(values)
    return packed, scales


def quantise_int4_groups(dense: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) float32 -> values 0..15 uint8, and (columns / group, rows, 2) bfloat16 scale and zero.

    A weight of zero stays zero, and the largest weight of a group is not cut. The levels are either symmetric, with the
    largest weight at the end of eight steps, or they span the group from its smallest to its largest weight; the finer
    of both is taken. Freely placed levels have a smaller error of the weights, but cost more perplexity
    (benchmarks/LOG.md).
    """
    groups = dense.view(len(dense), -1, group)
    low, high = groups.amin(-1), groups.amax(-1)
    bottom, top = low.clamp(max=0), high.clamp(min=0)
    spanning = (top - bottom) / 15
    symmetric = torch.where(-low > high, low, high) / -8  # negative where the largest weight is positive
    is_symmetric = symmetric.abs() < spanning
    scale = torch.where(is_symmetric, symmetric, spanning.clamp(min=1e-6)).bfloat16()
    steps = torch.where(is_symmetric, 0, 8 + (bottom / scale.float()).round())
    zero = (steps * scale.float()).bfloat16()
    values = (groups - zero.float()[..., None]).div_(scale.float()[..., None]).add_(8).round_().clamp_(0, 15)
    scales = torch.stack((scale.t(), zero.t()), dim=-1).contiguous()
    return values.view(dense.shape).to(torch.uint8), scales


def row_blocks(rows: int) -> Iterator[slice]:
    """Slices of BLOCK_ROWS rows each, the last one shorter."""
    return (slice(start, min(start + BLOCK_ROWS, rows)) for start in range(0, rows, BLOCK_ROWS))


def unpacked_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of about WEIGHTS_PER_BLOCK weights each; their rows are a multiple of KERNEL_ROWS, the last excepted."""
    step = max(WEIGHTS_PER_BLOCK // columns // KERNEL_ROWS, 1) * KERNEL_ROWS
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def row_parts(rows: int) -> Iterator[slice]:
    """Slices of ROWS_AT_A_TIME rows each, the last one shorter."""
    return (slice(start, start + ROWS_AT_A_TIME) for start in range(0, rows, ROWS_AT_A_TIME))


def dense_from_rows(precision: Precision) -> int:
    """Rows of activations from which weights of this precision are unpacked and multiplied densely."""
    return _DENSE_FROM_ROWS[precision, dense_dtype()]


@functools.cache
def dense_dtype() -> torch.dtype:
    """The type in which this machine's processor multiplies unpacked weights faster: bfloat16 or float32.

    By what is known of it, not by a measurement, so that a model answers the same each time. x86 without bfloat16 has
    it emulated; Intel's has the instruction, but multiplies at half the speed of float32, if not by matrix units (AMX).
    """
    has = torch.cpu.get_capabilities()
    if has.get("architecture") != "x86_64" or has.get("amx_bf16"):
        return torch.bfloat16
    is_fast = has.get("avx512_bf16") and "amd" in str(has.get("cpu_name", "")).lower()
    return torch.bfloat16 if is_fast else torch.float32


def group_size(columns: int) -> int | None:
    """How many weights of a row share a scale; None if torch's INT4 kernel cannot take so many columns."""
    return next((group for group in GROUP_SIZES if columns % group == 0), None)


def pack(values: torch.Tensor) -> torch.Tensor:
    """(rows, columns) uint8 in 0..15 -> (rows, columns / 2) uint8 in the order of this machine's INT4 kernel."""
    if packs_for_avx512() and len(values) % KERNEL_ROWS == 0:
        return pack_avx512(values)
    packed: torch.Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)
    return packed


def pack_avx512(values: torch.Tensor) -> torch.Tensor:
    """The inverse of `unpack_avx512` from (rows, columns) on: six times as fast as torch's own function."""
    rows, columns = values.shape
    blocks = values.view(rows // KERNEL_ROWS, 2, KERNEL_ROWS // 2, columns)
    joined = blocks[:, 0] | (blocks[:, 1] << 4)
    return joined.transpose(1, 2).contiguous().view(rows, columns // 2)


def unpack_avx512(packed: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """(rows, columns / 2) uint8 in the kernel's AVX-512 order -> (columns, rows) uint8, values 0..15.

    In each block of 64 rows, byte r of column c holds row r in its low nibble and row r + 32 in its high nibble
    (aten/src/ATen/native/cpu/int4mm_kernel.cpp in pytorch). Moves eight bytes at a time.
    """
    words = packed.view(rows // KERNEL_ROWS, columns, KERNEL_ROWS // 2).view(torch.int64)
    low_nibbles = 0x0F0F0F0F0F0F0F0F
    values = torch.empty(columns, rows // KERNEL_ROWS, 2, words.shape[-1], dtype=torch.int64)
    values[:, :, 0] = (words & low_nibbles).transpose(0, 1)
    values[:, :, 1] = ((words >> 4) & low_nibbles).transpose(0, 1)
    return values.view(torch.uint8).view(columns, rows)


@functools.cache
def packs_for_avx512() -> bool:
    """Whether this machine's INT4 kernel packs in the order of `unpack_avx512`; AVX2 and ARM use others."""
    values = torch.arange(2 * KERNEL_ROWS * 32, dtype=torch.int32).mul_(7).bitwise_right_shift_(1) % 16
    values = values.view(2 * KERNEL_ROWS, 32)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values, 1)
    if packed.shape != (2 * KERNEL_ROWS, 16) or packed.dtype != torch.uint8:
        return False
    return torch.equal(unpack_avx512(packed, *values.shape), values.t().to(torch.uint8))


def quantised_linear(
    weight: Weight, bias: torch.Tensor | None, precision: Precision, device: torch.device
) -> nn.Module | None:
    """A replacement for `nn.Linear` (out, in); None if no kernel takes a matrix of this shape."""
    if device.type == "cuda":
        return bitsandbytes_linear(weight, bias, precision, device)
    rows, columns = weight.values.shape
    if precision is Precision.INT4 and group_size(columns) is not None and rows % 16 == 0:
        return Int4Linear.quantised(weight, bias)
    return Int8Linear.quantised(weight, bias) if columns % 32 == 0 and rows % 4 == 0 else None


def bitsandbytes_linear(
    weight: Weight, bias: torch.Tensor | None, precision: Precision, device: torch.device
) -> nn.Module:
    """Bitsandbytes' NF4 (Dettmers et al. 2023, arXiv:2305.14314) or LLM.int8 (2022, arXiv:2208.07339) layer.

    Raises ReaderError if bitsandbytes is not installed.
    """
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
    """The bitsandbytes module. Raises ReaderError, with the command to install it, if it is missing."""
    try:
        import bitsandbytes as library
    except ImportError as error:
        raise ReaderError(
            "INT8 and INT4 on a GPU need bitsandbytes: pip install bitsandbytes, or choose the precision bf16."
        ) from error
    # It warns at each product in 8 bits that it takes float16.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return library

"""Estimates the memory that a model needs, and chooses the precision and the context that fit in what is free.

Loads nothing. The estimates were compared with measured peaks (benchmarks/LOG.md, "Peak memory at full size").
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from model.device import can_quantise, compute_dtype, has_bfloat16
from model.families import GB, MB, KvPrecision, ModelDimensions, Precision
from rag.errors import OutOfMemory, ReaderError, SettingRefused
from rag.messages import Message, Value

# Tokens; fewer than many models can take, because the KV cache grows.
DEFAULT_CONTEXT = {"cpu": 8_192, "cuda": 32_768, "mps": 8_192}
MIN_CONTEXT = 2_048  # tokens; if memory is short, a context that nobody asked for is not shortened below this
CONTEXT_STEP = 256  # tokens; a shortened context is a multiple of it
PROMPT_CHUNK = 512  # tokens of a prompt that go through the model at a time
PROMPT_CACHE_SHARE = 0.25  # share of what is free next to a loaded model and one answer

# Besides weights, cache and activations. CPU: the libraries, and the block of a matrix being unpacked; measured.
# GPUs: workspace of matrix products, code of kernels, and rounding by torch's allocator; assumed, for lack of a GPU.
_FIXED_BYTES = {"cpu": 460 * MB, "cuda": 400 * MB, "mps": 400 * MB}
_HIDDEN_STATES = 8  # copies of a row's hidden state that are alive at the same time: residual, query, key, value, ...
_MASK_BYTES = 3  # for one entry of the attention mask: as it is made, and as it is added in 16 bits


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """A precision and a context for a model on a device, and why they were chosen."""

    precision: Precision
    context: int  # tokens of prompt and answer
    needed: int  # memory, bytes
    why: Message
    kv: KvPrecision = KvPrecision.FULL


@dataclass(frozen=True, slots=True)
class _Question:
    """What a precision is chosen for."""

    dimensions: ModelDimensions
    context: int  # tokens
    device: torch.device
    free: int | None  # bytes; None: unknown
    shortest: int  # tokens to which the context may be shortened
    kv: KvPrecision

    def needed(self, precision: Precision, context: int | None = None) -> int:
        return needed_bytes(self.dimensions, precision, context or self.context, self.device, self.kv)

    def fits(self, precision: Precision, context: int | None = None) -> bool:
        return self.free is None or self.needed(precision, context) <= self.free

    def longest_context(self, precision: Precision, shortest: int) -> int | None:
        """The longest context that fits, in tokens; None if that is less than `shortest`."""
        if self.fits(precision):
            return self.context
        low, high = -(-shortest // CONTEXT_STEP), self.context // CONTEXT_STEP
        if high < low or not self.fits(precision, low * CONTEXT_STEP):
            return None
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.fits(precision, middle * CONTEXT_STEP) else (low, middle - 1)
        return low * CONTEXT_STEP


def needed_bytes(
    dimensions: ModelDimensions,
    precision: Precision,
    context: int,
    device: torch.device,
    kv: KvPrecision = KvPrecision.FULL,
) -> int:
    """Memory in bytes to load a model and answer with a KV cache of `context` tokens; computed, not measured."""
    return model_bytes(dimensions, precision, device) + answer_bytes(dimensions, precision, context, device, kv)


def model_bytes(dimensions: ModelDimensions, precision: Precision, device: torch.device) -> int:
    """Memory in bytes of a loaded model; one published in 4 bits takes a little less, as it keeps no columns exact."""
    keeps_columns = precision is Precision.INT4 and device.type == "cpu"
    return dimensions.weight_bytes(precision) + (dimensions.exact_bytes if keeps_columns else 0)


def answer_bytes(
    dimensions: ModelDimensions,
    precision: Precision,
    context: int,
    device: torch.device,
    kv: KvPrecision = KvPrecision.FULL,
) -> int:
    """Memory in bytes, besides the weights, for one answer whose KV cache has `context` tokens."""
    width = compute_dtype(precision, device).itemsize
    working = working_bytes(dimensions, precision, context, device)
    if kv is KvPrecision.INT8:  # those of one layer as the model computes
        working += context * dimensions.kv_bytes_per_token(width) // dimensions.layers
    return context * dimensions.kv_bytes_per_token(width, kv) + working


def prompt_cache_bytes(dimensions: ModelDimensions, choice: PrecisionChoice, device: torch.device, free: int) -> int:
    """Memory for a prompt cache in bytes, if `free` bytes are left once the model is loaded."""
    left = free - answer_bytes(dimensions, choice.precision, choice.context, device, choice.kv)
    return max(int(left * PROMPT_CACHE_SHARE), 0)


def working_bytes(dimensions: ModelDimensions, precision: Precision, context: int, device: torch.device) -> int:
    """Memory in bytes, besides weights and KV cache, while a prompt that fills the context is read.

    This covers the activations of one chunk of the prompt, the attention mask and, on a GPU, the keys and values of one
    layer repeated for all heads and the matrix that bitsandbytes dequantises.
    """
    width = compute_dtype(precision, device).itemsize
    rows = min(PROMPT_CHUNK, context) if not dimensions.one_piece else context
    inner = max(dimensions.ffn, dimensions.expert_ffn) * (3 if dimensions.gated else 1)
    activations = rows * (_HIDDEN_STATES * dimensions.hidden + inner) * width
    mask = rows * context * _MASK_BYTES
    repeated = 0
    if dimensions.groups < dimensions.heads and device.type != "cpu":
        repeated = 2 * context * dimensions.heads * dimensions.head_dim * width
    dequantised = 0
    if device.type == "cuda" and precision is Precision.INT4:
        dequantised = dimensions.largest_matrix * width
    return _FIXED_BYTES[device.type] + activations + mask + repeated + dequantised


def choose_precision(
    dimensions: ModelDimensions,
    wanted: str,
    context: int,
    device: torch.device,
    free: int | None,
    *,
    published_bits: int = 0,
    quantisable: bool = True,
    shortest: int | None = None,
    kv: KvPrecision = KvPrecision.FULL,
) -> PrecisionChoice:
    """The precision to load a model in: `wanted`, or for "auto" the best one that fits in `free` bytes.

    `quantisable`: INT8 and INT4 are possible; a mixture of experts never is. `shortest`: tokens to which `context` may
    be shortened if nothing fits otherwise; None: it may not be. Raises SettingRefused for an unknown precision,
    OutOfMemory if the precision wanted (or, for "auto", any) does not fit, and ReaderError for INT8 or INT4 of a model
    that is not quantisable, or on a device that has no kernel for them.
    """
    quantisable = quantisable and not dimensions.experts and can_quantise(device)
    question = _Question(dimensions, context, device, free, min(shortest or context, context), kv)
    if wanted != "auto":
        precision = _known(wanted, device, quantisable=quantisable)
        return _chosen(question, precision, Message("{precision} as requested", {"precision": precision.upper()}))
    candidates = _candidates(device, published_bits, quantisable=quantisable)
    precision = next((one for one in candidates if question.fits(one)), candidates[-1])
    tried_all = not quantisable or precision not in (Precision.BF16, Precision.FP16)
    if not tried_all and question.longest_context(precision, question.shortest) is None:
        raise _needs_bitsandbytes(question, precision)
    return _chosen(question, precision, None, published_bits)


def _known(wanted: str, device: torch.device, *, quantisable: bool) -> Precision:
    try:
        precision = Precision(wanted.lower())
    except ValueError as error:
        raise SettingRefused(
            "Unknown precision '{precision}'; choose auto, {known}.", precision=wanted, known=", ".join(Precision)
        ) from error
    if precision in (Precision.INT8, Precision.INT4) and not can_quantise(device):
        raise ReaderError(
            "There is no kernel for {precision} on Apple's GPUs here; choose the precision fp16, or the device cpu.",
            precision=precision.upper(),
        )
    if not quantisable and precision in (Precision.INT8, Precision.INT4):
        raise ReaderError(
            "A model of this architecture cannot be quantised to {precision} here; choose bf16.",
            precision=precision.upper(),
        )
    return precision


def _chosen(question: _Question, precision: Precision, why: Message | None, published_bits: int = 0) -> PrecisionChoice:
    """The choice of this precision, with the context shortened if allowed and needed. Raises OutOfMemory."""
    context = question.longest_context(precision, question.shortest)
    if context is None:
        raise _does_not_fit(question, precision)
    needed = question.needed(precision, context)
    why = why or _reason(question, precision, context, needed)
    if published_bits:
        why = Message("{why}; published in {bits} bits", {"why": why, "bits": published_bits})
    if question.kv is KvPrecision.INT8:
        why = Message("{why}; keys and values in INT8", {"why": why})
    if context < question.context:
        why = Message(
            "{why}; the context is shortened from {full} to {context} tokens, which is what fits in memory",
            {"why": why, "full": question.context, "context": context},
        )
    return PrecisionChoice(precision, context, needed, why, question.kv)


def _reason(question: _Question, precision: Precision, context: int, needed: int) -> Message:
    values: dict[str, Value] = {
        "precision": precision.upper(), "needed": needed / GB, "context": context, "device": str(question.device),
    }  # fmt: skip
    if question.free is None:
        return Message(
            "{precision}: {needed:.1f} GB with {context} tokens of context; free memory on {device} unknown", values
        )
    return Message(
        "{precision}: {needed:.1f} GB with {context} tokens of context, {free:.1f} GB free on {device}",
        {**values, "free": question.free / GB},
    )


def _candidates(device: torch.device, published_bits: int, *, quantisable: bool) -> list[Precision]:
    """Precisions to try, best first. On a CPU, INT8 is faster than 16 bits and about as accurate.

    transformers keeps all experts of a layer in one tensor, which neither bitsandbytes nor `model.quantise` accepts.
    """
    if published_bits and can_quantise(device):
        return [Precision.INT4 if published_bits == 4 else Precision.INT8]
    full = Precision.BF16 if has_bfloat16(device) else Precision.FP16
    if not quantisable:
        return [full]
    if device.type == "cpu":
        return [Precision.INT8, Precision.INT4]
    return [full, Precision.INT8, Precision.INT4] if find_spec("bitsandbytes") else [full]


def _memory_values(question: _Question, precision: Precision) -> dict[str, str | int | float]:
    """What messages about memory state: gigabytes needed and free, and what for."""
    return {
        "needed": question.needed(precision, question.shortest) / GB,
        "precision": precision.upper(),
        "context": question.shortest,
        "free": (question.free or 0) / GB,
        "device": str(question.device),
    }


def _does_not_fit(question: _Question, precision: Precision) -> OutOfMemory:
    values = _memory_values(question, precision)
    fitting = question.longest_context(precision, MIN_CONTEXT)
    if fitting is not None:
        return OutOfMemory(
            "The model needs {needed:.1f} GB in {precision} with {context} tokens of context and {free:.1f} GB are free"
            " on {device}; with {fitting} tokens it fits: lower --context, or choose a smaller model or precision.",
            **values,
            fitting=fitting,
        )
    return OutOfMemory(
        "The model needs {needed:.1f} GB in {precision} with {context} tokens of context and {free:.1f} GB are free on"
        " {device}; choose a smaller model, precision or context.",
        **values,
    )


def _needs_bitsandbytes(question: _Question, precision: Precision) -> OutOfMemory:
    if not question.fits(Precision.INT4, question.shortest):
        return _does_not_fit(question, precision)
    return OutOfMemory(
        "The model needs {needed:.1f} GB in {precision} with {context} tokens of context and {free:.1f} GB are free on"
        " {device}; in INT4 it needs {int4:.1f} GB: pip install bitsandbytes, or choose a smaller model or context.",
        **_memory_values(question, precision),
        int4=question.needed(Precision.INT4, question.shortest) / GB,
    )

"""Chooses the device and the precision that fits its free memory, and turns torch's failures into AskErrors.

Loads nothing.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from model.families import GB, ModelDimensions, Precision
from rag.errors import OutOfMemory, ReaderError, SettingRefused
from rag.messages import Message, Value

M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES = -3, 1 << 20  # parameter of mallopt (malloc.h), and its value
DEFAULT_CONTEXT = {"cpu": 8_192, "cuda": 32_768}  # tokens; less than many models can do, because the KV cache grows
WORKING_BYTES = {"cpu": GB, "cuda": 3 * GB // 2}  # activations of one prompt chunk, and the libraries


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """A precision for a model on a device, and why it was chosen."""

    precision: Precision
    needed: int  # memory, bytes
    why: Message


def pick_device(wanted: str) -> torch.device:
    """The device named, or for "auto" the first GPU, else the CPU. Raises SettingRefused if this machine lacks it."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingRefused("Unknown device '{device}'; choose auto, cpu or cuda:0.", device=wanted) from error
    if device.type == "cuda":
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            raise SettingRefused("This machine has no {device}; choose auto or cpu.", device=wanted)
        return torch.device("cuda", device.index or 0)
    if device.type != "cpu":
        raise SettingRefused("Models run on cpu or cuda, not on {device}; choose auto.", device=wanted)
    return device


def free_bytes(device: torch.device) -> int | None:
    """Memory available on a device, bytes; None if the system does not tell."""
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        return int(torch.cuda.mem_get_info(device)[0])
    known = [value for value in (_linux_available(), _control_group_available()) if value is not None]
    if known:
        return min(known)
    try:
        return int(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None


def _linux_available(path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) * 1024 if found else None


def _control_group_available(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control group of a container has left (version 2, memory controller), bytes; None without a limit."""
    try:
        limit, used = (folder / "memory.max").read_text().strip(), (folder / "memory.current").read_text()
        inactive = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    reclaimable = int(inactive.group(1)) if inactive else 0
    return None if limit == "max" else max(0, int(limit) - int(used) + reclaimable)


def empty_cache() -> None:
    """Return the memory of freed models to the GPU, if there is one."""
    if torch.cuda.is_available():  # pragma: no cover - needs a GPU
        torch.cuda.empty_cache()


def needed_bytes(dimensions: ModelDimensions, precision: Precision, context: int, device: torch.device) -> int:
    """Memory to load a model and answer with a KV cache of `context` tokens, bytes; computed, not measured."""
    width = compute_dtype(precision, device).itemsize
    cache = context * dimensions.cache_bytes_per_token * width // 2
    weights = dimensions.weight_bytes(precision, vocabulary_bits=8 * width if device.type == "cuda" else 8)
    return weights + cache + WORKING_BYTES[device.type]


def choose_precision(
    dimensions: ModelDimensions,
    wanted: str,
    context: int,
    device: torch.device,
    free: int | None,
    *,
    published_bits: int = 0,
    quantisable: bool = True,
) -> PrecisionChoice:
    """The precision to load a model in: `wanted`, or for "auto" the best one that fits in `free` bytes.

    `quantisable`: INT8 and INT4 are possible; a mixture of experts never is. Raises SettingRefused for an unknown
    precision, OutOfMemory if the precision wanted (or, for "auto", any) does not fit, and ReaderError for INT8 or INT4
    of a model that is not quantisable.
    """
    quantisable = quantisable and not dimensions.experts
    if wanted != "auto":
        try:
            precision = Precision(wanted.lower())
        except ValueError as error:
            raise SettingRefused(
                "Unknown precision '{precision}'; choose auto, {known}.", precision=wanted, known=", ".join(Precision)
            ) from error
        if not quantisable and precision in (Precision.INT8, Precision.INT4):
            raise ReaderError(
                "A model of this architecture cannot be quantised to {precision} here; choose bf16.",
                precision=precision.upper(),
            )
        needed = needed_bytes(dimensions, precision, context, device)
        if free is not None and needed > free:
            raise _does_not_fit(dimensions, precision, context, device, free)
        return PrecisionChoice(precision, needed, Message("{precision} as requested", {"precision": precision.upper()}))
    for precision in _candidates(device, published_bits, quantisable=quantisable):
        needed = needed_bytes(dimensions, precision, context, device)
        if free is None or needed <= free:
            return PrecisionChoice(precision, needed, _reason(precision, needed, context, device, free, published_bits))
    if quantisable and precision in (Precision.BF16, Precision.FP16):  # INT4 was not tried
        raise _needs_bitsandbytes(dimensions, precision, context, device, free)
    raise _does_not_fit(dimensions, precision, context, device, free)


def _reason(
    precision: Precision, needed: int, context: int, device: torch.device, free: int | None, published_bits: int
) -> Message:
    values: dict[str, Value] = {
        "precision": precision.upper(), "needed": needed / GB, "context": context, "device": str(device),
    }  # fmt: skip
    if free is None:
        why = Message(
            "{precision}: {needed:.1f} GB with {context} tokens of context; free memory on {device} unknown", values
        )
    else:
        why = Message(
            "{precision}: {needed:.1f} GB with {context} tokens of context, {free:.1f} GB free on {device}",
            {**values, "free": free / GB},
        )
    if not published_bits:
        return why
    return Message("{why}; published in {bits} bits", {"why": why, "bits": published_bits})


def _candidates(device: torch.device, published_bits: int, *, quantisable: bool) -> list[Precision]:
    """Precisions to try, best first. On a CPU, INT8 is faster than 16 bits and about as accurate.

    transformers keeps all experts of a layer in one tensor, which neither bitsandbytes nor `model.quantise` takes.
    """
    if published_bits:
        return [Precision.INT4 if published_bits == 4 else Precision.INT8]
    full = Precision.BF16 if has_bfloat16(device) else Precision.FP16
    if not quantisable:
        return [full]
    if device.type == "cpu":
        return [Precision.INT8, Precision.INT4]
    return [full, Precision.INT8, Precision.INT4] if find_spec("bitsandbytes") else [full]


def _memory_values(
    dimensions: ModelDimensions, precision: Precision, context: int, device: torch.device, free: int | None
) -> dict[str, str | int | float]:
    """What messages about memory state: gigabytes needed and free, and what for."""
    return {
        "needed": needed_bytes(dimensions, precision, context, device) / GB,
        "precision": precision.upper(),
        "context": context,
        "free": (free or 0) / GB,
        "device": str(device),
    }


def _does_not_fit(
    dimensions: ModelDimensions, precision: Precision, context: int, device: torch.device, free: int | None
) -> OutOfMemory:
    return OutOfMemory(
        "The model needs {needed:.1f} GB in {precision} with {context} tokens of context and {free:.1f} GB are free on"
        " {device}; choose a smaller model, precision or context.",
        **_memory_values(dimensions, precision, context, device, free),
    )


def _needs_bitsandbytes(
    dimensions: ModelDimensions, precision: Precision, context: int, device: torch.device, free: int | None
) -> OutOfMemory:
    int4 = needed_bytes(dimensions, Precision.INT4, context, device)
    if free is not None and int4 > free:
        return _does_not_fit(dimensions, precision, context, device, free)
    return OutOfMemory(
        "The model needs {needed:.1f} GB in {precision} with {context} tokens of context and {free:.1f} GB are free on"
        " {device}; in INT4 it needs {int4:.1f} GB: pip install bitsandbytes, or choose a smaller model or context.",
        **_memory_values(dimensions, precision, context, device, free),
        int4=int4 / GB,
    )


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of activations, and of weights that are not quantised.

    INT8 and INT4 compute in bfloat16, or in float32 on GPUs without it: GLM-4-0414 in 4 bits overflows float16.
    """
    if precision in (Precision.INT8, Precision.INT4) and not has_bfloat16(device):
        return torch.float32
    return {Precision.FP32: torch.float32, Precision.FP16: torch.float16}.get(precision, torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 arithmetic; torch emulates it slowly on NVIDIA GPUs older than Ampere."""
    if device.type == "cpu" or torch.version.hip or not torch.cuda.is_available():
        return True
    return torch.cuda.get_device_capability(device)[0] >= 8


def attention_implementation(model_type: str, dtype: torch.dtype, device: torch.device) -> str:
    """The attention implementation for transformers: FlashAttention 2 if it is installed and applies, else SDPA.

    FlashAttention 2 needs 16-bit activations and a GPU from Ampere on, and cannot take the attention mask of the first
    generation.
    """
    if device.type != "cuda" or model_type == "chatglm1" or dtype.itemsize != 2 or not has_bfloat16(device):
        return "sdpa"
    return "flash_attention_2" if is_flash_attn_2_available() else "sdpa"


@contextmanager
def torch_errors(doing: Message) -> Iterator[None]:
    """Turn what torch raises into OutOfMemory or ReaderError; `doing` says what failed, such as "loading"."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(doing) from error
    except RuntimeError as error:
        if re.search(r"out of memory|can't allocate memory|not enough memory|ALLOC_FAILED", str(error)):
            raise _out_of_memory(doing) from error
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ReaderError(
            "The model failed while {doing} ({reason}); choose another precision, device or model.",
            doing=doing,
            reason=first_line,
        ) from error
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
        raise ReaderError(
            "The model failed while {doing} ({kind}: {reason}); choose another model.",
            doing=doing,
            kind=type(error).__name__,
            reason=" ".join(str(error).split()),
        ) from error


def _out_of_memory(doing: Message) -> OutOfMemory:
    return OutOfMemory(
        "Memory ran out while {doing}; choose a smaller model, precision or context.",
        doing=doing,
    )


def release_freed_memory() -> None:
    """Make glibc return freed blocks of a megabyte and more to the system at once, in this whole process.

    By default it soon keeps blocks of up to 32 MB for reuse, fragmented: half a gigabyte for one prompt of ChatGLM-6B.
    Does nothing with another C library.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        library.malloc_trim(0)

"""Chooses the device, reads its free memory, and turns torch's failures into AskErrors. Loads nothing."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from model.families import BIDIRECTIONAL_TYPES, Precision
from rag.errors import OutOfMemory, ReaderError, SettingRefused
from rag.messages import Message

M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES = -3, 1 << 20  # parameter of mallopt (malloc.h), and its value


def pick_device(wanted: str) -> torch.device:
    """The device named, or for "auto" the first NVIDIA or AMD GPU, else the CPU.

    An Apple GPU is only used if "mps" is asked for, because nothing was measured on one. Raises SettingRefused if this
    machine lacks the device.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingRefused("Unknown device '{device}'; choose auto, cpu, cuda:0 or mps.", device=wanted) from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise SettingRefused("Models run on cpu, cuda or mps, not on {device}; choose auto.", device=wanted)
    if (device.index or 0) >= _count(device.type):
        raise SettingRefused("This machine has no {device}; choose auto or cpu.", device=wanted)
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else torch.device(device.type)


def _count(kind: str) -> int:
    """How many devices of a kind this machine has."""
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())


def can_quantise(device: torch.device) -> bool:
    """Whether models can be loaded in INT8 and INT4 there; on MPS, neither torch nor bitsandbytes has our kernels."""
    return device.type != "mps"


def pick_devices(wanted: str) -> tuple[torch.device, ...]:
    """The device named, or for "auto" every GPU, else the CPU. Raises SettingRefused if this machine lacks it."""
    first = pick_device(wanted)
    if wanted != "auto" or first.type != "cuda":
        return (first,)
    return tuple(torch.device("cuda", at) for at in range(torch.cuda.device_count()))


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device in bytes; None if the system does not tell."""
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for later use
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type == "mps":  # its memory is the machine's, of which Metal recommends a share
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
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
    """What a container's control group has left (version 2, memory controller), in bytes; None without a limit."""
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
    if torch.backends.mps.is_available():  # pragma: no cover - needs a GPU of Apple's
        torch.mps.empty_cache()


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of activations, and of weights that are not quantised.

    INT8 and INT4 compute in bfloat16, or in float32 on GPUs without it: GLM-4-0414 in 4 bits overflows float16.
    """
    if precision in (Precision.INT8, Precision.INT4) and not has_bfloat16(device):
        return torch.float32
    return {Precision.FP32: torch.float32, Precision.FP16: torch.float16}.get(precision, torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 arithmetic.

    torch emulates it slowly on NVIDIA GPUs older than Ampere; Apple's have it only from macOS 14 on.
    """
    if device.type == "mps":
        return False
    if device.type == "cpu" or torch.version.hip or not torch.cuda.is_available():
        return True
    return torch.cuda.get_device_capability(device)[0] >= 8


def attention_implementation(model_type: str, dtype: torch.dtype, device: torch.device) -> str:
    """The attention implementation for transformers: FlashAttention 2 if it is installed and applies, else SDPA.

    FlashAttention 2 needs 16-bit activations and a GPU from Ampere on, and cannot take the attention mask of the first
    generations.
    """
    if device.type != "cuda" or model_type in BIDIRECTIONAL_TYPES or dtype.itemsize != 2 or not has_bfloat16(device):
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

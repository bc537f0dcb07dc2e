"""What this machine has: a device, its free memory, and the precision that fits; and its failures as sentences.

The one place that maps torch's memory errors. Does not load anything.
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

from model.families import GB, Geometry, Precision
from rag.errors import OutOfMemory, ReaderError, SettingRefused

MMAP_THRESHOLD, MMAP_BYTES = -3, 1 << 20  # M_MMAP_THRESHOLD of malloc.h, and where to put it
DEFAULT_CONTEXT = {"cpu": 8_192, "cuda": 32_768}  # tokens of a reader whose model can do more; longer costs memory
WORKING_BYTES = {"cpu": GB, "cuda": 3 * GB // 2}  # activations of one chunk of a prompt, and the libraries


@dataclass(frozen=True, slots=True)
class Fit:
    """A precision for a model on a device, and the reason in one sentence."""

    precision: Precision
    why: str


def pick_device(wanted: str) -> torch.device:
    """`wanted`, or the best there is for "auto". SettingRefused for a device this machine has not."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingRefused(f"The device {wanted!r} is none; choose auto, cpu or cuda:0.") from error
    if device.type == "cuda":
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            raise SettingRefused(f"This machine has no {wanted}; choose auto or cpu.")
        return torch.device("cuda", device.index or 0)
    if device.type != "cpu":
        raise SettingRefused(f"Readers run on cpu or cuda, not on {wanted}; choose auto.")
    return device


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had, bytes; None where the system does not tell."""
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
    """What a container may still use."""
    try:
        limit, used = (folder / "memory.max").read_text().strip(), (folder / "memory.current").read_text()
        inactive = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    reclaimable = int(inactive.group(1)) if inactive else 0
    return None if limit == "max" else max(0, int(limit) - int(used) + reclaimable)


def empty_cache() -> None:
    """Give memory of models that are gone back to the GPU, where there is one."""
    if torch.cuda.is_available():  # pragma: no cover - needs a GPU
        torch.cuda.empty_cache()


def needed_bytes(geometry: Geometry, precision: Precision, context: int, device: torch.device) -> int:
    """Memory to load a model of this shape and answer over `context` tokens, bytes; computed, not measured."""
    width = compute_dtype(precision, device).itemsize
    cache = context * geometry.cache_bytes_per_token * width // 2
    weights = geometry.weight_bytes(precision, vocabulary_bits=8 * width if device.type == "cuda" else 8)
    return weights + cache + WORKING_BYTES[device.type]


def fit_precision(
    geometry: Geometry,
    wanted: str,
    context: int,
    device: torch.device,
    free: int | None,
    *,
    published_bits: int = 0,
) -> Fit:
    """The precision to load in: `wanted`, or for "auto" the best that fits in `free` bytes.

    SettingRefused for a precision there is none of; OutOfMemory when what is wanted, or anything, does not fit;
    ReaderError for integers in a mixture of experts.
    """
    if wanted != "auto":
        try:
            precision = Precision(wanted.lower())
        except ValueError as error:
            names = ", ".join(Precision)
            raise SettingRefused(f"The precision {wanted!r} is none; choose auto, {names}.") from error
        if geometry.experts and precision in (Precision.INT8, Precision.INT4):
            raise ReaderError(f"A mixture of experts cannot be held in {precision.upper()}; choose bf16.")
        _require(geometry, precision, context, device, free)
        return Fit(precision, f"{precision.upper()} as asked")
    candidates = _candidates(device, published_bits, mixture=geometry.experts > 0)
    for precision in candidates:
        needed = needed_bytes(geometry, precision, context, device)
        if free is None or needed <= free:
            have = "free memory unknown" if free is None else f"{free / GB:.1f} GB free"
            reason = f"{precision.upper()}: {needed / GB:.1f} GB with {context} tokens of context, {have} on {device}"
            return Fit(precision, reason + (f"; published in {published_bits} bits" if published_bits else ""))
    _require(geometry, candidates[-1], context, device, free)
    raise AssertionError("unreachable: the last candidate does not fit")


def _candidates(device: torch.device, published_bits: int, *, mixture: bool) -> list[Precision]:
    """Precisions worth trying, best first. On a CPU, 8 bits are faster than 16 and as good.

    The library keeps all experts of a layer in one tensor, which neither bitsandbytes nor a linear layer can hold.
    """
    if published_bits:
        return [Precision.INT4 if published_bits == 4 else Precision.INT8]
    full = Precision.BF16 if has_bfloat16(device) else Precision.FP16
    if mixture:
        return [full]
    if device.type == "cpu":
        return [Precision.INT8, Precision.INT4]
    return [full, Precision.INT8, Precision.INT4] if find_spec("bitsandbytes") else [full]


def _require(geometry: Geometry, precision: Precision, context: int, device: torch.device, free: int | None) -> None:
    needed = needed_bytes(geometry, precision, context, device)
    if free is not None and needed > free:
        raise OutOfMemory(
            f"The model needs {needed / GB:.1f} GB in {precision.upper()} with {context} tokens of context and"
            f" {free / GB:.1f} GB are free on {device}; choose a smaller model, precision or context."
        )


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """What the model calculates in.

    INT8 and INT4 take bfloat16, and float32 on GPUs that have none: GLM-4-0414 in 4 bits overflows float16.
    """
    if precision in (Precision.INT8, Precision.INT4) and not has_bfloat16(device):
        return torch.float32
    return {Precision.FP32: torch.float32, Precision.FP16: torch.float16}.get(precision, torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` calculates in bfloat16 itself; torch imitates it on GPUs older than Ampere, slowly."""
    if device.type == "cpu" or torch.version.hip or not torch.cuda.is_available():
        return True
    return torch.cuda.get_device_capability(device)[0] >= 8


def attention_for(model_type: str, dtype: torch.dtype, device: torch.device) -> str:
    """The attention of transformers to ask for: FlashAttention 2 where it is installed and can be, else SDPA.

    It takes 16 bits, GPUs from Ampere on, and no mask such as that of the first generation.
    """
    if device.type != "cuda" or model_type == "chatglm1" or dtype.itemsize != 2 or not has_bfloat16(device):
        return "sdpa"
    return "flash_attention_2" if is_flash_attn_2_available() else "sdpa"


@contextmanager
def failures(doing: str) -> Iterator[None]:
    """Whatever torch raises while `doing` something, as one sentence."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _exhausted(doing) from error
    except RuntimeError as error:
        if re.search(r"out of memory|can't allocate memory|not enough memory|ALLOC_FAILED", str(error)):
            raise _exhausted(doing) from error
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ReaderError(
            f"The model failed while {doing} ({first_line}); choose another precision, device or model."
        ) from error
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
        raise ReaderError(
            f"The model failed while {doing} ({type(error).__name__}: {error}); choose another model."
        ) from error


def keep_memory_tight() -> None:
    """Have glibc take blocks of a megabyte and more from the system one by one, and give them back when freed.

    By itself it soon keeps blocks of up to 32 MB for later, in pieces that fit nothing: half a gigabyte for one prompt
    of ChatGLM-6B. Concerns the whole process; does nothing where the C library is another.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, MMAP_BYTES)
        library.malloc_trim(0)


def _exhausted(doing: str) -> OutOfMemory:
    return OutOfMemory(
        f"Memory ran out while {doing}; ask with fewer sources, or choose a smaller model, precision or context."
    )

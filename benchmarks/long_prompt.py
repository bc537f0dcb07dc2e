"""Peak memory of processing a prompt, by its length.

    python benchmarks/long_prompt.py

A small model with random weights reads prompts of 4,096 to 32,768 tokens the way a reader does, each length in a
process of its own. For comparison, the table shows what a length x length mask and the logits of all tokens would
take. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.memory import bytes_of, random_weights
from model.assemble import assemble
from model.device import pick_device
from model.families import Precision
from model.generate import generate
from model.memory import PROMPT_CHUNK
from rag.reader import Sampling

LENGTHS = (4_096, 8_192, 16_384, 32_768)
MB = 1_000_000
VOCABULARY = 65_024


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="prompt lengths in tokens")
    parser.add_argument("--hidden", type=int, default=256, help="hidden size of the model (256)")
    parser.add_argument("--layers", type=int, default=2, help="layers of the model (2)")
    parser.add_argument("--chunk", type=int, default=PROMPT_CHUNK, help="prompt tokens processed at a time")
    parser.add_argument("--device", default="auto", help="as in app.py (auto)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options, options.one)))
        return
    rows = [in_a_process(options, length) for length in options.lengths]
    print("\n".join([" ".join(f"{title:>18}" for title in rows[0])] + [line(row) for row in rows]))
    print(json.dumps({"torch": torch.__version__, "chunk": options.chunk, "rows": rows}))


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    return " ".join(f"{value:>18,}" if isinstance(value, int) else f"{value:>18}" for value in row.values())


def in_a_process(options: argparse.Namespace, length: int) -> dict[str, Any]:
    """The result of `measure` in a fresh process, so that no earlier memory use is counted."""
    given = ("hidden", "layers", "chunk", "device")
    arguments = [text for name in given for text in (f"--{name}", str(getattr(options, name)))]
    command = [sys.executable, __file__, "--one", str(length), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(options: argparse.Namespace, length: int) -> dict[str, Any]:
    """Read one prompt and generate one token: megabytes above those of the idle model, and seconds."""
    device = pick_device(options.device)
    config = config_of(options, length)
    with torch.no_grad():
        model = assemble(config, random_weights(config), Precision.BF16, device)
    run(model, PROMPT_CHUNK, options.chunk)  # warm-up: buffers that the libraries allocate once
    reset_peak(device)
    before = now(device)
    start = time.perf_counter()
    run(model, length, options.chunk)
    seconds = time.perf_counter() - start
    cache = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 2 * (length + 1)
    return {
        "tokens": length,
        "peak_mb": round((peak(device) - before) / MB, 1),
        "cache_mb": round(cache / MB, 1),
        "square_mask_mb": round(length * length / MB),
        "all_logits_mb": round(length * VOCABULARY * 2 / MB),
        "model_mb": round(bytes_of(model) / MB),
        "seconds": round(seconds, 1),
        "device": str(device),
    }


def run(model: Any, length: int, chunk: int) -> None:
    """Read a prompt of `length` tokens and generate one."""
    prompt = [5 + at % 1000 for at in range(length)]
    list(generate(model, prompt, Sampling(1, 0), frozenset(), threading.Event(), chunk=chunk))


def config_of(options: argparse.Namespace, length: int) -> Any:
    """A small GLM with the vocabulary size of ChatGLM2 and ChatGLM3."""
    from transformers import GlmConfig

    return GlmConfig(
        vocab_size=VOCABULARY, hidden_size=options.hidden, intermediate_size=3 * options.hidden,
        num_hidden_layers=options.layers, num_attention_heads=options.hidden // 32, num_key_value_heads=2, head_dim=32,
        pad_token_id=0, eos_token_id=1, max_position_embeddings=length + 1,
    )  # fmt: skip


def reset_peak(device: torch.device) -> None:
    """Reset the peak memory counter (`proc_pid_clear_refs`, Linux 4.0 and later)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")


def now(device: torch.device) -> int:
    """Memory in use in bytes: resident on a CPU, allocated on a GPU."""
    return int(torch.cuda.memory_allocated(device)) if device.type == "cuda" else _status("VmRSS")


def peak(device: torch.device) -> int:
    """Peak memory since `reset_peak`, in bytes."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else _status("VmHWM")


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"this system does not report {field}")
    return int(found.group(1)) * 1024


if __name__ == "__main__":
    main()

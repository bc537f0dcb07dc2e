"""Cost of streaming per token, compared with transformers' own `generate`.

    python benchmarks/streaming.py

Both decode the same tokens greedily with one model of random weights: `model.generate`, which returns everything at the
end, and a reader, which yields text piece by piece. Runs alternate and medians are compared, so that other work on the
machine affects both alike. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from transformers import GlmConfig, GlmForCausalLM

from model.device import pick_device
from model.families import PromptFormat, find_family
from model.prompt import ChatMessage
from model.reader import GlmReader, ReaderSettings
from rag.errors import AnswerCut
from rag.reader import Sampling


class ByteTokenizer:
    """Bytes as tokens; every id above them is one of 64 Chinese characters."""

    leading_space = False
    special_tokens: Mapping[str, int] = {"[gMASK]": 256, "<sop>": 257, "<|user|>": 258, "<|assistant|>": 259}

    def encode(self, text: str) -> list[int]:
        """UTF-8 bytes."""
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        """The byte itself, nothing for control tokens, and otherwise a character."""
        if token < 256:
            return bytes([token])
        return b"" if token < 260 else chr(0x4E00 + token % 64).encode()


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="auto", help="as in app.py (auto)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens per answer (64)")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each (9)")
    parser.add_argument("--hidden", type=int, default=1024, help="hidden size of the model (1024)")
    parser.add_argument("--layers", type=int, default=12, help="layers of the model (12)")
    options = parser.parse_args()
    numbers = measure(options)
    print("\n".join(f"{key:>24}  {value}" for key, value in numbers.items()))
    print(json.dumps(numbers))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds per token of both, and the overhead in percent."""
    device = pick_device(options.device)
    reader = random_reader(options.hidden, options.layers, device)
    messages = [ChatMessage("user", "x" * 200)]
    ids = torch.tensor([reader.prompter.ids(messages)], device=device)
    sampling = Sampling(options.tokens, 0)

    def whole() -> None:
        reader.model.generate(ids, max_new_tokens=options.tokens, do_sample=False, eos_token_id=None, pad_token_id=0)

    def streamed() -> None:
        pieces: list[str] = []
        with suppress(AnswerCut):  # as it always is
            pieces.extend(reader.chat(messages, sampling, threading.Event()))
        if len("".join(pieces)) < options.tokens // 2:
            raise RuntimeError("too few characters were streamed")

    seconds: dict[str, list[tuple[float, float]]] = {"generate": [], "streamed": []}
    for _ in range(options.runs + 1):
        seconds["generate"].append(timed(whole))
        seconds["streamed"].append(timed(streamed))

    def each(name: str, clock: int) -> float:
        median = statistics.median(times[clock] for times in seconds[name][1:])
        return median / int(options.tokens)

    return {
        "device": str(device),
        "torch": torch.__version__,
        "parameters": sum(tensor.numel() for tensor in reader.model.parameters()),
        "tokens": options.tokens,
        "runs": options.runs,
        "generate_ms_per_token": round(each("generate", 0) * 1e3, 3),
        "streamed_ms_per_token": round(each("streamed", 0) * 1e3, 3),
        "overhead_percent": round(100 * (each("streamed", 0) / each("generate", 0) - 1), 2),
        "generate_cpu_ms_per_token": round(each("generate", 1) * 1e3, 3),
        "streamed_cpu_ms_per_token": round(each("streamed", 1) * 1e3, 3),
        "cpu_overhead_percent": round(100 * (each("streamed", 1) / each("generate", 1) - 1), 2),
    }


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """(wall-clock, CPU) seconds of one run; other work on the machine hardly affects CPU time."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def random_reader(hidden: int, layers: int, device: torch.device) -> GlmReader:
    """A GLM with random weights behind a reader that never meets a stop id."""
    family = find_family("glm-4-9b-chat")
    if family is None:
        raise RuntimeError("glm-4-9b-chat is missing from the table of models")
    config = GlmConfig(
        vocab_size=65_024, hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
        num_attention_heads=hidden // 64, num_key_value_heads=2, head_dim=64, pad_token_id=0, eos_token_id=1,
        max_position_embeddings=4096,
    )  # fmt: skip
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model: Any = GlmForCausalLM(config)
    model = model.to(device, dtype).eval()
    family = dataclasses.replace(family, prompt=PromptFormat.GLM4)
    return GlmReader(model, ByteTokenizer(), family, ReaderSettings(context_tokens=4096), name="random")


if __name__ == "__main__":
    main()

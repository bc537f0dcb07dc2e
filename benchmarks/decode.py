"""Tokens a second of an answer on the CPU, in INT4, beside llama.cpp on a model of the same shape and bits.

    python -m benchmarks.decode --threads 2

Both run layers as ChatGLM2-6B or GLM-4-9B has them, with random weights and fewer layers; the vocabulary is smaller in
proportion, so that the output matrix takes its usual share. Here: INT4 in groups of 64 and an output matrix in INT8,
as the loader makes them. There: Q4_0, which takes as many bits, and Q8_0, in a GGUF file of the architecture `chatglm`
that is served by a process of its own (package `xllamacpp`). Rounds alternate, and the median of their ratios counts:
other work on the machine slows both. With one thread, processor time is compared too, which other work hardly changes;
threads that wait for each other use some for nothing. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType, quants

from benchmarks.batching import SHAPES

if TYPE_CHECKING:
    from model.batch import Batch

FULL: Final = {"chatglm2-6b": (28, 65_024), "glm-4-9b": (40, 151_552)}  # layers and vocabulary as published
ROTARY: Final = 64  # channels of a head that are rotated
EPSILON: Final = 1e-5
WARM_TOKENS: Final = 8
PROMPT_TOKENS: Final = 32
RANDOM_ROWS: Final = 256  # of a matrix that differ


def shape_of(name: str, layers: int) -> dict[str, Any]:
    """The configuration of a model with some of the layers, and the vocabulary in proportion."""
    full_layers, full_vocabulary = FULL[name]
    vocabulary = full_vocabulary * layers // full_layers // 64 * 64
    return {**SHAPES["glm-4-9b"], "num_hidden_layers": layers, "vocab_size": vocabulary}


# ---- llama.cpp


def write_gguf(path: Path, shape: dict[str, Any]) -> None:
    """A model of this shape with random weights, as llama.cpp's converter writes ChatGLM2 and later."""
    writer = GGUFWriter(str(path), "chatglm")
    hidden, inner, heads = shape["hidden_size"], shape["intermediate_size"], shape["num_attention_heads"]
    groups, channels = shape["num_key_value_heads"], shape["head_dim"]
    writer.add_context_length(8192)
    writer.add_embedding_length(hidden)
    writer.add_block_count(shape["num_hidden_layers"])
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(ROTARY)
    _add_vocabulary(writer, shape["vocab_size"])
    random, width = np.random.default_rng(0), (heads + 2 * groups) * channels
    _add_matrix(writer, random, "token_embd", shape["vocab_size"], hidden, GGMLQuantizationType.Q8_0)
    _add_matrix(writer, random, "output", shape["vocab_size"], hidden, GGMLQuantizationType.Q8_0)
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for layer in range(shape["num_hidden_layers"]):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{norm}.weight", np.ones(hidden, np.float32))
        writer.add_tensor(f"{block}.attn_qkv.bias", np.zeros(width, np.float32))
        for name, rows, columns in (
            ("attn_qkv", width, hidden), ("attn_output", hidden, heads * channels),
            ("ffn_up", 2 * inner, hidden), ("ffn_down", hidden, inner),
        ):  # fmt: skip
            _add_matrix(writer, random, f"{block}.{name}", rows, columns, GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_matrix(
    writer: GGUFWriter,
    random: np.random.Generator,
    name: str,
    rows: int,
    columns: int,
    kind: GGMLQuantizationType,
) -> None:
    """Add a matrix that repeats some random rows: quantising takes long, and the values do not matter to the speed."""
    some = random.standard_normal((min(rows, RANDOM_ROWS), columns), dtype=np.float32) * np.float32(0.02)
    quantised = quants.quantize(some, kind)
    writer.add_tensor(f"{name}.weight", np.resize(quantised, (rows, quantised.shape[1])), raw_dtype=kind)


def _add_vocabulary(writer: GGUFWriter, size: int) -> None:
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    words = [f"▁{number}" for number in range(size - 259)]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *bytes_, *words])
    writer.add_token_scores([0.0] * size)
    writer.add_token_types(kinds + [TokenType.NORMAL] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


@dataclass(frozen=True)
class Speed:
    """Of one answer."""

    tokens_per_second: float  # after the first
    processor_seconds: float  # of all threads, for a token after the first


@dataclass(frozen=True)
class LlamaCpp:
    """A running server."""

    url: str
    process: int

    def answer(self, prompt: list[int], tokens: int) -> Speed:
        """Let it write so many tokens."""
        begun = self._processor_seconds()
        self._complete(prompt, 1)
        first = self._processor_seconds()
        speed = self._complete(prompt, tokens)
        used = self._processor_seconds() - first - (first - begun)
        return Speed(speed, used / (tokens - 1))

    def _complete(self, prompt: list[int], tokens: int) -> float:
        """Tokens a second after the first, as the server counts them."""
        body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        response = httpx.post(f"{self.url}/completion", json=body, timeout=600).raise_for_status()
        return float(response.json()["timings"]["predicted_per_second"])

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def llama_cpp(path: Path, threads: int) -> Iterator[LlamaCpp]:
    """A server over a GGUF file, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.decode", "--serve", str(path), "--threads", str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield LlamaCpp(process.stdout.readline().strip(), process.pid)
        finally:
            process.kill()


def serve(path: str, threads: int) -> None:
    """Serve a GGUF file until the process is ended; its address is the only line of output."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx, parameters.n_parallel = 4096, 1
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


# ---- this project


def quantised_model(shape: dict[str, Any]) -> Any:
    """A model of this shape with random weights, in the modules that the loader puts in at INT4."""
    import torch
    from transformers import GlmConfig

    from model.assemble import empty_model, finish, place
    from model.families import Precision
    from model.weight_layout import Weight

    torch.manual_seed(0)
    config = GlmConfig(**shape, attention_bias=True, max_position_embeddings=8192, pad_token_id=0, rms_norm_eps=EPSILON)
    config.dtype = torch.bfloat16
    model = empty_model(config)
    cpu = torch.device("cpu")
    with torch.no_grad():
        for name, empty in list(model.named_parameters()):
            some = torch.randn(min(len(empty), RANDOM_ROWS), *empty.shape[1:], dtype=torch.bfloat16) * 0.02
            rows = torch.arange(len(empty)) % len(some)
            dense = torch.ones(empty.shape) if "norm" in name else some[rows]
            place(model, name, Weight(dense, None), Precision.INT4, cpu)
    finish(model, cpu, tie=False)
    return model


def answer_here(batch: Batch, prompt: list[int], tokens: int) -> Speed:
    """Let the model write so many tokens."""
    from rag.reader import Sampling

    answer = batch.generate(prompt, Sampling(tokens, 0), frozenset(), threading.Event())
    next(answer)
    began, used = time.perf_counter(), time.process_time()
    count = sum(1 for _ in answer)
    return Speed(count / (time.perf_counter() - began), (time.process_time() - used) / count)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The speeds of both in alternating rounds."""
    import torch

    from model.batch import Batch

    torch.set_num_threads(options.threads)
    shape = shape_of(options.shape, options.layers)
    prompt = [300 + 7 * n % (shape["vocab_size"] - 300) for n in range(options.prompt)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_gguf(path, shape)
        batch = Batch(quantised_model(shape))
        with llama_cpp(path, options.threads) as server:
            server.answer(prompt, WARM_TOKENS)
            answer_here(batch, prompt, WARM_TOKENS)
            rounds = [
                (answer_here(batch, prompt, options.tokens), server.answer(prompt, options.tokens))
                for _ in range(options.rounds)
            ]
    return {
        "shape": options.shape,
        "layers": options.layers,
        "vocabulary": shape["vocab_size"],
        "threads": options.threads,
        "waiting": os.environ.get("OMP_WAIT_POLICY", "as libraries have it"),
        "prompt_tokens": options.prompt,
        "tokens": options.tokens,
        "tokens_per_second": round(median(here.tokens_per_second for here, _ in rounds), 2),
        "llama_cpp_tokens_per_second": round(median(there.tokens_per_second for _, there in rounds), 2),
        "ratio": round(median(here.tokens_per_second / there.tokens_per_second for here, there in rounds), 3),
        "processor_ms_per_token": round(1000 * median(here.processor_seconds for here, _ in rounds), 2),
        "llama_cpp_processor_ms_per_token": round(1000 * median(there.processor_seconds for _, there in rounds), 2),
        "processor_ratio": round(median(there.processor_seconds / here.processor_seconds for here, there in rounds), 3),
    }


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", default="chatglm2-6b", choices=FULL, help="layers (%(default)s)")
    parser.add_argument("--layers", type=int, default=4, help="how many of them (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of both (%(default)s)")
    parser.add_argument("--prompt", type=int, default=PROMPT_TOKENS, help="tokens of the prompt (%(default)s)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each answer (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="answers of each (%(default)s)")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads)
        return
    numbers = measure(options)
    print("\n".join(f"{key:>28}  {value}" for key, value in numbers.items()))
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()

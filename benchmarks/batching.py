"""Several people asking one model at the same time: together in a batch, and one at a time.

    python benchmarks/batching.py

A GLM of real layer shape with random weights and fewer layers answers as many questions as there are people, each with
a prompt of its own, the beginning of which may be the same for all and kept by the prompt cache. Measures tokens a
second of all, processor time, and when people get their first tokens. That is compared with one at a time, and with the
time to read all prompts one after another: a prompt is bound by arithmetic, an answer by reading the weights, which a
batch reads once for all. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from transformers import GlmConfig, GlmForCausalLM

from model.assemble import assemble
from model.batch import Batch
from model.device import pick_device
from model.families import GB, Precision
from model.prompt_cache import PromptBlocks
from model.weight_layout import Weight
from rag.reader import PromptScopes, Sampling

# Layers as published: GLM-4-9B and GLM-Edge-1.5B.
SHAPES: dict[str, dict[str, Any]] = {
    "glm-4-9b": {
        "hidden_size": 4096,
        "intermediate_size": 13696,
        "num_attention_heads": 32,
        "num_key_value_heads": 2,
        "head_dim": 128,
    },
    "glm-edge-1.5b": {
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 128,
    },
}


@dataclass(frozen=True)
class Run:
    """What one way of answering took."""

    seconds: float  # until the last token of all
    cpu: float  # seconds of processor time
    firsts: list[float]  # seconds until the first token of each person


def random_model(options: argparse.Namespace) -> Any:
    """A model with random weights in bfloat16, or in INT4 as the loader makes it."""
    torch.manual_seed(0)
    config = GlmConfig(
        vocab_size=options.vocab,
        num_hidden_layers=options.layers,
        max_position_embeddings=32768,
        pad_token_id=0,
        **SHAPES[options.shape],
    )
    device, previous = pick_device(options.device), torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            model: Any = GlmForCausalLM(config)
    finally:
        torch.set_default_dtype(previous)
    model.eval()
    if not options.int4:
        return model
    # The loader quantises an embedding on the CPU.
    tensors = ((name, one.cpu() if "embed" in name else one) for name, one in model.state_dict().items())
    return assemble(config, ((name, Weight(values)) for name, values in tensors), Precision.INT4, device)


def add_model_options(parser: argparse.ArgumentParser, layers: int) -> None:
    """The options of `random_model`."""
    parser.add_argument(
        "--shape", default="glm-4-9b", choices=SHAPES, help="layers; ChatGLM2-6B's are those of glm-4-9b (glm-4-9b)"
    )
    parser.add_argument("--layers", type=int, default=layers, help=f"how many of them ({layers})")
    parser.add_argument("--vocab", type=int, default=8192, help="size of the vocabulary (8192)")
    parser.add_argument("--int4", action="store_true", help="linear layers in INT4")
    parser.add_argument("--device", default="cpu", help="as in app.py (cpu)")


def described(options: argparse.Namespace) -> dict[str, Any]:
    """What the figures were measured on."""
    device = pick_device(options.device)
    return {
        "shape": options.shape,
        "layers": options.layers,
        "precision": "int4" if options.int4 else "bf16",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads",
    }


Tokens = Callable[[list[int], Sampling], Iterator[int]]


def one_at_a_time(tokens: Tokens, prompts: list[list[int]], sampling: Sampling) -> Run:
    """The first person's whole answer, then the second's, and so on."""
    began, cpu, firsts = time.perf_counter(), time.process_time(), []
    for prompt in prompts:
        answer = tokens(prompt, sampling)
        next(answer)
        firsts.append(time.perf_counter() - began)
        for _ in answer:
            pass
    return Run(time.perf_counter() - began, time.process_time() - cpu, firsts)


def at_once(tokens: Tokens, prompts: list[list[int]], sampling: Sampling) -> Run:
    """All ask at the same moment."""
    began, cpu = time.perf_counter(), time.process_time()

    def person(prompt: list[int]) -> float:
        answer = tokens(prompt, sampling)
        next(answer)
        first = time.perf_counter() - began
        for _ in answer:
            pass
        return first

    with ThreadPoolExecutor(len(prompts)) as people:
        firsts = list(people.map(person, prompts))
    return Run(time.perf_counter() - began, time.process_time() - cpu, firsts)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of both ways."""
    model = random_model(options)
    torch.manual_seed(1)
    common = torch.randint(10, options.vocab, (options.shared,)).tolist()
    own = [torch.randint(10, options.vocab, (options.prompt - options.shared,)) for _ in range(options.people)]
    prompts = [[*common, *ids.tolist()] for ids in own]
    sampling = Sampling(options.tokens, 0)
    one_at_a_time(_tokens(model, options), prompts[:1], Sampling(4, 0))  # warm
    reading = one_at_a_time(_tokens(model, options), prompts, Sampling(1, 0)).seconds
    single = one_at_a_time(_tokens(model, options), prompts, sampling)
    together = at_once(_tokens(model, options), prompts, sampling)
    produced = options.people * options.tokens
    return {
        **described(options),
        "people": options.people,
        "prompt_tokens": options.prompt,
        "of_these_shared": options.shared,
        "answer_tokens": options.tokens,
        "one_at_a_time_tokens_per_second": round(produced / single.seconds, 2),
        "together_tokens_per_second": round(produced / together.seconds, 2),
        "throughput_ratio": round(single.seconds / together.seconds, 2),
        "cpu_ratio": round(single.cpu / together.cpu, 2),
        "mean_first_token_one_at_a_time_s": round(mean(single.firsts), 2),
        "mean_first_token_together_s": round(mean(together.firsts), 2),
        "last_first_token_one_at_a_time_s": round(max(single.firsts), 2),
        "last_first_token_together_s": round(max(together.firsts), 2),
        "reading_all_prompts_s": round(reading, 2),
        "last_first_token_over_one_at_a_time": round(max(together.firsts) / max(single.firsts), 2),
        "last_first_token_over_reading": round(max(together.firsts) / reading, 2),
    }


def _tokens(model: Any, options: argparse.Namespace) -> Tokens:
    """Generates with an empty prompt cache, which keeps what prompts share."""
    never, scopes = threading.Event(), PromptScopes("all", None)
    batch = Batch(model, prompt_cache_bytes=GB if options.shared else 0)

    def tokens(ids: list[int], sampling: Sampling) -> Iterator[int]:
        return batch.generate(PromptBlocks(list(ids), scopes, options.shared), sampling, frozenset(), never)

    return tokens


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_model_options(parser, layers=4)
    parser.add_argument("--people", type=int, default=8, help="who ask at the same time (8)")
    parser.add_argument("--prompt", type=int, default=128, help="tokens of each prompt (128)")
    parser.add_argument("--shared", type=int, default=0, help="tokens that all prompts begin with (0)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each answer (64)")
    parser.add_argument("--no-graphs", action="store_true", help="on a GPU, launch each kernel of a pass by itself")
    options = parser.parse_args()
    with patch("model.recorded.can_record", return_value=False) if options.no_graphs else nullcontext():
        numbers = measure(options)
    print("\n".join(f"{key:>38}  {value}" for key, value in numbers.items()))
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()

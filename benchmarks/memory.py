"""Peak memory of a GLM at full size.

    python benchmarks/memory.py chatglm2-6b int4 8192

Builds a model of the published size with random weights, one tensor at a time, with the loader that checkpoints use;
then processes the last chunk of a prompt that fills the context, and generates an answer. To take minutes instead of
an hour on a CPU, the KV cache of all chunks but the last is filled with random values instead of being computed; a
ChatGLM-6B prompt is processed in one piece, so there all of it is computed. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from model.assemble import assemble, empty_model
from model.checkpoint import LazyMatrix
from model.device import pick_device, release_freed_memory
from model.families import GB, CheckpointLayout, KvPrecision, ModelDimensions, Precision, find_family
from model.kept import KeptModels
from model.kv_cache import preallocated_cache
from model.memory import PROMPT_CHUNK, needed_bytes
from model.outliers import keep_outliers
from model.passes import Piece, run_together
from model.sampling import make_sampler
from model.weight_layout import Weight
from rag.reader import Sampling

ANSWER = 8  # tokens
SAMPLE_TOKENS = 190  # of the text that shows the loader which columns to keep exact
FIRST = "chatglm1"  # model type of the first generation, which reads a prompt in one piece


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("family", help="a model name of model/families.py")
    parser.add_argument("precision", choices=[*Precision], help="of the weights")
    parser.add_argument("context", type=int, help="tokens of prompt and answer together")
    parser.add_argument("--kv", type=KvPrecision, default=KvPrecision.FULL, help="of keys and values: full or int8")
    parser.add_argument("--device", default="auto", help="as in app.py (auto)")
    parser.add_argument("--layers", type=int, help="fewer layers than the model has, for a quick run")
    parser.add_argument("--kept", type=Path, help="folder to keep the quantised model in, as the loader does")
    options = parser.parse_args()
    family = find_family(options.family)
    if family is None:
        parser.error(f"unknown model {options.family}")
    print(report(family.dimensions, family.layout, options))


def report(dimensions: ModelDimensions, layout: CheckpointLayout, options: argparse.Namespace) -> str:
    """Build the model, run it, and return the table and the JSON line."""
    device, precision = pick_device(options.device), Precision(options.precision)
    config = config_of(dimensions, layout, options.layers or dimensions.layers, options.context)
    before, free = peak(device), free_on_gpu(device)
    start = time.perf_counter()
    with torch.no_grad():
        model = assembled(config, precision, device, options)
    load_seconds, load_peak, size = time.perf_counter() - start, peak(device), bytes_of(model)
    start = time.perf_counter()
    first_seconds, token_seconds = answer(model, options.context, options.kv)
    numbers: dict[str, Any] = {
        "family": options.family,
        "precision": precision.value,
        "context": options.context,
        "layers": config.num_hidden_layers,
        "device": str(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "libraries_gb": before,
        "model_gb": size / GB,
        "cache_gb": options.context * dimensions.kv_bytes_per_token(kv=options.kv) / GB,
        "load_peak_gb": load_peak,
        "peak_gb": peak(device),
        "gpu_gb": (free - free_on_gpu(device)) / GB,
        "estimate_gb": needed_bytes(dimensions, precision, options.context, device, options.kv) / GB,
        "load_seconds": load_seconds,
        "last_chunk_seconds": first_seconds,
        "token_seconds": token_seconds,
    }
    shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in numbers.items()}
    return "\n".join(f"{key:>20}  {value}" for key, value in shown.items()) + "\n" + json.dumps(shown)


def assembled(config: Any, precision: Precision, device: torch.device, options: argparse.Namespace) -> Any:
    """The model, read from the folder of --kept if an earlier run kept it there."""
    if options.kept is None:
        return quantised(config, precision, device)
    kept, key = KeptModels(options.kept), f"{options.family}-{precision}-{config.num_hidden_layers}"
    model = kept.load(key, config, precision)
    if model is None:
        model = quantised(config, precision, device)
        kept.keep(key, model)
        release_freed_memory()  # as the loader does
    return model


def quantised(config: Any, precision: Precision, device: torch.device) -> Any:
    """The model from its random weights, with the columns that the loader keeps exact."""
    model = assemble(config, random_weights(config), precision, device)
    if precision is Precision.INT4 and device.type == "cpu":
        keep_outliers(model, random_weights(config), prompt_of(config, SAMPLE_TOKENS))
    return model


def config_of(dimensions: ModelDimensions, layout: CheckpointLayout, layers: int, context: int) -> Any:
    """A configuration with these dimensions, of the class that runs it."""
    common: dict[str, Any] = {
        "vocab_size": dimensions.vocab, "hidden_size": dimensions.hidden, "intermediate_size": dimensions.ffn,
        "num_hidden_layers": layers, "num_attention_heads": dimensions.heads, "max_position_embeddings": context,
    }  # fmt: skip
    if layout is CheckpointLayout.CHATGLM1:
        from model.chatglm1 import ChatGLM1Config

        return ChatGLM1Config(**common)
    from transformers import GlmConfig

    return GlmConfig(
        **common, num_key_value_heads=dimensions.groups, head_dim=dimensions.head_dim, pad_token_id=0, eos_token_id=1
    )


class RandomMatrix(LazyMatrix):
    """A float16 matrix of noise, generated when rows are read, as a matrix on disk would be."""

    def __init__(self, shape: torch.Size, noise: torch.Tensor) -> None:
        self.shape, self.dtype, self._noise = shape, noise.dtype, noise

    def __getitem__(self, rows: slice) -> torch.Tensor:
        """The rows of a slice."""
        count = len(range(*rows.indices(len(self)))) * self.shape[1]
        return self._noise.repeat(count // len(self._noise) + 1)[:count].view(-1, self.shape[1])


def random_weights(config: Any) -> Iterator[tuple[str, Weight]]:
    """Every tensor of the model in float16, as published."""
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).mul_(0.02).half()
    for name, empty in empty_model(config).state_dict().items():
        if empty.dim() > 1:
            yield name, Weight(RandomMatrix(empty.shape, noise))
        else:
            yield name, Weight(torch.ones(empty.shape) if name.endswith("norm.weight") else noise[: empty.numel()])


def prompt_of(config: Any, tokens: int) -> list[int]:
    """A prompt of so many tokens."""
    prompt = [5] * tokens
    if config.model_type == FIRST:
        prompt[-2:] = [config.gmask_token_id, config.bos_token_id]
    return prompt


def answer(model: Any, context: int, kv: KvPrecision) -> tuple[float, float]:
    """Fill the context and generate: seconds for the last chunk of the prompt, and per generated token."""
    prompt = prompt_of(model.config, context - ANSWER)
    computed = len(prompt) if model.config.model_type == FIRST else min(len(prompt), PROMPT_CHUNK)
    cache = preallocated_cache(model.config, context, kv=kv)
    _fill(model, cache, len(prompt) - computed)
    start = time.perf_counter()
    with torch.inference_mode():
        scores = run_together(model, [Piece(prompt, computed, cache)], threading.Event().is_set)[0]
    first = time.perf_counter() - start
    sample = make_sampler(Sampling(temperature=0), prompt)
    start = time.perf_counter()
    for _ in range(ANSWER):
        prompt.append(sample(scores))
        scores = run_together(model, [Piece(prompt, 1, cache)], threading.Event().is_set)[0]
    if threading.active_count() > 1:
        raise RuntimeError("generation must not leave threads behind")
    return first, (time.perf_counter() - start) / ANSWER


def _fill(model: Any, cache: Any, tokens: int) -> None:
    """Put random keys and values of `tokens` tokens into the KV cache."""
    if not tokens:
        return
    config = model.config
    shape = (1, config.num_key_value_heads, tokens, config.head_dim)
    dtype = model.dtype
    with torch.inference_mode():
        for layer in range(config.num_hidden_layers):
            states = torch.randn(shape, dtype=dtype, device=model.device)
            cache.update(states, states, layer)


def bytes_of(model: Any) -> int:
    """Bytes of a model's tensors; a shared tensor is counted once."""
    tensors = {tensor.data_ptr(): tensor for tensor in (*model.parameters(), *model.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def peak(device: torch.device) -> float:
    """Peak memory of this process so far in GB: resident on a CPU, reserved on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / GB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB


def free_on_gpu(device: torch.device) -> int:
    """Memory in bytes that no program has taken; 0 on a CPU."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


if __name__ == "__main__":
    main()

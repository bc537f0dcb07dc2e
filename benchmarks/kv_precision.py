"""Keys and values in INT8 beside those as they are computed: what it costs in quality, and in time.

    python benchmarks/kv_precision.py quality MODEL.gguf TEXT.txt
    python benchmarks/kv_precision.py speed --tokens 8192

The first reads a text with a small model of transformers, and compares the logits after each token. The second measures
a token of an answer with both, in turns, in a GLM of real layer shape with random weights. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch.nn import functional

from benchmarks.batching import add_model_options, random_model
from model.families import KvPrecision
from model.kv_cache import preallocated_cache
from model.ragged import ONE_TOKEN, RaggedCache, ragged_attention

ROUNDS = 5


def main() -> None:
    """Run one of the two and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("quality")
    one.add_argument("model", type=Path, help="a model in GGUF that transformers reads")
    one.add_argument("text", type=Path)
    one.add_argument("--length", type=int, default=1024, help="tokens read at a time (1024)")
    one.add_argument("--pieces", type=int, default=4, help="how many of them (4)")
    one.add_argument("--skip", type=int, default=0, help="pieces that are left out before them (0)")
    one.set_defaults(measure=quality)
    other = commands.add_parser("speed")
    add_model_options(other, layers=2)
    other.add_argument("--tokens", type=int, default=8192, help="of the prompt (8192)")
    other.set_defaults(measure=speed)
    options = parser.parse_args()
    print(json.dumps(options.measure(options)))


@torch.inference_mode()
def quality(options: argparse.Namespace) -> dict[str, Any]:
    """Perplexity with both, and how far the logits differ."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = {"pretrained_model_name_or_path": options.model.parent, "gguf_file": options.model.name}
    model, tokenizer = AutoModelForCausalLM.from_pretrained(**files), AutoTokenizer.from_pretrained(**files)
    ids = tokenizer(options.text.read_text(encoding="utf-8"))["input_ids"]
    starts = range(options.skip * options.length, (options.skip + options.pieces) * options.length, options.length)
    pieces = [torch.tensor([ids[start : start + options.length]]) for start in starts]
    losses: dict[KvPrecision, list[float]] = {kv: [] for kv in KvPrecision}
    furthest, same, divergence = 0.0, [], []
    for piece in pieces:
        logits = {}
        for kv in KvPrecision:
            cache = preallocated_cache(model.config, options.length, kv=kv)
            logits[kv] = model(piece, past_key_values=cache, use_cache=True).logits[0, :-1].log_softmax(-1)
            losses[kv].append(float(functional.nll_loss(logits[kv], piece[0, 1:])))
        exact, found = logits[KvPrecision.FULL], logits[KvPrecision.INT8]
        furthest = max(furthest, float((exact - found).abs().max()))
        same.append(float((exact.argmax(-1) == found.argmax(-1)).float().mean()))
        divergence.append(float((exact.exp() * (exact - found)).sum(-1).mean()))
    perplexity = {kv: torch.tensor(losses[kv]).mean().exp().item() for kv in KvPrecision}
    return {
        "tokens": options.length * options.pieces,
        "perplexity": {kv.value: round(number, 4) for kv, number in perplexity.items()},
        "largest_difference_of_a_log_probability": round(furthest, 4),
        "same_first_choice": round(statistics.mean(same), 5),
        "divergence": round(statistics.mean(divergence), 7),
    }


@torch.inference_mode()
def speed(options: argparse.Namespace) -> dict[str, Any]:
    """Processor time of a token of an answer with both, in turns."""
    model = random_model(options)
    caches = {kv: _filled(model, options.tokens, kv) for kv in KvPrecision}
    seconds: dict[KvPrecision, list[float]] = {kv: [] for kv in KvPrecision}
    for _ in range(ROUNDS):
        for kv, cache in caches.items():
            began = time.process_time()
            _step(model, cache)
            seconds[kv].append(time.process_time() - began)
    full, short = (min(seconds[kv]) for kv in KvPrecision)
    return {
        "shape": options.shape,
        "layers": options.layers,
        "tokens": options.tokens,
        "threads": torch.get_num_threads(),
        "milliseconds": {kv.value: round(1000 * min(times), 2) for kv, times in seconds.items()},
        "speed_of_int8": round(full / short, 3),
    }


def _filled(model: Any, tokens: int, kv: KvPrecision) -> Any:
    """A cache of random keys and values."""
    cache = preallocated_cache(model.config, tokens + ROUNDS, kv=kv)
    shape = (1, model.config.num_key_value_heads, tokens, model.config.head_dim)
    for layer in range(model.config.num_hidden_layers):
        cache.update(torch.randn(shape).to(model.dtype), torch.randn(shape).to(model.dtype), layer)
    return cache


def _step(model: Any, cache: Any) -> None:
    """One token of an answer, as `model.batch` computes it."""
    position, ragged = torch.tensor([[int(cache.get_seq_length())]]), RaggedCache([cache], [ONE_TOKEN])
    with ragged_attention(model, ragged):
        model(
            input_ids=torch.tensor([[5]]),
            position_ids=position,
            past_key_values=ragged,
            use_cache=True,
            logits_to_keep=1,
        )


if __name__ == "__main__":
    main()

"""A second question over the sources of the first: time to its first token, with what was computed for them kept.

    python benchmarks/followup.py

A GLM of real layer shape with random weights and fewer layers reads a prompt of sources and a question, then one of the
same sources and another question. Both times grow with the number of layers alike, so their ratio is that of the whole
model. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.batching import add_model_options, described, random_model
from model.batch import Batch
from model.prompt_cache import PromptBlocks
from rag.reader import PromptScopes, Sampling

EVERYBODY = PromptScopes("documents", "person")
CACHE_BYTES = 8_000_000_000


def first_token(batch: Batch, sources: list[int], question: int, length: int, vocab: int) -> tuple[float, int]:
    """Seconds to the first token of an answer, and how many tokens of the prompt were kept from before."""
    torch.manual_seed(question)
    ids = [*sources, *torch.randint(10, vocab, (length,)).tolist()]
    blocks = PromptBlocks(ids, EVERYBODY, len(sources))
    began = time.perf_counter()
    answer = batch.generate(blocks, Sampling(8, 0), frozenset(), threading.Event())
    next(answer)
    seconds = time.perf_counter() - began
    for _ in answer:
        pass
    return seconds, blocks.reused


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The figures."""
    model = random_model(options)
    batch = Batch(model, prompt_cache_bytes=CACHE_BYTES)
    sources = torch.randint(10, options.vocab, (options.sources,)).tolist()
    first_token(batch, sources[:128], 0, options.question, options.vocab)  # warm
    batch.prompt_cache.clear()
    first, _ = first_token(batch, sources, 1, options.question, options.vocab)
    following = [first_token(batch, sources, at, options.question, options.vocab) for at in range(2, 5)]
    second = following[0][0]
    return {
        **described(options),
        "sources_tokens": options.sources,
        "question_tokens": options.question,
        "first_token_of_first_s": round(first, 2),
        "first_token_of_second_s": round(second, 2),
        "first_token_of_next_two_s": [round(seconds, 2) for seconds, _ in following[1:]],
        "ratio": round(second / first, 3),
        "tokens_kept": following[0][1],
        "kept_mb": round(batch.prompt_cache.usage.bytes / 1e6, 1),
    }


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_model_options(parser, layers=2)
    parser.add_argument("--sources", type=int, default=8192, help="tokens of instruction and sources (8192)")
    parser.add_argument("--question", type=int, default=128, help="tokens of each question, with what follows it (128)")
    numbers = measure(parser.parse_args())
    print("\n".join(f"{key:>26}  {value}" for key, value in numbers.items()))
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()

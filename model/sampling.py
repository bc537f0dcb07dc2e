"""Chooses the next token: repetition penalty, temperature, top-k and top-p, and what a checkpoint recommends for them.

The steps and their order are those of transformers' `generate`, for which the published numbers are meant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from model.checkpoint import read_json
from model.families import GREEDY, SamplingDefaults
from rag.errors import ReaderError
from rag.reader import Sampling

TOP_CANDIDATES: Final = 1024  # tokens searched first for the nucleus, before the whole vocabulary is sorted
GREEDY_BELOW: Final = 1e-5  # temperature below which logits would overflow; as in vLLM
# What is accepted from a generation_config.json: lowest and highest value. A top_k of 0 means all tokens.
_RANGES: Final = {
    "temperature": (0.0, 5.0),
    "top_p": (0.01, 1.0),
    "top_k": (0, 1_000_000),
    "repetition_penalty": (0.5, 2.0),
}


def recommended_sampling(folder: Path, family: SamplingDefaults) -> SamplingDefaults:
    """How the makers of a checkpoint recommend to sample: by its `generation_config.json`, else as its family.

    A file that gives one of the numbers, or turns sampling off, replaces them all. Raises CheckpointRefused if it is
    not JSON.
    """
    path = folder / "generation_config.json"
    content = read_json(path) if path.exists() else {}
    if content.get("do_sample") is False:
        return GREEDY
    given = {name: content[name] for name, (low, high) in _RANGES.items() if _is_within(content.get(name), low, high)}
    return SamplingDefaults(**given) if given else family


def _is_within(value: Any, low: float, high: float) -> bool:
    """Whether a value is a number in a range; it must be whole if the lowest value is."""
    return isinstance(value, (int, type(low))) and not isinstance(value, bool) and low <= value <= high


def completed(sampling: Sampling, defaults: SamplingDefaults) -> Sampling:
    """`sampling`, with the numbers that nobody chose filled in."""
    return dataclasses.replace(sampling, **dataclasses.asdict(_chosen(sampling, defaults)))


def _chosen(sampling: Sampling, defaults: SamplingDefaults) -> SamplingDefaults:
    wanted = {field.name: getattr(sampling, field.name) for field in dataclasses.fields(defaults)}
    return dataclasses.replace(defaults, **{name: value for name, value in wanted.items() if value is not None})


def make_sampler(sampling: Sampling, prompt: Sequence[int]) -> Callable[[torch.Tensor], int]:
    """A function from the logits (vocab,) after `prompt`, then after each token that it gave, to the next token.

    It works on the CPU, so that a seed means the same on every device, and belongs to one answer: generator and
    repetitions are its own. Raises ReaderError for logits that are not finite.
    """
    chosen = _chosen(sampling, SamplingDefaults())
    generator = torch.Generator()
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)
    seen = set(prompt) if chosen.repetition_penalty != 1 else set()

    def sample(logits: torch.Tensor) -> int:
        if not bool(torch.isfinite(logits).all()):
            raise ReaderError("The model's logits are not finite, as happens when fp16 overflows; choose bf16.")
        if chosen.repetition_penalty != 1:
            logits = penalised(logits, sorted(seen), chosen.repetition_penalty)
        token = _draw(logits, chosen, generator)
        seen.add(token)
        return token

    return sample


def _draw(logits: torch.Tensor, chosen: SamplingDefaults, generator: torch.Generator) -> int:
    if chosen.temperature < GREEDY_BELOW:
        return int(logits.argmax())
    tokens, probabilities = nucleus(logits / chosen.temperature, chosen.top_p, chosen.top_k)
    return int(tokens[torch.multinomial(probabilities, 1, generator=generator)])


def penalised(logits: torch.Tensor, seen: Sequence[int], penalty: float) -> torch.Tensor:
    """Logits (vocab,) with those of `seen` tokens divided by `penalty`, or multiplied where they are negative.

    Keskar et al. 2019, "CTRL", arXiv:1909.05858, section 4.1, as transformers' `RepetitionPenaltyLogitsProcessor` has
    it. `seen` may hold a token once only.
    """
    index = torch.tensor(seen, dtype=torch.long)
    scores = logits[index]
    return logits.index_put((index,), torch.where(scores < 0, scores * penalty, scores / penalty))


def nucleus(logits: torch.Tensor, top_p: float, top_k: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest set of the `top_k` best tokens whose probabilities sum to at least `top_p`, at least one token.

    `top_k`: 0 for all tokens; probabilities are those among the `top_k`. Returns token ids and their probabilities,
    (kept,) each, most probable first; the probabilities are not normalised again. Top-p sampling, Holtzman et al. 2020,
    arXiv:1904.09751; top-k, Fan et al. 2018, arXiv:1805.04833. Sorts the whole vocabulary only if it has to.
    """
    most = min(top_k or len(logits), len(logits))
    if most < len(logits):
        logits, tokens_of = logits.topk(most)
        tokens, probabilities = nucleus(logits, top_p)
        return tokens_of[tokens], probabilities
    total = logits.logsumexp(0)
    for count in (min(TOP_CANDIDATES, most), most):
        best, tokens = logits.topk(count)
        probabilities = (best - total).exp()
        before = probabilities.cumsum(0) - probabilities
        kept = int((before < top_p).sum())
        if kept < count:
            break
    kept = max(kept, 1)
    return tokens[:kept], probabilities[:kept]

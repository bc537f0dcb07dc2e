"""Keeps exact, in each INT4 matrix, the few columns whose inputs are largest.

In a language model a few input channels are many times as large as all others (Dettmers et al. 2022, arXiv:2208.07339),
so a matrix loses most by the errors of their columns (benchmarks/LOG.md). Which channels they are is found by
running a sample of text through the quantised model; then those columns are read from the checkpoint once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch

from model.families import EXACT_COLUMNS
from model.generate import forward
from model.kv_cache import preallocated_cache
from model.quantise import Int4Linear
from model.weight_layout import Weight

ROWS_AT_A_TIME: Final = 1024  # read from the checkpoint
SAMPLE: Final = (
    "The annual report for 2023 describes what the company sells, where it operates and which risks it faces. Net sales"
    " rose by 4.2% to $1,318 million, mainly because of higher prices; operating costs were 61% of sales. According to"
    " the agreement, either party may end the lease with three months' notice, in writing, unless the rent has not been"
    " paid. Who was responsible for the bridge, and when was it opened to the public?"
    " 根据合同第十二条，双方应当在三十日内书面通知对方。2022年公司营业收入为56.7亿元，比上年增长8.3%。"
)


def sample_ids(prompt: Callable[[str], Sequence[int]], context: int, vocabulary: int) -> list[int]:
    """The tokens of a prompt with as much of the sample as fits `context`; none if the model lacks some of them."""
    text = SAMPLE
    while len(ids := prompt(text)) >= context and text:
        text = text[: len(text) // 2]
    return list(ids) if ids and len(ids) < context and max(ids) < vocabulary else []


def keep_outliers(model: Any, weights: Iterable[tuple[str, Weight]], ids: Sequence[int]) -> None:
    """Keep exact what matters most in the INT4 matrices of a model on the CPU.

    `weights`: all of them as published, one at a time; those published as integers stay as they are. `ids`: of a text.
    """
    sizes = input_sizes(model, ids)
    for name, weight in weights:
        layer = name.removesuffix(".weight")
        if layer in sizes and weight.scale is None:
            columns = sizes[layer].topk(min(EXACT_COLUMNS, len(sizes[layer]))).indices
            model.get_submodule(layer).keep_exact(columns, _columns(weight, columns))


def input_sizes(model: Any, ids: Sequence[int]) -> dict[str, torch.Tensor]:
    """How large each input of each INT4 matrix is for a text, as `shares` has it, by the name of the matrix."""
    sizes: dict[str, torch.Tensor] = {}
    with _observed(model, sizes):
        forward(model, list(ids), len(ids), preallocated_cache(model.config, len(ids) + 1))
    return sizes


def shares(states: torch.Tensor) -> torch.Tensor:
    """(..., channels) -> (channels): what a channel has of the sum of squares of a token, summed over the tokens.

    Not the squares themselves: some models give the first token inputs a thousand times as large as all others.
    """
    rows = states.reshape(-1, states.shape[-1]).float()
    return torch.nn.functional.normalize(rows, dim=-1).square().sum(0)


@contextmanager
def _observed(model: Any, sizes: dict[str, torch.Tensor]) -> Iterator[None]:
    def observe(path: str) -> Callable[[Any, tuple[torch.Tensor]], None]:
        def hook(_: Any, inputs: tuple[torch.Tensor]) -> None:
            sizes[path] = shares(inputs[0])

        return hook

    layers = [(path, module) for path, module in model.named_modules() if isinstance(module, Int4Linear)]
    hooks = [module.register_forward_pre_hook(observe(path)) for path, module in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _columns(weight: Weight, columns: torch.Tensor) -> torch.Tensor:
    """Some columns of a matrix, (out, columns)."""
    rows = range(0, len(weight.values), ROWS_AT_A_TIME)
    return torch.cat([weight.dense_rows(slice(start, start + ROWS_AT_A_TIME))[:, columns] for start in rows])

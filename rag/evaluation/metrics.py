"""Retrieval metrics: recall@k, mean reciprocal rank and latency from the ranks and times of questions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from rag.records import Source

CUTS = (1, 3, 5, 10, 20)  # default k of recall@k


def covers(source: Source, pages: Collection[int]) -> bool:
    """Whether a source covers any of these pages (from 0)."""
    return any(source.first_page <= page <= source.last_page for page in pages)


def first_right(sources: Iterable[Source], is_right: Callable[[Source], bool]) -> int | None:
    """Rank of the first source on a correct page, from 1; None if there is none."""
    return next((rank for rank, source in enumerate(sources, 1) if is_right(source)), None)


def recall(ranks: Collection[int | None], k: int) -> float:
    """Share of the questions with a correct page among the first k sources, 0..1; 0 without questions."""
    return sum(within(rank, k) for rank in ranks) / max(len(ranks), 1)


def within(rank: int | None, k: int) -> bool:
    """Whether a correct page was among the first k sources."""
    return rank is not None and rank <= k


def mrr(ranks: Collection[int | None]) -> float:
    """Mean reciprocal rank, 0..1; a question whose correct page was not found counts 0."""
    return sum(1 / rank for rank in ranks if rank) / max(len(ranks), 1)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds per question."""

    median: float
    p95: float  # 95th percentile: the smallest time that 95% of the questions did not exceed


def latency(seconds: Sequence[float]) -> Latency:
    """Median and 95th percentile, in milliseconds; 0 without questions."""
    ms = sorted(one * 1000 for one in seconds) or [0.0]
    return Latency(statistics.median(ms), ms[math.ceil(len(ms) * 95 / 100) - 1])

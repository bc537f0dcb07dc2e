"""The scales of tables and answers, by name, and their factors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.records import ShortAnswer

FACTORS: Final = {"thousand": 1e3, "ten thousand": 1e4, "million": 1e6, "hundred million": 1e8, "billion": 1e9}
_SENTENCE_END: Final = re.compile(r"(?<=[a-z]{4})\.$|。$")  # not that of "Inc."


def printed_values(short: ShortAnswer) -> tuple[str, ...]:
    """Each value of a short answer with its scale, in English: "$1,577 million", "7.1%"."""
    if short.scale == "percent":
        return tuple(value if "%" in value else f"{value}%" for value in short.values)
    return tuple(f"{value} {short.scale}".strip() for value in short.values)


def named_values(short: ShortAnswer) -> tuple[str, ...]:
    """The same, each after its name if it has one: "2022: $1,577 million"."""
    values = printed_values(short)
    return tuple(f"{name}: {value}" for name, value in zip(short.names, values, strict=True)) if short.names else values


def in_one_line(values: Sequence[str]) -> str:
    """Values as one line, of several sentences without their full stops: "It may fail; it may burn"."""
    return "; ".join(_SENTENCE_END.sub("", value) for value in values) if len(values) > 1 else "".join(values)

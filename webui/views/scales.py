"""A figure with its scale, as each language counts: 15 亿 for 1.5 billion, and 12.5 million for 1250 万."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from webui.strings import Language, say

_UNITS: Final[Mapping[Language, Mapping[str, Decimal]]] = MappingProxyType(
    {
        "en": {"billion": Decimal(10**9), "million": Decimal(10**6), "thousand": Decimal(10**3)},
        "zh": {"hundred million": Decimal(10**8), "ten thousand": Decimal(10**4)},
    }
)
_FACTORS: Final = {scale: factor for units in _UNITS.values() for scale, factor in units.items()}
_FIGURE: Final = re.compile(r"\d(?:[\d.,]*\d)?")
_NUMBER: Final = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")  # a figure as English and Chinese write it


def scaled(value: str, scale: str, language: Language) -> str:
    """The value of a short answer, such as "$1,577", with its scale; "" is the scale of a value that has none.

    It is converted if the language counts in other units. What cannot be read as numbers stays in the document's unit.
    """
    if scale in _FACTORS and scale not in _UNITS[language]:
        figures = _FIGURE.findall(value)
        if figures and all(map(_NUMBER.fullmatch, figures)):
            scale, factor = _unit_of(max(map(_number, figures)) * _FACTORS[scale], _FACTORS[scale], language)
            value = _FIGURE.sub(lambda match: _written(_number(match[0]) * factor), value)
    key = "scale_" + scale.replace(" ", "_")
    return say(language, key, value=value) if scale else value


def _number(figure: str) -> Decimal:
    return Decimal(figure.replace(",", ""))


def _unit_of(number: Decimal, counted_in: Decimal, language: Language) -> tuple[str, Decimal]:
    """The largest unit that is no larger than a number, "" below all, and what figures are multiplied by for it."""
    units = _UNITS[language].items()
    unit, size = next(((unit, size) for unit, size in units if size <= number), ("", Decimal(1)))
    return unit, counted_in / size


def _written(number: Decimal) -> str:
    """All digits of a number, as in "1,577.5", without zeros at the end."""
    whole, _, decimals = f"{number:,f}".partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".") if decimals else whole

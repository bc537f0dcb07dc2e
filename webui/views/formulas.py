"""The formula of a computed value, with its numbers as buttons that open the cells they come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webui.views.links import Link

_NUMBER: Final = re.compile(r"\d++(?:[,.]\d++)*+(?!:)")  # without years, as in "2022: 411 / 1,797"
_NO_DIGIT: Final = re.compile(r"[^\d.]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a formula."""

    text: str
    link: Link | None = None  # of a number, that opens its cell


def parts_of_formula(formula: str, cells: Sequence[tuple[str, Link]]) -> list[Part]:
    """A formula in pieces. `cells`: what each cited cell says, such as "$ 44,538" or "(31)", and what opens it."""
    links = {_digits(text): link for text, link in reversed(cells)}
    parts, end = [], 0
    for number in _NUMBER.finditer(formula):
        link = links.get(_digits(number.group()))
        if link is not None:
            parts += [Part(formula[end : number.start()]), Part(number.group(), link)]
            end = number.end()
    return [part for part in [*parts, Part(formula[end:])] if part.text]


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)

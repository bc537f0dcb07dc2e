"""The short answer: its value in large type, with its citations, its formula and the table rows it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from rag.answer.scales import in_one_line
from rag.records import Answer, AnswerState, Citation, ShortAnswer, TableExcerpt
from webui.conversation import FIRST_SHORT, Exchange
from webui.session import Session
from webui.strings import Language, say
from webui.views.links import Link, link

MAX_VALUES_IN_A_LINE = 3  # longer ones are shown as a list


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the rows shown."""

    text: str
    marked: bool  # whether it is an answer


@dataclass(frozen=True, slots=True)
class Row:
    """A row shown: its label and its cells."""

    label: str
    cells: list[Cell]

    @property
    def is_section(self) -> bool:
        """Whether it consists only of a label."""
        return not any(cell.text for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Short:
    """The value, or values, that an answer starts with."""

    value: str  # "$211,915 million"; "" for a list, and for a figure that is not stated
    possible: bool  # whether the value is only a possibility
    items: list[tuple[str, Link | None]]  # for a list: each value with its own citation
    labels: str  # "Total revenue · 2023"
    formula: list[Part]
    links: list[Link]  # one per citation; empty if each item, or each number of the formula, has its own
    caption: str  # header of the rows
    headers: list[str]
    rows: list[Row]


def short_of(exchange: Exchange, session: Session) -> Short | None:
    """The short answer of an exchange in the form the template takes; without its value if the answer is in doubt."""
    short = exchange.answer.short if exchange.answer else None
    if short is None:
        return None
    stated = exchange.answer is not None and exchange.answer.state is AnswerState.ANSWER
    links = [
        link(source, exchange, FIRST_SHORT - place, session) if source and stated else None
        for place, source in enumerate(exchange.source(citation.number) for citation in short.citations)
    ]
    cells = [(exchange.cited_text(citation), one) for citation, one in zip(short.citations, links, strict=True) if one]
    formula = parts_of_formula(short.formula, cells) if stated else []
    values, table = _with_scale(short, session.language), short.table
    own = _is_list(short) and len(links) == len(values)  # whether each item has its own citation
    return Short(
        value=in_one_line(values) if stated and not _is_list(short) else "",
        possible=not short.sure,
        items=list(zip(values, links if own else [None] * len(values), strict=True))
        if stated and _is_list(short)
        else [],
        labels=" · ".join(short.labels) if stated else "",
        formula=formula,
        links=[] if own else _marks([link for _, link in cells], [part.link for part in formula if part.link]),
        caption=table.caption if table else "",
        headers=list(table.headers) if table else [],
        rows=_rows(table) if table else [],
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a short answer, as text."""

    text: str
    citations: tuple[Citation, ...]
    is_item: bool = False  # of a list


def _marks(links: Sequence[Link], of_numbers: Sequence[Link]) -> list[Link]:
    """The links after a value: the first of each source, and those that no number of the formula has."""
    first = {one.number: one for one in reversed(links)}
    return [one for one in links if one is first[one.number] or one not in of_numbers]


def short_lines(short: ShortAnswer, language: Language) -> list[Line]:
    """A short answer as one line, "$197 million (Total revenue · 2022)", or a list with a line for each item."""
    labels, values = " · ".join(short.labels), _with_scale(short, language)
    if _is_list(short):
        own = len(short.citations) == len(values)
        cited = [(one,) for one in short.citations] if own else [(), *[()] * (len(values) - 2), short.citations]
        items = [Line(value, citations, is_item=True) for value, citations in zip(values, cited, strict=True)]
        return [Line(f"{labels}:", ()), *items] if labels else items
    formula = f" = {short.formula}" if short.formula else ""
    value = in_one_line(values)
    if not short.sure:
        value = say(language, "perhaps", value=value)
    return [Line(f"{value}{formula}{f' ({labels})' if labels else ''}", short.citations)]


def short_text(short: ShortAnswer, language: Language, *, marks: bool = True) -> str:
    """A short answer as plain text, with its citations as [n]."""
    lines = []
    for line in short_lines(short, language):
        numbers = dict.fromkeys(citation.number for citation in line.citations) if marks else {}
        cited = "".join(f"[{number}]" for number in numbers)
        lines.append(f"{'- ' if line.is_item else ''}{line.text} {cited}".rstrip())
    return "\n".join(lines)


def repeats_rows(answer: Answer) -> bool:
    """Whether the sentences of an answer say no more than the rows shown above them."""
    if answer.short is None or answer.short.table is None:
        return False
    shown = {_letters("".join(row)) for row in answer.short.table.rows}
    return all(_letters(sentence.text) in shown for sentence in answer.sentences)


def repeats_list(answer: Answer) -> bool:
    """Whether the sentences of an answer say no more than the list that it starts with."""
    if answer.state is not AnswerState.ANSWER or answer.short is None or not _is_list(answer.short):
        return False
    items = {_letters(value) for value in answer.short.values}
    return all(_letters(sentence.text) in items for sentence in answer.sentences)


def _is_list(short: ShortAnswer) -> bool:
    """Whether the values are shown one below the other."""
    return len(short.values) > MAX_VALUES_IN_A_LINE


def _letters(text: str) -> str:
    """A text without what a table may print differently: spaces and signs."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _rows(table: TableExcerpt) -> list[Row]:
    marked = set(table.marked)
    return [
        Row(label, [Cell(text, (n, column) in marked) for column, text in enumerate(cells)])
        for n, (label, *cells) in enumerate(table.rows)
    ]


def _with_scale(short: ShortAnswer, language: Language) -> list[str]:
    """Each value with its scale, after its name if it has one: "2022: $1,577 million"."""
    values = list(short.values)
    if short.scale and not (short.scale == "percent" and all("%" in value for value in short.values)):
        values = [scaled(value, short.scale, language) for value in short.values]
    if short.quoted:
        return [say(language, "quoted_value", value=value) for value in values]
    if not short.names:
        return values
    return [
        say(language, "named_value", name=name, value=value) for name, value in zip(short.names, values, strict=True)
    ]


# ---- a figure in the units that each language counts in: 15 亿 for 1.5 billion


_UNITS: Final[Mapping[Language, Mapping[str, Decimal]]] = MappingProxyType(
    {
        "en": {"billion": Decimal(10**9), "million": Decimal(10**6), "thousand": Decimal(10**3)},
        "zh": {"hundred million": Decimal(10**8), "ten thousand": Decimal(10**4)},
    }
)
_FACTORS: Final = {scale: factor for units in _UNITS.values() for scale, factor in units.items()}
_FIGURE: Final = re.compile(r"\d(?:[\d.,]*\d)?")
_NUMBER: Final = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")  # a figure as written in English and Chinese


def scaled(value: str, scale: str, language: Language) -> str:
    """A short answer's value, such as "$1,577", with its scale, "" for none.

    It is converted if the language counts in other units. A value that cannot be read as a number stays in the
    document's unit.
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
    """The largest unit not larger than a number ("" for none), and the factor that converts figures to it."""
    units = _UNITS[language].items()
    unit, size = next(((unit, size) for unit, size in units if size <= number), ("", Decimal(1)))
    return unit, counted_in / size


def _written(number: Decimal) -> str:
    """All digits of a number, as in "1,577.5", without trailing zeros."""
    whole, _, decimals = f"{number:,f}".partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".") if decimals else whole


# ---- a formula, in which each number is a button that opens its cell


_IN_FORMULA: Final = re.compile(r"\d++(?:[,.]\d++)*+(?!:)")  # without the years in "2022: 411 / 1,797"
_NO_DIGIT: Final = re.compile(r"[^\d.]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a formula."""

    text: str
    link: Link | None = None  # for a number: the link to its cell


def parts_of_formula(formula: str, cells: Sequence[tuple[str, Link]]) -> list[Part]:
    """A formula in pieces. `cells`: the text of each cited cell, such as "$ 44,538" or "(31)", and its link."""
    links = {_digits(text): link for text, link in reversed(cells)}
    parts, end = [], 0
    for number in _IN_FORMULA.finditer(formula):
        link = links.get(_digits(number.group()))
        if link is not None:
            parts += [Part(formula[end : number.start()]), Part(number.group(), link)]
            end = number.end()
    return [part for part in [*parts, Part(formula[end:])] if part.text]


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)

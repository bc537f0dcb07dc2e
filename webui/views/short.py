"""The short answer: its value in large type, with its citations, its formula and the rows it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.records import AnswerState, Sentence, ShortAnswer, TableExcerpt
from webui.conversation import FIRST_SHORT, Exchange
from webui.session import Session
from webui.strings import Language, say
from webui.views.links import Link, link
from webui.views.scales import scaled

MAX_VALUES_IN_A_LINE = 3  # more are shown as a list


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the rows shown."""

    text: str
    marked: bool  # whether it answers


@dataclass(frozen=True, slots=True)
class Row:
    """A row shown: its label and its cells."""

    label: str
    cells: list[Cell]

    @property
    def is_section(self) -> bool:
        """Whether it has a label alone."""
        return not any(cell.text for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Short:
    """The value, or the values, that an answer begins with."""

    value: str  # "$211,915 million"; "" for a list, and for a figure that is not stated
    possible: bool  # whether the value is only a possibility
    items: list[str]  # of a list
    labels: str  # "Total revenue · 2023"
    formula: str
    links: list[Link]  # one per citation
    caption: str  # of the rows
    headers: list[str]
    rows: list[Row]


def short_of(exchange: Exchange, session: Session) -> Short | None:
    """The short answer of an exchange as the template takes it; without its value where the answer is in doubt."""
    short = exchange.answer.short if exchange.answer else None
    if short is None:
        return None
    cited = [(place, exchange.source(citation.number)) for place, citation in enumerate(short.citations)]
    values = _with_scale(short, session.language)
    is_list = len(values) > MAX_VALUES_IN_A_LINE
    table = short.table
    stated = exchange.answer is not None and exchange.answer.state is AnswerState.ANSWER
    return Short(
        value="; ".join(values) if stated and not is_list else "",
        possible=not short.sure,
        items=values if stated and is_list else [],
        labels=" · ".join(short.labels) if stated else "",
        formula=short.formula if stated else "",
        links=[link(source, exchange, FIRST_SHORT - place, session) for place, source in cited if source and stated],
        caption=table.caption if table else "",
        headers=list(table.headers) if table else [],
        rows=_rows(table) if table else [],
    )


def short_text(short: ShortAnswer, language: Language, *, marks: bool = True) -> str:
    """A short answer in one line: "$197 million (Total revenue · 2022) [1]"."""
    labels = " · ".join(short.labels)
    formula = f" = {short.formula}" if short.formula else ""
    numbers = dict.fromkeys(citation.number for citation in short.citations)
    cited = "".join(f"[{number}]" for number in numbers) if marks else ""
    value = "; ".join(_with_scale(short, language))
    if not short.sure:
        value = say(language, "perhaps", value=value)
    return f"{value}{formula}{f' ({labels})' if labels else ''} {cited}".strip()


def repeats_rows(short: ShortAnswer | None, sentences: Sequence[Sentence]) -> bool:
    """Whether the sentences of an answer say no more than the rows shown above them."""
    if short is None or short.table is None:
        return False
    shown = {_letters("".join(row)) for row in short.table.rows}
    return all(_letters(sentence.text) in shown for sentence in sentences)


def _letters(text: str) -> str:
    """A text without what is printed differently in a table: spaces and signs."""
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
